"""Splits a multipart/related body into its parts while it arrives, one part in memory, or a piece of one.

``dicomweb_client`` reads such bodies too, but hands out what is left of a broken body as if it were a part, and its
public methods parse each part and stop at the first that is not DICOM.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
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
    pieces: list[memoryview] = []
    for event in iter_events(chunks, boundary):
        if isinstance(event, memoryview):
            # Not copied until the part is whole; then once.
            pieces.append(event)
        elif isinstance(event, PartEnd):
            part = b"".join(pieces)
            pieces.clear()
            yield part


@dataclass(frozen=True, slots=True)
class PartStart:
    """The headers of a part have been read; names in lower case."""

    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PartEnd:
    """All of a part has been read."""


Event = PartStart | memoryview | PartEnd
"""A part begins, a piece of its content, a part ends."""


def iter_events(chunks: Iterable[bytes], boundary: str) -> Iterator[Event]:
    """Yield what a body is made of, as it arrives: parts of any size in little memory.

    Raises
    ------
    Retriable
        After the events so far: the body ended before its closing delimiter, or is no multipart body.
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
        self._events: list[Event] = []
        self._headers: dict[str, str] = {}
        self._name = self._value = b""
        self._parser = MultipartParser(
            boundary,
            {
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": self._on_data,
                "on_part_end": self._on_part_end,
                "on_end": self._on_end,
            },
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

    def take(self) -> Iterator[Event]:
        """Hand out what has arrived, letting go of each."""
        self._events.reverse()
        while self._events:
            yield self._events.pop()

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._name.decode("latin-1").lower()] = self._value.decode("latin-1")
        self._name = self._value = b""

    def _on_headers_finished(self) -> None:
        self._events.append(PartStart(self._headers))
        self._headers = {}

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        self._events.append(memoryview(data)[start:end])

    def _on_part_end(self) -> None:
        self._events.append(PartEnd())

    def _on_end(self) -> None:
        self.closed = True
