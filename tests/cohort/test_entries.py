"""What people paste is read as they meant it, or refused by its place."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomanon.cohort.entries import (
    Age,
    IndexDate,
    NameWithBirthDate,
    read_column,
    read_index_dates,
    read_names_with_birth_dates,
    read_optional_age,
)

CANARY = "Zz-CANARY-1931"
read_patient_ids = read_column("Patient ID")


@pytest.mark.parametrize(
    ("pasted", "expected"),
    [
        (["1", " 2 ", ""], ("1", "2")),
        ("1\n2\n", ("1", "2")),
        (["MRN", "1", "2"], ("1", "2")),
        (["Name,Patient ID,Sex", '"Doe, Jane",1,F', "Roe,2"], ("1", "2")),
        (["patient_id;x", "1;2"], ("1",)),
        (["a\tMRN", "b\t7^^^AWAY"], ("7^^^AWAY",)),
        (["A\tMRN\tB", "\t77\t99"], ("77",)),
        (["1,2", "3,4"], ("1,2", "3,4")),  # without a heading, a line is an identifier
        (["MRN,name", '"1,Doe', "2,Roe"], ("1,Doe", "2")),  # a quotation mark too many costs one line
    ],
)
def test_column_is_found_by_its_heading(pasted: object, expected: tuple[str, ...]) -> None:
    assert read_patient_ids(pasted) == expected


def test_a_missing_cell_stays_to_be_refused() -> None:
    assert read_patient_ids(["name,mrn", "Doe,1", "Roe"]) == ("1", "")


@pytest.mark.parametrize(
    "line", ["Doe^Jane, 1970-01-31", "Doe^Jane;19700131", "Doe^Jane\t1970-01-31", '"Doe^Jane","1970-01-31"']
)
def test_name_and_date_are_parted_at_the_last_mark(line: str) -> None:
    assert read_names_with_birth_dates([line]) == (NameWithBirthDate("Doe^Jane", date(1970, 1, 31)),)


def test_a_comma_within_a_name_is_the_name_s() -> None:
    assert read_names_with_birth_dates("Doe, Jane, 1970-01-31") == (NameWithBirthDate("Doe, Jane", date(1970, 1, 31)),)


def test_index_dates_are_read_by_headings_in_any_order() -> None:
    assert read_index_dates(["Date of diagnosis,Ward,MRN", "2020-02-29,3,77"]) == (IndexDate("77", date(2020, 2, 29)),)


def test_unreadable_entries_are_told_by_place() -> None:
    with pytest.raises(ValueError, match=r"entry 2, 3$") as caught:
        read_index_dates(["MRN,date", "1,2020-01-01", f"2,{CANARY}", ",2020-01-01"])
    assert CANARY not in str(caught.value)


def test_nothing_read_prints_itself() -> None:
    assert "Doe" not in f"{read_names_with_birth_dates('Doe, 1970-01-31')!r}"
    assert CANARY not in f"{read_index_dates(CANARY + ', 1970-01-31')}"


@pytest.mark.parametrize(
    ("text", "born", "day", "years"),
    [
        ("18", date(2000, 2, 29), date(2018, 2, 28), 17),
        ("18Y", date(2000, 2, 29), date(2018, 3, 1), 18),
        ("006M", date(2020, 1, 31), date(2020, 7, 30), 5),
        ("2w", date(2020, 1, 1), date(2020, 1, 15), 2),
        ("010D", date(2020, 1, 1), date(2020, 1, 11), 10),
    ],
)
def test_age_is_counted_in_full_units(text: str, born: date, day: date, years: int) -> None:
    age = read_optional_age(text)
    assert isinstance(age, Age)
    assert age.of(born, day) == years


@given(st.text(max_size=80))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    for given_text in (text, f"☢{text}☢"):  # which no message of ours has
        read_patient_ids(given_text)
        for read in (read_index_dates, read_names_with_birth_dates, read_optional_age):
            try:
                read(given_text)
            except ValueError as error:
                assert "☢" not in str(error)
