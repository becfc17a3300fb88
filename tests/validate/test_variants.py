"""One value has many forms, each long enough to be no accident."""

import pytest

from dicomanon.validate.variants import MIN_BYTES, Kind, encoded_forms, written_forms


def test_date_is_written_in_many_ways() -> None:
    forms = set(written_forms("20190105", Kind.DATE))
    assert {
        "20190105",
        "2019-01-05",
        "05.01.2019",
        "01/05/2019",
        "5 jan 2019",
        "05-jan-2019",
        "january 5, 2019",
    } <= forms


@pytest.mark.parametrize(
    ("value", "form"), [("Müller", "muller"), ("604-555-0199", "6045550199"), ("(604) 555 0199", "6045550199")]
)
def test_text_is_also_written_plain(value: str, form: str) -> None:
    assert form in set(written_forms(value, Kind.TEXT))


def test_number_in_an_address_does_not_stand_for_it() -> None:
    assert set(written_forms("12 Mill Lane", Kind.TEXT)) == {"12 mill lane"}


def test_forms_shorter_than_six_bytes_are_not_sought() -> None:
    assert all(len(form.data) >= MIN_BYTES for form in encoded_forms("smith"))
    assert {form.width for form in encoded_forms("smith")} == {2}


def test_swapped_forms_are_marked() -> None:
    assert {form.data for form in encoded_forms("abcdefg") if form.swapped} == {b"badcfe", b"cbedgf"}
