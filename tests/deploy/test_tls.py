"""The production server's command line and pg_hba.conf, on a real PostgreSQL: TLS, verified, and SCRAM, or nothing."""

import os
import pwd
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy
from tests.deploy.compose import COMPOSE, INIT_SCRIPT, ROLES_SQL, ROOT, SERVICES, environment_of

from dicomanon.backup.key import BackupKey
from dicomanon.backup.making import make_backup
from dicomanon.backup.restoring import restore
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.roles.role import Role
from dicomanon.errors import Fatal
from dicomanon.local_stack import postgres as local_postgres
from dicomanon.local_stack.ports import free_port

HBA = ROOT / "deploy" / "postgres" / "pg_hba.conf"
PITR = ROOT / "deploy" / "pitr"
# Debian's: the one that the local stack uses is built without TLS.
BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1:]


@dataclass(frozen=True)
class Server:
    """Where it listens, and what the generator made for it."""

    port: int
    generated: dict[str, str]
    environment: dict[str, str]
    """Of a process in its container."""

    @property
    def authority(self) -> str:
        return self.generated["POSTGRES_CA_HOST_FILE"]

    def dsn(self, given: str, **changes: Any) -> str:
        """Return a DSN of the compose file as a container has it, but for the address."""
        for name, value in self.generated.items():
            given = given.replace(f"${{{name}:?set {name}, see deploy/README.md}}", value)
        given = given.replace("postgresql+psycopg://", "postgresql://").replace(
            "postgres:5432", f"postgres:{self.port}"
        )
        wanted = psycopg.conninfo.conninfo_to_dict(given)
        assert wanted["sslrootcert"] == "/run/secrets/postgres-ca"
        wanted |= {"sslrootcert": self.authority, "hostaddr": "127.0.0.1"} | changes
        return psycopg.conninfo.make_conninfo(**{name: value for name, value in wanted.items() if value is not None})


