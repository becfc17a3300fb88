"""The keys of a crosswalk as one process holds them: unwrapped once, on first need, and never written anywhere."""

import hmac
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any
from uuid import UUID

import psycopg

from dicomanon.crosswalk.keys.data_keys import DataKey, Sealer, SiteKeys
from dicomanon.crosswalk.keys.masters import MasterKey
from dicomanon.crosswalk.keys.wrapping import Owner, WrappingKey, new_key, wrapped_by
from dicomanon.errors import Fatal, Retriable

Connection = psycopg.Connection[tuple[Any, ...]]
Connect = Callable[[], AbstractContextManager[Connection]]
DataKeyMaker = Callable[[Owner, UUID], tuple[DataKey, bytes]]

# A few megabytes; a batch has fewer studies.
_MOST_DATA_KEYS = 8192
WRONG_MASTER = "no master key at hand opens the crosswalk's keys: it was written with another keyring or master key"


def slot_context(number: int) -> str:
    """Return what a wrapping key is bound to where a master key wraps it."""
    return f"wrapping_key|{number}"


class Keychain:
    """Data keys by the row that they rest on. Safe for any number of threads.

    Parameters
    ----------
    connect
        Opens a connection of its own. Wrapping keys that another process has made are read through it, so that they
        can be met within any transaction.
    masters
        The first one wraps, each may open.
    """

    def __init__(self, connect: Connect, masters: Sequence[MasterKey]) -> None:
        self._connect = connect
        self._masters = tuple(masters)
        self._wrapping: dict[int, WrappingKey] = {}
        self._lock = threading.Lock()
        self._site: SiteKeys | None = None
        # By row and wrapped key, so that a key that was moved, re-wrapped, replaced or destroyed is never found here.
        self._data_key = lru_cache(maxsize=_MOST_DATA_KEYS)(self._unwrapped)

    def check(self) -> None:
        """Make sure that a master key at hand opens the wrapping key in use.

        Raises
        ------
        Fatal
            None does.
        Retriable
            An external one cannot be asked now.
        """
        with self._connect() as connection:
            row = connection.execute("SELECT crosswalk.current_wrapping_key()").fetchone()
        if row and row[0] is not None:
            self._wrapping_key(row[0])

    @property
    def site(self) -> Sealer:
        """Keys of values that belong to no patient: facts of devices, reasons of people, events of the site."""
        if self._site is None:
            with self._connect() as connection:
                rows = connection.execute("SELECT number, key_wrapped FROM crosswalk.site_key").fetchall()
            if not rows:
                raise Fatal("the crosswalk has no keys yet: migrate it first")
            self._site = SiteKeys({number: self._opened("site", number, wrapped) for number, wrapped in rows})
        return self._site

    def of(self, owner: Owner, row: UUID, wrapped: bytes | None) -> DataKey:
        """Return the data key of a row.

        A sealed value and the wrapped key of its row have to be read by one statement: between two, another process may
        have replaced both.

        Parameters
        ----------
        wrapped
            As it rests on the row; ``None`` where the row was last written before there were data keys, or its keys
            were destroyed.

        Raises
        ------
        Fatal
            It was moved from another row, or changed.
        """
        return self._data_key(owner, row, wrapped)

    def maker(self, connection: Connection) -> DataKeyMaker:
        """Return what makes new data keys within this transaction: each as a key, and wrapped for its row.

        Until the transaction ends, no rotation retires the wrapping key that they are wrapped by.
        """
        row = connection.execute("SELECT crosswalk.current_wrapping_key()").fetchone()
        if row is None or row[0] is None:
            raise Fatal("the crosswalk has no keys yet: migrate it first")
        wrapping = self._wrapping_key(row[0])

        def make(owner: Owner, row: UUID) -> tuple[DataKey, bytes]:
            key = new_key()
            return DataKey(key, self.site), wrapping.wrap(key, owner, row)

        return make

    def rewrapped(self, owner: Owner, row: UUID | int, wrapped: bytes, by: int) -> bytes:
        """Return a data key wrapped by another wrapping key; the data key stays the same."""
        return self._wrapping_key(by).wrap(self._opened(owner, row, wrapped), owner, row)

    def slots(self, number: int, masters: Sequence[MasterKey], *, key: bytes | None = None) -> list[tuple[str, bytes]]:
        """Return a wrapping key, by default one that is there, wrapped by each of the master keys, by their names.

        Raises
        ------
        Fatal
            A master key does not open what it wrapped.
        """
        key = self._unwrapped_wrapping_key(number) if key is None else key
        slots = []
        for master in masters:
            wrapped = master.wrap(key, slot_context(number))
            _require_same(master.unwrap(wrapped, slot_context(number)), key)
            slots.append((master.name, wrapped))
        return slots

    def require_opens(self, number: int, master: MasterKey, wrapped: bytes) -> None:
        """Make sure that a master key opens its slot of a wrapping key; raises as :meth:`slots` does."""
        _require_same(master.unwrap(wrapped, slot_context(number)), self._unwrapped_wrapping_key(number))

    def _unwrapped(self, owner: Owner, row: UUID, wrapped: bytes | None) -> DataKey:
        return DataKey(None if wrapped is None else self._opened(owner, row, wrapped), self.site)

    def _opened(self, owner: Owner, row: UUID | int, wrapped: bytes) -> bytes:
        return self._wrapping_key(wrapped_by(wrapped)).unwrap(wrapped, owner, row)

    def _wrapping_key(self, number: int) -> WrappingKey:
        found = self._wrapping.get(number)
        if found is None:
            with self._lock:
                # Again under the lock: an external master key is asked once, however many threads are waiting.
                found = self._wrapping.get(number)
                if found is None:
                    found = WrappingKey(number, self._unwrapped_wrapping_key(number))
                    self._wrapping[number] = found
        return found

    def _unwrapped_wrapping_key(self, number: int) -> bytes:
        with self._connect() as connection:
            slots: dict[str, bytes] = dict(
                connection.execute(
                    "SELECT master, key_wrapped FROM crosswalk.wrapping_key_slot WHERE number = %s", (number,)
                ).fetchall()
            )
        for master in self._masters:
            if master.name in slots:
                return master.unwrap(slots[master.name], slot_context(number))
        if slots:
            raise Fatal(WRONG_MASTER)
        # Retired between the moment when a row was read and this one: the row has its data key by the next one now.
        raise Retriable("a wrapping key was replaced just now: try again")

    def __repr__(self) -> str:
        return "Keychain(****)"


def _require_same(opened: bytes, key: bytes) -> None:
    if not hmac.compare_digest(opened, key):
        raise Fatal("a master key does not open what it wrapped: nothing was changed")
