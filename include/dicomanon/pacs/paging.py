"""What a server shows of one query, page after page; whether that is all of it is for the caller to prove."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from dicomanon.pacs.connection import Row

T = TypeVar("T")

FetchPage = Callable[[int, int], list[Row]]
"""Called with limit and offset."""
ReadRow = Callable[[Row], tuple[str, T]]
"""Returns the UID that tells rows apart, and what to keep of the row."""


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """What was kept of the distinct rows that paging has shown, by their UID.

    Attributes
    ----------
    rows
        In the order of arrival.
    nameless
        How many rows came without the UID that they are told apart by.
    overflowed
        Whether paging was given up because there were more rows than asked for.
    """

    rows: dict[str, T]
    nameless: int
    overflowed: bool


def first_of(known: T, _: T) -> T:
    """Keep what the first row of a UID said: another one repeats it."""
    return known


def list_rows(
    fetch: FetchPage,
    read: ReadRow[T],
    *,
    page_size: int,
    most: int | None = None,
    merge: Callable[[T, T], T] = first_of,
) -> Listing[T]:
    """Page by offset (PS3.18 8.3.4.4) until a page is empty or brings nothing new.

    Neither proves that there is no more. A server may clamp ``limit``, so a short page proves nothing. It may ignore
    ``offset``, so that every page is the first one. Orthanc cuts the result before it applies the offset, so that an
    empty page follows although most rows were never shown. The Warning header that should tell is often missing.

    Parameters
    ----------
    fetch
        Asks for one page.
    read
        Takes from a row what is needed, since a whole archive may be listed.
    page_size
        How many rows to ask for at once.
    most
        Give up once there are more distinct rows than this.
    merge
        What to keep of a UID that comes again, on this page or because a page was repeated.
    """
    rows: dict[str, T] = {}
    nameless = offset = 0
    while True:
        page = fetch(page_size, offset)
        known = len(rows)
        for row in page:
            uid, kept = read(row)
            if uid:
                rows[uid] = merge(rows[uid], kept) if uid in rows else kept
            else:
                nameless += 1
        if most is not None and len(rows) > most:
            return Listing(rows, nameless, overflowed=True)
        if len(rows) == known:
            return Listing(rows, nameless, overflowed=False)
        # By what came, not by what was asked for: a clamped page is shorter than the limit.
        offset += len(page)


def text(row: Row, tag: str) -> str:
    """Return the first value of an attribute of a DICOM JSON row as text, ``""`` where there is none."""
    element = row.get(tag) or row.get(tag.lower())
    values = element.get("Value") if isinstance(element, dict) else None
    if not isinstance(values, list) or not values or values[0] is None:
        return ""
    return str(values[0]).strip(" \0")


def number(row: Row, tag: str) -> int | None:
    """Return the first value of an attribute as a whole number; ``None`` where it is absent or none."""
    try:
        return int(text(row, tag))
    except ValueError:
        return None