PIPELINE = environment_of("airflow-worker")["DICOMANON_CROSSWALK_DSN"]
GATEWAY = environment_of("gateway")["DICOMANON_CROSSWALK_DSN"]
PAGES = environment_of("airflow-apiserver")["DICOMANON_PAGES_DSN"]
OWNER = environment_of("crosswalk-init")["DICOMANON_CROSSWALK_DSN"]
AIRFLOW = COMPOSE["x-airflow-environment"]["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, generated: dict[str, str]) -> Iterator[Server]:
    assert BINARIES, "PostgreSQL with TLS is missing: run deploy/system-packages.sh test"
    (binaries,) = BINARIES
    folder = tmp_path_factory.mktemp("tls")
    data, password_file, archive = folder / "data", folder / "password", folder / "archive"
    password_file.write_text(generated["POSTGRES_PASSWORD"])
    for private in (data, archive):
        private.mkdir(mode=0o700)
    as_server = local_postgres._unprivileged()
    if as_server:
        account = pwd.getpwnam(local_postgres.SYSTEM_USER)
        for path in (folder, data, archive, password_file, Path(generated["POSTGRES_KEY_HOST_FILE"])):
            os.chown(path, account.pw_uid, account.pw_gid)
    initdb = SERVICES["postgres"]["environment"]["POSTGRES_INITDB_ARGS"].split()
    subprocess.run(
        [*as_server, binaries / "initdb", "-D", data, "-U", "postgres", f"--pwfile={password_file}", *initdb],
        check=True, capture_output=True, cwd="/",
    )  # fmt: skip
    command = SERVICES["postgres"]["command"]
    assert command[0] == "postgres"
    options = shlex.join([re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", option) for option in command[1:]])
    for inside, outside in {
        "/run/secrets/postgres-certificate": generated["POSTGRES_CERTIFICATE_HOST_FILE"],
        "/run/secrets/postgres-key": generated["POSTGRES_KEY_HOST_FILE"],
        "/etc/dicomanon/pg_hba.conf": str(HBA),
        "/opt/dicomanon/pitr": str(PITR),
    }.items():
        assert inside in options
        options = options.replace(inside, outside)
    port = free_port()
    control = [*as_server, binaries / "pg_ctl", "-D", data, "-w", "-l", data / "log"]
    listening = f"{options} -p {port} -c unix_socket_directories={folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    environment = {
        "PATH": f"{binaries}:{os.environ['PATH']}", "PGHOST": str(folder), "PGPORT": str(port),
        "POSTGRES_PASSWORD": generated["POSTGRES_PASSWORD"], "POSTGRES_USER": "postgres", "PGARCHIVE": str(archive),
    }  # fmt: skip
    subprocess.run(
        [*control, "-o", listening, "start"], env=environment, check=True, stdout=subprocess.DEVNULL, cwd="/"
    )
    try:
        entered = environment | generated | {"PGPASSWORD": generated["POSTGRES_PASSWORD"]}
        for script in (["psql", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-f", ROLES_SQL], ["sh", INIT_SCRIPT]):
            subprocess.run(script, env=entered, check=True, capture_output=True)
        yield Server(port, generated, environment)
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=True, stdout=subprocess.DEVNULL, cwd="/")


@pytest.mark.parametrize(
    "given", [PIPELINE, GATEWAY, PAGES, OWNER, AIRFLOW], ids=["pipeline", "gateway", "pages", "owner", "airflow"]
)
class TestConnections:
    def test_as_the_services_make_them_are_encrypted(self, server: Server, given: str) -> None:
        with psycopg.connect(server.dsn(given)) as connection:
            row = connection.execute("SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone()
        assert row == (True, "TLSv1.3")

    @pytest.mark.parametrize("mode", ["disable", "allow"])
    def test_without_tls_are_refused(self, server: Server, given: str, mode: str) -> None:
        dsn = server.dsn(given, sslmode="disable", sslrootcert=None)
        with pytest.raises(psycopg.OperationalError, match="no encryption"):
            psycopg.connect(dsn)
        if mode == "allow":  # tries without TLS first, and is then let in with it
            with psycopg.connect(server.dsn(given, sslmode=mode, sslrootcert=None)) as connection:
                assert connection.pgconn.ssl_in_use

    def test_are_not_made_to_another_server(self, server: Server, given: str, tmp_path: Path) -> None:
        subprocess.run(
            [sys.executable, ROOT / "deploy" / "certificates.py", "--folder", tmp_path],
            check=True, capture_output=True,
        )  # fmt: skip
        for changes in ({"host": "elsewhere"}, {"sslrootcert": str(tmp_path / "postgres-ca.crt")}):
            with pytest.raises(psycopg.OperationalError, match=r"certificate|SSL error"):
                psycopg.connect(server.dsn(given, **changes))

    def test_with_a_wrong_password_are_refused(self, server: Server, given: str) -> None:
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(server.dsn(given, password="wrong"))


def test_the_server_is_copied_from_within_its_container(server: Server) -> None:
    def copy(**changes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*local_postgres._unprivileged(), "sh", PITR / "base-backup.sh"],
            env=server.environment | {"PGUSER": "postgres"} | changes,
            capture_output=True, text=True, check=False, cwd="/",
        )  # fmt: skip

    done = copy()
    assert done.returncode == 0, done.stderr
    assert (Path(server.environment["PGARCHIVE"]) / "base" / done.stdout.strip() / "PG_VERSION").exists()
    assert "password authentication failed" in copy(POSTGRES_PASSWORD="wrong").stderr


def test_the_crosswalk_is_backed_up_and_restored_by_tls(server: Server, keyring: Keyring, tmp_path: Path) -> None:
    key = BackupKey.generate(tmp_path / "backup.key")
    with Crosswalk(server.dsn(OWNER), keyring) as crosswalk:
        crosswalk.migrate()
    with pytest.raises(Fatal, match="speaks no TLS"):
        make_backup(server.dsn(PIPELINE), tmp_path / "refused", key)
    made = make_backup(server.dsn(PIPELINE), tmp_path / "backups", key, BINARIES[0])
    why = {"actor": "tester", "reason": "the disk died"}
    former = restore(made, key, server.dsn(OWNER), keyring, set_aside=True, programs=BINARIES[0], **why)
    with Crosswalk(server.dsn(PIPELINE), keyring, role=Role.INGEST) as crosswalk:
        with pytest.raises(Fatal, match="archives check"):
            crosswalk.archives.require_checked()
        assert former


def test_the_workers_image_has_programs_that_speak_tls() -> None:
    (folder,) = re.findall(r"postgresql-client-(\d+)", (ROOT / "deploy" / "Dockerfile").read_text())
    assert environment_of("airflow-worker")["DICOMANON_BACKUP_PROGRAMS"] == f"/usr/lib/postgresql/{folder}/bin"
    assert SERVICES["postgres"]["image"].startswith(f"postgres:{folder}.")


def test_airflows_library_understands_its_address(server: Server) -> None:
    for name in ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__CELERY__RESULT_BACKEND"):
        given = COMPOSE["x-airflow-environment"][name].removeprefix("db+")
        url = sqlalchemy.make_url(
            given.replace("${AIRFLOW_DB_PASSWORD:?set AIRFLOW_DB_PASSWORD, see deploy/README.md}", "x")
        )
        assert url.drivername == "postgresql+psycopg"
        password = server.generated["AIRFLOW_DB_PASSWORD"]
        url = url.set(port=server.port, password=password).update_query_dict(
            {"sslrootcert": server.authority, "hostaddr": "127.0.0.1"}
        )
        engine = sqlalchemy.create_engine(url)
        with engine.connect() as connection:
            ssl = sqlalchemy.text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            assert connection.execute(ssl).scalar_one()
        engine.dispose()


def test_the_server_keeps_scram_verifiers_only(server: Server) -> None:
    administrator = server.dsn(
        OWNER, user="postgres", dbname="postgres", password=server.generated["POSTGRES_PASSWORD"]
    )
    with psycopg.connect(administrator) as connection:
        rows = connection.execute("SELECT rolname, rolpassword FROM pg_authid WHERE rolcanlogin").fetchall()
    assert {row[0] for row in rows} == {"postgres", "airflow", "crosswalk", "pipeline", "gateway", "pages"}
    assert all(row[1].startswith("SCRAM-SHA-256$") for row in rows)


@pytest.mark.parametrize(
    ("given", "database"),
    [
        (PIPELINE, "airflow"),
        (PIPELINE, "postgres"),
        (GATEWAY, "airflow"),
        (GATEWAY, "postgres"),
        (PAGES, "airflow"),
        (PAGES, "postgres"),
        (AIRFLOW, "crosswalk"),
    ],
)
def test_nobody_enters_the_database_of_another(server: Server, given: str, database: str) -> None:
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry|permission denied for database"):
        psycopg.connect(server.dsn(given, dbname=database))


def test_every_service_that_connects_trusts_the_authority_and_the_server_alone_has_the_key() -> None:
    connecting = {name for name in SERVICES if "sslmode=verify-full" in str(environment_of(name))}
    assert connecting == {name for name in SERVICES if name.startswith("airflow-")} | {"crosswalk-init", "gateway"}
    for name, service in SERVICES.items():
        assert ("postgres-ca" in service.get("secrets", [])) is (name in connecting), name
        assert ("postgres-key" in service.get("secrets", [])) is (name == "postgres"), name
        assert "@postgres:5432" not in str(
            [value for value in environment_of(name).values() if "sslmode=verify-full" not in str(value)]
        )


def test_only_the_servers_own_socket_is_let_in_without_tls_and_nobody_without_a_password() -> None:
    lines = [line.split() for line in HBA.read_text().splitlines() if line and not line.startswith("#")]
    assert {line[0] for line in lines} == {"local", "hostssl"}
    assert {line[-1] for line in lines} == {"scram-sha-256"}
