"""Databases for tests: each crosswalk is a copy of one that was migrated, which takes longer than most tests."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from dicomanon.crosswalk.migrations import migrate
from dicomanon.crosswalk.roles.granting import apply_grants
from dicomanon.crosswalk.roles.role import Role
from dicomanon.local_stack.postgres import PostgresServer


class Databases:
    """Those of one server; all have the same owner, who is no superuser and may act as every role."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._owner, self._password = "crosswalk_owner", secrets.token_hex(12)
        self._template = "crosswalk_template"
        self._administrator = psycopg.connect(server.dsn(), autocommit=True)
        server.create_database(self._template, self._owner, self._password)
        server.create_login(self._owner, self._password, self._template, Role)
        with psycopg.connect(self._dsn(self._template)) as connection:
            migrate(connection)
            apply_grants(connection)

    def close(self) -> None:
        self._administrator.close()

    def _dsn(self, database: str) -> str:
        return self._server.dsn(database, user=self._owner, password=self._password)

    @contextmanager
    def empty(self) -> Iterator[str]:
        """Yield the DSN of a new database without a schema."""
        with self._copied("template1") as dsn:
            yield dsn

    @contextmanager
    def crosswalk(self) -> Iterator[str]:
        """Yield the DSN of a new crosswalk of this version, which belongs to the keyring that first migrates it."""
        with self._copied(self._template) as dsn:
            yield dsn

    @contextmanager
    def _copied(self, template: str) -> Iterator[str]:
        database = f"crosswalk_{secrets.token_hex(6)}"
        name = sql.Identifier(database)
        self._administrator.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
                name, sql.Identifier(self._owner), sql.Identifier(template)
            )
        )
        self._administrator.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
        yield self._dsn(database)
        self._administrator.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
