"""How fast the crosswalk seals, opens, enrols and records, on a PostgreSQL of its own in a temporary folder.

Prints microseconds a value, rows per second of each step of the real code path, and the seconds that a rotation of the
wrapping key takes.

    python bench/keys.py [--studies 40] [--instances 500]
"""

import argparse
import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.keys.data_keys import DataKey, SiteKeys
from dicomanon.crosswalk.keys.wrapping import WrappingKey
from dicomanon.crosswalk.rows import BatchSource, MappedOutcome
from dicomanon.identity import InstanceSighting, PatientIdentity, StudyFacts, StudySighting
from dicomanon.local_stack.ports import free_port
from dicomanon.local_stack.postgres import start_postgres

CT = "1.2.840.10008.5.1.4.1.1.2"
UID = b"1.2.826.0.1.3680043.8.498.12345678901234567890123456789012345678"
ROW = UUID(int=1)
RECORDED_AT_ONCE = 1000


def main() -> None:
    """Run each measurement once and print a line for it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=40)
    parser.add_argument("--instances", type=int, default=500, help="of a study")
    arguments = parser.parse_args()
    measure_values()
    with tempfile.TemporaryDirectory() as folder, crosswalk_in(Path(folder)) as crosswalk:
        measure_steps(crosswalk, arguments.studies, arguments.instances)


def measure_values() -> None:
    """Print microseconds for one value, and for one data key."""
    key = DataKey(b"k" * 32, SiteKeys({1: b"s" * 32}))
    wrapping = WrappingKey(1, b"w" * 32)
    sealed, wrapped = key.seal(UID, "instance.uid|1"), wrapping.wrap(b"k" * 32, "study", ROW)
    for name, work in (
        ("seal", lambda: key.seal(UID, "instance.uid|1")),
        ("open", lambda: key.open(sealed, "instance.uid|1")),
        ("unwrap a data key", lambda: wrapping.unwrap(wrapped, "study", ROW)),
    ):
        print(f"{name:<20} {microseconds(work):8.2f} us")


def microseconds(work: Callable[[], object], times: int = 50_000) -> float:
    """Return the mean time of one call."""
    start = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - start) / times * 1e6


def measure_steps(crosswalk: Crosswalk, studies: int, instances: int) -> None:
    """Print rows per second of enrolling, reading and recording, and what a rotation costs."""
    now = datetime.now(UTC)
    uids = [f"1.2.3.{number}" for number in range(studies)]
    rows = studies * instances
    with timed("observe", studies):
        crosswalk.ledger.observe([StudySighting(uid, instances) for uid in uids], now)
    due = crosswalk.ledger.due(timedelta(0), now + timedelta(days=1))
    with timed("enroll", rows):
        for study in due:
            uid = study.study_uid.reveal()
            listing = [InstanceSighting(f"{uid}.1", f"{uid}.1.{number}", CT) for number in range(instances)]
            crosswalk.ledger.enroll(study.study_id, listing, now)
    run = crosswalk.ledger.open_run("bench", str(uuid4()))
    batch = crosswalk.ledger.open_batch(run, 1, [one.instance_id for one in crosswalk.ledger.unplanned(run)])
    with timed("batch_sources", rows):
        sources = crosswalk.ledger.batch_sources(batch)
    patients = [crosswalk.patients.get_or_create(PatientIdentity(f"P{number}")).id for number in range(studies)]
    by_study = {study.study_id: patient for study, patient in zip(due, patients, strict=True)}
    outcomes = [outcome_of(source, by_study[source.study_id]) for source in sources]
    with timed("record", rows):
        for first in range(0, rows, RECORDED_AT_ONCE):
            crosswalk.mapping.record(batch, outcomes[first : first + RECORDED_AT_ONCE])
    with timed("export maps", rows):
        for pairs in crosswalk.exports.maps("bench", "bench"):
            for _ in pairs:
                pass
    with timed("rotate wrapping key", 2 * studies + 1):
        crosswalk.keys.rotate_wrapping_key()


def outcome_of(source: BatchSource, patient: UUID) -> MappedOutcome:
    """Return what becomes of an instance that gives no trouble."""
    name = source.sop_uid.reveal().encode()
    return MappedOutcome(
        instance_id=source.instance_id,
        state="deidentified",
        patient_id=patient,
        research_study_uid=f"2.25.{source.study_id.int}",
        research_series_uid=f"2.25.{source.series_id.int}",
        research_sop_uid=f"2.25.{int.from_bytes(hashlib.sha256(name).digest()[:15])}",
        sop_class_uid=CT,
        modality="CT",
        facts=StudyFacts(study_date="20200214", modality="CT"),
        input_digest=hashlib.sha256(name).digest(),
        output_digest=hashlib.sha256(name + b"o").digest(),
        profile_version="research@0123456789ab",
        code_version="0.1.0",
        action_counts={"keep": 40, "remove": 12},
    )


@contextmanager
def timed(name: str, rows: int) -> Iterator[None]:
    """Print how long a step took for so many rows."""
    start = time.perf_counter()
    yield
    seconds = time.perf_counter() - start
    print(f"{name:<20} {rows / seconds:8.0f} rows/s  ({rows} in {seconds:.2f} s)")


@contextmanager
def crosswalk_in(folder: Path) -> Iterator[Crosswalk]:
    """Start a durable PostgreSQL and open a new crosswalk in it."""
    server = start_postgres(folder / "postgres", free_port(), durable=True)
    try:
        server.create_roles()
        server.create_database("bench", "bench", "bench")
        keyring = Keyring.generate(folder / "keyring.json")
        with Crosswalk(server.dsn("bench", user="bench", password="bench"), keyring) as crosswalk:
            crosswalk.migrate()
            yield crosswalk
    finally:
        server.stop()


if __name__ == "__main__":
    main()
