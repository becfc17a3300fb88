"""Opens what a file packs, so that it can be searched: gzip, zlib, zip, Parquet, and deflated streams inside others."""

import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO

_INFLATED_MOST = 1 << 30
_SEARCHED_FOR_STREAMS = 32 << 20
_GZIP = b"\x1f\x8b\x08"
_ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_ZIP = b"PK\x03\x04"
_PARQUET = b"PAR1"


def unpacked(stream: BinaryIO, head: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield what a file packs: gzip and zlib streams, zip members, Parquet columns, deflated streams of a PDF."""
    if head.startswith(_ZIP):
        with zipfile.ZipFile(stream) as archive:
            for member in archive.infolist():
                if member.file_size > _INFLATED_MOST:
                    raise ValueError("a zip member is too large to be searched")
                yield member.filename, archive.read(member)
    elif head == _PARQUET:
        yield "columns", _parquet_text(stream)
    elif head.startswith((_GZIP, *_ZLIB)):
        inflated = _inflate(stream.read())
        if inflated is not None:
            yield "inflated", inflated
    else:
        data = stream.read(_SEARCHED_FOR_STREAMS)
        for number, position in enumerate(_packed_positions(data)):
            inflated = _inflate(data[position:])
            if inflated:
                yield f"stream {number}", inflated


def _packed_positions(data: bytes) -> Iterator[int]:
    position = data.find(_GZIP)
    while position >= 0:
        yield position
        position = data.find(_GZIP, position + 1)
    for match in re.finditer(rb"stream\r?\n(?=\x78[\x01\x5e\x9c\xda])", data):
        yield match.end()


def _inflate(data: bytes) -> bytes | None:
    """Return what a zlib or gzip stream holds, as far as it can be read; None when it is no such stream."""
    pieces: list[bytes] = []
    total = 0
    while data.startswith((_GZIP, *_ZLIB)):
        inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        try:
            piece = inflater.decompress(data, _INFLATED_MOST - total + 1)
        except zlib.error:
            break
        pieces.append(piece)
        total += len(piece)
        if total > _INFLATED_MOST:
            raise ValueError("a compressed stream is too large to be searched")
        data = inflater.unused_data
    return b"".join(pieces) if pieces else None


def _parquet_text(stream: BinaryIO) -> bytes:
    import pyarrow.parquet  # only a folder that holds Parquet needs it

    table = pyarrow.parquet.read_table(io.BytesIO(stream.read()))
    lines: Iterable[object] = (value for column in table.columns for value in column.to_pylist())
    return "\n".join(str(value) for value in (*table.column_names, *lines)).encode(errors="surrogateescape")
