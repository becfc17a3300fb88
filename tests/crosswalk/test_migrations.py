"""Every earlier schema, with rows in it, becomes the newest one; so it does after a kill and when two are at it."""

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.crosswalk.scenario import DOE, Run, discover, in_processes, migrate, sightings
from tests.kill import kill_server
from tests.processes import FRESH

from dicomanon.crosswalk import migrations
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.roles.granting import apply_grants
from dicomanon.local_stack.ports import free_port
from dicomanon.local_stack.postgres import start_postgres

STEPS = migrations.migrations()
NEWEST = STEPS[-1].number
_FIRST_WITH_KEYS = 10
_RENAMED = {"identity_event": {"kind", "parts"}}
"""What 0013 calls otherwise; its own test tells how."""
_OF_KEYRING = ("keyring_fingerprint", "site_key", "wrapping_key_slot", "wrapping_key")
_STOPPED = 0x570BBED
"""Advisory lock that the test holds, and a migration stops at."""
ROWS = Path(__file__).with_name("rows_of_each_migration")

CATALOG = {
    "columns": """
        SELECT c.relname, c.relkind, c.relpersistence, c.reloptions, a.attname, a.attnum,
               format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
               pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE n.nspname IN ('crosswalk', 'research') AND c.relkind IN ('r', 'p', 'v', 'm', 'S')""",
    "views": """
        SELECT schemaname, viewname, definition FROM pg_views WHERE schemaname IN ('crosswalk', 'research')""",
    "constraints": """
        SELECT conrelid::regclass::text, conname, contype, convalidated, pg_get_constraintdef(c.oid)
        FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace WHERE n.nspname = 'crosswalk'""",
    "indexes": """
        SELECT pg_get_indexdef(i.indexrelid), i.indisvalid
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'crosswalk'""",
    "triggers": """
        SELECT pg_get_triggerdef(t.oid), t.tgenabled
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'crosswalk' AND NOT t.tgisinternal""",
    "functions": """
        SELECT pg_get_functiondef(p.oid) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname IN ('crosswalk', 'research')""",
    "policies": """
        SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, p.polname, p.polpermissive, p.polcmd,
               pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_policy p ON p.polrelid = c.oid
        WHERE n.nspname IN ('crosswalk', 'research') AND c.relkind IN ('r', 'p')""",
    "types": """
        SELECT t.typname, t.typtype, (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_enum e
                                      WHERE e.enumtypid = t.oid)
        FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
        WHERE n.nspname = 'crosswalk' AND t.typtype IN ('e', 'd')""",
    "grants": """
        WITH granted AS (
            SELECT 'schema' AS kind, n.oid AS schema, '' AS name, '' AS part, n.nspacl AS acl FROM pg_namespace n
            UNION ALL SELECT 'relation', c.relnamespace, c.relname, '', c.relacl FROM pg_class c
            UNION ALL SELECT 'column', c.relnamespace, c.relname, a.attname, a.attacl
                FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
            UNION ALL SELECT 'function', p.pronamespace, p.oid::regprocedure::text, '', p.proacl FROM pg_proc p
        )
        SELECT g.kind, n.nspname, g.name, g.part, replace(one::text, current_user, 'owner')
        FROM granted g JOIN pg_namespace n ON n.oid = g.schema LEFT JOIN LATERAL unnest(g.acl) AS one ON true
        WHERE n.nspname IN ('crosswalk', 'research') AND (g.kind <> 'column' OR one IS NOT NULL)""",
    "applied": "SELECT number, name, checksum FROM crosswalk.migration",
}


def catalog(dsn: str) -> dict[str, list[str]]:
    """Everything that the schema is made of, as the database tells it."""
    with psycopg.connect(dsn) as connection:
        return {
            what: sorted(map(str, connection.execute(query).fetchall()))  # type: ignore[arg-type]
            for what, query in CATALOG.items()
        }


