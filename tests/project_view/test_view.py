"""A project's identifiers are one to one with the research PACS's, and have nothing in common with anybody's."""

import re
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from dicomanon.profile.actions import TextKind
from dicomanon.project_view.texts import SeenTexts
from dicomanon.project_view.view import ProjectView

ONE, OTHER = ProjectView(b"1" * 32), ProjectView(b"2" * 32)
PSEUDONYM = "D7Q2M8K4ZX1P"
PSEUDONYMS = st.from_regex(r"D[0-9A-HJKMNP-TV-Z]{11}", fullmatch=True)
DAYS = ONE.days(PSEUDONYM)


@given(st.lists(st.integers(1, 2**122), min_size=2, unique=True))
def test_uids_are_one_to_one_and_another_project_s_are_others(numbers: list[int]) -> None:
    uids = [f"2.25.{number}" for number in numbers]
    ours, theirs = {ONE.uid(uid) for uid in uids}, {OTHER.uid(uid) for uid in uids}
    assert len(ours) == len(uids)
    assert not ours & theirs
    assert not (ours | theirs) & set(uids)
    assert all(len(uid) <= 64 for uid in ours)


@given(st.sets(PSEUDONYMS, min_size=2))
def test_so_are_pseudonyms(pseudonyms: set[str]) -> None:
    ours, theirs = {ONE.pseudonym(one) for one in pseudonyms}, {OTHER.pseudonym(one) for one in pseudonyms}
    assert len(ours) == len(pseudonyms)
    assert not ours & theirs
    assert all(re.fullmatch(r"P[0-9A-HJKMNP-TV-Z]{15}", one) for one in ours)


@given(PSEUDONYMS)
def test_dates_of_a_patient_move_back_by_one_number_of_days(pseudonym: str) -> None:
    assert -1461 <= ONE.days(pseudonym) <= -1
    assert ONE.days(pseudonym) == ProjectView(b"1" * 32).days(pseudonym)


def test_registered_uids_stay() -> None:
    assert ONE.uid("1.2.840.10008.5.1.4.1.1.2") == "1.2.840.10008.5.1.4.1.1.2"
    assert ONE.uid("") == ""


def test_what_concerns_two_projects_has_two_names() -> None:
    removal = UUID(int=1)
    assert len({removal, ONE.reference(removal), OTHER.reference(removal)}) == 3
    assert ONE.reference(removal) == ONE.reference(removal)


def test_dates_in_prose_move_and_intervals_stay() -> None:
    texts = SeenTexts(ONE, PSEUDONYM)
    seen = texts.text("Compared with 2020-03-01, seen again on 2020-03-11.", TextKind.DESCRIPTION)
    first, second = re.findall(r"\d{4}-\d{2}-\d{2}", seen)
    assert "2020-03" not in seen
    assert texts.dates("20200301", "DA") == first.replace("-", "")
    assert texts.dates("20200311", "DA") == second.replace("-", "")


def test_a_date_of_two_readings_moves_as_the_header_has_it_or_goes() -> None:
    text = "CT of 03/04/2020"
    assert "2020" not in SeenTexts(ONE, PSEUDONYM).text(text, TextKind.DESCRIPTION)
    assert re.search(r"\d{2}/\d{2}/\d{4}", SeenTexts(ONE, PSEUDONYM, ["20200304"]).text(text, TextKind.DESCRIPTION))


def test_dates_of_versions_go_for_they_would_tell_how_much_dates_moved() -> None:
    texts = SeenTexts(ONE, PSEUDONYM)
    for kind in (TextKind.TECHNICAL, TextKind.CODE, TextKind.TERM):
        assert not re.search(r"\d{8}", texts.text("20160314", kind))
        assert texts.text("syngo 1.2.3", kind) == "syngo 1.2.3"


def test_pseudonym_and_uids_in_a_text_become_the_project_s() -> None:
    seen = SeenTexts(ONE, PSEUDONYM).text(f"{PSEUDONYM}: see 2.25.1234567890.", TextKind.DESCRIPTION)
    assert seen == f"{ONE.pseudonym(PSEUDONYM)}: see {ONE.uid('2.25.1234567890')}."


def test_dummies_are_everybody_s_and_stay() -> None:
    texts = SeenTexts(ONE, PSEUDONYM)
    assert texts.dates("19000101", "DA") == "19000101"
    assert texts.dates("19000101000000", "DT") == "19000101000000"
    assert texts.dates("no date", "DA") is None
