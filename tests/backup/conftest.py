"""A crosswalk with something in it, a key, and a place for backups."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from tests.crosswalk.scenario import DOE, ROE, Run, discover, sightings

from dicomanon.backup.key import BackupKey
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.roles.role import Role
from dicomanon.local_stack.postgres import PostgresServer


@pytest.fixture
def key(tmp_path: Path) -> BackupKey:
    return BackupKey.generate(tmp_path / "backup.key")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture
def backup_dsn(crosswalk_dsn: str, postgres_server: PostgresServer) -> Iterator[str]:
    """DSN of a login that may act as ``backup``, and as nobody else."""
    database = str(conninfo_to_dict(crosswalk_dsn)["dbname"])
    login, password = f"backup_{database}", secrets.token_hex(12)
    postgres_server.create_login(login, password, database, [Role.BACKUP])
    yield postgres_server.dsn(database, user=login, password=password)
    with psycopg.connect(postgres_server.dsn(database), autocommit=True) as administrator:
        administrator.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(login)))
        administrator.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(login)))


@pytest.fixture
def filled(crosswalk: Crosswalk) -> Crosswalk:
    """Two patients: one with everything stored and released, one de-identified."""
    discover(crosswalk, "1.2.3", sightings("1.2.3", 3))
    run = Run(crosswalk)
    run.complete(DOE)
    crosswalk.releases.create("LUNG", "ada", b"d", [row.instance_id for row in run.sources()])
    discover(crosswalk, "1.2.4", sightings("1.2.4", 2))
    Run(crosswalk).record(ROE)
    return crosswalk
