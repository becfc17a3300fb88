"""Databases for tests: each crosswalk is a copy of one that was migrated, which takes longer than most tests."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from dicomanon.crosswalk.migrations import migrate
from dicomanon.crosswalk.roles.granting import apply_grants
from dicomanon.crosswalk.roles.grants import Grants, Kind
from dicomanon.crosswalk.roles.role import Role
from dicomanon.local_stack.postgres import PostgresServer

_OWNER, _MIGRATED = "crosswalk_owner", "crosswalk_migrated"


class Databases:
    """Those of one server; all have the same owner, who is no superuser and may act as every role."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._password = secrets.token_hex(12)
        self._administrator = psycopg.connect(server.dsn(), autocommit=True)
        # To prove a password takes longer than to connect; the passwords of tests are random, and guard nothing.
        self._administrator.execute("ALTER ROLE postgres SET scram_iterations = 1")
        server.create_database(_MIGRATED, _OWNER, self._password)
        server.create_login(_OWNER, self._password, _MIGRATED, Role)
        with psycopg.connect(self._dsn(_MIGRATED)) as connection:
            migrate(connection)
            apply_grants(connection)

    def close(self) -> None:
        self._administrator.close()

    @contextmanager
    def empty(self) -> Iterator[str]:
        """Yield the DSN of a new database without a schema."""
        database = _new_name()
        self._create(database, "template1")
        yield self._dsn(database)
        self._drop(database)

    @contextmanager
    def crosswalk(self) -> Iterator[str]:
        """Yield the DSN of a new crosswalk of this version, which belongs to the keyring that first migrates it."""
        database = _new_name()
        self._copy(_MIGRATED, database)
        yield self._dsn(database)
        self._drop(database)

    def keep(self, dsn: str) -> str:
        """Copy a crosswalk to which nobody is connected; return what the copy is called."""
        kept = _new_name()
        self._create(kept, _name(dsn))
        return kept

    def put(self, kept: str, dsn: str) -> None:
        """Put what was kept in the place of a crosswalk."""
        self._drop(_name(dsn))
        self._copy(kept, _name(dsn))

    def _copy(self, template: str, database: str) -> None:
        self._create(database, template)
        # Privileges on the database itself are not copied.
        for grant in Grants.load().grants:
            if grant.kind is Kind.DATABASE:
                self._administrator.execute(
                    sql.SQL("GRANT {} ON DATABASE {} TO {}").format(
                        sql.SQL(grant.privilege), sql.Identifier(database), sql.Identifier(grant.grantee)
                    )
                )

    def _create(self, database: str, template: str) -> None:
        name = sql.Identifier(database)
        self._administrator.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
                name, sql.Identifier(_OWNER), sql.Identifier(template)
            )
        )
        self._administrator.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))

    def _drop(self, database: str) -> None:
        self._administrator.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))

    def _dsn(self, database: str) -> str:
        return self._server.dsn(database, user=_OWNER, password=self._password)


def _new_name() -> str:
    return f"crosswalk_{secrets.token_hex(6)}"


def _name(dsn: str) -> str:
    return str(conninfo_to_dict(dsn)["dbname"])
