"""What a request wants is sealed until it was asked for, and what it waits for tells nothing of who may not appear."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from tests.crosswalk.scenario import DOE, FACTS, ROE, Run, held, sightings

from dicomanon.crosswalk.audit.trail import Wanted
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.projects.requests import CohortOf
from dicomanon.crosswalk.projects.rows import ApprovalFor, ProjectTerms
from dicomanon.crosswalk.pulls import FoundStudy, PullStanding
from dicomanon.crosswalk.removals.rows import RemovalKind, Requester
from dicomanon.crosswalk.roles.role import Role
from dicomanon.errors import Fatal
from dicomanon.identity import PatientIdentity, StudySighting
from dicomanon.reasons import HoldReason

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
KEY = "cohort_extraction/r"
WHY = {"actor": "ravi", "reason": "why"}


def want(crosswalk: Crosswalk, wanted: str = "MRN-CANARY", key: str = KEY) -> None:
    crosswalk.pulls.want(key, wanted, 3, at=NOW, wait=timedelta(hours=24), **WHY)


def standing(crosswalk: Crosswalk, at: datetime = NOW) -> PullStanding:
    found = crosswalk.pulls.standing(KEY, at)
    assert found
    return found


def answer(crosswalk: Crosswalk, *found: tuple[str, PatientIdentity]) -> int:
    """Let the clinical PACS show studies of two instances each, whose they are."""
    (pull,) = crosswalk.pulls.unasked(NOW)
    crosswalk.ledger.observe([StudySighting(uid, 2) for uid, _ in found], NOW)
    studies = [FoundStudy(uid, (whose.issuer, whose.patient_id)) for uid, whose in found]
    return crosswalk.pulls.answered(pull.id, studies, NOW)


def enroll(crosswalk: Crosswalk, uids: Sequence[str]) -> Run:
    for due in crosswalk.ledger.due(timedelta(0), NOW):
        if (uid := due.study_uid.reveal()) in uids:
            crosswalk.ledger.enroll(due.study_id, sightings(uid, 2), NOW)
    return Run(crosswalk)


def withdraw(crosswalk: Crosswalk, who: PatientIdentity) -> None:
    why = {"reason": "asked by letter", "ticket": "DPO-17"}
    pseudonym = str(crosswalk.patients.get_or_create(who).pseudonym)
    removal = crosswalk.removals.request_of_patient(RemovalKind.WITHDRAWAL, pseudonym, Requester("ada"), **why)
    crosswalk.removals.approve(removal, "bob", "seen the letter")
    crosswalk.removals.mark(removal)


def test_a_request_wants_once_and_that_is_in_the_trail(crosswalk: Crosswalk) -> None:
    want(crosswalk)
    want(crosswalk, "other")
    (pull,) = crosswalk.pulls.unasked(NOW)
    assert (pull.request_key, pull.entries, pull.wanted.reveal()) == (KEY, 3, "MRN-CANARY")
    assert "CANARY" not in repr(pull)
    (entry,) = crosswalk.audit.newest(Wanted(action="cohort.pull"), 9)
    assert (entry.actor, entry.count, entry.subject) == ("ravi", 3, str(pull.id))


@pytest.mark.parametrize("asked", [True, False])
def test_what_was_wanted_is_forgotten_once_it_was_asked_or_nobody_waits(
    crosswalk: Crosswalk, crosswalk_dsn: str, asked: bool
) -> None:
    want(crosswalk)
    if asked:
        answer(crosswalk)
    assert crosswalk.pulls.unasked(NOW + timedelta(hours=24 * (not asked))) == []
    with psycopg.connect(crosswalk_dsn) as connection:
        assert connection.execute("SELECT wanted_sealed FROM crosswalk.cohort_pull").fetchall() == [(None,)]
    assert standing(crosswalk).was_asked is asked


def test_waits_for_what_is_missing_until_a_run_has_taken_it_up(crosswalk: Crosswalk) -> None:
    known = [("1.1", DOE)]
    crosswalk.ledger.observe([StudySighting("1.1", 2)], NOW)
    enroll(crosswalk, ["1.1"]).complete(DOE)
    want(crosswalk)
    assert crosswalk.pulls.standing("cohort_extraction/other", NOW) is None
    assert standing(crosswalk) == PullStanding(3, False, False, 0, 0, 0, 0)
    assert answer(crosswalk, *known, ("1.2", DOE), ("1.3", ROE)) == 2
    assert standing(crosswalk) == PullStanding(3, True, False, 0, 0, 2, 2)
    run = enroll(crosswalk, ["1.2"])
    crosswalk.pulls.take_up(run.id, NOW - timedelta(seconds=1))
    run.complete(DOE)
    crosswalk.ledger.close_run(run.id, balanced=True)
    assert not standing(crosswalk).is_over, "it was asked after this run had looked"
    run = enroll(crosswalk, ["1.3"])
    crosswalk.pulls.take_up(run.id, NOW)
    run.complete(ROE, facts=replace(FACTS, accession_number="ACC-2"))
    assert not standing(crosswalk).is_over, "the run goes on"
    crosswalk.ledger.close_run(run.id, balanced=True)
    assert standing(crosswalk) == PullStanding(3, True, True, 2, 2, 0, 0)


def test_waits_as_long_where_nothing_was_found(crosswalk: Crosswalk) -> None:
    want(crosswalk)
    assert answer(crosswalk) == 0
    assert not standing(crosswalk).is_over
    run = Run(crosswalk)
    crosswalk.pulls.take_up(run.id, NOW)
    assert not standing(crosswalk).is_over
    crosswalk.ledger.close_run(run.id, balanced=True)
    assert standing(crosswalk).is_over


def test_waits_for_no_longer_than_it_was_asked_to(crosswalk: Crosswalk) -> None:
    want(crosswalk)
    answer(crosswalk, ("1.2", DOE))
    assert not standing(crosswalk, NOW + timedelta(hours=23)).is_over
    assert standing(crosswalk, NOW + timedelta(hours=24)) == PullStanding(3, True, True, 0, 0, 1, 1)


def test_patients_are_counted_as_the_pacs_tells_them_apart(crosswalk: Crosswalk) -> None:
    want(crosswalk)
    answer(crosswalk, ("1.1", DOE), ("1.2", DOE), ("1.3", ROE))
    assert (standing(crosswalk).pending, standing(crosswalk).pending_patients) == (3, 2)


@pytest.mark.parametrize("when", ["before", "while it is pending", "after it arrived"])
def test_who_has_withdrawn_is_as_if_never_found(crosswalk: Crosswalk, when: str) -> None:
    want(crosswalk)
    if when == "before":
        crosswalk.patients.get_or_create(DOE)
        withdraw(crosswalk, DOE)
    assert answer(crosswalk, ("1.2", DOE)) == (when != "before")
    if when != "before":
        run = enroll(crosswalk, ["1.2"])
        outcomes = run.outcomes(DOE)
        crosswalk.mapping.record(run.batch, outcomes if when == "after it arrived" else outcomes[:1])
        if when == "after it arrived":
            run.validate()
            run.store()
            assert standing(crosswalk).arrived == 1
        withdraw(crosswalk, DOE)
    found = standing(crosswalk)
    assert (found.arrived, found.arrived_patients, found.pending, found.pending_patients) == (0, 0, 0, 0)


def test_what_is_held_is_neither_arrived_nor_pending(crosswalk: Crosswalk) -> None:
    want(crosswalk)
    answer(crosswalk, ("1.2", DOE))
    run = enroll(crosswalk, ["1.2"])
    crosswalk.mapping.record(run.batch, [held(one, HoldReason.RULE_FAILED) for one in run.outcomes(DOE)])
    assert (standing(crosswalk).arrived, standing(crosswalk).pending) == (0, 0)


def test_a_request_that_waits_or_was_refused_wants_nothing(crosswalk: Crosswalk) -> None:
    for name, approved in (("waits", None), ("refused", False), ("approved", True)):
        of = CohortOf("LUNG", f"cohort_extraction/{name}", False, ((1, 2, 3),))
        crosswalk.requests.hold(of, "ravi", [ApprovalFor.PULL], asked={"pull_missing": 1}, purpose="why")
        if approved is not None:
            crosswalk.requests.decide(of.request_key, approved=approved, actor="ada", reason="seen")
        if approved:
            want(crosswalk, key=of.request_key)
        else:
            with pytest.raises(Fatal, match="RestrictViolation"):
                want(crosswalk, key=of.request_key)
    assert [pull.request_key for pull in crosswalk.pulls.unasked(NOW)] == ["cohort_extraction/approved"]
    assert len(crosswalk.audit.newest(Wanted(action="cohort.pull"), 9)) == 1


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE crosswalk.cohort_pull SET wanted_sealed = ''",
        "UPDATE crosswalk.cohort_pull SET asked_at = NULL",
        "UPDATE crosswalk.cohort_pull SET request_key = 'another'",
        "UPDATE crosswalk.cohort_pull SET wait_until = wait_until + interval '1 day'",
        "UPDATE crosswalk.cohort_pull_study SET patient = 9",
        "DELETE FROM crosswalk.cohort_pull_study",
        "DELETE FROM crosswalk.cohort_pull",
    ],
)
def test_what_was_asked_and_found_stays_so(crosswalk: Crosswalk, crosswalk_dsn: str, change: str) -> None:
    want(crosswalk)
    answer(crosswalk, ("1.2", DOE))
    with psycopg.connect(crosswalk_dsn) as owner, pytest.raises(psycopg.errors.RestrictViolation):
        owner.execute(change)  # type: ignore[arg-type]


def test_cohort_wants_and_ingest_asks(crosswalk: Crosswalk, crosswalk_dsn: str, keyring: Keyring) -> None:
    with Crosswalk(crosswalk_dsn, keyring, role=Role.COHORT) as cohort:
        want(cohort)
        want(cohort)
        with pytest.raises(Fatal, match="InsufficientPrivilege"):
            cohort.pulls.unasked(NOW)
        with Crosswalk(crosswalk_dsn, keyring, role=Role.INGEST) as ingest:
            answer(ingest, ("1.2", DOE))
            ingest.pulls.take_up(Run(crosswalk).id, NOW)
            with pytest.raises(Fatal, match="InsufficientPrivilege"):
                want(ingest, key="cohort_extraction/mine")
        assert standing(cohort).pending == 1


def test_terms_from_before_there_were_pulls_want_an_approval_for_them(crosswalk: Crosswalk, crosswalk_dsn: str) -> None:
    terms = ProjectTerms("Nodules", "Ada", "EK 1", NOW.date(), 365, (), None, 10, frozenset())
    crosswalk.projects.set("NEW", terms, actor="ada", reason="why")
    with psycopg.connect(crosswalk_dsn) as owner:
        owner.execute(
            "INSERT INTO crosswalk.project_version (id, project, version, title, lead_name, ethics_number,"
            " ethics_expires, retention_days, profiles, criteria, minimum_patients, approval_for, set_by,"
            " reason_sealed, from_before_pulls) SELECT gen_random_uuid(), 'OLD', version, title, lead_name,"
            " ethics_number, ethics_expires, retention_days, profiles, criteria, minimum_patients, approval_for,"
            " set_by, reason_sealed, true FROM crosswalk.project_version"
        )
    for project, expected in (("NEW", set()), ("OLD", {ApprovalFor.PULL})):
        newest = crosswalk.projects.newest(project)
        assert newest
        assert newest == crosswalk.projects.versions(project)[0]
        assert newest.terms.approval_for == expected
    crosswalk.projects.set("OLD", terms, actor="ada", reason="a pull needs none")
    assert crosswalk.projects.versions("OLD")[0].terms == terms
