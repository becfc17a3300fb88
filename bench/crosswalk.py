"""The crosswalk at size: how fast it answers and takes rows, and what it weighs, as it grows to ten million instances.

Patients, and one study of a hundred instances, are written by the code that the pipeline runs. The rest are copies of
that study under new keys, one for every patient, made inside of the server: what is read and measured does not tell
them from others. Everything is measured at several sizes, so that what 100 million take is extrapolated from growth.

    python bench/crosswalk.py [--instances 10000000] [--dsn DSN_OF_AN_EMPTY_DATABASE]
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial
from hashlib import sha256
from itertools import groupby
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import LiteralString
from uuid import uuid4

import psycopg
from rich.console import Console
from rich.table import Table

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.facts import collect, seal_facts
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.keys.keychain import Keychain
from dicomanon.crosswalk.rows import MappedOutcome, Receipt, Verdict
from dicomanon.identity import InstanceSighting, PatientIdentity, StudyFacts, StudySighting
from dicomanon.local_stack.ports import free_port
from dicomanon.local_stack.postgres import start_postgres
from dicomanon.values import BatchId

CT = "1.2.840.10008.5.1.4.1.1.2"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PER_STUDY = 100
STUDIES_AT_ONCE = 2000
THREADS = 2
"""Batches are worked on at once by as many processes (``batches_at_once``)."""
STUDIES_EACH, STUDY_AT_ONCE = 50, 1000
SETTINGS = {
    "shared_buffers": "4GB", "checkpoint_timeout": "30min", "max_wal_size": "8GB", "wal_compression": "on",
    "random_page_cost": "1.1", "jit": "off",
}  # fmt: skip
"""As docker-compose.yaml has them."""
TRACES = 2000
RESOLVED = 100_000
WANTED_TRACE_MS, WANTED_FORWARD_MS, WANTED_RESOLVE_S, WANTED_ROWS = 5.0, 50.0, 30.0, 20_000


def identity(number: int) -> PatientIdentity:
    born = date(1930, 1, 1) + timedelta(days=number % 25_000)
    return PatientIdentity(f"MRN-{number:08d}", "", f"FAMILY{number}^GIVEN", f"{born:%Y%m%d}", "F")


def research(uid: str) -> str:
    return f"2.25.{int.from_bytes(sha256(uid.encode()).digest()[:15])}"


@contextmanager
def opened(dsn: str | None) -> Iterator[tuple[str, Path, Crosswalk]]:
    """Give an empty crosswalk, on a server of our own where none is named."""
    with tempfile.TemporaryDirectory(prefix="dicomanon-bench-") as folder:
        Path(folder).chmod(0o711)  # the server's own account has to pass
        server = None if dsn else start_postgres(Path(folder) / "postgres", free_port(), settings=SETTINGS)
        try:
            dsn = dsn or (server.dsn() if server else "")
            file = Path(folder) / "keyring.json"
            keyring = Keyring.generate(file)
            Crosswalk(dsn, keyring).migrate()
            with Crosswalk(dsn, keyring, max_size=THREADS + 2) as crosswalk:
                yield dsn, file, crosswalk
        finally:
            if server:
                server.stop()


def write_patients(crosswalk: Crosswalk, numbers: Sequence[int]) -> float:
    """Create patients as the pipeline does; return how many a second."""
    started = time.monotonic()
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(lambda number: crosswalk.patients.get_or_create(identity(number)), numbers):
            pass
    return len(numbers) / (time.monotonic() - started)


Pulled = list[tuple[BatchId, list[MappedOutcome]]]


class Writing:
    """Instances written by the code of the pipeline: seconds of each step, added over studies."""

    def __init__(self, crosswalk: Crosswalk, name: str) -> None:
        self.crosswalk, self.name = crosswalk, name
        self.seconds = {"enrolled": 0.0, "mapping rows": 0.0, "verdicts": 0.0, "receipts": 0.0}
        self.instances = 0

    def study(self, number: int, instances: int) -> None:
        mapping = self.crosswalk.mapping
        ((batch, outcomes),) = self.pulled(range(number, number + 1), instances)
        self._timed("mapping rows", lambda: mapping.record(batch, outcomes))
        self.settle(batch)
        self.instances += instances

    def settle(self, batch: BatchId) -> None:
        """Give the batch's instances their verdicts and receipts."""
        mapping = self.crosswalk.mapping
        ids = [one.instance_id for one in mapping.staged(batch)]
        verdicts = [Verdict(one, True, {}) for one in ids]
        self._timed("verdicts", lambda: mapping.record_verdicts(batch, verdicts))
        receipts = [Receipt(one, accepted=True, confirmed=True, status=0) for one in ids]
        self._timed("receipts", lambda: mapping.record_receipts(batch, receipts))

    def pulled(self, numbers: range, instances: int) -> Pulled:
        """Enroll studies, plan each as a batch, and return with it what pulling it would have come to."""
        ledger = self.crosswalk.ledger
        for number in numbers:
            uid = f"1.2.3.{self.name}.{number}"
            listing = [InstanceSighting(f"{uid}.1", f"{uid}.1.{one}", CT) for one in range(instances)]
            ledger.observe([StudySighting(uid, instances)], NOW)
            (due,) = [one for one in ledger.due(timedelta(0), NOW + timedelta(days=1)) if one.study_uid.reveal() == uid]
            self._timed("enrolled", partial(ledger.enroll, due.study_id, listing, NOW))
        run = ledger.open_run("bench", f"{self.name}-{numbers[0]}")
        studies = groupby(ledger.unplanned(run), key=lambda one: one.study_id)
        planned = [[one.instance_id for one in members] for _, members in studies]
        batches = [ledger.open_batch(run, place, ids) for place, ids in enumerate(planned, start=1)]
        return [(batch, self._outcomes(batch)) for batch in batches]

    def _outcomes(self, batch: BatchId) -> list[MappedOutcome]:
        sources = self.crosswalk.ledger.batch_sources(batch)
        number = int(sources[0].study_uid.reveal().rpartition(".")[2])
        patient = self.crosswalk.patients.get_or_create(identity(number))
        facts = StudyFacts("20200214", "101500", f"ACC-{self.name}-{number}", "CT CHEST", "CT", "AXIAL", "CHEST")
        return [
            MappedOutcome(
                instance_id=source.instance_id,
                state="deidentified",
                patient_id=patient.id,
                research_study_uid=research(source.study_uid.reveal()),
                research_series_uid=research(source.series_uid.reveal()),
                research_sop_uid=research(source.sop_uid.reveal()),
                sop_class_uid=CT,
                modality="CT",
                facts=facts,
                input_digest=sha256(b"in%d" % source.instance_id).digest(),
                output_digest=sha256(b"out%d" % source.instance_id).digest(),
                input_bytes=526_000,
                output_bytes=525_000,
                profile_version="research@0123456789ab",
                code_version="bench",
                action_counts={"keep": 40, "remove": 12},
            )
            for source in sources
        ]

    def _timed(self, step: str, work: Callable[[], object]) -> None:
        started = time.monotonic()
        work()
        self.seconds[step] += time.monotonic() - started


