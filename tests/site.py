"""A whole site for a test: two PACS, a crosswalk, folders of its own, and the DAG's steps in their order."""

import datetime as dt
import hashlib
import logging
import os
import signal
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from io import BytesIO, StringIO
from itertools import count
from pathlib import Path
from typing import Any, TextIO
from uuid import UUID

import numpy as np
import pandas as pd
import psycopg
import pydicom
import pytest
from pydicom.dataset import Dataset
from tests.beginnings import Beginnings, Made
from tests.pacs_content import objects_in, put

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.roles.role import Role
from dicomanon.crosswalk.rows import StudyBalance
from dicomanon.crosswalk.sealed import open_text
from dicomanon.crosswalk.trace import Trace
from dicomanon.deidentify import Deidentified, PatientContext, UidMapper, deidentify, encode, look, parse
from dicomanon.devices import ConfirmedDevices
from dicomanon.errors import Retriable
from dicomanon.local_stack.orthanc import OrthancServer
from dicomanon.pipeline import ingest
from dicomanon.pipeline.runtime import Runtime, open_runtime
from dicomanon.pipeline.task import Counts, TaskKey
from dicomanon.profile import compile_profile, load_profile
from dicomanon.sample import images
from dicomanon.sample.corpus import SampleManifest
from dicomanon.sample.headers import Series, Study, Uids
from dicomanon.sample.people import Person, make_cast
from dicomanon.sample.planted import Planted
from dicomanon.signing import SigningKey
from dicomanon.validate.checkpoint import CheckpointResult
from dicomanon.validate.suite import HOLDING

DAG = "ingest_studies"
DAY = dt.date(2022, 5, 17)
CAST = make_cast(5)

_numbers = count(1)


class PlantedError(RuntimeError):
    """What a library might raise: an exception whose text holds a patient's name."""

    def __init__(self) -> None:
        super().__init__(f"cannot read {CAST.patients[0].name} of {CAST.patients[0].patient_id}")


class Interrupted(Exception):
    """A step that is broken off at a given place; no error of ours, as little as the real ones are."""


def person(number: int = 4, **changes: Any) -> Person:
    return replace(CAST.patients[number], **changes)


def study(
    key: str, patient: Person | None = None, *, day: dt.date = DAY, planted: Planted | None = None, number: int = 1
) -> Study:
    """Return an examination whose UIDs are made of ``key``."""
    who = patient or person()
    return Study(key, who, CAST.sites[0], day, number, "CT CHEST", Uids(5), CAST, planted or Planted())


def slices(of: Study, numbers: Iterable[int] = range(1, 4), *, series: int = 1, size: int = 32) -> list[bytes]:
    """Return small CT slices of one series."""
    return [encoded(ct(of, number, series=series, size=size)) for number in numbers]


def ct(of: Study, number: int = 1, *, series: int = 1, size: int = 32) -> Dataset:
    where = Series(of, series, "CT", "Thorax 5.0 B30f", "CHEST")
    return images.ct(where, number, 20, np.random.default_rng([series, number]), size=size)


def encoded(dataset: Dataset) -> bytes:
    file = BytesIO()
    pydicom.dcmwrite(file, dataset, enforce_file_format=True)
    return file.getvalue()


def read(data: bytes) -> Dataset:
    return pydicom.dcmread(BytesIO(data))


