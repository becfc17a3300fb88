"""Reads the headers of compressed frames: their size is known before a codec makes room for it, and their end is there.

ISO/IEC 10918-1 (JPEG), 14495-1 (JPEG-LS) and 15444-1 (JPEG 2000, and 15444-15 High-Throughput).
"""

import struct
from dataclasses import dataclass

from dicomanon.deidentify.pixels.description import BYTE, COLOURS, RGB, YBR_FULL, undecodable

BASELINE, EXTENDED, LOSSLESS, JPEG_LS = 0xC0, 0xC1, 0xC3, 0xF7
"""Codes of the frame headers that DICOM's transfer syntaxes use."""
END_OF_IMAGE = b"\xff\xd9"
JFIF, ADOBE = 0xE0, 0xEE
JFIF_NAME, ADOBE_NAME = b"JFIF\0", b"Adobe"
ADOBE_LENGTH = 12

_START_OF_IMAGE = b"\xff\xd8"
_JPEG_2000_START = b"\xff\x4f\xff\x51"
_FILL = 0xFF
_START_OF_SCAN = 0xDA
_START_OF_TILE = 0x90
_CODING_STYLE = 0x52
_FRAME_HEADERS = frozenset({*range(0xC0, 0xD0), JPEG_LS}) - {0xC4, 0xC8, 0xCC}
_SEGMENT_HEADER = 4
_LONGEST_PADDING = 16
_TILE_HEADER = 12
_SIZE_HEADER = 38
_NAMED_RGB = b"RGB"
_SIGN = 0x80
_INTERLEAVE_FROM_END = 2


@dataclass(frozen=True, slots=True)
class Header:
    """What a compressed frame says of itself.

    Attributes
    ----------
    process
        Code of a JPEG or JPEG-LS frame header; 0 in JPEG 2000.
    rows, columns, components, precision, signed
        Size; bits of a sample, and whether it is signed (JPEG 2000 only).
    sampling
        Horizontal and vertical sampling factors of each component (JPEG only).
    colours
        What a JPEG frame of three components says that they are: ``RGB``, ``YBR_FULL``, or ``""`` if nothing.
    transformed, reversible
        Whether a multiple component transformation is used, and whether the wavelets are the 5-3 reversible ones
        (JPEG 2000 only).
    interleave
        Interleave mode (JPEG-LS only).
    """

    process: int
    rows: int
    columns: int
    components: int
    precision: int
    signed: bool = False
    sampling: tuple[tuple[int, int], ...] = ()
    colours: str = ""
    transformed: bool = False
    reversible: bool = False
    interleave: int = 0


def is_jpeg_2000(stream: bytes) -> bool:
    """Tell a JPEG 2000 codestream."""
    return stream.startswith(_JPEG_2000_START)


def header_of(stream: bytes) -> Header:
    """Read the header of a frame, and check that its end is where it should be.

    Raises
    ------
    Held
        ``UNDECODABLE``.
    """
    try:
        header = _jpeg_2000_header(stream) if is_jpeg_2000(stream) else _jpeg_header(stream)
    except (struct.error, IndexError):
        raise undecodable("header of a compressed frame is cut short") from None
    if not header.rows or not header.columns or not header.components:
        raise undecodable("compressed frame without a size")
    return header


def end_of(stream: bytes) -> int:
    """Return where the end marker of a JPEG frame is.

    Raises
    ------
    Held
        ``UNDECODABLE``: the last bytes hold none.
    """
    at = stream.rfind(END_OF_IMAGE, max(0, len(stream) - _LONGEST_PADDING))
    if at < 0 or stream[at + len(END_OF_IMAGE) :].strip(b"\0\xff"):
        raise undecodable("compressed frame without an end")
    return at


def segments(stream: bytes) -> list[tuple[int, int, int]]:
    """Return marker code, start (its marker) and end of the segments of a JPEG header; the last is start of scan.

    Raises
    ------
    Held
        ``UNDECODABLE``.
    """
    if not stream.startswith(_START_OF_IMAGE):
        raise undecodable("compressed frame without a beginning")
    found = []
    at = len(_START_OF_IMAGE)
    while True:
        if at + _SEGMENT_HEADER > len(stream) or stream[at] != _FILL:
            raise undecodable("header of a compressed frame is damaged")
        code = stream[at + 1]
        if code == _FILL:
            at += 1
            continue
        (length,) = struct.unpack_from(">H", stream, at + 2)
        end = at + 2 + length
        if length < 2 or end > len(stream):  # noqa: PLR2004
            raise undecodable("header of a compressed frame is damaged")
        found.append((code, at, end))
        if code == _START_OF_SCAN:
            return found
        at = end


