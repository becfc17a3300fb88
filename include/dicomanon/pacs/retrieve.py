"""Streams the objects of a study, a series or an instance as the bytes that the PACS sends (WADO-RS)."""

from collections.abc import Iterator, Sequence

import requests

from dicomanon.errors import Fatal
from dicomanon.pacs.connection import Connection
from dicomanon.pacs.multipart import boundary_of, iter_parts

ACCEPT = 'multipart/related; type="application/dicom"; transfer-syntax=*'
"""Any transfer syntax: the PACS must not transcode, which would change pixels and cost time."""
CHUNK_BYTES = 1 << 20


def retrieve(connection: Connection, path: Sequence[str], *, most_bytes: int | None = None) -> Iterator[bytes]:
    """Yield one PS3.10 file after the other, one in memory; what is in it is not looked at.

    Parameters
    ----------
    most_bytes
        Of the whole answer; ``None`` for no bound.

    Raises
    ------
    Retriable
        After the whole parts: the body was cut off; or the PACS cannot answer now.
    Held
        The PACS does not have the object any more.
    Fatal
        The PACS refuses, or answers with another media type, or with more bytes than may be.
    """
    with connection.get(path, ACCEPT) as response:
        content_type = response.headers.get("Content-Type", "")
        boundary = boundary_of(content_type)
        if boundary is not None:
            yield from iter_parts(chunks(connection, response, most_bytes), boundary)
        elif response.status_code == requests.codes.no_content:
            return
        elif content_type.partition(";")[0].strip().lower() == "application/dicom":
            # Some archives send a lone instance so; the HTTP library checks its length.
            yield b"".join(chunks(connection, response, most_bytes))
        else:
            raise Fatal(
                f"the {connection.endpoint.name} PACS (WADO-RS) answered with a media type other than asked for"
            )


def chunks(
    connection: Connection, response: requests.Response, most_bytes: int | None, *, chunk_bytes: int = CHUNK_BYTES
) -> Iterator[bytes]:
    """Yield a body as it arrives; ``Fatal`` where it is larger than it may be, else as :func:`retrieve` tells."""
    read = 0
    while True:
        with connection.translated("WADO-RS"):
            # read1 takes what has arrived. Waiting for a full chunk, as iter_content does, would lose the whole parts
            # in the last one when the body breaks off, and is no faster.
            chunk: bytes = response.raw.read1(chunk_bytes, decode_content=True)
        if not chunk:
            return
        read += len(chunk)
        if most_bytes is not None and read > most_bytes:
            raise Fatal(f"the {connection.endpoint.name} PACS sends more than {most_bytes >> 20} MB")
        yield chunk
