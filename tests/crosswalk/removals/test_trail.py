"""Each step of a removal is an entry of the audit trail, once, about the patient or the release."""

import pytest
from tests.crosswalk.removals.test_removals import ADA, UID, WHY, request
from tests.crosswalk.scenario import DOE, Run, discover, sightings

from dicomanon.crosswalk.audit.actions import action_kinds
from dicomanon.crosswalk.audit.trail import Wanted
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.removals.rows import Removal, RemovalKind, Step
from dicomanon.errors import Fatal


@pytest.fixture
def stored(crosswalk: Crosswalk) -> Run:
    discover(crosswalk, UID, sightings(UID, 3))
    run = Run(crosswalk)
    run.complete()
    return run


def go_through(crosswalk: Crosswalk, removal: Removal) -> None:
    crosswalk.removals.approve(removal, "bob", "seen the letter")
    for _ in range(2):
        crosswalk.removals.mark(removal)
        for step in Step:
            crosswalk.removals.record_step(removal, step, {})


STEPS = ("request", "approve", "mark", "replace", "notify", "remove", "certify")


def test_the_steps_of_a_withdrawal_are_about_the_pseudonym(crosswalk: Crosswalk, stored: Run) -> None:
    removal = request(crosswalk)
    go_through(crosswalk, removal)
    entries = list(crosswalk.audit.newest(Wanted(), 50))
    assert sorted(one.action for one in entries) == sorted(f"withdrawal.{step}" for step in STEPS)
    assert {(one.subject_kind, one.subject) for one in entries} == {("pseudonym", removal.pseudonym)}
    (mark,) = [one for one in entries if one.action == "withdrawal.mark"]
    assert (mark.actor, mark.count) == ("ada", 3)
    assert crosswalk.audit.verify([]).fault is None
    told = {crosswalk.audit.reason(one).reveal() for one in entries}
    assert told == {f"removal {removal.id}, ticket DPO-17"}, "why it was asked for is opened by admins alone"


def test_the_steps_of_a_recall_are_about_the_release(crosswalk: Crosswalk, stored: Run) -> None:
    release = crosswalk.releases.create("P", "ada", b"d", [row.instance_id for row in stored.sources()])
    go_through(crosswalk, crosswalk.removals.request_recall("P", 1, ADA, **WHY))
    entries = [one for one in crosswalk.audit.newest(Wanted(), 50) if one.action.startswith("recall.")]
    assert sorted(one.action for one in entries) == sorted(f"recall.{step}" for step in STEPS)
    assert {(one.subject_kind, one.subject) for one in entries} == {("release", str(release.id))}


@pytest.mark.parametrize("kind", RemovalKind)
def test_every_step_is_known_to_audit_repositories(kind: RemovalKind) -> None:
    assert {f"{kind}.{step}" for step in STEPS} <= action_kinds().keys()


def test_who_looks_a_patient_up_is_in_the_trail_whether_found_or_not(crosswalk: Crosswalk, stored: Run) -> None:
    found = crosswalk.removals.pseudonym_of("", DOE.patient_id, actor="ada", reason="letter")
    with pytest.raises(Fatal):
        crosswalk.removals.pseudonym_of("", "NOBODY", actor="ada", reason="letter")
    entries = list(crosswalk.audit.newest(Wanted(), 50))
    assert {(one.action, one.count, one.subject) for one in entries} == {
        ("patient.look_up", 1, found),
        ("patient.look_up", 0, ""),
    }