@dataclass
class Run:
    """One DAG run: its tasks in the order of the DAG, each with a key as Airflow would give it."""

    name: str = field(default_factory=lambda: f"manual__{next(_numbers)}")
    tries: int = 0

    def key(self, task_id: str, map_index: int = -1) -> TaskKey:
        self.tries += 1
        return TaskKey(DAG, self.name, task_id, map_index, self.tries)

    def discover(self) -> Counts:
        return ingest.discover(self.key("discover"), None, None, 0)

    def plan(self) -> list[ingest.Batch]:
        return ingest.plan_batches(self.key("plan_batches"))

    def pull(self, batch: ingest.Batch, *, last_try: bool = True) -> Counts:
        key = self.key("batch.pull_and_anonymize", batch["number"] - 1)
        return ingest.pull_and_anonymize(key, batch, last_try=last_try)

    def validate(self, batch: ingest.Batch) -> Counts:
        return ingest.validate(self.key("batch.validate", batch["number"] - 1), batch)

    def store(self, batch: ingest.Batch) -> Counts:
        return ingest.store(self.key("batch.store", batch["number"] - 1), batch)

    def update(self, batch: ingest.Batch) -> Counts:
        return ingest.update_crosswalk(self.key("batch.update_crosswalk", batch["number"] - 1), batch)

    def reconcile(self) -> Counts:
        return ingest.reconcile(self.key("reconcile"))

    def steps(self) -> Iterator[Callable[[], Counts]]:
        """Yield what is left to be called, step by step, so that a test may do something in between."""
        yield self.discover
        batches = self.plan()
        for step in (self.pull, self.validate, self.store, self.update):
            for batch in batches:
                yield partial(step, batch)
        yield self.reconcile

    def complete(self) -> Counts:
        """Do everything; return the balance."""
        counts: Counts = {}
        for step in self.steps():
            counts = step()
        return counts

    def pulled(self) -> list[ingest.Batch]:
        """Do everything up to the staged objects."""
        self.discover()
        batches = self.plan()
        for batch in batches:
            self.pull(batch)
        return batches


@dataclass(frozen=True)
class Ingested:
    """Both waves of the sample, ingested one after the other; read only, since all tests share it."""

    site: "Site"
    sources: dict[str, bytes]
    """Every source object, by SOP Instance UID."""
    first: dict[str, bytes]
    """The research PACS after wave 1."""
    research: dict[str, bytes]
    """The research PACS after wave 2 and wave 1 sent once more."""
    states: dict[str, str]
    uids: dict[str, str]
    """Research SOP Instance UID by source SOP Instance UID, as the crosswalk has it."""
    planted: tuple[str, ...]
    log: str
    """Everything that was logged, by whomever, from DEBUG on."""
    staged: dict[str, bytes]
    """By file name, what was in staging between pull and store."""
    balances: tuple[Counts, ...]

    def result(self, source_uid: str) -> bytes:
        return self.research[self.uids[source_uid]]


