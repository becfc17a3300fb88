"""Streams what belongs to one instance that a token shows: frames, bulk data, the picture that the PACS makes of it.

None of it can be of another object, so it is passed on as it comes; but the headers of parts stay here, which tell
where the PACS is.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from email.message import Message
from typing import Final

import requests

from dicomanon.errors import Fatal
from dicomanon.gateway.objects import PIECE_BYTES, Body
from dicomanon.gateway.refusals import NOT_ACCEPTABLE, Refusal
from dicomanon.pacs.connection import Connection
from dicomanon.pacs.multipart import PartEnd, PartStart, boundary_of, iter_events
from dicomanon.pacs.retrieve import chunks

_MEDIA_TYPE: Final = re.compile(r"[a-z]+/[a-z0-9.+-]+(; ?transfer-syntax=\"?[0-9.]+\"?)?", re.IGNORECASE)
_UNKNOWN: Final = "application/octet-stream"


def begin(
    pacs: Connection, path: Sequence[str], accept: str, parameters: Mapping[str, str] | None = None
) -> tuple[str, Iterator[bytes | memoryview]]:
    """Ask the PACS; return the media type of its answer, and the answer.

    Raises
    ------
    Refusal
        406: the PACS does not make this of it.
    Retriable, Held, Fatal
        It cannot answer, or does not have the object.
    """
    try:
        response = pacs.get(path, accept, parameters)
    except Fatal:
        # Archives answer so for what they cannot make, as for frames that there are not.
        raise Refusal(NOT_ACCEPTABLE, "The research PACS does not make this of the object.") from None
    content_type = response.headers.get("Content-Type", "")
    boundary = boundary_of(content_type)
    if boundary is None:
        return _safe(content_type), _whole(pacs, response)
    body = Body(_safe(_type_of(content_type)))
    return body.content_type, _parts(pacs, response, boundary, body)


def _whole(pacs: Connection, response: requests.Response) -> Iterator[bytes]:
    with response:
        yield from chunks(pacs, response, None, chunk_bytes=PIECE_BYTES)


def _parts(pacs: Connection, response: requests.Response, boundary: str, body: Body) -> Iterator[bytes | memoryview]:
    with response:
        for event in iter_events(chunks(pacs, response, None, chunk_bytes=PIECE_BYTES), boundary):
            match event:
                case PartStart():
                    yield body.start(_safe(event.headers.get("content-type", _UNKNOWN)))
                case PartEnd():
                    yield body.END
                case _:
                    yield event
        yield body.close()


def _type_of(content_type: str) -> str:
    message = Message()
    message["Content-Type"] = content_type
    return str(message.get_param("type", _UNKNOWN))


def _safe(content_type: str) -> str:
    return content_type if _MEDIA_TYPE.fullmatch(content_type) else _UNKNOWN
