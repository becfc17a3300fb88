"""The chain: what is appended holds together, and what was touched is named by its first number."""

import datetime as dt
import os
import signal
from pathlib import Path

import psycopg
import pytest
from tests.crosswalk.audit.conftest import Tamper, events
from tests.crosswalk.scenario import in_processes
from tests.processes import FRESH

from dicomanon.crosswalk import migrations
from dicomanon.crosswalk.audit.chain import Checked, Fault, Head, genesis, verify
from dicomanon.crosswalk.audit.trail import Wanted
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.errors import Fatal

# Makes the chain anew from an entry on, as the database would have.
REBUILD = """
DO $$
DECLARE
    event    crosswalk.access_event;
    previous bytea := crosswalk.audit_genesis();
    entries  bigint := 0;
BEGIN
    FOR event IN SELECT * FROM crosswalk.access_event ORDER BY number LOOP
        entries := entries + 1;
        event.number := entries;
        previous := crosswalk.audit_hash(previous, event);
        UPDATE crosswalk.access_event SET number = entries, hash = previous WHERE id = event.id;
    END LOOP;
END $$
"""
SWAP = (
    "UPDATE crosswalk.access_event SET number = -6 WHERE number = 6;"
    "UPDATE crosswalk.access_event SET number = 6 WHERE number = 7;"
    "UPDATE crosswalk.access_event SET number = 7 WHERE number = -6"
)
INSERTED = (
    "UPDATE crosswalk.access_event SET number = -number - 1 WHERE number > 6;"
    "INSERT INTO crosswalk.access_event (id, actor, action, reason_sealed, count, number, hash)"
    " VALUES (gen_random_uuid(), 'eve', 'x', 'x', 1, 7, 'x');"
    "UPDATE crosswalk.access_event SET number = -number WHERE number < 0"
)


@pytest.fixture
def ten(crosswalk: Crosswalk) -> Crosswalk:
    crosswalk.audit.record(events(10))
    return crosswalk


def heads(crosswalk: Crosswalk, *numbers: int) -> list[Head]:
    return [Head(entry.number, entry.hash) for entry in crosswalk.audit.entries(Wanted()) if entry.number in numbers]


