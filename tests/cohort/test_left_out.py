"""Requesters are told what is missing by codes that tell nothing of anybody."""

import csv

import pytest

from dicomanon.cohort.left_out import answers, answers_as_csv, told_reasons
from dicomanon.crosswalk.rows import InstanceState, LeftOut
from dicomanon.reasons import HoldReason
from dicomanon.values import ResearchUid

ABOUT_PERSONS = ("identity-conflict", "keys-destroyed", "consent-withdrawn", "recalled", "withdrawn")
STUDY = ResearchUid("2.25.1")


def left_out(reason: str, instances: int = 2, state: str = "held") -> LeftOut:
    return LeftOut(STUDY, InstanceState(state), reason, instances)


def test_every_reason_and_state_has_its_row() -> None:
    states = {state.value for state in InstanceState} - {"held", "stored"}
    assert set(told_reasons()) == {reason.value for reason in HoldReason} | states | {"not-found"}


@pytest.mark.parametrize("reason", ABOUT_PERSONS)
def test_nothing_is_told_of_what_is_missing_for_a_person(reason: str) -> None:
    assert told_reasons()[reason] is None
    state = "withdrawn" if reason == "withdrawn" else "held"
    assert answers({}, [left_out("" if state == "withdrawn" else reason, state=state)]) == ()


def test_a_reason_that_nobody_foresaw_is_not_told() -> None:
    assert answers({}, [left_out("new-in-a-later-version")]) == ()


def test_no_code_or_meaning_speaks_of_persons_or_names_a_reason_of_ours() -> None:
    for one in told_reasons().values():
        assert one is None or not {"withdr", "consent", "recall", "identity"} & set(one.meaning.casefold().split())
    assert {one.code for one in told_reasons().values() if one}.isdisjoint(ABOUT_PERSONS)


def test_objects_are_counted_by_study_and_code_and_entries_named_by_place() -> None:
    told = answers(
        {"patient_ids": (2, 5), "accession_numbers": ()},
        [
            left_out("residual-phi", 2),
            left_out("nonconformant", 3),
            left_out("not-retrieved"),
            left_out("", 1, "discovered"),
        ],
    )
    withheld = list(csv.DictReader(answers_as_csv(told, "withheld").splitlines()))
    failed = list(csv.DictReader(answers_as_csv(told, "failed").splitlines()))
    assert [tuple(row.values())[:5] for row in withheld] == [
        ("", "", STUDY, "5", "check"),
        ("patient_ids", "2", "", "", "not-found"),
        ("patient_ids", "5", "", "", "not-found"),
    ]
    assert [(row["instances"], row["reason"]) for row in failed] == [("1", "in-progress"), ("2", "not-retrieved")]
    assert all(row["meaning"] for row in withheld + failed)
