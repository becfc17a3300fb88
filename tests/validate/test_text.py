"""Text is decoded by the character set of its own item, and nothing matches across two values."""

import pytest
from pydicom import Dataset
from pydicom.sequence import Sequence
from tests.validate.support import code, encoded

from dicomanon.validate.elements import read_part10
from dicomanon.validate.text import TextView, encodings_of


def view(dataset: Dataset) -> TextView:
    parsed = read_part10(encoded(dataset))
    return TextView(parsed.body, parsed.elements)


def test_position_leads_back_to_the_element(dataset: Dataset) -> None:
    text = view(dataset)
    at = text.joined.index("standard")
    assert text.elements[text.at(at)].place == "0018,1210"
    assert text.values[text.at(at)] == "STANDARD"
    assert text.word_around(at + 2, at + 4) == "standard"


def test_item_has_its_own_character_set(dataset: Dataset) -> None:
    item = code("1", "Größe", "99LOCAL")
    item.SpecificCharacterSet = "ISO_IR 100"
    dataset.DerivationCodeSequence = Sequence([item])
    dataset.ManufacturerModelName = "Ångström"
    text = view(dataset)
    assert "größe" in text.joined
    assert "ångström" in text.joined


@pytest.mark.parametrize("names", [["NO SUCH"], ["ISO_IR 100", "?"]])
def test_unknown_character_set_gives_none(names: list[str]) -> None:
    assert encodings_of(names) == []


def test_values_do_not_run_together(dataset: Dataset) -> None:
    text = view(dataset)
    assert not any(
        a.lower() + b.lower() in text.joined for a, b in zip(text.values, text.values[1:], strict=False) if a and b
    )
