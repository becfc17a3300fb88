"""Makes blocks of a lossy JPEG frame black by their coefficients, and leaves all other blocks bit for bit.

Nothing is decoded to pixels and encoded again: what the frame lost when it was made, it does not lose twice. It takes
the lossless transformation of libjpeg-turbo, whose interface lets its caller change coefficients on their way.
"""

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from dicomanon.deidentify.pixels.description import undecodable
from dicomanon.deidentify.pixels.regions import Box
from dicomanon.deidentify.pixels.streams import (
    ADOBE,
    ADOBE_LENGTH,
    ADOBE_NAME,
    JFIF,
    JFIF_NAME,
    Header,
    claim,
    segments,
)
from dicomanon.errors import Held
from dicomanon.reasons import HoldReason

_LIBRARY = "libturbojpeg.so.0"
_COPY_NO_MARKERS, _NO_OUTPUT = 64, 16
_BLOCK = 8
_COEFFICIENTS = 64
_LEVEL_SHIFT = 128
_WHITE = 255
_QUANTIZATION, _COMMENT = 0xDB, 0xFE
_APPLICATION_SEGMENTS = frozenset({*range(0xE0, 0xF0), _COMMENT})
_SEGMENT_HEADER = 4
_JFIF_WITHOUT_THUMBNAIL = 12
_COMPONENTS_OF_FRAME = 10
_BYTES_OF_COMPONENT = 3

_Rows = npt.NDArray[np.int16]
_Visit = Callable[[_Rows, int, int], None]


class _Region(ctypes.Structure):
    _fields_ = (("x", ctypes.c_int), ("y", ctypes.c_int), ("w", ctypes.c_int), ("h", ctypes.c_int))


_FILTER = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), _Region, _Region, ctypes.c_int, ctypes.c_int, ctypes.c_void_p
)


class _Transform(ctypes.Structure):
    _fields_ = (
        ("r", _Region),
        ("op", ctypes.c_int),
        ("options", ctypes.c_int),
        ("data", ctypes.c_void_p),
        ("customFilter", _FILTER),
    )


@cache
def _library() -> Any:
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError:
        return None
    library.tjInitTransform.restype = ctypes.c_void_p
    library.tjDestroy.argtypes = [ctypes.c_void_p]
    library.tjFree.argtypes = [ctypes.c_void_p]
    library.tjTransform.argtypes = [
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.c_ulong,
        ctypes.c_int,
        ctypes.POINTER(ctypes.c_void_p),
        ctypes.POINTER(ctypes.c_ulong),
        ctypes.POINTER(_Transform),
        ctypes.c_int,
    ]
    return library


def available() -> bool:
    """Tell whether libjpeg-turbo is installed."""
    return _library() is not None


def blackened(stream: bytes, header: Header, boxes: Sequence[Box], shade: int, *, rgb: bool = False) -> bytes:
    """Return a frame whose blocks are black wherever a box touches them, checked coefficient by coefficient.

    Luminance changes in whole blocks of 8 by 8 pixels. Chrominance that several pixels share changes in blocks of up to
    16 by 16, those next to the boxes included where a decoder's interpolation would let their colour into a box.

    Parameters
    ----------
    stream
        A JPEG frame of 8 bits.
    header
        Its header.
    boxes
        In pixels, inside of the frame.
    shade
        What is black: 0, or 255 in a grey frame.
    rgb
        Whether three components are red, green and blue; else they are luminance and chrominance.

    Raises
    ------
    Held
        ``UNDECODABLE``: the library complains about the frame. ``RULE_FAILED``: the result is not as it should be.
    """
    found = segments(stream)
    dc = _dc_of_black(stream, found, header, shade, rgb=rgb)
    spans = [_spans(boxes, header, component) for component in range(header.components)]
    expected: list[tuple[int, int, _Rows]] = []

    def change(rows: _Rows, component: int, first: int) -> None:
        for left, top, right, bottom in spans[component]:
            touched = rows[max(0, top - first) : max(0, bottom - first), left:right]
            touched[...] = 0
            touched[..., 0] = dc[component]
        expected.append((component, first, rows.copy()))

    made = _transformed(stream, change, _COPY_NO_MARKERS)
    result = _with_claims_of(stream, found, made)
    remaining = iter(expected)

    def check(rows: _Rows, component: int, first: int) -> None:
        known = next(remaining)
        if known[:2] != (component, first) or not np.array_equal(known[2], rows):
            raise ValueError

    try:
        _transformed(result, check, _COPY_NO_MARKERS | _NO_OUTPUT)
    except Held:
        raise Held(HoldReason.RULE_FAILED, "a block of a compressed frame is not what it should be") from None
    if next(remaining, None) is not None:
        raise Held(HoldReason.RULE_FAILED, "a compressed frame lost blocks")
    return result


