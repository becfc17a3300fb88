"""A PostgreSQL of our own keeps its data, lets nobody in without a password, and is no process of root."""

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from dicomanon.errors import Fatal
from dicomanon.local_stack.ports import free_port
from dicomanon.local_stack.postgres import PostgresServer, is_running, start_postgres


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Private, as the state folder is: the unprivileged server must be able to walk into it all the same.
    return tmp_path_factory.mktemp("own") / "postgres"


@pytest.fixture
def server(folder: Path) -> Iterator[PostgresServer]:
    started = start_postgres(folder, free_port(), durable=False)
    yield started
    started.stop()


def postmaster(folder: Path) -> psutil.Process:
    return psutil.Process(int((folder / "data" / "postmaster.pid").read_text().splitlines()[0]))


def test_restart_keeps_data(server: PostgresServer, folder: Path) -> None:
    server.create_database("kept", "keeper", "secret1")
    dsn = server.dsn("kept", user="keeper", password="secret1")
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    server.stop()
    assert not is_running(folder)
    again = start_postgres(folder, server.port, durable=False)
    assert again.password == server.password
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_a_running_server_is_found_and_not_started_twice(server: PostgresServer, folder: Path) -> None:
    first = postmaster(folder).pid
    assert start_postgres(folder, server.port, durable=False) == server
    assert postmaster(folder).pid == first


def test_fatal_when_it_runs_on_another_port(server: PostgresServer, folder: Path) -> None:
    with pytest.raises(Fatal, match="another port"):
        start_postgres(folder, free_port(), durable=False)


def test_fatal_when_the_port_is_taken(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Fatal, match=f"port {port} for Postgres is in use.*DICOMANON_POSTGRES_PORT"):
            start_postgres(folder, port, durable=False)


@pytest.mark.parametrize("password", ["wrong", ""])
def test_a_wrong_password_is_refused(server: PostgresServer, password: str) -> None:
    server.create_database("guarded", "guard", "secret2")
    for user in ("postgres", "guard"):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(
                host="127.0.0.1", port=server.port, user=user, password=password or None, dbname="postgres",
                passfile="/dev/null",
            )  # fmt: skip


def test_one_role_cannot_enter_the_database_of_another(server: PostgresServer) -> None:
    server.create_database("one", "one", "secret3")
    server.create_database("two", "two", "secret4")
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(server.dsn("two", user="one", password="secret3"))


def test_making_a_database_twice_changes_nothing(server: PostgresServer) -> None:
    for _ in range(2):
        server.create_database("twice", "twice", "secret5")
    with psycopg.connect(server.dsn("twice", user="twice", password="secret5")) as connection:
        assert connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = 'twice'").fetchone() == (False,)


def test_its_files_are_private_and_it_is_no_process_of_root(server: PostgresServer, folder: Path) -> None:
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "superuser.password").stat().st_mode) == 0o600
    assert postmaster(folder).uids().real != 0 or os.geteuid() != 0
    assert all(connection.laddr.ip == "127.0.0.1" for connection in postmaster(folder).net_connections("tcp"))


def test_a_folder_that_was_cut_short_while_it_was_made_is_made_anew(tmp_path: Path) -> None:
    half = tmp_path / "half" / "data.incoming"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("17\n")
    server = start_postgres(tmp_path / "half", free_port(), durable=False)
    try:
        with psycopg.connect(server.dsn()) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert not half.exists()
    finally:
        server.stop()
