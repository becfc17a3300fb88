"""Promises 2 and 3 when the database server is killed at any moment: what it said yes to is there, the rest is done."""

import hashlib
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.kill import kill_server
from tests.site import Run, Site, judge_by_counts, opened_site, slices, study

from dicomanon.crosswalk.roles.role import Role
from dicomanon.crosswalk.session import Connection, Session
from dicomanon.errors import Retriable
from dicomanon.local_stack.orthanc import OrthancServer
from dicomanon.local_stack.ports import free_port
from dicomanon.local_stack.postgres import PostgresServer, start_postgres
from dicomanon.pipeline import pull, validate

SOURCES = [*slices(study("killed a"), range(1, 6)), *slices(study("killed b", number=2), range(1, 4))]
KILLS = 3
TRANSACTIONS = 60
"""About as many as the steps below make; a kill that comes later than the last of them does not happen."""


class Mortal:
    """A server that can be killed and comes back at once, as a supervisor would start it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.server: PostgresServer = start_postgres(folder, free_port())
        self.deaths = 0
        self.living = threading.Lock()
        """Held while it is dead."""

    def die(self) -> None:
        with self.living:
            kill_server(self.server)
            self.server = start_postgres(self._folder, self.server.port)
            # At the end: a step that began while it was dead failed of this death.
            self.deaths += 1


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mortal]:
    made = Mortal(tmp_path_factory.mktemp("mortal") / "postgres")
    yield made
    made.server.stop()


@pytest.fixture
def endangered(
    mortal: Mortal,
    clinical_orthanc: OrthancServer,
    research_orthanc: OrthancServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Site]:
    mortal.deaths = 0
    mortal.server.create_roles()
    mortal.server.create_database("crosswalk", "crosswalk", "secret1")
    mortal.server.create_login("crosswalk", "secret1", "crosswalk", Role)
    dsn = mortal.server.dsn("crosswalk", user="crosswalk", password="secret1")
    monkeypatch.setattr(validate, "run_checkpoint", judge_by_counts)
    # Small transactions, so that there are many moments between them.
    monkeypatch.setattr(pull, "ROWS_AT_ONCE", 1)
    with opened_site(clinical_orthanc, research_orthanc, dsn, tmp_path) as site:
        yield site
    mortal.server.drop_database("crosswalk")


def assert_every_object_has_its_row(site: Site) -> None:
    """Promise 3, at any moment: what has left the worker is known, with its digest."""
    rows = {
        uid: (state, digest)
        for uid, state, digest in site.rows(
            "SELECT research_sop_uid, state::text, output_digest FROM crosswalk.instance WHERE research_sop_uid <> ''"
        )
    }
    for uid, data in site.research_objects().items():
        state, digest = rows[uid]
        assert state in {"validated", "stored"}
        assert digest == hashlib.sha256(data).digest()
    for path in site.staging.rglob("*.dcm"):
        state, digest = rows[path.stem]
        assert state in {"deidentified", "validated", "stored"}
        assert digest == hashlib.sha256(path.read_bytes()).digest()


def persistently(site: Site, mortal: Mortal, step: Callable[[], Any]) -> Any:
    """Do a step as Airflow does: again when it may help, and only then."""
    for _ in range(KILLS + 1):
        before = mortal.deaths
        try:
            return step()
        except Retriable:
            with mortal.living:
                assert mortal.deaths > before, "nothing had happened to the database"
            assert_every_object_has_its_row(site)
    raise AssertionError("killed more often than was planned")


def complete(site: Site, mortal: Mortal) -> None:
    run = Run()
    persistently(site, mortal, run.discover)
    batches = persistently(site, mortal, run.plan)
    for step in (run.pull, run.validate, run.store, run.update):
        for batch in batches:
            persistently(site, mortal, partial(step, batch))
    persistently(site, mortal, run.reconcile)


@pytest.mark.parametrize("seed", range(6))
def test_killed_before_or_after_a_commit(
    endangered: Site, mortal: Mortal, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    endangered.load(*SOURCES)
    moments = random.Random(seed)
    planned = {moment: moments.choice(["before", "after"]) for moment in moments.sample(range(2, TRANSACTIONS), KILLS)}
    transaction, numbers, lock = Session.transaction, count(1), threading.Lock()

    @contextmanager
    def dangerous(session: Session) -> Iterator[Connection]:
        with lock:
            when = planned.get(next(numbers))
        with transaction(session) as connection:
            yield connection
            if when == "before":
                mortal.die()
        if when == "after":
            mortal.die()

    with monkeypatch.context() as danger:
        danger.setattr(Session, "transaction", dangerous)
        complete(endangered, mortal)
    assert mortal.deaths >= 1
    endangered.assert_settled(*SOURCES)


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_time(endangered: Site, mortal: Mortal, seed: int) -> None:
    endangered.load(*SOURCES)
    moments = random.Random(seed)
    done = threading.Event()

    def killer() -> None:
        for _ in range(KILLS):
            if done.wait(moments.uniform(0.05, 1.0)):
                return
            mortal.die()

    thread = threading.Thread(target=killer)
    thread.start()
    try:
        complete(endangered, mortal)
    finally:
        done.set()
        thread.join()
    assert mortal.deaths >= 1
    endangered.assert_settled(*SOURCES)
