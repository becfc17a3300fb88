"""Connections of a process that people wait for: it calls functions of the crosswalk as one role, reads no table."""

from functools import partial

from psycopg_pool import ConnectionPool

from dicomanon.crosswalk.roles.assuming import assume
from dicomanon.crosswalk.roles.role import Role
from dicomanon.crosswalk.session import Connection, Pool

_CONNECT_SECONDS = 10
_WAIT_FOR_CONNECTION_SECONDS = 10
"""People wait: they are told to come again instead."""


def role_pool(dsn: str, role: Role, *, least: int, most: int) -> Pool:
    """Return connections that act as a role, each statement committed by itself; not opened yet.

    Parameters
    ----------
    dsn
        Of a login that may act as the role.
    least, most
        How many are kept open, and may be.
    """
    return ConnectionPool[Connection](
        dsn,
        min_size=least,
        max_size=most,
        open=False,
        timeout=_WAIT_FOR_CONNECTION_SECONDS,
        kwargs={"application_name": f"dicomanon {role}", "connect_timeout": _CONNECT_SECONDS, "autocommit": True},
        configure=partial(_configure, role),
        check=ConnectionPool.check_connection,
        name=role.value,
    )


def _configure(role: Role, connection: Connection) -> None:
    connection.execute("SET lock_timeout = '10s'")
    connection.execute("SET statement_timeout = '30s'")
    connection.execute("SET timezone = 'UTC'")
    assume(connection, role)