@dataclass
class Site:
    """Its environment is set while the fixture lives, so that every step finds it by itself."""

    clinical: OrthancServer
    research: OrthancServer
    dsn: str
    folder: Path
    beginnings: Beginnings | None = None

    def begin(self, make: "Callable[[Site], Made]") -> Made:
        """Do to an empty site what many tests begin with, and return what is told of it.

        From the second time on nothing is done: PACS, crosswalk and folder become what they were after the first time.
        What ``make`` tells must be true of each of these sites.
        """
        return self.beginnings.at(self, make) if self.beginnings else make(self)

    @property
    def staging(self) -> Path:
        return self.folder / "staging"

    @property
    def data_docs(self) -> Path:
        return self.folder / "data-docs"

    @property
    def keyring(self) -> Keyring:
        return Keyring.load(self.folder / "keyring.json")

    def environment(self) -> dict[str, str]:
        values = {
            "CROSSWALK_DSN": self.dsn,
            "KEYRING_FILE": str(self.folder / "keyring.json"),
            "AUDIT_KEY_FILE": str(self.folder / "audit_key.pem"),
            "STAGING_DIR": str(self.staging),
            "DATA_DOCS_DIR": str(self.data_docs),
            "RELEASE_DIR": str(self.folder / "releases"),
            "QUIET_MINUTES": "0",
        }
        for name, server in (("clinical", self.clinical), ("research", self.research)):
            values |= {
                f"{name.upper()}__NAME": name,
                f"{name.upper()}__URL": server.dicom_web_url,
                f"{name.upper()}__USERNAME": server.username,
                f"{name.upper()}__PASSWORD": server.password,
            }
        return {f"DICOMANON_{name}": value for name, value in values.items()}

    def load(self, *objects: bytes | Path) -> None:
        """Put objects into the clinical PACS."""
        put(self.clinical, *objects)

    def remove(self, sop_uid: str) -> None:
        """Remove one instance from the clinical PACS."""
        with self.clinical.session() as session:
            (found,) = session.post(f"{self.clinical.url}/tools/lookup", data=sop_uid, timeout=60).json()
            session.delete(f"{self.clinical.url}/instances/{found['ID']}", timeout=60).raise_for_status()

    def ingest(self, *objects: bytes | Path) -> Counts:
        """Load objects, then run the DAG's steps once; return the balance."""
        self.load(*objects)
        return Run().complete()

    @contextmanager
    def runtime(self, role: Role = Role.INGEST) -> Iterator[Runtime]:
        with open_runtime(role) as runtime:
            yield runtime

    @contextmanager
    def crosswalk(self) -> Iterator[Crosswalk]:
        with Crosswalk(self.dsn, self.keyring) as crosswalk:
            yield crosswalk

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Ask the crosswalk's database, not by our code."""
        with psycopg.connect(self.dsn) as connection:
            return connection.execute(query, parameters).fetchall()

    def accounts(self) -> dict[str, StudyBalance]:
        """Every study's account, by its source UID."""
        with self.crosswalk() as crosswalk:
            return {account.study_uid.reveal(): account for account in crosswalk.ledger.balance()}

    def account(self, of: Study) -> StudyBalance:
        return self.accounts()[of.uid]

    def states(self) -> dict[str, str]:
        """State and reason of every instance, by its source SOP Instance UID."""
        uids = self.source_uids()
        rows = self.rows("SELECT id, state, reason FROM crosswalk.instance")
        return {uids[row]: f"{state}({reason})" if reason else state for row, state, reason in rows}

    def source_uids(self) -> dict[int, str]:
        """Source SOP Instance UID of every instance row."""
        rows = self.rows(
            "SELECT i.id, i.uid_sealed, st.id, st.key_wrapped FROM crosswalk.instance i"
            " JOIN crosswalk.study st ON st.id = i.study_id"
        )
        with self.crosswalk() as crosswalk:
            keys = crosswalk.keys.chain
            return {
                row: open_text(keys.of("study", study, wrapped), "instance.uid", row, sealed)
                for row, sealed, study, wrapped in rows
            }

    def access_reasons(self) -> dict[UUID, str]:
        """Reason of every access event."""
        rows = self.rows("SELECT id, reason_sealed FROM crosswalk.access_event")
        with self.crosswalk() as crosswalk:
            site = crosswalk.keys.chain.site
            return {row: open_text(site, "access_event.reason", row, sealed) for row, sealed in rows}

    def trace(self, identifier: str) -> Trace:
        with self.crosswalk() as crosswalk:
            found = crosswalk.lineage.trace(identifier)
        assert found is not None, "the crosswalk does not know this identifier"
        return found

    def research_objects(self) -> dict[str, bytes]:
        """Every object in the research PACS, by SOP Instance UID."""
        return objects_in(self.research)

    def expected(self, *sources: bytes, profile: str = "research") -> dict[str, str]:
        """Return SOP Instance UID and digest of what these sources must become, by the engine alone."""
        compiled = compile_profile(load_profile(profile))
        uids = UidMapper(self.keyring.uid_key)
        digests = {}
        with self.crosswalk() as crosswalk:
            for raw in sources:
                source = parse(raw)
                patient = crosswalk.patients.get_or_create(source.identity)
                context = PatientContext(patient.pseudonym, patient.date_shift_days, uids)
                done = deidentify(source, compiled, context, seen=look(source, compiled, ConfirmedDevices()))
                assert isinstance(done, Deidentified), done
                digests[done.sop_uid] = hashlib.sha256(encode(done)).hexdigest()
        return digests

    def stored_digests(self) -> dict[str, str]:
        return {uid: hashlib.sha256(data).hexdigest() for uid, data in self.research_objects().items()}

    def staged_files(self) -> list[str]:
        return sorted(path.name for path in self.staging.rglob("*") if path.is_file())

    def assert_settled(self, *sources: bytes) -> None:
        """Check everything that must hold when just these sources were to be stored and nothing is left to be done."""
        assert self.stored_digests() == self.expected(*sources)
        for account in self.accounts().values():
            settled = account.stored + sum(account.held.values()) + account.filtered
            assert (account.pending, settled) == (0, account.enrolled), account
        rows = self.rows(
            "SELECT i.research_sop_uid, encode(i.output_digest, 'hex'),"
            " (SELECT count(*) FROM crosswalk.verdict v WHERE v.instance_id = i.id AND v.passed),"
            " (SELECT count(*) FROM crosswalk.store_receipt r WHERE r.instance_id = i.id AND r.confirmed)"
            " FROM crosswalk.instance i WHERE i.state = 'stored'"
        )
        assert {row[0]: row[1] for row in rows} == self.stored_digests()
        assert all(row[2] >= 1 and row[3] >= 1 for row in rows), "a stored instance has a verdict and a receipt"
        assert self.staged_files() == []


