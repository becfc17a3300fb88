"""What is asked of a PACS, and that nothing else which it answers is believed."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomanon.pacs.wanted import ACCESSION_NUMBER, ALWAYS, ISSUER, PATIENT_ID, NamedStudy, Wanted
from dicomanon.pacs.windows import DateWindow

MAY = DateWindow(date(2020, 5, 1), date(2020, 5, 31))
SUMMER = DateWindow(date(2020, 5, 20), date(2020, 9, 30))
A = ("HOME", "A")


def study(patient: str = "A", day: str = "20200515", issuer: str = "", number: str = "") -> NamedStudy:
    return NamedStudy("1.2", day, patient, issuer, number)


def asked(wanted: Wanted) -> list[tuple[dict[str, str], DateWindow]]:
    return [(dict(question.filters), question.window) for question in wanted.questions("HOME")]


def test_a_question_for_each_person_and_time_and_the_issuer_where_it_is_not_the_site_s() -> None:
    assert asked(Wanted({A: (ALWAYS,), ("", "B"): (ALWAYS,), ("AWAY", "A"): (MAY, SUMMER)})) == [
        ({PATIENT_ID: "A"}, ALWAYS),
        ({PATIENT_ID: "B"}, ALWAYS),
        ({PATIENT_ID: "A", ISSUER: "AWAY"}, MAY),
        ({PATIENT_ID: "A", ISSUER: "AWAY"}, SUMMER),
    ]


def test_only_the_days_that_both_ask_for() -> None:
    both = DateWindow(SUMMER.start, MAY.end)
    assert asked(Wanted({A: (MAY,)}, window=SUMMER)) == [({PATIENT_ID: "A"}, both)]
    assert asked(Wanted({A: (MAY,)}, window=DateWindow(date(2021, 1, 1), date.max))) == []


def test_by_accession_number_where_there_are_some_and_by_nothing_where_nobody_is_meant() -> None:
    numbers = frozenset({"2", "1"})
    assert asked(Wanted(None, numbers)) == [({ACCESSION_NUMBER: "1"}, ALWAYS), ({ACCESSION_NUMBER: "2"}, ALWAYS)]
    assert len(asked(Wanted({A: (MAY,)}, numbers))) == 2
    assert asked(Wanted({})) == asked(Wanted({}, numbers)) == []


@pytest.mark.parametrize(
    ("one", "taken"),
    [
        (study(), True),
        (study(issuer="HOME"), True),
        (study(issuer="AWAY"), False),
        (study("a"), False),
        (study("A1"), False),
        (study(""), False),
        (study(day="20200601"), False),
        (study(day=""), False),
        (study(day="2020"), False),
    ],
)
def test_another_patient_or_day_is_not_taken_whatever_the_pacs_thinks_that_it_matches(
    one: NamedStudy, taken: bool
) -> None:
    assert Wanted({A: (MAY,)}).takes(one, "HOME") is taken


def test_undated_is_taken_where_no_day_is_asked_for() -> None:
    assert Wanted({A: (ALWAYS,)}).takes(study(day=""), "HOME")
    assert not Wanted({A: (ALWAYS,)}, window=MAY).takes(study(day=""), "HOME")


def test_without_an_issuer_of_the_site_one_that_is_not_named_means_any() -> None:
    assert Wanted({("", "A"): (ALWAYS,)}).takes(study(issuer="AWAY"), "")
    assert not Wanted({("AWAY", "A"): (ALWAYS,)}).takes(study(), "")


def test_the_number_has_to_be_the_same_and_the_patient_too() -> None:
    wanted = Wanted({A: (ALWAYS,)}, frozenset({"1"}))
    assert wanted.takes(study(number="1"), "HOME")
    assert not wanted.takes(study(number="12"), "HOME")
    assert not wanted.takes(study("B", number="1"), "HOME")
    assert Wanted(None, frozenset({"1"})).takes(study("B", number="1"), "HOME")


def test_what_is_left_out_is_not_taken() -> None:
    assert not Wanted(None, frozenset({"1"}), not_people=frozenset({A})).takes(study(number="1"), "HOME")
    assert not Wanted({A: (ALWAYS,)}, not_accession_numbers=frozenset({"1"})).takes(study(number="1"), "HOME")


_WORDS = st.text(max_size=5)
_WINDOWS = st.tuples(st.dates(), st.dates()).map(lambda days: DateWindow(min(days), max(days)))
_PEOPLE = st.dictionaries(st.tuples(_WORDS, _WORDS), st.lists(_WINDOWS, max_size=2).map(tuple), max_size=3)


@given(
    st.builds(
        Wanted, st.none() | _PEOPLE, st.frozensets(_WORDS), _WINDOWS, st.frozensets(st.tuples(_WORDS, _WORDS)),
        st.frozensets(_WORDS),
    )
)  # fmt: skip
def test_is_the_same_after_it_was_written(wanted: Wanted) -> None:
    assert Wanted.of(wanted.to_text()) == wanted


def test_shows_nothing() -> None:
    assert "A" not in repr(study()).replace("NamedStudy", "").replace("[PHI]", "")
    assert "HOME" not in repr(Wanted({A: (ALWAYS,)}))
