"""Point-in-time recovery, by the scripts that the compose stack uses, of a real server."""

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from tests.crosswalk.scenario import DOE, FACTS, ROE, Run, discover, sightings

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.local_stack import postgres
from dicomanon.local_stack.ports import free_port
from dicomanon.local_stack.postgres import BINARIES, start_postgres

SCRIPTS = Path(__file__).resolve().parents[2] / "deploy" / "pitr"


class Archived:
    """A server whose write-ahead log is archived as docker-compose.yaml says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.archive = folder / "archive"
        self.server = start_postgres(folder / "postgres", free_port())
        self.server.stop()
        owner = self.data.stat()
        self.archive.mkdir(mode=0o700)
        os.chown(self.archive, owner.st_uid, owner.st_gid)
        with (self.data / "postgresql.conf").open("a") as file:
            command = f'PGARCHIVE={self.archive} {SCRIPTS}/archive-wal.sh "%p" "%f"'
            file.write(
                f"archive_mode = on\nwal_level = replica\narchive_command = '{command}'\narchive_timeout = 300\n"
            )
        self.start()
        self.server.create_roles()
        self.server.create_database("crosswalk", "crosswalk", "secret1")

    @property
    def data(self) -> Path:
        return self.folder / "postgres" / "data"

    @property
    def dsn(self) -> str:
        return self.server.dsn("crosswalk", user="crosswalk", password="secret1")

    def start(self) -> None:
        self.server = start_postgres(self.folder / "postgres", self.server.port)

    def run(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*postgres._unprivileged(), SCRIPTS / script, *arguments],
            env={
                "PATH": f"{BINARIES}:{os.environ['PATH']}", "PGARCHIVE": str(self.archive), "PGDATA": str(self.data),
                "PGHOST": "127.0.0.1", "PGPORT": str(self.server.port), "PGUSER": "postgres",
                "PGPASSWORD": self.server.password,
            },
            capture_output=True, text=True, check=False, cwd="/",
        )  # fmt: skip

    def base_backup(self) -> str:
        done = self.run("base-backup.sh")
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def now(self) -> str:
        with psycopg.connect(self.dsn) as connection:
            row = connection.execute("SELECT clock_timestamp() AT TIME ZONE 'UTC'").fetchone()
        assert row is not None
        return f"{row[0]:%Y-%m-%d %H:%M:%S.%f} UTC"

    def switch(self) -> None:
        """Finish the piece of the log that is being written, and wait until it has been archived."""
        with psycopg.connect(self.server.dsn(), autocommit=True) as connection:
            # A piece in which nothing was written is not finished.
            connection.execute("SELECT pg_logical_emit_message(true, 'test', 'something')")
            (name,) = connection.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone() or ("",)
        deadline = time.monotonic() + 30
        while not (self.archive / "wal" / name).exists():
            assert time.monotonic() < deadline, "the log was not archived"
            time.sleep(0.1)


@pytest.fixture
def archived(tmp_path: Path) -> Iterator[Archived]:
    made = Archived(tmp_path)
    yield made
    made.server.stop()


def pseudonyms(dsn: str) -> list[str]:
    with psycopg.connect(dsn) as connection:
        rows = connection.execute("SELECT pseudonym FROM crosswalk.patient ORDER BY created_at").fetchall()
    return [row[0] for row in rows]


def test_the_crosswalk_goes_back_to_the_moment_before_a_mistake(archived: Archived, keyring: Keyring) -> None:
    with Crosswalk(archived.dsn, keyring) as crosswalk:
        crosswalk.migrate()
        discover(crosswalk, "1.2.3", sightings("1.2.3", 3))
        Run(crosswalk).complete(DOE)
        archived.base_backup()
        time.sleep(1.1)
        discover(crosswalk, "1.2.4", sightings("1.2.4", 2))
        Run(crosswalk).complete(ROE, facts=replace(FACTS, accession_number="ACC-2"))
    known = pseudonyms(archived.dsn)
    moment = archived.now()
    with psycopg.connect(archived.dsn) as connection:
        connection.execute("DROP SCHEMA crosswalk CASCADE")
    archived.switch()
    refused = archived.run("recover.sh", moment)
    assert (refused.returncode, refused.stderr) == (1, "the server runs: stop it first\n")
    archived.server.stop()
    done = archived.run("recover.sh", moment)
    assert done.returncode == 0, done.stderr
    archived.start()
    assert pseudonyms(archived.dsn) == known
    with Crosswalk(archived.dsn, keyring) as crosswalk:
        assert [crosswalk.patients.get_or_create(one).pseudonym for one in (DOE, ROE)] == known
        assert {account.stored for account in crosswalk.ledger.balance()} == {3, 2}
    # It is an ordinary server again, on a timeline of its own, and goes on being archived.
    archived.switch()
    assert list((archived.archive / "wal").glob("00000002*"))
    assert len(list(archived.data.parent.glob("data.until-*"))) == 1


def test_what_had_not_reached_the_archive_is_taken_from_the_former_data(archived: Archived) -> None:
    archived.base_backup()
    time.sleep(1.1)
    with psycopg.connect(archived.dsn) as connection:
        connection.execute("CREATE TABLE late (number integer)")
        connection.execute("INSERT INTO late VALUES (1)")
    moment = archived.now()
    with psycopg.connect(archived.dsn) as connection:
        connection.execute("INSERT INTO late VALUES (2)")
    postgres._run("pg_ctl", "-D", str(archived.data), "-m", "immediate", "-w", "stop")
    assert archived.run("recover.sh", moment).returncode == 0
    archived.start()
    with psycopg.connect(archived.dsn) as connection:
        assert connection.execute("SELECT number FROM late").fetchall() == [(1,)]


def test_a_moment_before_every_copy_is_refused_and_nothing_is_touched(archived: Archived) -> None:
    archived.base_backup()
    archived.server.stop()
    done = archived.run("recover.sh", f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d %H:%M:%S} UTC")
    assert done.returncode == 1
    assert "no copy is older" in done.stderr
    archived.start()


def test_two_copies_stay_and_the_log_from_the_older_one_on(archived: Archived) -> None:
    names = []
    for _ in range(3):
        names.append(archived.base_backup())
        archived.switch()
        time.sleep(1.1)
    assert sorted(path.name for path in (archived.archive / "base").iterdir()) == names[1:]
    label = (archived.archive / "base" / names[1] / "backup_label").read_text()
    first = label.split("(file ")[1].split(")")[0]
    assert min(path.name for path in (archived.archive / "wal").iterdir() if len(path.name) == 24) == first


def test_a_piece_of_the_log_is_never_overwritten(tmp_path: Path) -> None:
    piece = tmp_path / "piece"
    environment = {"PATH": os.environ["PATH"], "PGARCHIVE": str(tmp_path / "archive")}

    def archive(content: str) -> int:
        piece.write_text(content)
        command = [SCRIPTS / "archive-wal.sh", piece, "0001"]
        return subprocess.run(command, env=environment, check=False).returncode

    assert archive("log") == 0
    assert archive("log") == 0
    assert archive("another") != 0
    assert (tmp_path / "archive" / "wal" / "0001").read_text() == "log"
