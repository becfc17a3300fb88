"""Ages above the maximum are found in any unit and wording."""

import pytest

from dicomanon.validate.ages import ages_over, is_age_over


@pytest.mark.parametrize("value", ["090Y", "120Y", "999Y", "060Y\\091Y"])
def test_age_string_over_the_maximum(value: str) -> None:
    assert is_age_over(value, 89)


@pytest.mark.parametrize("value", ["089Y", "000Y", "", "012M", "999D", "nonsense"])
def test_age_string_that_may_show(value: str) -> None:
    assert not is_age_over(value, 89)


def test_age_in_months_counts() -> None:
    assert is_age_over("960M", 79)
    assert not is_age_over("959M", 79)


@pytest.mark.parametrize(
    "text",
    ["93 year old man", "93-year-old", "93yo female", "93 y/o", "aged 93", "age: 93", "age 93 years", "093y",
     "93 jahre alt", "93-jährige patientin", "93 ans d'âge", "edad: 93", "93歳"],
)  # fmt: skip
def test_age_in_text(text: str) -> None:
    assert list(ages_over(text, 89))
    assert not list(ages_over(text, 100))


@pytest.mark.parametrize("text", ["93 mm", "image 93", "93%", "10 years ago", "89 year old", "1.93 y", "aged 93%"])
def test_number_is_no_age(text: str) -> None:
    assert not list(ages_over(text, 89))
