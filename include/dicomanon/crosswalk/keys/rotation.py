"""Rotates master and wrapping keys while others work, in steps that may be broken off and taken up again.

A master key is replaced by giving every wrapping key a second slot; the first is removed when nobody needs it any more.
A wrapping key is replaced by making the next one, wrapping every data key with it in bounded batches, and retiring the
former when nothing is wrapped by it. No sealed value changes: data keys stay what they are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from dicomanon.crosswalk.keys.masters import MasterKey
from dicomanon.crosswalk.keys.wrapping import Owner, new_key, wrapped_prefix
from dicomanon.crosswalk.session import Connection, Session
from dicomanon.errors import Fatal

_AT_ONCE = 1000
# The first number is the product's space of advisory locks; current_wrapping_key() takes _WRAPPING shared.
_LOCK_SPACE = 0x0D1C
_WRAPPING, _ROTATING = 1, 2


@dataclass(frozen=True, slots=True)
class _Kept:
    """Where data keys rest; in pages by row."""

    owner: Owner
    before_first: UUID | int
    page: LiteralString
    write: LiteralString


_KEPT = (
    _Kept(
        "patient",
        UUID(int=0),
        "SELECT id, key_wrapped FROM crosswalk.patient WHERE id > %s AND substring(key_wrapped FROM 1 FOR 5) <> %s"
        " ORDER BY id LIMIT %s FOR NO KEY UPDATE",
        "UPDATE crosswalk.patient SET key_wrapped = %s WHERE id = %s",
    ),
    _Kept(
        "study",
        UUID(int=0),
        "SELECT id, key_wrapped FROM crosswalk.study WHERE id > %s AND substring(key_wrapped FROM 1 FOR 5) <> %s"
        " ORDER BY id LIMIT %s FOR NO KEY UPDATE",
        "UPDATE crosswalk.study SET key_wrapped = %s WHERE id = %s",
    ),
    _Kept(
        "site",
        -1,
        "SELECT number, key_wrapped FROM crosswalk.site_key WHERE number > %s"
        " AND substring(key_wrapped FROM 1 FOR 5) <> %s ORDER BY number LIMIT %s FOR NO KEY UPDATE",
        "UPDATE crosswalk.site_key SET key_wrapped = %s WHERE number = %s",
    ),
)
WRAPPED_BY: LiteralString = (
    "SELECT (SELECT count(*) FROM crosswalk.patient WHERE substring(key_wrapped FROM 1 FOR 5) = %(prefix)s)"
    " + (SELECT count(*) FROM crosswalk.study WHERE substring(key_wrapped FROM 1 FOR 5) = %(prefix)s)"
    " + (SELECT count(*) FROM crosswalk.site_key WHERE substring(key_wrapped FROM 1 FOR 5) = %(prefix)s)"
)
"""How many data keys begin with a prefix of :func:`~dicomanon.crosswalk.keys.wrapping.wrapped_prefix`."""


def add_slots(session: Session, master: MasterKey) -> int:
    """Let a master key open every wrapping key that is in use; return for how many it is new.

    Those who work with another master key go on.
    """
    with session.transaction() as connection:
        _one_at_a_time(connection)
        rows = connection.execute(
            "SELECT number FROM crosswalk.wrapping_key k WHERE retired_at IS NULL AND NOT EXISTS"
            " (SELECT FROM crosswalk.wrapping_key_slot s WHERE s.number = k.number AND s.master = %s)",
            (master.name,),
        ).fetchall()
        for (number,) in rows:
            _insert_slots(connection, number, session.keys.slots(number, [master]))
    return len(rows)


def remove_other_slots(session: Session, master: MasterKey) -> int:
    """Let no other master key open a wrapping key any more; return how many slots went.

    Raises
    ------
    Fatal
        The master key does not open every wrapping key that is in use: nothing was removed.
    """
    with session.transaction() as connection:
        _one_at_a_time(connection)
        rows = connection.execute(
            "SELECT k.number, s.key_wrapped FROM crosswalk.wrapping_key k LEFT JOIN crosswalk.wrapping_key_slot s"
            " ON s.number = k.number AND s.master = %s WHERE k.retired_at IS NULL",
            (master.name,),
        ).fetchall()
        for number, wrapped in rows:
            if wrapped is None:
                raise Fatal(
                    "the master key in use does not open every wrapping key yet: `dicomanon keys rotate master`"
                )
            session.keys.require_opens(number, master, wrapped)
        return connection.execute("DELETE FROM crosswalk.wrapping_key_slot WHERE master <> %s", (master.name,)).rowcount


def rotate_wrapping_key(session: Session, masters: Sequence[MasterKey], *, at_once: int = _AT_ONCE) -> tuple[int, int]:
    """Put a new wrapping key into use, wrap every data key with it, and retire the former.

    Where an earlier rotation was broken off, it is finished, and no further key is made. Each batch of ``at_once`` data
    keys is a transaction of its own.

    Returns
    -------
    tuple
        The number of the wrapping key in use, and how many data keys were wrapped anew.

    Raises
    ------
    Fatal
        A master key that opens the present wrapping key is not at hand: the rotation of the master key comes first.
    """
    with session.transaction() as connection:
        _one_at_a_time(connection)
        number = _unfinished(connection) or _put_next_into_use(session, connection, masters)
    rewrapped = _rewrap_all(session, number, at_once)
    with session.transaction() as connection:
        # Whoever wraps with the former key is waited for; whoever comes later finds the new one.
        connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (_LOCK_SPACE, _WRAPPING))
    rewrapped += _rewrap_all(session, number, at_once)
    with session.transaction() as connection:
        _one_at_a_time(connection)
        _retire_former(connection, number)
    return number, rewrapped


def _unfinished(connection: Connection) -> int | None:
    row = connection.execute(
        "SELECT max(number) FROM crosswalk.wrapping_key WHERE retired_at IS NULL HAVING count(*) > 1"
    ).fetchone()
    return row[0] if row else None


def _put_next_into_use(session: Session, connection: Connection, masters: Sequence[MasterKey]) -> int:
    at_hand = {master.name: master for master in masters}
    needed = {
        row[0]
        for row in connection.execute(
            "SELECT DISTINCT s.master FROM crosswalk.wrapping_key_slot s"
            " JOIN crosswalk.wrapping_key k USING (number) WHERE k.retired_at IS NULL"
        )
    }
    # A process that holds only one of them must be able to open the new key as well.
    if missing := needed - at_hand.keys():
        raise Fatal(
            f"not at hand: master key {', '.join(sorted(missing))}; finish the rotation of the master key first"
        )
    row = connection.execute(
        "INSERT INTO crosswalk.wrapping_key (number) SELECT max(number) + 1 FROM crosswalk.wrapping_key"
        " RETURNING number"
    ).fetchone()
    if row is None:
        raise Fatal("a wrapping key that was just entered is not in the crosswalk")
    number: int = row[0]
    chosen = [at_hand[name] for name in sorted(needed)]
    _insert_slots(connection, number, session.keys.slots(number, chosen, key=new_key()))
    return number


def _rewrap_all(session: Session, number: int, at_once: int) -> int:
    return sum(_rewrap(session, kept, number, at_once) for kept in _KEPT)


def _rewrap(session: Session, kept: _Kept, number: int, at_once: int) -> int:
    done, after = 0, kept.before_first
    while True:
        with session.transaction() as connection:
            rows = connection.execute(kept.page, (after, wrapped_prefix(number), at_once)).fetchall()
            if not rows:
                return done
            connection.cursor().executemany(
                kept.write,
                [(session.keys.rewrapped(kept.owner, row, wrapped, number), row) for row, wrapped in rows],
            )
        done += len(rows)
        after = rows[-1][0]


def _retire_former(connection: Connection, number: int) -> None:
    former = connection.execute(
        "SELECT number FROM crosswalk.wrapping_key WHERE retired_at IS NULL AND number < %s", (number,)
    ).fetchall()
    for (old,) in former:
        left = connection.execute(WRAPPED_BY, {"prefix": wrapped_prefix(old)}).fetchone()
        if left is None or left[0]:
            raise Fatal("data keys are still wrapped by a former wrapping key: rotate again")
        connection.execute("DELETE FROM crosswalk.wrapping_key_slot WHERE number = %s", (old,))
        connection.execute("UPDATE crosswalk.wrapping_key SET retired_at = clock_timestamp() WHERE number = %s", (old,))


def _insert_slots(connection: Connection, number: int, slots: Iterable[tuple[str, bytes]]) -> None:
    connection.cursor().executemany(
        "INSERT INTO crosswalk.wrapping_key_slot (number, master, key_wrapped) VALUES (%s, %s, %s)",
        [(number, master, wrapped) for master, wrapped in slots],
    )


def _one_at_a_time(connection: Connection) -> None:
    connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (_LOCK_SPACE, _ROTATING))
