"""Cohorts that differ by few are recognised, and a request that waits is answered by somebody else, once."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.crosswalk.scenario import Run, discover, sightings

from dicomanon.crosswalk.audit.trail import Wanted
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.projects.requests import CohortOf
from dicomanon.crosswalk.projects.rows import ApprovalFor
from dicomanon.errors import Fatal

FEW = 10
HUNDRED = range(100)
WAITING = {"asked": {"sex": 1}, "purpose": "PURPOSE-CANARY"}


def cohort(people: Iterable[int], run: str = "r", project: str = "LUNG", *, dry_run: bool = False) -> CohortOf:
    return CohortOf(project, f"cohort_extraction/{run}", dry_run, (tuple(sorted(people)),))


@pytest.mark.parametrize(
    ("people", "near"),
    [
        (HUNDRED, False),  # the same teach nothing
        (range(99), True),  # without one
        (range(101), True),  # with one more
        (range(91), True),
        (range(90), False),  # ten may differ
        (range(1, 120), True),  # one less, and twenty others for him
        (range(10, 120), False),
        (range(200, 300), False),  # nobody in common
        ([], False),
    ],
)
def test_what_leaves_few_on_either_side_is_near(crosswalk: Crosswalk, people: Iterable[int], near: bool) -> None:
    assert crosswalk.requests.tell(cohort(HUNDRED, "first"), FEW, ())
    assert crosswalk.requests.is_near(cohort(people), FEW) is near
    assert crosswalk.requests.tell(cohort(people), FEW, ()) is not near
    assert not crosswalk.requests.is_near(cohort(people, project="HEART"), FEW)


def test_what_was_not_told_is_not_compared_with(crosswalk: Crosswalk) -> None:
    assert crosswalk.requests.tell(cohort(HUNDRED, "first"), FEW, ())
    assert not crosswalk.requests.tell(cohort(range(95), "refused"), FEW, ())
    assert crosswalk.requests.tell(cohort(range(90), "second"), FEW, ())


def test_what_somebody_stands_for_is_told_and_compared_with_later(crosswalk: Crosswalk) -> None:
    assert crosswalk.requests.tell(cohort(HUNDRED, "first"), FEW, ())
    assert crosswalk.requests.tell(cohort(range(80, 180), "apart"), FEW, ())
    assert crosswalk.requests.tell(cohort(range(99), "approved"), FEW, [ApprovalFor.OVERLAP])
    assert crosswalk.requests.is_near(cohort(range(98)), FEW)


def test_a_request_is_not_compared_with_itself(crosswalk: Crosswalk) -> None:
    assert crosswalk.requests.tell(cohort(HUNDRED), FEW, ())
    assert crosswalk.requests.tell(cohort(range(99)), FEW, ())


def test_counts_that_are_both_told_as_few_tell_nothing_of_each_other(crosswalk: Crosswalk) -> None:
    assert crosswalk.requests.tell(cohort(range(9), "few", dry_run=True), FEW, ())
    assert not crosswalk.requests.is_near(cohort(range(8), dry_run=True), FEW)
    assert crosswalk.requests.is_near(cohort(range(10), dry_run=True), FEW)
    assert crosswalk.requests.is_near(cohort(range(8), dry_run=False), FEW)


def test_of_two_at_once_that_differ_by_one_only_one_is_told(crosswalk: Crosswalk) -> None:
    """Each alone may be told; whichever comes second is not."""
    for number in range(5):
        pair = [cohort(people, f"{number}-{len(people)}", f"P{number}") for people in (HUNDRED, range(99))]
        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(lambda one: crosswalk.requests.tell(one, FEW, ()), pair)) == [False, True]


@given(st.sets(st.integers(0, 40)), st.sets(st.integers(0, 40)), st.integers(2, 12))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_near_is_what_sets_say(crosswalk: Crosswalk, first: set[int], second: set[int], few: int) -> None:
    project = uuid4().hex  # nothing was told to it
    crosswalk.requests.tell(cohort(first, "first", project), few, ())
    expected = bool(first & second) and any(0 < len(rest) < few for rest in (first - second, second - first))
    assert crosswalk.requests.is_near(cohort(second, project=project), few) is expected


def test_patients_are_named_by_keyed_ids_that_no_two_projects_share(keyring: Keyring) -> None:
    people = [f"D{number:011}" for number in range(2000)]
    lung, heart = (CohortOf.of(keyring, name, "r", [[*people, *people]], dry_run=False) for name in ("LUNG", "HEART"))
    assert lung.patients == lung.fewest == len(people)
    assert list(lung.groups[0]) == sorted(lung.groups[0])
    assert not set(lung.groups[0]) & set(heart.groups[0])
    assert lung == CohortOf.of(keyring, "LUNG", "r", [reversed(people)], dry_run=False)


def test_each_group_that_can_be_told_apart_is_compared(crosswalk: Crosswalk) -> None:
    """One who is a case the first time and a control the second is in both, and still singled out."""
    assert crosswalk.requests.tell(cohort(HUNDRED, "first"), FEW, ())
    cases, controls = tuple(range(99)), tuple(range(99, 150))
    second = CohortOf("LUNG", "cohort_extraction/r", False, (cases, controls, cases + controls))
    assert (second.fewest, second.patients) == (51, 150)
    assert crosswalk.requests.is_near(second, FEW)


def hold(crosswalk: Crosswalk, *reasons: ApprovalFor, run: str = "r", requester: str = "ravi") -> str:
    crosswalk.requests.hold(cohort(range(3), run), requester, reasons or tuple(ApprovalFor), **WAITING)
    return f"cohort_extraction/{run}"


@pytest.mark.parametrize("approved", [True, False])
def test_somebody_else_answers_once(crosswalk: Crosswalk, approved: bool) -> None:
    key = hold(crosswalk)
    waiting = crosswalk.requests.approval(key)
    assert waiting
    assert (waiting.approved, waiting.held_for) == (None, set(ApprovalFor))
    crosswalk.requests.decide(key, approved=approved, actor="ada", reason="REASON-CANARY")
    crosswalk.requests.decide(key, approved=approved, actor="bob", reason="again")
    with pytest.raises(Fatal, match="does not wait"):
        crosswalk.requests.decide(key, approved=not approved, actor="bob", reason="otherwise")
    decided = crosswalk.requests.approval(key)
    assert decided
    assert decided.approved is approved
    (one,) = crosswalk.requests.held(all_of_them=True)
    assert (one.decision, one.decided_by) == ("approved" if approved else "refused", "ada")
    assert crosswalk.requests.held() == []
    entries = [entry.action for entry in crosswalk.audit.newest(Wanted(about=str(one.id)), 9)]
    assert entries == ["cohort.hold", "cohort.approve" if approved else "cohort.refuse"]


@pytest.mark.parametrize("actor", ["ravi", " RAVI "])
def test_nobody_answers_their_own_whatever_the_program(crosswalk: Crosswalk, crosswalk_dsn: str, actor: str) -> None:
    key = hold(crosswalk)
    with pytest.raises(Fatal, match="nobody approves what they requested"):
        crosswalk.requests.decide(key, approved=True, actor=actor, reason="mine")
    with psycopg.connect(crosswalk_dsn) as owner, pytest.raises(psycopg.errors.RestrictViolation):
        owner.execute(
            "INSERT INTO crosswalk.cohort_decision (held_id, decision, decided_by, reason_sealed)"
            " SELECT id, 'approved', %s, '' FROM crosswalk.cohort_held",
            (actor,),
        )
    assert crosswalk.requests.approval(key).approved is None  # type: ignore[union-attr]


def test_the_database_releases_nothing_of_what_waits_or_was_refused(crosswalk: Crosswalk) -> None:
    discover(crosswalk, "1.2", sightings("1.2", 1))
    run = Run(crosswalk)
    run.complete()
    stored = [source.instance_id for source in run.sources()]
    waiting, refused, approved = (hold(crosswalk, run=name) for name in ("waiting", "refused", "approved"))
    for key, answer in ((refused, False), (approved, True)):
        crosswalk.requests.decide(key, approved=answer, actor="ada", reason="seen")
    for key in (waiting, refused):
        with pytest.raises(Fatal, match="RestrictViolation"):
            crosswalk.releases.create("LUNG", "ravi", b"d", stored, request_key=key)
    assert crosswalk.releases.create("LUNG", "ravi", b"d", stored, request_key=approved).number == 1
    assert crosswalk.releases.create("LUNG", "ravi", b"d", stored, request_key="never held").number == 2


@pytest.mark.parametrize("mark", ["actor", "reason"])
def test_an_answer_has_somebody_and_a_reason(crosswalk: Crosswalk, mark: str) -> None:
    key = hold(crosswalk)
    said: dict[str, Any] = {"actor": "ada", "reason": "seen", mark: " "}
    with pytest.raises(Fatal):
        crosswalk.requests.decide(key, approved=True, **said)
    assert crosswalk.requests.approval(key).approved is None  # type: ignore[union-attr]


def test_what_does_not_wait_is_not_answered(crosswalk: Crosswalk) -> None:
    with pytest.raises(Fatal, match="does not wait"):
        crosswalk.requests.decide("cohort_extraction/none", approved=True, actor="ada", reason="why")


def test_held_again_for_the_same_waits_once_and_for_more_anew(crosswalk: Crosswalk) -> None:
    key = hold(crosswalk, ApprovalFor.IDENTIFIERS)
    hold(crosswalk, ApprovalFor.IDENTIFIERS)
    assert len(crosswalk.requests.held()) == 1
    crosswalk.requests.decide(key, approved=True, actor="ada", reason="seen")
    hold(crosswalk, ApprovalFor.IDENTIFIERS, ApprovalFor.OVERLAP)
    newest = crosswalk.requests.approval(key)
    assert newest
    assert (newest.approved, len(newest.held_for)) == (None, 2)
    hold(crosswalk)
    (one,) = crosswalk.requests.held()
    assert one.held_for == set(ApprovalFor)
    assert crosswalk.requests.held(all_of_them=True) == [one]


def test_a_look_shows_the_purpose_and_is_in_the_trail(crosswalk: Crosswalk) -> None:
    key = hold(crosswalk)
    found, purpose, reason = crosswalk.requests.look(key, actor="ada")
    assert (found.patients, found.asked, purpose.reveal(), reason) == (3, {"sex": 1}, "PURPOSE-CANARY", None)
    crosswalk.requests.decide(key, approved=True, actor="ada", reason="REASON-CANARY")
    _, _, reason = crosswalk.requests.look(key, actor="ada")
    assert reason is not None
    assert reason.reveal() == "REASON-CANARY"
    assert len(crosswalk.audit.newest(Wanted(action="cohort.review"), 9)) == 2
    with pytest.raises(Fatal, match="no such request"):
        crosswalk.requests.look("cohort_extraction/none", actor="ada")


@pytest.mark.parametrize("table", ["cohort_told", "cohort_held", "cohort_decision"])
def test_what_was_told_held_and_decided_is_never_changed(crosswalk: Crosswalk, crosswalk_dsn: str, table: str) -> None:
    with psycopg.connect(crosswalk_dsn) as owner, pytest.raises(psycopg.errors.RestrictViolation):
        owner.execute(f"DELETE FROM crosswalk.{table}")  # type: ignore[arg-type]
