"""Invented studies and the steps of a run, so that each test says only what it is about."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.processes import FRESH

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.rows import BatchSource, MappedOutcome, Receipt, Verdict
from dicomanon.identity import InstanceSighting, PatientIdentity, StudyFacts, StudySighting
from dicomanon.values import BatchId

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CT = "1.2.840.10008.5.1.4.1.1.2"

DOE = PatientIdentity("MRN-7731", "", "DOE^JOHN", "19700131", "M")
ROE = PatientIdentity("MRN-9902", "", "ROE^JANE", "19811224", "F")

FACTS = StudyFacts(
    study_date="20200214",
    study_time="101500",
    accession_number="ACC-55501",
    study_description="CHEST FOR DR SMITHERS",
    modality="CT",
    series_description="AXIAL SMITHERS",
)


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def research(uid: str) -> str:
    """Return what a UID mapper would: one research UID a source UID."""
    return f"2.25.{int.from_bytes(digest(uid)[:15])}"


def sightings(study_uid: str, instances: int, series: int = 1) -> list[InstanceSighting]:
    return [
        InstanceSighting(f"{study_uid}.{number % series}", f"{study_uid}.{number % series}.{number}", CT)
        for number in range(instances)
    ]


def discover(crosswalk: Crosswalk, study_uid: str, listing: Sequence[InstanceSighting]) -> UUID:
    """Observe a study, find it due, enrol the listing; return the study's id."""
    crosswalk.ledger.observe([StudySighting(study_uid, len(listing))], NOW)
    (study_id,) = [
        due.study_id
        for due in crosswalk.ledger.due(timedelta(0), NOW + timedelta(days=1))
        if due.study_uid.reveal() == study_uid
    ]
    crosswalk.ledger.enroll(study_id, listing, NOW)
    return study_id


_runs = count(1)


@dataclass
class Run:
    """A DAG run with one batch that holds everything unsettled."""

    crosswalk: Crosswalk
    name: str = field(default_factory=lambda: f"run-{next(_runs)}")

    def __post_init__(self) -> None:
        self.id = self.crosswalk.ledger.open_run("ingest_studies", self.name)
        planned = self.crosswalk.ledger.unplanned(self.id)
        self.batch: BatchId = self.crosswalk.ledger.open_batch(self.id, 1, [one.instance_id for one in planned])

    def sources(self) -> list[BatchSource]:
        return self.crosswalk.ledger.batch_sources(self.batch)

    def outcomes(self, identity: PatientIdentity = DOE, **changes: Any) -> list[MappedOutcome]:
        patient = self.crosswalk.patients.get_or_create(identity)
        changes = {"uid_salt": patient.uid_salt, **changes}
        return [deidentified(source, patient.id, **changes) for source in self.sources()]

    def record(self, identity: PatientIdentity = DOE, **changes: Any) -> list[MappedOutcome]:
        outcomes = self.outcomes(identity, **changes)
        self.crosswalk.mapping.record(self.batch, outcomes)
        return outcomes

    def validate(self) -> None:
        staged = self.crosswalk.mapping.staged(self.batch)
        self.crosswalk.mapping.record_verdicts(self.batch, [Verdict(row.instance_id, True, {}) for row in staged])

    def store(self) -> None:
        staged = self.crosswalk.mapping.staged(self.batch)
        self.crosswalk.mapping.record_receipts(
            self.batch, [Receipt(row.instance_id, accepted=True, confirmed=True, status=0) for row in staged]
        )

    def complete(self, identity: PatientIdentity = DOE, **changes: Any) -> None:
        self.record(identity, **changes)
        self.validate()
        self.store()

    def states(self) -> list[str]:
        return [source.state.value for source in self.sources()]


def deidentified(source: BatchSource, patient_id: UUID, **changes: Any) -> MappedOutcome:
    sop_uid = source.sop_uid.reveal()
    outcome = MappedOutcome(
        instance_id=source.instance_id,
        state="deidentified",
        patient_id=patient_id,
        research_study_uid=research(source.study_uid.reveal()),
        research_series_uid=research(source.series_uid.reveal()),
        research_sop_uid=research(sop_uid),
        sop_class_uid=CT,
        modality="CT",
        facts=FACTS,
        input_digest=digest(f"source {sop_uid}"),
        output_digest=digest(f"output {sop_uid}"),
        input_bytes=1000,
        output_bytes=900,
        profile_version="research@0123456789ab",
        code_version="0.1.0",
        action_counts={"keep": 40, "remove": 12},
    )
    return replace(outcome, **changes)


def held(outcome: MappedOutcome, reason: str, detail: str = "", **changes: Any) -> MappedOutcome:
    return replace(outcome, state="held", reason=reason, detail=detail, output_digest=None, output_bytes=0, **changes)


def in_processes(work: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Run ``work`` in one new process for each tuple of arguments, all started together."""
    with FRESH.Pool(len(arguments)) as pool:
        return pool.starmap(work, arguments, chunksize=1)


def pseudonyms_of(dsn: str, keyring_file: Path, numbers: Sequence[int]) -> list[tuple[str, str, int]]:
    """Return (patient id, pseudonym, date shift) of invented patients: the work of one process."""
    from dicomanon.crosswalk.keyring import Keyring

    with Crosswalk(dsn, Keyring.load(keyring_file)) as crosswalk:
        patients = [crosswalk.patients.get_or_create(PatientIdentity(f"P{number}")) for number in numbers]
    return [(str(patient.id), patient.pseudonym, patient.date_shift_days) for patient in patients]


def record_one_by_one(dsn: str, keyring_file: Path, run_name: str) -> None:
    """Record a run's batch in many small transactions: the work of a process that will be killed."""
    from dicomanon.crosswalk.keyring import Keyring

    with Crosswalk(dsn, Keyring.load(keyring_file)) as crosswalk:
        run = Run(crosswalk, run_name)
        for outcome in run.outcomes():
            crosswalk.mapping.record(run.batch, [outcome])


def migrate(dsn: str, keyring_file: Path) -> int:
    """Migrate: the work of one process."""
    from dicomanon.crosswalk.keyring import Keyring

    with Crosswalk(dsn, Keyring.load(keyring_file)) as crosswalk:
        return crosswalk.migrate()


def merge_in_process(dsn: str, keyring_file: Path, one: str, other: str, keep: str) -> str:
    """Merge two patients, or say that it was refused: the work of one process."""
    from dicomanon.crosswalk.decisions.rows import Signed
    from dicomanon.crosswalk.keyring import Keyring
    from dicomanon.errors import Fatal

    with Crosswalk(dsn, Keyring.load(keyring_file)) as crosswalk:
        try:
            crosswalk.identities.merge([one, other], Signed("admin", "at once"), keep=keep)
        except Fatal:
            return "refused"
    return "done"