def _transformed(stream: bytes, visit: _Visit, options: int) -> bytes:
    """Pass a frame through the library, and its coefficients row by row of blocks through ``visit``."""
    library = _library()

    def each(coefficients: Any, area: Any, plane: Any, component: int, number: int, transform: Any) -> int:
        try:
            shape = (area.h // _BLOCK, area.w // _BLOCK, _COEFFICIENTS)
            visit(np.ctypeslib.as_array(coefficients, shape), component, area.y // _BLOCK)
        except Exception:
            return -1
        return 0

    transform = _Transform(options=options, customFilter=_FILTER(each))
    handle = library.tjInitTransform()
    made, length = ctypes.c_void_p(), ctypes.c_ulong()
    try:
        failed = library.tjTransform(
            handle, stream, len(stream), 1, ctypes.byref(made), ctypes.byref(length), ctypes.byref(transform), 0
        )
        if failed:
            raise undecodable("libjpeg-turbo refuses a compressed frame")
        return ctypes.string_at(made, length.value) if made.value else b""
    finally:
        if made.value:
            library.tjFree(made)
        library.tjDestroy(handle)


def _spans(boxes: Sequence[Box], header: Header, component: int) -> list[tuple[int, int, int, int]]:
    """Return the blocks of a component that boxes touch: left, top, and the first ones right and below."""
    across, down = (max(factors) for factors in zip(*header.sampling, strict=True))
    horizontal, vertical = header.sampling[component]
    wider = across // horizontal if across > horizontal else 0
    taller = down // vertical if down > vertical else 0
    # Pixels per block, as a fraction: the factors need not divide each other.
    width, height = _BLOCK * across, _BLOCK * down
    return [
        (
            max(0, box.left - wider) * horizontal // width,
            max(0, box.top - taller) * vertical // height,
            -(-(box.right + wider) * horizontal // width),
            -(-(box.bottom + taller) * vertical // height),
        )
        for box in boxes
    ]


def _dc_of_black(
    stream: bytes, found: list[tuple[int, int, int]], header: Header, shade: int, *, rgb: bool
) -> list[int]:
    """Return the quantized DC coefficient of a black block, for each component."""
    steps = _dc_steps(stream, found)
    frame = next(start for code, start, _ in found if code == header.process)
    tables = [
        stream[frame + _COMPONENTS_OF_FRAME + _BYTES_OF_COMPONENT * index + 2] for index in range(header.components)
    ]
    values = []
    for index, table in enumerate(tables):
        step = steps.get(table, 0)
        if not step:
            raise undecodable("compressed frame without a quantization table")
        if index and not rgb:
            values.append(0)
        elif shade == _WHITE:
            values.append(-(-(_WHITE - _LEVEL_SHIFT) * _BLOCK // step))
        else:
            # Rounded down: what is darker than black is black.
            values.append(-_LEVEL_SHIFT * _BLOCK // step)
    return values


def _dc_steps(stream: bytes, found: list[tuple[int, int, int]]) -> dict[int, int]:
    """Return the step of the DC coefficient in each quantization table (ISO/IEC 10918-1 B.2.4.1)."""
    steps = {}
    for code, start, end in found:
        if code != _QUANTIZATION:
            continue
        at = start + _SEGMENT_HEADER
        while at < end:
            size, table = 1 + (stream[at] >> 4), stream[at] & 0xF
            steps[table] = int.from_bytes(stream[at + 1 : at + 1 + size], "big")
            at += 1 + size * _COEFFICIENTS
    return steps


def _with_claims_of(stream: bytes, found: list[tuple[int, int, int]], made: bytes) -> bytes:
    """Return a frame with the source's claims about its colours instead of the library's; thumbnails do not come."""
    pieces = [made[:2]]
    jfif = claim(stream, found, JFIF, JFIF_NAME)
    if jfif:
        pieces.append(_segment(JFIF, jfif[:_JFIF_WITHOUT_THUMBNAIL].ljust(_JFIF_WITHOUT_THUMBNAIL, b"\0") + b"\0\0"))
    adobe = claim(stream, found, ADOBE, ADOBE_NAME)
    if adobe:
        pieces.append(_segment(ADOBE, adobe[:ADOBE_LENGTH]))
    ours = segments(made)
    pieces += [made[start:end] for code, start, end in ours if code not in _APPLICATION_SEGMENTS]
    return b"".join([*pieces, made[ours[-1][2] :]])


def _segment(code: int, payload: bytes) -> bytes:
    return bytes((0xFF, code)) + (len(payload) + 2).to_bytes(2, "big") + payload
