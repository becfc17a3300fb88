"""Splits a multipart/related body into its parts while it arrives, one part in memory.

``dicomweb_client`` reads such bodies too, but hands out what is left of a broken body as if it were a part, and its
public methods parse each part and stop at the first that is not DICOM.
"""

import logging
from collections.abc import Iterable, Iterator
from email.message import Message

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from dicomanon.errors import Retriable

# It logs offsets and byte values of what it cannot parse, which may be a patient's.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL + 1)

_MOST_HEADERS = 64
_LONGEST_HEADER = 1 << 16


def boundary_of(content_type: str) -> str | None:
    """Return the boundary of a multipart media type, ``None`` if it is none (RFC 2046 5.1)."""
    message = Message()
    message["Content-Type"] = content_type
    return message.get_boundary() if message.get_content_maintype() == "multipart" else None


def iter_parts(chunks: Iterable[bytes], boundary: str) -> Iterator[bytes]:
    """Yield the content of each whole part.

    Raises
    ------
    Retriable
        After the whole parts: the body ended before its closing delimiter, or is no multipart body.
    """
    reader = _Reader(boundary)
    for chunk in chunks:
        failure = reader.feed(chunk)
        yield from reader.take()
        if failure:
            raise Retriable("a multipart answer of the PACS is malformed")
    if not reader.closed:
        raise Retriable("a multipart answer of the PACS ended before its closing delimiter")


class _Reader:
    """Collects what the parser calls back."""

    def __init__(self, boundary: str) -> None:
        self.closed = False
        self._slices: list[memoryview] = []
        self._parts: list[bytes] = []
        self._parser = MultipartParser(
            boundary,
            {"on_part_data": self._on_data, "on_part_end": self._on_part_end, "on_end": self._on_end},
            max_header_count=_MOST_HEADERS,
            max_header_size=_LONGEST_HEADER,
        )

    def feed(self, chunk: bytes) -> bool:
        """Parse a chunk; tell whether it could not be."""
        if self.closed:
            return False
        try:
            self._parser.write(chunk)
        except FormParserError:
            return True
        return False

    def take(self) -> Iterator[bytes]:
        """Hand out the parts that have become whole, letting go of each."""
        self._parts.reverse()
        while self._parts:
            yield self._parts.pop()

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        # Not copied until the part is whole; then once.
        self._slices.append(memoryview(data)[start:end])

    def _on_part_end(self) -> None:
        self._parts.append(b"".join(self._slices))
        self._slices.clear()

    def _on_end(self) -> None:
        self.closed = True
