"""The hash chain, computed here a second time: what the database should have written, without asking it to."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from dicomanon.crosswalk.audit.events import Entry

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORMAT = "1"


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain stood: the number and hash of its newest entry."""

    number: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing that is wrong with a chain: the number of the entry, and what is the matter with it."""

    number: int
    what: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of a verification: how many entries were read, where it ended, and the first fault."""

    entries: int
    head: Head
    fault: Fault | None = None


def genesis(chain: UUID) -> Head:
    """Return what the first entry of a trail follows."""
    return Head(0, hashlib.sha256(f"dicomanon audit trail {chain}".encode()).digest())


def entry_hash(previous: bytes, entry: Entry) -> bytes:
    """Return SHA-256 over the hash before and the fields of an entry, each with its length in bytes before it."""
    fields = (
        _FORMAT,
        str(entry.number),
        str(entry.id),
        str((entry.recorded_at - _EPOCH) // timedelta(microseconds=1)),
        entry.actor,
        entry.action,
        entry.reason_sealed.hex(),
        str(entry.count),
        "" if entry.instance_id is None else str(entry.instance_id),
        entry.subject_kind,
        entry.subject,
        entry.database_login,
    )
    digest = hashlib.sha256(previous)
    for field in fields:
        encoded = field.encode()
        digest.update(b"%d:%b," % (len(encoded), encoded))
    return digest.digest()


def verify(entries: Iterable[Entry], start: Head, heads: Sequence[Head] = ()) -> Checked:
    """Follow a chain to its end or to its first fault, one entry in memory at a time.

    Parameters
    ----------
    entries
        Everything after ``start`` that is there, by number.
    start
        :func:`genesis`, or a head that is known to be right.
    heads
        Heads that were kept elsewhere: without one, a trail that was cut, or written anew from some entry on, is a
        trail like any other. Those before ``start`` say nothing here.
    """
    kept = {head.number: head.hash for head in sorted(heads, key=lambda head: head.number)}
    read = 0
    head = confirmed = start
    for entry in entries:
        read += 1
        expected = head.number + 1
        if entry.number != expected:
            return Checked(read, head, _misplaced(entry.number, expected))
        if entry.hash != entry_hash(head.hash, entry):
            return Checked(read, head, Fault(expected, "it is not what was recorded there"))
        head = Head(expected, entry.hash)
        signed = kept.get(expected)
        if signed is not None:
            if signed != entry.hash:
                return Checked(read, head, _rebuilt(confirmed.number + 1, expected))
            confirmed = head
    missing = [number for number in kept if number > head.number]
    return Checked(read, head, _cut(head.number, max(missing)) if missing else None)


def stands(head: Head, found: Head) -> Fault | None:
    """Compare a head that was kept elsewhere with the newest entry up to its number, or with the genesis if none."""
    if found.number != head.number:
        return _cut(found.number, head.number)
    return None if found.hash == head.hash else _rebuilt(1, head.number)


def _cut(last: int, signed: int) -> Fault:
    return Fault(last + 1, f"it is missing, as is all up to {signed}, of which there is a signed head")


def _misplaced(number: int, expected: int) -> Fault:
    if number > expected:
        return Fault(expected, "it is missing")
    return Fault(number, "it is there twice" if 0 < number < expected else "it was put in where nothing belongs")


def _rebuilt(first: int, last: int) -> Fault:
    return Fault(first, f"it or one of those up to {last} was changed, and the chain written anew from there")