def record_at_once(
    dsn: str, keyring: Path, pulled: Pulled, begin: Barrier, taken: SimpleQueue[tuple[float, float]]
) -> None:
    """Write mapping rows as one of several processes that begin together; tell when it began and ended."""
    with Crosswalk(dsn, Keyring.load(keyring)) as crosswalk:
        crosswalk.ledger.batches(uuid4())  # connected
        begin.wait()
        started = time.monotonic()
        for batch, outcomes in pulled:
            crosswalk.mapping.record(batch, outcomes)
        taken.put((started, time.monotonic()))


def rows_at_once(dsn: str, keyring: Path, crosswalk: Crosswalk, step: int) -> float:
    """Return the mapping rows a second of as many processes as batches are worked on at once."""
    context = get_context("spawn")
    begin, taken = context.Barrier(THREADS), context.SimpleQueue()
    writing = Writing(crosswalk, f"{step}.1")
    pulled = writing.pulled(range(STUDIES_EACH, (1 + THREADS) * STUDIES_EACH), STUDY_AT_ONCE)
    workers = [
        context.Process(target=record_at_once, args=(dsn, keyring, pulled[one::THREADS], begin, taken))
        for one in range(THREADS)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if any(worker.exitcode for worker in workers):
        raise SystemExit("a process that writes mapping rows failed")
    for batch, _ in pulled:
        writing.settle(batch)
    spans: list[tuple[float, float]] = [taken.get() for _ in workers]
    return len(pulled) * STUDY_AT_ONCE / (max(end for _, end in spans) - min(start for start, _ in spans))


_NEW_UID: LiteralString = (
    "'2.25.' || (1e17 + random() * 9e17)::bigint || lpad((random() * 1e18)::bigint::text, 18, '0')"
)
_RANDOM_INDEX: LiteralString = "uuid_send(gen_random_uuid())"


class Copies:
    """Copies of the first study under new keys, one for each patient who has none yet."""

    def __init__(self, dsn: str, keyring: Keyring) -> None:
        self._connection = psycopg.connect(dsn)
        self._keys = Keychain(lambda: psycopg.connect(dsn), keyring.masters)
        # Copies of rows that fitted fit as well; every foreign key would be looked up for each of them.
        self._connection.execute("SET session_replication_role = replica")
        self._connection.execute("SET synchronous_commit = off")
        self._columns = {
            table: [
                name
                for (name,) in self._connection.execute(
                    "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
                    " ORDER BY attnum",
                    (f"crosswalk.{table}",),
                )
            ]
            for table in ("study", "series", "instance", "verdict", "store_receipt", "study_known_values")
        }
        self._connection.execute(
            "CREATE TEMP TABLE template AS SELECT i.id, i.study_id, i.series_id, row_number() OVER (ORDER BY i.id) AS n"
            " FROM crosswalk.instance i ORDER BY i.id LIMIT %s",
            (PER_STUDY,),
        )
        self._connection.execute(
            "CREATE TEMP TABLE copied (number bigint, patient_id uuid, study_id uuid, series_id uuid, first bigint)"
        )
        self._connection.commit()

    def make(self, studies: int) -> None:
        """Copy the study for so many patients."""
        execute = self._connection.execute
        execute("TRUNCATE copied")
        execute(
            "INSERT INTO copied SELECT row_number() OVER (), p.id, gen_random_uuid(), gen_random_uuid(),"
            " (SELECT max(id) FROM crosswalk.instance) + %(many)s * (row_number() OVER () - 1)"
            " FROM crosswalk.patient p"
            " WHERE NOT EXISTS (SELECT FROM crosswalk.study st WHERE st.patient_id = p.id) LIMIT %(studies)s",
            {"many": PER_STUDY, "studies": studies},
        )
        study = "FROM copied c CROSS JOIN (SELECT DISTINCT study_id FROM template) t JOIN crosswalk.study o"
        self._insert(
            "study", f"{study} ON o.id = t.study_id",
            id="c.study_id", patient_id="c.patient_id", study_index=_RANDOM_INDEX, research_study_uid=_NEW_UID,
        )  # fmt: skip
        self._insert(
            "series",
            "FROM copied c CROSS JOIN (SELECT DISTINCT series_id FROM template) t JOIN crosswalk.series o"
            " ON o.id = t.series_id",
            id="c.series_id", study_id="c.study_id", series_index=_RANDOM_INDEX, research_series_uid=_NEW_UID,
        )  # fmt: skip
        self._seal_facts()
        self._insert(
            "instance", "FROM copied c CROSS JOIN template t JOIN crosswalk.instance o ON o.id = t.id",
            id="c.first + t.n", study_id="c.study_id", series_id="c.series_id", sop_index=_RANDOM_INDEX,
            research_sop_uid=_NEW_UID,
        )  # fmt: skip
        for table in ("verdict", "store_receipt"):
            self._insert(
                table, f"FROM copied c CROSS JOIN template t JOIN crosswalk.{table} o ON o.instance_id = t.id",
                id=f"nextval(pg_get_serial_sequence('crosswalk.{table}', 'id'))", instance_id="c.first + t.n",
            )  # fmt: skip
        self._connection.execute(
            "SELECT setval(pg_get_serial_sequence('crosswalk.instance', 'id'), max(id)) FROM crosswalk.instance"
        )
        self._connection.commit()

    def _seal_facts(self) -> None:
        """Give each study a key, and study and series facts of their own: cohorts open them."""
        make_key = self._keys.maker(self._connection)
        rows = []
        for number, study, series in self._connection.execute("SELECT number, study_id, series_id FROM copied"):
            key, wrapped = make_key("study", study)
            facts = collect({}, [StudyFacts("20200214", "101500", f"ACC-{number}", "CT CHEST", "CT", "AXIAL", "CHEST")])
            of_series = collect(
                {}, [StudyFacts(modality="CT", body_part="CHEST", slice_thickness="1.25", contrast="NO")]
            )
            sealed = seal_facts(key, "study.facts", study, facts), seal_facts(key, "series.facts", series, of_series)
            rows.append((study, series, wrapped, *sealed))
        studies, series, keys, facts_of_studies, facts_of_series = (list(column) for column in zip(*rows, strict=True))
        self._connection.execute(
            "UPDATE crosswalk.study st SET key_wrapped = n.key, facts_sealed = n.facts"
            " FROM unnest(%s::uuid[], %s::bytea[], %s::bytea[]) AS n (id, key, facts) WHERE st.id = n.id",
            (studies, keys, facts_of_studies),
        )
        self._connection.execute(
            "UPDATE crosswalk.series se SET facts_sealed = n.facts"
            " FROM unnest(%s::uuid[], %s::bytea[]) AS n (id, facts) WHERE se.id = n.id",
            (series, facts_of_series),
        )

    def _insert(self, table: str, source: str, **values: str) -> None:
        columns = self._columns[table]
        chosen = ", ".join(values.get(column, f"o.{column}") for column in columns)
        self._connection.execute(
            f"INSERT INTO crosswalk.{table} ({', '.join(columns)}) OVERRIDING SYSTEM VALUE SELECT {chosen} {source}"  # type: ignore[arg-type]
        )

    def settle(self) -> None:
        """Let the server do now what it would do later in the background."""
        self._connection.autocommit = True
        self._connection.execute("VACUUM (ANALYZE)")
        self._connection.execute("CHECKPOINT")
        self._connection.autocommit = False


def milliseconds(work: Callable[[str], object], subjects: Sequence[str]) -> tuple[float, float]:
    """Return the median and the 99th percentile of what one subject takes."""
    taken = []
    for subject in subjects:
        started = time.perf_counter()
        work(subject)
        taken.append(1000 * (time.perf_counter() - started))
    return statistics.median(taken), statistics.quantiles(taken, n=100)[98]


def some(dsn: str, query: LiteralString, count: int) -> list[str]:
    with psycopg.connect(dsn) as connection:
        rows = [row[0] for row in connection.execute(query, (count,))]
    random.Random(5).shuffle(rows)
    return rows


def sizes(dsn: str) -> dict[str, int]:
    """Return the bytes of each table, with its indexes."""
    with psycopg.connect(dsn) as connection:
        return dict(
            connection.execute(
                "SELECT relname, pg_total_relation_size(oid) FROM pg_class"
                " WHERE relnamespace = 'crosswalk'::regnamespace AND relkind = 'r'"
                " ORDER BY 2 DESC"
            ).fetchall()
        )


class Measured:
    """What was measured at one size."""

    def __init__(self, dsn: str, keyring: Path, crosswalk: Crosswalk, patients: int, step: int) -> None:
        with psycopg.connect(dsn) as connection:
            row = connection.execute("SELECT count(*) FROM crosswalk.instance").fetchone()
        self.instances: int = row[0] if row else 0
        self.bytes = sizes(dsn)
        writing = Writing(crosswalk, f"{step}")
        for number in range(STUDIES_EACH):
            writing.study(number, STUDY_AT_ONCE)
        self.rows = {name: writing.instances / seconds for name, seconds in writing.seconds.items()}
        self.rows_at_once = rows_at_once(dsn, keyring, crosswalk, step)
        uids = some(
            dsn,
            "SELECT i.research_sop_uid FROM (SELECT (random() * (SELECT max(id) FROM crosswalk.instance))::bigint"
            " AS id FROM generate_series(1, %s)) AS drawn JOIN crosswalk.instance i USING (id)"
            " WHERE i.research_sop_uid IS NOT NULL",
            TRACES,
        )
        self.trace = milliseconds(crosswalk.lineage.trace, uids)
        pseudonyms = some(dsn, "SELECT pseudonym FROM crosswalk.patient ORDER BY md5(pseudonym) LIMIT %s", 300)
        self.forward = milliseconds(crosswalk.lineage.trace, pseudonyms)
        self.unknown = milliseconds(crosswalk.lineage.trace, [f"D{number:011d}" for number in range(300)])
        asked = [("", identity(number).patient_id) for number in range(min(RESOLVED, patients))]
        started = time.monotonic()
        self.resolved = len({study.pseudonym for study in crosswalk.mapping.studies_for_cohort(asked)})
        self.resolve_seconds = time.monotonic() - started


def grow(dsn: str, keyring: Path, crosswalk: Crosswalk, instances: int, console: Console) -> list[Measured]:
    """Fill up to a tenth, to a half and to all of the instances; measure at each of them."""
    patients = max(2, instances // PER_STUDY)
    rate = write_patients(crosswalk, range(patients))
    console.print(f"{patients:,} patients created, {rate:,.0f} a second")
    Writing(crosswalk, "first").study(0, PER_STUDY)
    copies = Copies(dsn, Keyring.load(keyring))
    measured, made = [], 1
    for step, wanted in enumerate((patients // 10, patients // 2, patients)):
        started = time.monotonic()
        while made < wanted:
            many = min(STUDIES_AT_ONCE, wanted - made)
            copies.make(many)
            made += many
        copies.settle()
        console.print(f"{made * PER_STUDY:,} instances after {time.monotonic() - started:,.0f} s more")
        measured.append(Measured(dsn, keyring, crosswalk, patients, step))
    return measured


def show(console: Console, measured: Sequence[Measured]) -> None:
    table = Table(title="crosswalk as it grows")
    table.add_column("")
    for one in measured:
        table.add_column(f"{one.instances:,}", justify="right")
    table.add_column("wanted", justify="right")
    table.add_row("trace by SOP Instance UID, median, ms", *(f"{one.trace[0]:.2f}" for one in measured), "")
    table.add_row("  99th percentile, ms", *(f"{one.trace[1]:.2f}" for one in measured), f"{WANTED_TRACE_MS}")
    table.add_row(
        f"patient forward ({PER_STUDY} instances), median, ms", *(f"{one.forward[0]:.1f}" for one in measured), ""
    )
    table.add_row("  99th percentile, ms", *(f"{one.forward[1]:.1f}" for one in measured), f"{WANTED_FORWARD_MS}")
    table.add_row("what nobody has, median, ms", *(f"{one.unknown[0]:.1f}" for one in measured), "")
    table.add_row("  99th percentile, ms", *(f"{one.unknown[1]:.1f}" for one in measured), "")
    table.add_row(
        f"{RESOLVED:,} Patient IDs to pseudonyms, s", *(f"{one.resolve_seconds:.1f}" for one in measured),
        f"{WANTED_RESOLVE_S}",
    )  # fmt: skip
    for name in measured[0].rows:
        table.add_row(f"{name} a second, one process", *(f"{one.rows[name]:,.0f}" for one in measured), "")
    table.add_row(
        f"mapping rows a second, {THREADS} processes", *(f"{one.rows_at_once:,.0f}" for one in measured),
        f"{WANTED_ROWS:,}",
    )  # fmt: skip
    table.add_row("bytes an instance", *(f"{sum(one.bytes.values()) / one.instances:,.0f}" for one in measured), "")
    console.print(table)
    first, last = measured[0], measured[-1]
    growth = (sum(last.bytes.values()) - sum(first.bytes.values())) / (last.instances - first.instances)
    for instances in (100_000_000, 1_000_000_000):
        console.print(f"{instances:,} instances: {growth * instances / 1e9:,.0f} GB by the growth measured")
    for name, size in list(last.bytes.items())[:6]:
        console.print(f"  {name}: {size / last.instances:.0f} bytes an instance")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=10_000_000)
    parser.add_argument("--dsn", help="of an empty database, for a superuser; a server of our own otherwise")
    given = parser.parse_args()
    console = Console()
    with opened(given.dsn) as (dsn, keyring, crosswalk):
        show(console, grow(dsn, keyring, crosswalk, given.instances, console))


if __name__ == "__main__":
    main()
