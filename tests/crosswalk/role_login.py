"""A login that may act as one role, for as long as it is needed."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from dicomanon.crosswalk.roles.role import Role
from dicomanon.local_stack.postgres import PostgresServer


@contextmanager
def login_as(role: Role, crosswalk_dsn: str, server: PostgresServer) -> Iterator[str]:
    """Give the DSN of a new login of a crosswalk's database."""
    database = str(psycopg.conninfo.conninfo_to_dict(crosswalk_dsn)["dbname"])
    login, password = f"{role}_{database}", secrets.token_hex(12)
    server.create_login(login, password, database, [role])
    yield server.dsn(database, user=login, password=password)
    with psycopg.connect(server.dsn(database), autocommit=True) as administrator:
        administrator.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(login)))
        administrator.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(login)))