def _jpeg_header(stream: bytes) -> Header:
    found = segments(stream)
    frames = [segment for segment in found if segment[0] in _FRAME_HEADERS]
    if len(frames) != 1:
        raise undecodable("compressed frame without a header of its own")
    end_of(stream)
    code, start, _ = frames[0]
    precision, rows, columns, components = struct.unpack_from(">BHHB", stream, start + _SEGMENT_HEADER)
    first = start + _SEGMENT_HEADER + 6
    factors = [stream[first + 3 * index + 1] for index in range(components)]
    scan_end = found[-1][2]
    return Header(
        process=code,
        rows=rows,
        columns=columns,
        components=components,
        precision=precision,
        sampling=tuple((factor >> 4, factor & 0xF) for factor in factors),
        colours=_colours(stream, found, bytes(stream[first + 3 * index] for index in range(components))),
        interleave=stream[scan_end - _INTERLEAVE_FROM_END] if code == JPEG_LS else 0,
    )


def claim(stream: bytes, found: list[tuple[int, int, int]], code: int, name: bytes) -> bytes:
    """Return the payload of the first application segment of a name, ``b""`` if there is none."""
    payloads = (stream[start + _SEGMENT_HEADER : end] for at, start, end in found if at == code)
    return next((payload for payload in payloads if payload.startswith(name)), b"")


def _colours(stream: bytes, found: list[tuple[int, int, int]], names: bytes) -> str:
    """Return what components are, as libjpeg and its heirs decide by JFIF, Adobe's segment and names, in this order."""
    if len(names) != COLOURS:
        return ""
    if claim(stream, found, JFIF, JFIF_NAME):
        return YBR_FULL
    adobe = claim(stream, found, ADOBE, ADOBE_NAME)
    if len(adobe) >= ADOBE_LENGTH:
        return YBR_FULL if adobe[ADOBE_LENGTH - 1] else RGB
    return RGB if names == _NAMED_RGB else ""


def _jpeg_2000_header(stream: bytes) -> Header:
    width, height, left, top = struct.unpack_from(">4L", stream, 8)
    (components,) = struct.unpack_from(">H", stream, _SIZE_HEADER + 2)
    sizes = [stream[at : at + 3] for at in range(_SIZE_HEADER + 4, _SIZE_HEADER + 4 + 3 * min(components, 4), 3)]
    if len(set(sizes)) != 1 or sizes[0][1:] != b"\1\1":
        raise undecodable("components of a compressed frame differ")
    at = 2
    style = b""
    while at + _SEGMENT_HEADER <= len(stream) and stream[at + 1] != _START_OF_TILE:
        code, length = struct.unpack_from(">HH", stream, at)
        if code >> BYTE != _FILL or length < 2:  # noqa: PLR2004
            raise undecodable("header of a compressed frame is damaged")
        if code & 0xFF == _CODING_STYLE:
            style = stream[at : at + 2 + length]
        at += 2 + length
    _check_tiles(stream, at)
    return Header(
        process=0,
        rows=height - top,
        columns=width - left,
        components=components,
        precision=(sizes[0][0] & (_SIGN - 1)) + 1,
        signed=bool(sizes[0][0] & _SIGN),
        transformed=bool(style[8]),
        reversible=style[13] == 1,
    )


def _check_tiles(stream: bytes, at: int) -> None:
    """Go from tile-part to tile-part: the last one ends at the end of the codestream, and none is cut short."""
    while stream[at : at + 2] == bytes((_FILL, _START_OF_TILE)):
        (length,) = struct.unpack_from(">L", stream, at + 6)
        if length == 0:
            # The last tile-part may leave its length open.
            at = end_of(stream)
            break
        if length < _TILE_HEADER or at + length > len(stream):
            raise undecodable("compressed frame is cut short")
        at += length
    if stream[at : at + 2] != END_OF_IMAGE:
        raise undecodable("compressed frame without an end")
