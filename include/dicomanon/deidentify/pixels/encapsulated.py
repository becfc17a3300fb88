"""Takes encapsulated pixel data apart into the fragments of each frame, and puts them together (PS3.5 A.4)."""

import struct
from collections.abc import Sequence
from itertools import pairwise

from dicomanon.deidentify.codec import ITEM, LITTLE_EXPLICIT, SEQUENCE_DELIMITATION, UNDEFINED_LENGTH, Buffer
from dicomanon.deidentify.pixels.description import PIXEL_DATA, undecodable
from dicomanon.deidentify.reader import Element
from dicomanon.deidentify.source import SourceInstance

EXTENDED_OFFSET_TABLE = 0x7FE00001
EXTENDED_OFFSET_TABLE_LENGTHS = 0x7FE00002

_ITEM_HEADER = 8
_BEGINNINGS = (b"\xff\xd8", b"\xff\x4f")
_MARKER = 2
_OFFSET = 4
_EXTENDED_OFFSET = 8
_FIRST_TOO_FAR = 1 << 32

Span = tuple[int, int]


def fragments_of(source: SourceInstance, element: Element) -> tuple[Span, list[Span]]:
    """Return where the Basic Offset Table and the fragments are in the source's buffer."""
    buffer, codec = source.file.buffer, source.file.codec
    spans = []
    at = element.value
    while at < element.end:
        *_, length = codec.implicit.unpack_from(buffer, at)
        spans.append((at + _ITEM_HEADER, at + _ITEM_HEADER + length))
        at += _ITEM_HEADER + length
    if not spans:
        raise undecodable("encapsulated pixel data without an offset table")
    return spans[0], spans[1:]


def frames_of(source: SourceInstance, element: Element, frames: int) -> list[list[Span]]:
    """Return the fragments of each frame, as where they are in the source's buffer.

    A fragment is a frame where there are as many of them. Else an offset table tells which fragment begins a frame, and
    without one the marker that every frame of the JPEG family begins with.

    Raises
    ------
    Held
        ``UNDECODABLE``: nothing tells.
    """
    table, fragments = fragments_of(source, element)
    if len(fragments) == frames:
        return [[fragment] for fragment in fragments]
    if len(fragments) < frames:
        raise undecodable("fewer fragments than frames")
    if frames == 1:
        return [fragments]
    offsets = _offsets(source, table)
    if offsets:
        first = table[1]
        beginnings = [first + offset + _ITEM_HEADER for offset in offsets]
    else:
        beginnings = [
            start for start, _ in fragments if bytes(source.file.buffer[start : start + _MARKER]) in _BEGINNINGS
        ]
    places = {start: index for index, (start, _) in enumerate(fragments)}
    if len(beginnings) != frames or not places.keys() >= set(beginnings) or beginnings != sorted(set(beginnings)):
        raise undecodable("nothing tells which fragments make a frame")
    indices = [places[start] for start in beginnings] + [len(fragments)]
    if indices[0]:
        raise undecodable("fragments before the first frame")
    return [fragments[first:last] for first, last in pairwise(indices)]


def _offsets(source: SourceInstance, table: Span) -> Sequence[int]:
    start, end = table
    if end > start:
        count = (end - start) // _OFFSET
        return struct.unpack_from(f"<{count}L", source.file.buffer, start)
    extended = source.raw(EXTENDED_OFFSET_TABLE)
    return struct.unpack_from(f"<{len(extended) // _EXTENDED_OFFSET}Q", extended)


def encapsulated(frames: Sequence[Sequence[Buffer]], *, offsets: bool) -> list[Buffer]:
    """Return a pixel data element in pieces.

    Parameters
    ----------
    frames
        Fragments of each frame.
    offsets
        Whether to fill the Basic Offset Table; it stays empty where a frame is too far away to be told in 32 bits.
    """
    pieces: list[Buffer] = []
    beginnings = []
    at = 0
    for fragments in frames:
        beginnings.append(at)
        for fragment in fragments:
            padding = b"\0" * (len(fragment) & 1)
            pieces += (_item(len(fragment) + len(padding)), fragment, padding)
            at += _ITEM_HEADER + len(fragment) + len(padding)
    table = struct.pack(f"<{len(beginnings)}L", *beginnings) if offsets and beginnings[-1] < _FIRST_TOO_FAR else b""
    delimitation = LITTLE_EXPLICIT.implicit.pack(SEQUENCE_DELIMITATION >> 16, SEQUENCE_DELIMITATION & 0xFFFF, 0)
    header = LITTLE_EXPLICIT.header(PIXEL_DATA, "OB", UNDEFINED_LENGTH)
    return [header, _item(len(table)), table, *pieces, delimitation]


def _item(length: int) -> bytes:
    return LITTLE_EXPLICIT.implicit.pack(ITEM >> 16, ITEM & 0xFFFF, length)