@contextmanager
def opened_site(
    clinical: OrthancServer, research: OrthancServer, dsn: str, folder: Path, beginnings: Beginnings | None = None
) -> Iterator[Site]:
    """Migrate the crosswalk and set the environment."""
    site = Site(clinical, research, dsn, folder, beginnings)
    Keyring.generate(folder / "keyring.json")
    SigningKey.generate(folder / "audit_key.pem")
    with Crosswalk(dsn, site.keyring) as crosswalk:
        crosswalk.migrate()
    with pytest.MonkeyPatch.context() as environment:
        for name in [name for name in os.environ if name.startswith("DICOMANON_")]:
            environment.delenv(name)
        for name, value in site.environment().items():
            environment.setenv(name, value)
        yield site


def judge_by_counts(
    frame: pd.DataFrame, docs_dir: Path, *, run_name: str, studies: pd.DataFrame | None = None
) -> CheckpointResult:
    """Judge a batch as the checkpoint does, by the same frame; its pages take longer than all the rest."""
    rules = sorted(HOLDING & set(frame.columns))
    failed = {row["sop_uid"]: tuple(rule for rule in rules if row[rule]) for row in frame.to_dict("records")}
    failed = {uid: found for uid, found in failed.items() if found}
    return CheckpointResult(not failed, failed, (), None, {})


_RETRIABLE = os.EX_TEMPFAIL


def killed_at(owner: object, name: str, nth: int, *, after: bool, work: Callable[[], object]) -> None:
    """Do ``work`` in a process of its own that is killed at the nth call of a function, before or after its work."""
    original = getattr(owner, name)
    calls = count(1)

    def dying(*given: Any, **named: Any) -> Any:
        last = next(calls) == nth
        if last and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*given, **named)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    def until_killed() -> None:
        setattr(owner, name, dying)
        work()

    for _ in range(3):
        status = _ended(_begun(until_killed))
        # Now and then a fork inherits a lock that one of the parent's native threads held, and cannot connect.
        if status != _RETRIABLE:
            break
    assert status == -signal.SIGKILL, f"{name} was not called {nth} times; standard error has what the work raised"


def at_once(*works: Callable[[], object]) -> None:
    """Do each work in a process of its own, all at the same time; all must succeed."""
    children = [_begun(work) for work in works]
    assert [_ended(child) for child in children] == [0] * len(works)


def _begun(work: Callable[[], object]) -> int:
    """Begin work in a process of its own; it ends with 0, or with another status after it printed what was raised."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    except BaseException as error:
        traceback.print_exc()
        status = _RETRIABLE if isinstance(error, Retriable) else 1
    finally:
        # Not sys.exit: the child must run none of the test session's exits, and flush none of its files twice.
        os._exit(status)


def _ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def ingest_sample(site: Site, waves: Sequence[tuple[Path, SampleManifest]]) -> Ingested:
    """Ingest wave 1, then wave 2 together with wave 1 sent again, then nothing new."""
    sources = {file.sop_uid: (folder / file.path).read_bytes() for folder, wave in waves for file in wave.files}
    written = StringIO()
    staged: dict[str, bytes] = {}
    balances = []
    with logged(written):
        for sent in (waves[:1], waves, ()):
            for folder, wave in sent:
                site.load(*wave.paths(folder))
            for step in Run().steps():
                last = step()
                staged |= {path.name: path.read_bytes() for path in site.staging.rglob("*") if path.is_file()}
            balances.append(last)
            if len(balances) == 1:
                first = site.research_objects()
    source_uids = site.source_uids()
    uids = site.rows("SELECT id, research_sop_uid FROM crosswalk.instance WHERE research_sop_uid <> ''")
    return Ingested(
        site=site,
        sources=sources,
        first=first,
        research=site.research_objects(),
        states=site.states(),
        uids={source_uids[row]: uid for row, uid in uids},
        planted=waves[-1][1].planted,
        log=written.getvalue(),
        staged=staged,
        balances=tuple(balances),
    )


@contextmanager
def logged(into: TextIO) -> Iterator[None]:
    """Write down whatever any library logs, from DEBUG on, tracebacks included."""
    root = logging.getLogger()
    handler = logging.StreamHandler(into)
    handler.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.setLevel(before)
        root.removeHandler(handler)
