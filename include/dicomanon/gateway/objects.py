"""Streams the objects that a token shows, piece by piece as the PACS sends them (WADO-RS, PS3.18 10.4).

Whatever the PACS sends, a part is passed on only if it is an object that the token shows; and if one of those does not
come, the body breaks off: nobody takes a study that lost an image for the whole of it.
"""

import secrets
from collections.abc import Generator, Iterator, Sequence
from typing import Final

import requests

from dicomanon.errors import Fatal, Held, Retriable
from dicomanon.gateway.media import DICOM, Objects
from dicomanon.gateway.part10 import GROUP_LENGTH_ENDS, NotDicom, needed, sop_instance_uid
from dicomanon.gateway.plan import Step
from dicomanon.pacs.connection import Connection
from dicomanon.pacs.multipart import Event, PartEnd, PartStart, boundary_of, iter_events
from dicomanon.pacs.retrieve import chunks
from dicomanon.reasons import HoldReason

PIECE_BYTES: Final = 256 << 10
"""Read from the PACS and sent at once: of each answer a few are in memory."""


class Body:
    """The parts of a multipart/related body (RFC 2387) as they are written.

    Attributes
    ----------
    boundary
        Random, so that no object can have it.
    """

    def __init__(self, media_type: str) -> None:
        self.boundary = secrets.token_hex(16)
        self._media_type = media_type

    @property
    def content_type(self) -> str:
        """Return the media type of the whole."""
        return f'multipart/related; type="{self._media_type}"; boundary={self.boundary}'

    def start(self, content_type: str) -> bytes:
        """Return what goes before a part."""
        return f"--{self.boundary}\r\nContent-Type: {content_type}\r\n\r\n".encode("latin-1")

    END: Final = b"\r\n"

    def close(self) -> bytes:
        """Return what goes after the last one."""
        return f"--{self.boundary}--\r\n".encode("ascii")


def stream(pacs: Connection, steps: Sequence[Step], wanted: Objects, body: Body | None) -> Iterator[bytes | memoryview]:
    """Yield the objects of all steps.

    Parameters
    ----------
    body
        What they are parts of; ``None`` for the one object alone.

    Raises
    ------
    Held
        ``NOT_RETRIEVED``: the PACS does not have all that is shown.
    Retriable, Fatal
        It cannot answer, or sends what is no object.
    """
    for step in steps:
        missing = set(step.sop_uids)
        with pacs.get(step.address.path, wanted.upstream) as response:
            yield from _passed_on(_events(pacs, response), missing, body)
        if missing:
            raise Held(HoldReason.NOT_RETRIEVED, f"the PACS sent {len(missing)} objects less than are shown")
    if body is not None:
        yield body.close()


def _events(pacs: Connection, response: requests.Response) -> Iterator[Event]:
    content_type = response.headers.get("Content-Type", "")
    boundary = boundary_of(content_type)
    if boundary is not None:
        yield from iter_events(chunks(pacs, response, None, chunk_bytes=PIECE_BYTES), boundary)
    elif content_type.partition(";")[0].strip().lower() == DICOM:
        # Some archives send a lone instance so.
        yield PartStart({})
        for chunk in chunks(pacs, response, None, chunk_bytes=PIECE_BYTES):
            yield memoryview(chunk)
        yield PartEnd()
    elif response.status_code != requests.codes.no_content:
        raise Fatal("the research PACS (WADO-RS) answered with a media type other than asked for")


def _passed_on(events: Iterator[Event], missing: set[str], body: Body | None) -> Iterator[bytes | memoryview]:
    """Yield what may be; take each object that did from what is missing."""
    content_type = DICOM
    head: bytes | memoryview = b""
    is_judged = is_shown = False
    for event in events:
        if isinstance(event, PartStart):
            content_type, head = event.headers.get("content-type", DICOM), b""
            is_judged = is_shown = False
        elif isinstance(event, PartEnd):
            if not is_judged:
                raise Retriable("the research PACS sent what is no DICOM object")
            if is_shown and body is not None:
                yield body.END
        elif is_judged:
            if is_shown:
                yield event
        else:
            head = b"".join((head, event)) if head else event
            uid = _uid(head)
            if uid is not None:
                is_judged, is_shown = True, uid in missing
                missing.discard(uid)
                if is_shown and body is not None:
                    yield body.start(_plain(content_type))
                if is_shown:
                    yield head


def _uid(head: bytes | memoryview) -> str | None:
    """Return which object begins so; ``None`` where it takes more to tell."""
    try:
        length = needed(bytes(head[:GROUP_LENGTH_ENDS]))
        if len(head) >= length > GROUP_LENGTH_ENDS:
            return sop_instance_uid(bytes(head[:length]))
    except NotDicom:
        raise Retriable("the research PACS sent what is no DICOM object") from None
    return None


def _plain(content_type: str) -> str:
    """Return the media type of a part, with its transfer syntax, if it is one of objects."""
    is_safe = content_type.isascii() and content_type.isprintable() and content_type.lower().startswith(DICOM)
    return content_type if is_safe else DICOM


def worth_sending(pieces: Iterator[bytes | memoryview]) -> Generator[bytes, None, None]:
    """Yield the same bytes with small pieces put together: each piece sent costs a turn of the event loop."""
    waiting: list[bytes | memoryview] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= PIECE_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)
