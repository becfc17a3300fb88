"""Whoever gets hold of the database without the keyring learns nobody's identity; whoever changes it is noticed."""

import os
import subprocess
from dataclasses import replace
from datetime import timedelta
from time import sleep

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from tests.crosswalk.scenario import DOE, FACTS, NOW, ROE, Run, discover, held, research, sightings

from dicomanon.crosswalk.archives.causes import Cause
from dicomanon.crosswalk.archives.rows import Difference
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.decisions.rows import KeyChange, Signed
from dicomanon.crosswalk.gateway.tokens import digest_of
from dicomanon.crosswalk.patients import Withdrawn
from dicomanon.crosswalk.people import CACHE_SECONDS
from dicomanon.crosswalk.projects.requests import CohortOf
from dicomanon.crosswalk.projects.rows import ApprovalFor, ProjectTerms
from dicomanon.crosswalk.projects.standing import StandingState
from dicomanon.crosswalk.pulls import FoundStudy
from dicomanon.crosswalk.removals.rows import RemovalKind, RemovalReceipt, Requester
from dicomanon.crosswalk.roles.role import Role
from dicomanon.crosswalk.rows import IdentityEventKind
from dicomanon.devices import DeviceDecision, DeviceKey
from dicomanon.errors import Fatal, Held
from dicomanon.identity import PatientIdentity
from dicomanon.local_stack.postgres import BINARIES
from dicomanon.reasons import HoldReason
from dicomanon.values import Phi

UID = "1.2.826.0.1.3680043.55771"
PATIENT = PatientIdentity("MRN-7731", "GENERALHOSPITAL", "QUIXANO^ALONSO", "19700131", "M")
PLANTED = [
    *(UID, "MRN-7731", "GENERALHOSPITAL", "QUIXANO", "ALONSO", "19700131"),
    *("MRN-9902", "ROE^JANE", "ACC-55501", "20200214", "101500", "SMITHERS", "555-0199", "TOLEDO", "AUDITWORD"),
]

WITHOUT_SOURCE_VALUES = {
    "task_event", "openlineage_event", "archive_check", "archive_survey", "unconfirmed_object", "research_facts",
    "project_identifier",
}  # fmt: skip
"""Research identifiers, blind indexes, counts, and what objects say that passed the check, alone."""


@pytest.fixture
def filled(crosswalk: Crosswalk, crosswalk_dsn: str) -> Run:
    """Every table has rows, made of values that must not be found."""
    study_id = discover(crosswalk, UID, sightings(UID, 6))
    run = Run(crosswalk)
    crosswalk.mapping.add_known_values(study_id, ["555-0199", "TOLEDO"])
    mine, theirs = run.outcomes(PATIENT), run.outcomes(ROE)
    junk = replace(mine[1], modality="SMITHERS JANE", sop_class_uid="1.2.3.19700131")
    crosswalk.mapping.record(run.batch, [mine[0], junk, *mine[2:4]])
    device = DeviceKey("US", "QUIXANO", "ALONSO", "19700131", "1.2", 480, 640, "TOLEDO")
    unseen = replace(held(mine[5], HoldReason.UNCONFIRMED_DEVICE, "class-high"), device=device)
    crosswalk.mapping.record(run.batch, [theirs[4], unseen])
    (seen,) = crosswalk.devices.all()
    crosswalk.devices.confirm(seen.id, DeviceDecision.HOLD, (), author="ada", reason="AUDITWORD of MRN-7731")
    run.validate()
    run.store()
    with pytest.raises(Held):
        crosswalk.patients.get_or_create(replace(PATIENT, name="QUIXANO^SANCHO", birth_date="19700130"))
    stored = [row.instance_id for row in run.sources() if row.state == "stored"]
    release = crosswalk.releases.create("LUNG", "ada", b"d", stored, record={"facts": "AUDITWORD of MRN-7731"})
    crosswalk.releases.record_access("admin", "read", "AUDITWORD of MRN-7731", 1)
    crosswalk.projects.add("LUNG", "postgres", actor="ada", reason="AUDITWORD of MRN-7731")
    why = {"actor": "ada", "reason": "AUDITWORD of MRN-7731"}
    token, secret = crosswalk.tokens.create("LUNG", "postgres", lifetime=timedelta(hours=1), **why)
    with psycopg.connect(crosswalk_dsn) as connection:
        connection.execute(
            "SELECT crosswalk.gateway_record(ARRAY[gen_random_uuid()], ARRAY[%s::bytea], ARRAY['gateway.query'],"
            " ARRAY[1::bigint], ARRAY['project'], ARRAY['LUNG'])",
            (digest_of(secret),),
        )
    crosswalk.tokens.revoke(str(token.id), **why)
    crosswalk.projects.add_requester("LUNG", "ravi", actor="ada", reason="AUDITWORD of MRN-7731")
    terms = ProjectTerms("Nodules", "Ada", "EK 1", NOW.date(), 365, (), None, 10, frozenset())
    cohort = CohortOf("LUNG", "cohort_extraction/r", True, ((1, 2, 3),))
    held_for = [ApprovalFor.IDENTIFIERS]
    crosswalk.requests.hold(cohort, "ravi", held_for, asked={"sex": 1}, purpose="AUDITWORD of MRN-7731")
    crosswalk.requests.decide(cohort.request_key, approved=True, actor="ada", reason="AUDITWORD of MRN-7731")
    crosswalk.requests.tell(cohort, 2, ())
    standing = CohortOf("LUNG", "cohort_extraction/s", False, ((1, 2, 3),))
    crosswalk.standing.open(standing, "ravi", {"project": "LUNG"}, None, release)
    (open_one,) = crosswalk.standing.all()
    crosswalk.standing.note(open_one, "1 1")
    crosswalk.standing.change(open_one, StandingState.ENDED, "done", by="ada")
    crosswalk.pulls.want("cohort_extraction/r", "MRN-7731", 1, at=NOW, wait=timedelta(hours=1), **why)
    crosswalk.projects.set("LUNG", terms, actor="ada", reason="AUDITWORD of MRN-7731")
    crosswalk.profiles.publish("site@1", "{}", actor="ada", reason="AUDITWORD of MRN-7731", code_version="0.1.0")
    crosswalk.profiles.approve("site@1", actor="bob", reason="AUDITWORD of MRN-7731")
    _reidentify(crosswalk)
    _decide(crosswalk)
    _remove(crosswalk, "LUNG", str(crosswalk.patients.get_or_create(PATIENT).pseudonym))
    crosswalk.archives.record([Difference(Cause.STUDY_UNKNOWN, subject=Phi(UID))], NOW)
    crosswalk.archives.note_restoration("crosswalk-1", NOW, actor="ada", reason="AUDITWORD of MRN-7731")
    return run