def at_state(dsn: str, number: int) -> dict[str, list[dict[str, Any]]]:
    """Bring an empty database to an earlier state, as that version would, and fill it; return its rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrations, "migrations", lambda: STEPS[:number])
        with psycopg.connect(dsn) as connection:
            assert migrations.migrate(connection) == number
    with psycopg.connect(dsn) as connection:
        for step in STEPS[:number]:
            file = ROWS / step.name
            assert file.exists(), f"write rows for {step.name}, so that the next migration is tried on them"
            connection.execute(file.read_bytes())
    return rows(dsn)


def rows(dsn: str) -> dict[str, list[dict[str, Any]]]:
    with psycopg.connect(dsn) as connection:
        tables = [
            row[0]
            for row in connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'crosswalk' AND tablename <> 'migration'"
            ).fetchall()
        ]
        return {
            table: [
                row[0]
                for row in connection.execute(
                    f"SELECT to_jsonb(t) FROM crosswalk.{table} t ORDER BY to_jsonb(t)::text"  # type: ignore[arg-type]
                ).fetchall()
            ]
            for table in tables
        }


def unlogged(dsn: str) -> set[str]:
    """Tables that a crash of the server empties, by their nature."""
    with psycopg.connect(dsn) as connection:
        found = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'crosswalk'::regnamespace AND relkind = 'r'"
            " AND relpersistence = 'u'"
        ).fetchall()
    return {row[0] for row in found}


def assert_kept(before: dict[str, list[dict[str, Any]]], after: dict[str, list[dict[str, Any]]]) -> None:
    """Every row that was there is there, with the values that it had; columns may have come."""
    for table, earlier in before.items():
        assert earlier, f"the state has no row in {table}"
        later = list(after[table])
        for whole in earlier:
            row = {name: value for name, value in whole.items() if name not in _RENAMED.get(table, ())}
            same = next((one for one in later if row.items() <= one.items()), None)
            assert same is not None, f"a row of {table} has changed"
            later.remove(same)


def to_newest(dsn: str) -> int:
    """Bring schema and privileges to this version, as ``Crosswalk.migrate`` does without its keyring."""
    with psycopg.connect(dsn) as connection:
        applied = migrations.migrate(connection)
        apply_grants(connection)
    return applied


@pytest.fixture(scope="module")
def fresh(postgres_server: Any) -> Iterator[dict[str, list[str]]]:
    """The schema of an empty database that is migrated in one go."""
    postgres_server.create_database("fresh", "fresh", "secret1")
    dsn = postgres_server.dsn("fresh", user="fresh", password="secret1")
    to_newest(dsn)
    yield catalog(dsn)
    postgres_server.drop_database("fresh")


@pytest.mark.parametrize("number", range(1, NEWEST + 1))
def test_from_every_earlier_state(empty_dsn: str, fresh: dict[str, list[str]], number: int) -> None:
    before = at_state(empty_dsn, number)
    assert to_newest(empty_dsn) == NEWEST - number
    assert catalog(empty_dsn) == fresh
    assert_kept(before, rows(empty_dsn))
    assert to_newest(empty_dsn) == 0
    assert catalog(empty_dsn) == fresh


def test_the_newest_schema_takes_the_rows_of_every_state(empty_dsn: str) -> None:
    at_state(empty_dsn, NEWEST)


@pytest.mark.parametrize("number", [0, 1, NEWEST - 1])
def test_two_processes_at_once(empty_dsn: str, keyring_file: Path, fresh: dict[str, list[str]], number: int) -> None:
    before = at_state(empty_dsn, number) if number else {}
    _bind(empty_dsn, keyring_file, number)
    applied = in_processes(migrate, [(empty_dsn, keyring_file)] * 2)
    assert sorted(applied) == [0, NEWEST - number]
    assert catalog(empty_dsn) == fresh
    for table in _OF_KEYRING:
        before.pop(table, None)
    assert_kept(before, rows(empty_dsn))


@pytest.mark.parametrize("number", range(1, NEWEST + 1))
def test_killed_in_the_middle_of_a_step(empty_dsn: str, fresh: dict[str, list[str]], number: int) -> None:
    """Killed after the whole of a step's SQL and before its commit: the worst moment."""
    before = at_state(empty_dsn, number - 1) if number > 1 else {}
    with stopped_within(empty_dsn, number) as process:
        process.kill()
        process.join()
    assert process.exitcode == -signal.SIGKILL
    with psycopg.connect(empty_dsn) as connection:
        applied = connection.execute("SELECT count(*) FROM crosswalk.migration").fetchone()
    assert applied == (number - 1,)
    # The server ends the step, finds nobody to tell, takes it back and lets go of the lock.
    assert to_newest(empty_dsn) == NEWEST - number + 1
    assert catalog(empty_dsn) == fresh
    assert_kept(before, rows(empty_dsn))