class TestAppending:
    def test_numbers_have_no_gap_and_the_chain_holds(self, ten: Crosswalk) -> None:
        ten.audit.record(events(3))
        assert [entry.number for entry in ten.audit.entries(Wanted())] == list(range(1, 14))
        checked = ten.audit.verify()
        assert (checked.entries, checked.head.number, checked.fault) == (13, 13, None)

    def test_an_empty_trail_holds(self, crosswalk: Crosswalk) -> None:
        assert crosswalk.audit.verify() == Checked(0, genesis(crosswalk.audit.chain()))

    def test_no_writer_chooses_number_time_login_or_hash(self, ten: Crosswalk, crosswalk_dsn: str) -> None:
        with psycopg.connect(crosswalk_dsn) as connection:
            connection.execute(
                "INSERT INTO crosswalk.access_event"
                " (id, actor, action, reason_sealed, count, number, recorded_at, database_login, hash)"
                " VALUES (gen_random_uuid(), 'eve', 'x', 'x', 1, 4, '2001-01-01', 'somebody else', 'x')"
            )
        (entry,) = ten.audit.newest(Wanted(), 1)
        assert entry.number == 11
        assert dt.datetime.now(dt.UTC) - entry.recorded_at < dt.timedelta(minutes=1)
        assert entry.database_login == psycopg.conninfo.conninfo_to_dict(crosswalk_dsn)["user"]
        assert ten.audit.verify().fault is None

    def test_who_may_only_insert_appends_and_can_do_nothing_else(
        self, ten: Crosswalk, crosswalk_dsn: str, postgres_server: object
    ) -> None:
        role = "writer_" + os.urandom(4).hex()
        superuser = postgres_server.dsn(psycopg.conninfo.conninfo_to_dict(crosswalk_dsn)["dbname"])  # type: ignore[attr-defined]
        with psycopg.connect(superuser) as connection:
            connection.execute(f"CREATE ROLE {role}")  # type: ignore[arg-type]
            connection.execute(f"GRANT USAGE ON SCHEMA crosswalk TO {role}")  # type: ignore[arg-type]
            connection.execute(f"GRANT INSERT ON crosswalk.access_event TO {role}")  # type: ignore[arg-type]
            connection.execute(f"SET ROLE {role}")  # type: ignore[arg-type]
            connection.execute(
                "INSERT INTO crosswalk.access_event (id, actor, action, reason_sealed, count)"
                " VALUES (gen_random_uuid(), 'x', 'x', 'x', 1)"
            )
            for statement in (
                "SELECT hash FROM crosswalk.access_event",
                "UPDATE crosswalk.access_event SET actor = 'y'",
                "DELETE FROM crosswalk.access_event",
                "SELECT FROM crosswalk.audit_turn FOR UPDATE",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                    connection.execute(statement)
            connection.execute("RESET ROLE")
            connection.execute(f"REVOKE ALL ON SCHEMA crosswalk FROM {role}")  # type: ignore[arg-type]
            connection.execute(f"REVOKE ALL ON crosswalk.access_event FROM {role}")  # type: ignore[arg-type]
            connection.execute(f"DROP ROLE {role}")  # type: ignore[arg-type]
        assert ten.audit.verify().entries == 11

    def test_one_event_without_a_reason_and_none_is_there(self, ten: Crosswalk) -> None:
        good, bad = events(1)[0], events(1, actor=" ")[0]
        with pytest.raises(Fatal, match="who, what and why"):
            ten.audit.record([good, bad])
        assert ten.audit.verify().head.number == 10

    def test_entries_from_before_the_chain_are_its_beginning(
        self, empty_dsn: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = migrations.migrations()[:7]
        monkeypatch.setattr(migrations, "migrations", lambda: before)
        with psycopg.connect(empty_dsn) as connection:
            assert migrations.migrate(connection) == 7
        monkeypatch.undo()
        with psycopg.connect(empty_dsn) as connection:
            for day in (3, 1, 2):
                row = os.urandom(16).hex()
                connection.execute(
                    "INSERT INTO crosswalk.access_event (id, actor, action, reason_sealed, count, recorded_at)"
                    " VALUES (%s, %s, 'export maps', %s, 1, %s)",
                    (row, f"day {day}", b"sealed", dt.datetime(2026, 1, day, tzinfo=dt.UTC)),
                )
        with Crosswalk(empty_dsn, keyring) as crosswalk:
            crosswalk.migrate()
            crosswalk.audit.record(events(1))
            assert [entry.actor for entry in crosswalk.audit.entries(Wanted())] == ["day 1", "day 2", "day 3", "ada"]
            assert crosswalk.audit.verify() == Checked(4, crosswalk.audit.verify().head)
        with psycopg.connect(empty_dsn) as connection, pytest.raises(psycopg.errors.RestrictViolation):
            connection.execute("UPDATE crosswalk.access_event SET actor = 'x'")


class TestTogether:
    def test_eight_processes_append_one_chain(self, crosswalk_dsn: str, keyring_file: Path) -> None:
        with Crosswalk(crosswalk_dsn, Keyring.load(keyring_file)) as crosswalk:
            crosswalk.migrate()
            in_processes(append, [(crosswalk_dsn, keyring_file, f"process {number}") for number in range(8)])
            entries = list(crosswalk.audit.entries(Wanted()))
            assert [entry.number for entry in entries] == list(range(1, 8 * 25 * 4 + 1))
            assert {entry.actor for entry in entries} == {f"process {number}" for number in range(8)}
            assert crosswalk.audit.verify().fault is None

    def test_a_writer_killed_in_its_transaction_leaves_no_gap(self, crosswalk_dsn: str, keyring_file: Path) -> None:
        with Crosswalk(crosswalk_dsn, Keyring.load(keyring_file)) as crosswalk:
            crosswalk.migrate()
            crosswalk.audit.record(events(2))
            waiting = FRESH.Event()
            writer = FRESH.Process(target=append_and_wait, args=(crosswalk_dsn, keyring_file, waiting))
            writer.start()
            assert waiting.wait(60)
            os.kill(writer.pid or 0, signal.SIGKILL)
            writer.join()
            crosswalk.audit.record(events(2, actor="after"))
            assert [entry.actor for entry in crosswalk.audit.entries(Wanted())] == ["ada", "ada", "after", "after"]
            assert crosswalk.audit.verify() == Checked(4, *heads(crosswalk, 4))


def append(dsn: str, keyring_file: Path, actor: str) -> None:
    """Append a hundred events in 25 transactions: the work of one process."""
    with Crosswalk(dsn, Keyring.load(keyring_file)) as crosswalk:
        for _ in range(25):
            crosswalk.audit.record(events(4, actor))


def append_and_wait(dsn: str, keyring_file: Path, waiting: object) -> None:
    """Append, commit nothing, and wait to be killed."""
    from dicomanon.crosswalk.access_events import record_access_events

    with Crosswalk(dsn, Keyring.load(keyring_file)) as crosswalk, psycopg.connect(dsn) as connection:
        record_access_events(connection, crosswalk.audit._session.keys.site, events(5, "killed"))
        waiting.set()  # type: ignore[attr-defined]
        signal.pause()


class TestVerify:
    @pytest.mark.parametrize(
        ("statement", "number", "what"),
        [
            ("UPDATE crosswalk.access_event SET actor = 'eve' WHERE number = 4", 4, "not what was recorded"),
            ("UPDATE crosswalk.access_event SET count = count + 1 WHERE number = 10", 10, "not what was recorded"),
            ("UPDATE crosswalk.access_event SET subject = 'DX' WHERE number = 3", 3, "not what was recorded"),
            ("UPDATE crosswalk.access_event SET reason_sealed = 'x' WHERE number = 1", 1, "not what was recorded"),
            ("UPDATE crosswalk.access_event SET recorded_at = now() WHERE number = 2", 2, "not what was recorded"),
            ("UPDATE crosswalk.access_event SET database_login = 'x' WHERE number = 5", 5, "not what was recorded"),
            ("DELETE FROM crosswalk.access_event WHERE number = 5", 5, "missing"),
            ("DELETE FROM crosswalk.access_event WHERE number = 1", 1, "missing"),
            (SWAP, 6, "not what was recorded"),
            (INSERTED, 7, "not what was recorded"),
            ("UPDATE crosswalk.access_event SET number = 0 WHERE number = 8", 0, "nothing belongs"),
        ],
        ids=["actor", "count", "subject", "reason", "time", "login", "removed", "first removed", "swapped", "inserted",
             "before the first"],
    )  # fmt: skip
    def test_names_the_first_entry_that_is_wrong(
        self, ten: Crosswalk, tamper: Tamper, statement: str, number: int, what: str
    ) -> None:
        tamper(statement)
        fault = ten.audit.verify().fault
        assert fault is not None
        assert (fault.number, what in fault.what) == (number, True), fault

    def test_an_entry_that_is_there_twice_is_found_though_the_index_was_dropped(
        self, ten: Crosswalk, tamper: Tamper
    ) -> None:
        tamper("ALTER TABLE crosswalk.access_event DROP CONSTRAINT access_event_number")
        tamper(
            "INSERT INTO crosswalk.access_event SELECT gen_random_uuid(), actor, action, reason_sealed, count,"
            " recorded_at, instance_id, number, subject_kind, subject, database_login, hash"
            " FROM crosswalk.access_event WHERE number = 4"
        )
        fault = ten.audit.verify().fault
        assert fault is not None
        assert fault.number == 4

    def test_a_cut_tail_is_found_by_a_head_and_by_nothing_else(self, ten: Crosswalk, tamper: Tamper) -> None:
        kept = heads(ten, 5, 10)
        tamper("DELETE FROM crosswalk.access_event WHERE number > 7")
        assert ten.audit.verify().fault is None
        fault = ten.audit.verify(kept).fault
        assert fault is not None
        assert (fault.number, "up to 10" in fault.what) == (8, True)

    def test_a_chain_made_anew_is_found_by_a_head_and_by_nothing_else(self, ten: Crosswalk, tamper: Tamper) -> None:
        kept = heads(ten, 3, 8)
        tamper("UPDATE crosswalk.access_event SET actor = 'eve' WHERE number = 6")
        tamper(REBUILD)
        assert ten.audit.verify().fault is None
        fault = ten.audit.verify(kept).fault
        assert fault == Fault(4, "it or one of those up to 8 was changed, and the chain written anew from there")

    def test_what_was_removed_and_closed_again_is_found_by_a_head(self, ten: Crosswalk, tamper: Tamper) -> None:
        kept = heads(ten, 8)
        tamper("DELETE FROM crosswalk.access_event WHERE number = 2")
        tamper(REBUILD)
        fault = ten.audit.verify(kept).fault
        assert fault is not None
        assert fault.number == 1

    def test_from_a_head_only_what_came_after_is_read(self, ten: Crosswalk, tamper: Tamper) -> None:
        (start,) = heads(ten, 6)
        assert ten.audit.verify(start=start).entries == 4
        tamper("UPDATE crosswalk.access_event SET actor = 'eve' WHERE number = 8")
        fault = ten.audit.verify(start=start).fault
        assert fault is not None
        assert fault.number == 8

    def test_heads_that_hold_say_nothing(self, ten: Crosswalk) -> None:
        assert ten.audit.verify(heads(ten, 1, 5, 10)).fault is None

    def test_stops_at_the_first_fault(self, ten: Crosswalk) -> None:
        entries = list(ten.audit.entries(Wanted()))
        rest = iter([*entries[:2], *entries[3:]])
        assert verify(rest, genesis(ten.audit.chain())).fault == Fault(3, "it is missing")
        assert len(list(rest)) == 6


class TestAppendOnly:
    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE crosswalk.access_event SET actor = 'x'",
            "DELETE FROM crosswalk.access_event",
            "TRUNCATE crosswalk.access_event CASCADE",
            "UPDATE crosswalk.audit_turn SET chain = gen_random_uuid()",
            "DELETE FROM crosswalk.audit_turn",
            "TRUNCATE crosswalk.audit_turn",
        ],
    )
    def test_the_owner_is_refused_too(self, ten: Crosswalk, crosswalk_dsn: str, statement: str) -> None:
        with psycopg.connect(crosswalk_dsn) as connection, pytest.raises(psycopg.errors.RestrictViolation):
            connection.execute(statement)  # type: ignore[arg-type]
