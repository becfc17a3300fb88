"""Made, found whole, restored: on a real PostgreSQL, by its own programs."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from psycopg import sql
from tests.crosswalk.scenario import DOE, FACTS, ROE, Run, discover, sightings
from tests.site import killed_at

from dicomanon.backup import programs, restoring
from dicomanon.backup.checks import count_rows
from dicomanon.backup.key import BackupKey
from dicomanon.backup.making import make_backup
from dicomanon.backup.manifest import Backup, stored_backups
from dicomanon.backup.programs import connection_environment, running
from dicomanon.backup.restoring import require_intact, restore, verify
from dicomanon.backup.routine import back_up
from dicomanon.backup.settings import BackupSettings
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.roles.granting import actual
from dicomanon.crosswalk.roles.role import Role
from dicomanon.errors import Fatal, Retriable
from dicomanon.local_stack.ports import free_port
from dicomanon.local_stack.postgres import PostgresServer, start_postgres

WHY = {"actor": "tester", "reason": "the disk died"}


def everything(dsn: str) -> dict[str, list[str]]:
    """Every row of every table, as text."""
    with psycopg.connect(dsn) as connection:
        tables = [name for name in count_rows(connection) if name not in {"restoration", "access_event"}]
        return {
            table: sorted(row[0] for row in connection.execute(f"SELECT t::text FROM crosswalk.{table} t"))  # type: ignore[arg-type]
            for table in tables
        }


def schemas(dsn: str) -> set[str]:
    with psycopg.connect(dsn) as connection:
        return {
            row[0]
            for row in connection.execute(
                "SELECT nspname FROM pg_namespace WHERE nspname ~ '^(crosswalk|research)'"
            ).fetchall()
        }


@pytest.fixture
def backup(filled: Crosswalk, backup_dsn: str, root: Path, key: BackupKey) -> Backup:
    return make_backup(backup_dsn, root, key)


class TestMaking:
    def test_the_manifest_says_what_is_in_it(self, backup: Backup, crosswalk_dsn: str, keyring: Keyring) -> None:
        manifest = backup.manifest
        with psycopg.connect(crosswalk_dsn) as connection:
            assert manifest.rows == count_rows(connection)
        assert (manifest.rows["patient"], manifest.rows["release"], manifest.rows["release_instance"]) == (2, 1, 3)
        assert "archive_survey" not in manifest.rows
        assert keyring.wrote({name: bytes.fromhex(mark) for name, mark in manifest.keyring.items()})
        assert set(manifest.keyring) == {"index", "uid", "request"}
        assert manifest.bytes == backup.dump.stat().st_size
        assert manifest.verified_at is None
        assert [one.name for one in stored_backups(backup.folder.parent)] == [backup.name]

    def test_nothing_is_in_clear_and_nobody_else_may_read_it(self, backup: Backup) -> None:
        data = backup.dump.read_bytes()
        assert data.startswith(b"age-encryption.org/v1\n")
        for word in (b"PGDMP", b"crosswalk", b"deidentified", b"research@0123456789ab"):
            assert word not in data
        for path in (backup.folder.parent, backup.folder, *backup.folder.iterdir()):
            assert path.stat().st_mode & 0o077 == 0

    def test_it_is_of_one_moment_while_others_write(
        self, filled: Crosswalk, backup_dsn: str, root: Path, key: BackupKey, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from dicomanon.backup import making

        def meanwhile(*given: Any) -> Any:
            # After the rows were counted, before they are read.
            filled.patients.get_or_create(replace(DOE, patient_id="MEANWHILE"))
            return running(*given)

        monkeypatch.setattr(making, "running", meanwhile)
        made = make_backup(backup_dsn, root, key)
        assert made.manifest.rows["patient"] == 2
        verify(made, key)

    def test_the_password_is_in_no_list_of_processes(
        self, filled: Crosswalk, backup_dsn: str, root: Path, key: BackupKey, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from dicomanon.backup import making

        encrypt, seen = making.encrypt, []

        def watching(*given: Any) -> Any:
            seen.extend(" ".join(child.cmdline()) for child in psutil.Process().children())
            return encrypt(*given)

        monkeypatch.setattr(making, "encrypt", watching)
        make_backup(backup_dsn, root, key)
        (commands,) = [line for line in seen if "pg_dump" in line]
        assert connection_environment(backup_dsn)["PGPASSWORD"] not in commands

    def test_what_is_broken_off_is_no_backup(
        self, filled: Crosswalk, backup_dsn: str, root: Path, key: BackupKey, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from dicomanon.backup import making

        def failing(*_: Any) -> Any:
            raise Fatal("the disk is full")

        monkeypatch.setattr(making, "encrypt", failing)
        with pytest.raises(Fatal):
            make_backup(backup_dsn, root, key)
        assert list(stored_backups(root)) == []

    def test_a_login_that_row_level_security_holds_back_is_refused(
        self, filled: Crosswalk, crosswalk_dsn: str, postgres_server: PostgresServer, root: Path, key: BackupKey
    ) -> None:
        """The owner as a site has it: a member of no role."""
        with psycopg.connect(postgres_server.dsn(), autocommit=True) as administrator:
            owner = sql.Identifier(connection_environment(crosswalk_dsn)["PGUSER"])
            administrator.execute(sql.SQL("REVOKE dicomanon_backup FROM {}").format(owner))
            try:
                with pytest.raises(Fatal, match="may not act as dicomanon_backup"):
                    make_backup(crosswalk_dsn, root, key)
            finally:
                # All crosswalks of the tests have the same owner.
                administrator.execute(sql.SQL("GRANT dicomanon_backup TO {}").format(owner))
        assert list(stored_backups(root)) == []

    def test_a_server_that_is_not_there_is_retriable(self, root: Path, key: BackupKey) -> None:
        with pytest.raises(Retriable):
            make_backup("postgresql://nobody:none@127.0.0.1:1/none", root, key)


class TestVerifying:
    def test_it_is_restored_elsewhere_and_noted_and_nothing_is_left_of_that(
        self, backup: Backup, key: BackupKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scratch = tmp_path / "scratch"
        scratch.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(scratch))
        verified = verify(backup, key)
        assert verified.manifest.verified_at is not None
        assert Backup.read(backup.folder) == verified
        assert list(scratch.iterdir()) == []

    def test_every_changed_byte_is_noticed(self, backup: Backup) -> None:
        data = bytearray(backup.dump.read_bytes())
        data[len(data) // 2] ^= 1
        backup.dump.write_bytes(data)
        with pytest.raises(Fatal, match="damaged"):
            require_intact(backup)

    @pytest.mark.parametrize("size", [0.5, 0.99])
    def test_a_shortened_file_does_not_open_even_with_its_own_digest(
        self, backup: Backup, key: BackupKey, size: float
    ) -> None:
        os.truncate(backup.dump, int(backup.manifest.bytes * size))
        with pytest.raises(Fatal, match="cut short"):
            verify(_redigested(backup), key)

    def test_another_key_does_not_open_it(self, backup: Backup, tmp_path: Path) -> None:
        with pytest.raises(Fatal, match="not encrypted to this key"):
            verify(backup, BackupKey.generate(tmp_path / "other.key"))

    def test_a_row_that_is_missing_is_noticed(self, backup: Backup, key: BackupKey) -> None:
        rows = backup.manifest.rows | {"verdict": backup.manifest.rows["verdict"] + 1}
        with pytest.raises(Fatal, match=r"other numbers of rows.*: verdict"):
            verify(replace(backup, manifest=backup.manifest.model_copy(update={"rows": rows})), key)


class TestRestoring:
    @pytest.fixture
    def empty(self, postgres_server: Any) -> Iterator[str]:
        postgres_server.create_database("restored", "restored", "secret9")
        yield postgres_server.dsn("restored", user="restored", password="secret9")
        postgres_server.drop_database("restored")

    def test_every_row_is_back(
        self, backup: Backup, key: BackupKey, keyring: Keyring, crosswalk_dsn: str, empty: str
    ) -> None:
        assert restore(backup, key, empty, keyring, set_aside=False, **WHY) == ""
        assert everything(empty) == everything(crosswalk_dsn)

    def test_roles_have_what_they_had_and_nothing_in_what_was_set_aside(
        self, backup: Backup, key: BackupKey, keyring: Keyring, crosswalk_dsn: str
    ) -> None:
        with psycopg.connect(crosswalk_dsn) as connection:
            before = actual(connection)
            connection.execute("GRANT SELECT ON crosswalk.patient TO PUBLIC")
        former = restore(backup, key, crosswalk_dsn, keyring, set_aside=True, **WHY)
        with psycopg.connect(crosswalk_dsn) as connection:
            assert actual(connection) == before
            entered = connection.execute(
                "SELECT n.nspname, r.rolname FROM pg_namespace n, pg_roles r WHERE n.nspname = ANY (%s)"
                " AND r.rolname = ANY (%s) AND has_schema_privilege(r.oid, n.oid, 'USAGE')",
                ([former, former.replace("crosswalk", "research")], [role.group for role in Role]),
            ).fetchall()
            assert entered == []
            assert connection.execute("SELECT instances FROM research.counts").fetchall() == [(3,)]

    def test_a_server_without_the_roles_is_told_so_before_anything_is_touched(
        self, backup: Backup, key: BackupKey, keyring: Keyring, tmp_path: Path
    ) -> None:
        server = start_postgres(tmp_path / "bare", free_port(), durable=False)
        try:
            server.create_database("restored", "restored", "secret9")
            dsn = server.dsn("restored", user="restored", password="secret9")
            with pytest.raises(Fatal, match="dicomanon crosswalk roles"):
                restore(backup, key, dsn, keyring, set_aside=False, **WHY)
            assert schemas(dsn) == set()
            server.create_roles()
            restore(backup, key, dsn, keyring, set_aside=False, **WHY)
        finally:
            server.stop()

    def test_work_goes_on_where_the_backup_was(
        self, filled: Crosswalk, backup: Backup, key: BackupKey, keyring: Keyring, empty: str
    ) -> None:
        restore(backup, key, empty, keyring, set_aside=False, **WHY)
        with Crosswalk(empty, keyring) as restored:
            for identity in (DOE, ROE):
                assert restored.patients.get_or_create(identity) == filled.patients.get_or_create(identity)
            discover(restored, "1.2.5", sightings("1.2.5", 2))
            run = Run(restored, "after")
            run.complete(ROE, facts=replace(FACTS, accession_number="ACC-2"))
            assert set(run.states()) == {"stored"}
            with pytest.raises(Fatal), psycopg.connect(empty) as connection:
                _fatal(lambda: connection.execute("UPDATE crosswalk.instance SET state = 'held', reason = 'x'"))

    def test_runs_wait_until_the_archives_were_checked(
        self, backup: Backup, key: BackupKey, keyring: Keyring, empty: str
    ) -> None:
        restore(backup, key, empty, keyring, set_aside=False, **WHY)
        with Crosswalk(empty, keyring) as restored, pytest.raises(Fatal, match="archives check"):
            restored.archives.require_checked()
        with psycopg.connect(empty) as connection:
            rows = connection.execute("SELECT actor, action FROM crosswalk.access_event").fetchall()
        assert ("tester", "restore") in rows

    def test_another_keyring_is_refused_before_anything_is_touched(
        self, backup: Backup, key: BackupKey, empty: str
    ) -> None:
        other = Keyring(b"a" * 32, b"b" * 32, b"c" * 32, b"d" * 32)
        with pytest.raises(Fatal, match="another keyring"):
            restore(backup, key, empty, other, set_aside=True, **WHY)
        assert schemas(empty) == set()

    def test_a_crosswalk_that_is_there_is_not_overwritten(
        self, backup: Backup, key: BackupKey, keyring: Keyring, crosswalk_dsn: str
    ) -> None:
        before = everything(crosswalk_dsn)
        with pytest.raises(Fatal, match="--set-aside"):
            restore(backup, key, crosswalk_dsn, keyring, set_aside=False, **WHY)
        assert everything(crosswalk_dsn) == before

    def test_set_aside_it_stays_whole(
        self, filled: Crosswalk, backup: Backup, key: BackupKey, keyring: Keyring, crosswalk_dsn: str
    ) -> None:
        filled.patients.get_or_create(replace(DOE, patient_id="LATER"))
        former = restore(backup, key, crosswalk_dsn, keyring, set_aside=True, **WHY)
        with psycopg.connect(crosswalk_dsn) as connection:
            counts = [
                connection.execute(f"SELECT count(*) FROM {schema}.patient").fetchone()  # type: ignore[arg-type]
                for schema in (former, "crosswalk")
            ]
        assert counts == [(3,), (2,)]

    def test_when_it_fails_everything_is_as_before(
        self, backup: Backup, key: BackupKey, keyring: Keyring, crosswalk_dsn: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = everything(crosswalk_dsn)
        os.truncate(backup.dump, backup.manifest.bytes - 10)
        with pytest.raises(Fatal, match="cut short"):
            restore(_redigested(backup), key, crosswalk_dsn, keyring, set_aside=True, **WHY)
        assert everything(crosswalk_dsn) == before

        def refusing(*_: Any) -> None:
            raise Fatal("not whole")

        os.truncate(backup.dump, 0)
        monkeypatch.setattr(restoring, "load", lambda *_, **__: _make_schema(crosswalk_dsn))
        monkeypatch.setattr(restoring, "check", refusing)
        with pytest.raises(Fatal, match="not whole"):
            restore(_redigested(backup), key, crosswalk_dsn, keyring, set_aside=True, **WHY)
        assert everything(crosswalk_dsn) == before
        assert schemas(crosswalk_dsn) == {"crosswalk", "research"}

    def test_killed_in_between_no_empty_crosswalk_begins_and_it_can_be_done_again(
        self, backup: Backup, key: BackupKey, keyring: Keyring, crosswalk_dsn: str
    ) -> None:
        before = everything(crosswalk_dsn)
        attempt = partial(restore, backup, key, crosswalk_dsn, keyring, set_aside=True, **WHY)
        killed_at(restoring, "load", 1, after=False, work=attempt)
        with Crosswalk(crosswalk_dsn, keyring) as crosswalk, pytest.raises(Fatal, match="restore was broken off"):
            crosswalk.migrate()
        assert "crosswalk" not in schemas(crosswalk_dsn)
        attempt()
        assert everything(crosswalk_dsn) == before

    def test_a_reason_is_needed(self, backup: Backup, key: BackupKey, keyring: Keyring, empty: str) -> None:
        with pytest.raises(Fatal, match="--reason"):
            restore(backup, key, empty, keyring, actor="tester", reason=" ", set_aside=False)
        assert schemas(empty) == set()


class TestPrograms:
    def test_what_a_program_says_is_not_passed_on(self, crosswalk_dsn: str) -> None:
        with pytest.raises(Fatal) as caught, running("pg_dump", ["--table=DOE^JOHN"], crosswalk_dsn):
            pass
        assert "DOE" not in str(caught.value)
        assert "status 1" in str(caught.value)

    def test_what_is_known_is_said_in_our_words(self, crosswalk_dsn: str) -> None:
        wrong = crosswalk_dsn.replace("@", "wrong@", 1)
        with pytest.raises(Retriable, match="cannot be reached"), running("pg_dump", [], wrong):
            pass

    def test_a_connection_string_that_is_none_is_not_repeated(self) -> None:
        with pytest.raises(Fatal) as caught:
            connection_environment("secret words")
        assert "secret" not in str(caught.value)

    def test_an_error_of_ours_ends_the_program(self, crosswalk_dsn: str) -> None:
        with pytest.raises(Fatal, match="ours"), running("pg_dump", [], crosswalk_dsn) as process:
            raise Fatal("ours")
        assert process.poll() is not None

    def test_the_environment_of_the_caller_does_not_lead_it_elsewhere(
        self, filled: Crosswalk, crosswalk_dsn: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PGOPTIONS", "-c search_path=nowhere")
        monkeypatch.setenv("PGSERVICE", "none")
        with running("pg_dump", ["--schema-only"], crosswalk_dsn) as process:
            assert process.stdout is not None
            assert b"CREATE TABLE crosswalk.patient" in process.stdout.read()


def test_the_routine_makes_verifies_and_lets_old_ones_go(
    filled: Crosswalk, backup_dsn: str, root: Path, key: BackupKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = make_backup(backup_dsn, root, key)
    older = old.folder.rename(root / "crosswalk-20200101T000000Z")
    for name, value in {
        "CROSSWALK_DSN": backup_dsn, "KEYRING_FILE": "unused", "BACKUP_DIR": str(root),
        "BACKUP_KEY_FILE": str(tmp_path / "backup.key"), "BACKUP_KEEP": "1",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"DICOMANON_{name}", value)
    backup, counts = back_up(BackupSettings.load())
    assert (counts["verified"], counts["removed"]) == (1, 1)
    assert not older.exists()
    assert [one.name for one in stored_backups(root)] == [backup.name]


def test_the_file_is_one_that_others_read(backup: Backup, key: BackupKey, tmp_path: Path) -> None:
    """Decrypted by age's library alone, it is a dump that pg_restore lists: no program of ours is needed."""
    import pyrage

    clear = tmp_path / "clear.dump"
    pyrage.decrypt_file(str(backup.dump), str(clear), [key.identity])
    listed = subprocess.run(
        [programs.BINARIES / "pg_restore", "--list", clear], capture_output=True, text=True, check=True
    ).stdout
    assert "TABLE DATA crosswalk patient" in listed


def _redigested(backup: Backup) -> Backup:
    from dicomanon.backup.streams import sha256

    return replace(backup, manifest=backup.manifest.model_copy(update={"sha256": sha256(backup.dump)}))


def _make_schema(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE SCHEMA crosswalk")


def _fatal(work: Any) -> None:
    try:
        work()
    except psycopg.Error as error:
        raise Fatal(type(error).__name__) from None
