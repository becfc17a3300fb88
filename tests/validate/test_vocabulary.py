"""Words of the standard are known, names of people are not."""

import pytest

from dicomanon.validate.vocabulary import standard_coding_schemes, technical_words


@pytest.mark.parametrize("word", ["axial", "original", "standard", "chest", "gray", "confidentiality"])
def test_words_of_the_standard(word: str) -> None:
    assert word in technical_words()


@pytest.mark.parametrize("word", ["featherstone", "okonkwo", "smith", "li", "patel", "nguyen"])
def test_names_are_not(word: str) -> None:
    assert word not in technical_words()


def test_schemes_of_one_site_are_not_standard() -> None:
    assert {"DCM", "SCT", "SRT", "UCUM", "LN"} <= standard_coding_schemes()
    assert not {"99HOSPITAL", "L", ""} & standard_coding_schemes()
