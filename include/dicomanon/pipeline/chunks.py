"""Cuts what a PACS lists into chunks, and loses nothing where the listing breaks off."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from dicomanon.errors import DicomanonError

Item = TypeVar("Item")


def in_chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield items in chunks; what was found before an error is yielded before the error is raised."""
    chunk: list[Item] = []
    try:
        for item in items:
            chunk.append(item)
            if len(chunk) == size:
                yield chunk
                chunk = []
    except DicomanonError:
        yield chunk
        raise
    yield chunk