def test_a_server_that_is_killed_in_the_middle_of_a_step(tmp_path: Path, fresh: dict[str, list[str]]) -> None:
    server = start_postgres(tmp_path / "own", free_port())
    try:
        server.create_roles()
        server.create_database("fresh", "fresh", "secret1")
        dsn = server.dsn("fresh", user="fresh", password="secret1")
        before = at_state(dsn, NEWEST - 2)
        with stopped_within(dsn, NEWEST) as process:
            kill_server(server)
            process.kill()
        server = start_postgres(tmp_path / "own", server.port)
        assert to_newest(dsn) == 1
        assert catalog(dsn) == fresh
        for scratch in unlogged(dsn):
            del before[scratch]
        assert_kept(before, rows(dsn))
    finally:
        server.stop()


@contextmanager
def stopped_within(dsn: str, number: int) -> Iterator[Any]:
    """A process that migrates and stops within a step, its work done and not committed."""
    process = FRESH.Process(target=_stop_within, args=(dsn, number))
    with closing(psycopg.connect(dsn, autocommit=True)) as holder:
        holder.execute("SELECT pg_advisory_lock(%s)", (_STOPPED,))
        process.start()
        try:
            waits = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted"
            while not holder.execute(waits, (_STOPPED,)).fetchone():
                assert process.is_alive()
                time.sleep(0.02)
            yield process
        finally:
            process.kill()
            process.join()


def _stop_within(dsn: str, number: int) -> None:
    """Migrate, and wait at the end of step ``number`` for a lock: the work of one process."""
    waiting = f"; SELECT pg_advisory_xact_lock({_STOPPED})".encode()
    steps = [replace(step, sql=step.sql + waiting) if step.number == number else step for step in STEPS]
    migrations.migrations = lambda: tuple(steps)  # type: ignore[assignment]
    with psycopg.connect(dsn) as connection:
        migrations.migrate(connection)


def _bind(dsn: str, keyring_file: Path, number: int) -> None:
    """Let a state with invented fingerprints and keys belong to the keyring that the processes have."""
    if not number:
        return
    fingerprints: Sequence[tuple[str, bytes]] = sorted(Keyring.load(keyring_file).fingerprints().items())
    with psycopg.connect(dsn) as connection:
        connection.execute("DELETE FROM crosswalk.keyring_fingerprint")
        if number >= _FIRST_WITH_KEYS:
            connection.execute(
                "TRUNCATE crosswalk.site_key, crosswalk.wrapping_key_slot, crosswalk.wrapping_key CASCADE"
            )
        connection.cursor().executemany("INSERT INTO crosswalk.keyring_fingerprint VALUES (%s, %s)", fingerprints)


def test_a_crosswalk_of_an_earlier_state_goes_on_working(empty_dsn: str, keyring_file: Path) -> None:
    at_state(empty_dsn, NEWEST - 1)
    _bind(empty_dsn, keyring_file, NEWEST - 1)
    with Crosswalk(empty_dsn, Keyring.load(keyring_file)) as crosswalk:
        crosswalk.migrate()
        with psycopg.connect(empty_dsn) as connection:
            # What the rows hold is invented and opens with no key.
            connection.execute(
                "UPDATE crosswalk.instance SET state = 'held', reason = 'x' WHERE state NOT IN ('stored', 'withdrawn')"
            )
        discover(crosswalk, "1.2.3", sightings("1.2.3", 2))
        run = Run(crosswalk)
        run.complete(DOE)
        assert run.states() == ["stored", "stored"]
