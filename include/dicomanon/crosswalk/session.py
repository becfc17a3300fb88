"""Transactions on the crosswalk, and the one place where database errors become ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool, PoolClosed

from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.keys.keychain import Keychain
from dicomanon.errors import DicomanonError, Fatal, Retriable

Connection = psycopg.Connection[tuple[Any, ...]]
Pool = ConnectionPool[Connection]


@contextmanager
def translated() -> Iterator[None]:
    """Turn database errors into ours.

    The text of a database error can quote the row it is about, so nothing of it is kept but its class and SQLSTATE.

    Raises
    ------
    Retriable
        The server cannot be reached, broke off, or gave this transaction up for another one (deadlock,
        serialization failure, lock timeout); the transaction was rolled back.
    Fatal
        Anything else: a defect, or a schema that does not fit this version.
    """
    try:
        yield
    except psycopg.Error as error:
        raise _translate(error) from None


def _translate(error: psycopg.Error) -> DicomanonError:
    name = type(error).__name__
    if isinstance(error, PoolClosed):
        return Fatal("the crosswalk is not open: use it inside its `with` block")
    if isinstance(error, psycopg.OperationalError):
        if error.sqlstate is None:
            return Retriable(f"the crosswalk database cannot be reached ({name}): check its address, login and state")
        return Retriable(f"the crosswalk database gave up ({name}, SQLSTATE {error.sqlstate})")
    if isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedColumn):
        return Fatal("the crosswalk's schema is not this version's: migrate it first")
    return Fatal(f"the crosswalk database refused a statement ({name}, SQLSTATE {error.sqlstate or 'none'})")


class Session:
    """A pool of connections, the keyring and the keys: what every group of operations works with."""

    __slots__ = ("_pool", "keyring", "keys")

    def __init__(self, pool: Pool, keyring: Keyring, keys: Keychain) -> None:
        self._pool = pool
        self.keyring = keyring
        self.keys = keys

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Give a connection for one transaction: committed at the end, rolled back by any exception.

        Operations that lock several rows take them in one order everywhere, so that none waits in a circle:
        patient, study, series, instance, and within a table by ascending key.
        """
        with translated(), self._pool.connection() as connection:
            yield connection