def _reidentify(crosswalk: Crosswalk) -> None:
    """Ask for a source UID, approve it and show it."""
    why = {"actor": "ada", "reason": "AUDITWORD of MRN-7731", "ticket": "AUDITWORD"}
    asked = crosswalk.reidentification.ask(research(UID), **why, hours=1, per_day=1)
    crosswalk.reidentification.decide(str(asked.id), approved=True, actor="bob", reason="AUDITWORD of MRN-7731")
    crosswalk.reidentification.show(str(asked.id), actor="ada")


def _decide(crosswalk: Crosswalk) -> None:
    """Take every decision about identities that leaves a row."""
    discover(crosswalk, f"{UID}.2", sightings(f"{UID}.2", 1))
    crosswalk.pulls.want(
        "cohort_extraction/2", UID, 1, at=NOW, wait=timedelta(hours=1), actor="ada", reason="AUDITWORD"
    )
    (_, pull) = crosswalk.pulls.unasked(NOW)
    assert crosswalk.pulls.answered(pull.id, [FoundStudy(f"{UID}.2", ("TOLEDO", "MRN-9902"))], NOW)
    Run(crosswalk).record(ROE)
    signed = Signed("ada", "AUDITWORD of MRN-7731")
    events = {event.kind: event.id for event in crosswalk.identities.events()}
    crosswalk.identities.overrule(events[IdentityEventKind.PATIENT_DIFFERS], signed)
    crosswalk.identities.overrule(events[IdentityEventKind.ACCESSION_REUSED], signed, shared=True)
    crosswalk.identities.merge_keys(KeyChange(("GENERALHOSPITAL", "MRN-7731"), ("", "MRN-9902")), signed)
    crosswalk.identities.merge_keys(KeyChange(("GENERALHOSPITAL", "MRN-7731"), ("TOLEDO", "555-0199")), signed)
    crosswalk.identities.split([research(UID)], signed)


def _remove(crosswalk: Crosswalk, project: str, pseudonym: str) -> None:
    """Recall one object, withdraw a patient: every table of removals gets rows."""
    removals, ada = crosswalk.removals, Requester("ada")
    why = {"reason": "AUDITWORD of MRN-7731", "ticket": "T-1"}
    recall = removals.request_recall(project, 1, ada, **why)
    withdrawal = removals.request_of_patient(RemovalKind.WITHDRAWAL, pseudonym, ada, **why)
    withdrawal = removals.approve(withdrawal, "bob", "AUDITWORD of MRN-7731")
    removals.mark(recall)
    removals.mark(withdrawal)
    for one in removals.objects(recall):
        removals.record_receipts(recall, [RemovalReceipt(one.instance_id, gone=True, means="by hand")])
    for tombstone in removals.tombstones(removal_id=recall.id):
        removals.record_notice(recall, tombstone.release.id, "folder", ["research@example.org"])


def date_shift(crosswalk: Crosswalk, identity: PatientIdentity) -> int:
    with pytest.raises(Withdrawn) as held:
        crosswalk.patients.get_or_create(identity)
    return held.value.patient.date_shift_days


def test_a_dump_holds_no_planted_value_in_any_spelling(crosswalk_dsn: str, filled: Run) -> None:
    dumped = dump(crosswalk_dsn)
    assert b"research@0123456789ab" in dumped
    sleep(CACHE_SECONDS)  # until what is remembered of them is read again
    shifts = {str(date_shift(filled.crosswalk, one)) for one in (PATIENT, ROE)}
    for number, value in enumerate([*PLANTED, *shifts, "19700130", "SANCHO"]):
        for spelling in (value, value.lower(), value.encode().hex(), value.encode("utf-16-le").hex()):
            assert spelling.encode() not in dumped, f"planted value {number}"


def test_every_table_had_something_to_hide(crosswalk_dsn: str, filled: Run) -> None:
    with psycopg.connect(crosswalk_dsn) as connection:
        tables = [
            row[0]
            for row in connection.execute(
                "SELECT relname FROM pg_class WHERE relnamespace = 'crosswalk'::regnamespace AND relkind = 'r'"
            )
        ]
        empty = [
            table
            for table in tables
            if not connection.execute(f"SELECT 1 FROM crosswalk.{table} LIMIT 1").fetchone()  # type: ignore[arg-type]
        ]
    assert set(empty) == WITHOUT_SOURCE_VALUES


@pytest.mark.parametrize(
    ("table", "column"), [("study", "uid_sealed"), ("series", "uid_sealed"), ("instance", "uid_sealed")]
)
def test_ciphertext_moved_to_another_row_is_refused(
    crosswalk: Crosswalk, crosswalk_dsn: str, table: str, column: str
) -> None:
    for study in ("1.2", "1.3"):
        discover(crosswalk, study, sightings(study, 1))
    run = Run(crosswalk)
    _change(
        crosswalk_dsn,
        f"UPDATE crosswalk.{table} t SET {column} = o.{column} FROM crosswalk.{table} o WHERE t.id < o.id",
    )
    with pytest.raises(Fatal, match="does not open"):
        run.sources()


def test_the_identity_of_another_patient_is_refused(crosswalk: Crosswalk, crosswalk_dsn: str) -> None:
    crosswalk.patients.get_or_create(DOE)
    crosswalk.patients.get_or_create(ROE)
    _change(
        crosswalk_dsn,
        "UPDATE crosswalk.patient t SET identity_sealed = o.identity_sealed"
        " FROM crosswalk.patient o WHERE t.id <> o.id",
    )
    with Crosswalk(crosswalk_dsn, crosswalk._keyring) as another_process, pytest.raises(Fatal) as refused:
        another_process.patients.get_or_create(DOE)
    assert "MRN" not in str(refused.value)


def test_changed_facts_are_refused(crosswalk: Crosswalk, crosswalk_dsn: str) -> None:
    discover(crosswalk, "1.2", sightings("1.2", 1))
    Run(crosswalk).complete()
    _change(
        crosswalk_dsn,
        "UPDATE crosswalk.study SET facts_sealed = set_byte(facts_sealed, 20, (get_byte(facts_sealed, 20) + 1) % 256)",
    )
    with pytest.raises(Fatal) as refused:
        list(crosswalk.mapping.studies_for_cohort())
    assert FACTS.accession_number not in str(refused.value)


def _change(dsn: str, statement: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(statement)  # type: ignore[arg-type]


def dump(dsn: str) -> bytes:
    parameters = conninfo_to_dict(dsn)
    password = str(parameters.pop("password"))
    done = subprocess.run(
        [BINARIES / "pg_dump", "--role", Role.BACKUP.group, "--dbname", make_conninfo("", **parameters)],
        env={**os.environ, "PGPASSWORD": password},
        capture_output=True,
        check=True,
    )
    return done.stdout
