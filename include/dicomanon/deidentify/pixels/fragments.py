"""Finds text beside the pixels in compressed frames: comments and application data that no viewer shows.

Nothing is decoded, and only payload bytes are blanked, so every length and every frame offset stays as it is.
"""

from dicomanon.deidentify.codec import Codec

_ITEM_HEADER = 8
_MARKER = 2
_LENGTH = 2
_JPEG_START = b"\xff\xd8"
_JPEG_2000_START = b"\xff\x4f"
_END_OF_IMAGE = b"\xff\xd9"
_FILL = 0xFF

# ISO/IEC 10918-1 table B.1: COM and the application segments but JFIF (APP0), SPIFF (APP8) and Adobe (APP14), which
# say how to read the colours.
_JPEG_TEXT = frozenset({0xFE, 0xEF, *range(0xE1, 0xEE)}) - {0xE8}
_JFIF = 0xE0
_JFIF_HEADER = 14
_JPEG_LAST = frozenset({0xDA, 0xD9})
# ISO/IEC 15444-1 table A.2: COM, whose first two bytes say what it is; the main header ends with SOT.
_JPEG_2000_TEXT = 0x64
_JPEG_2000_LAST = frozenset({0x90, 0x93, 0xD9})
_REGISTRATION = 2
_RLE_HEADER = 64
_RLE_SEGMENTS = 15
_LONGEST_PADDING = 64


def spans_of_text(buffer: memoryview, start: int, end: int, codec: Codec, frames: int) -> list[tuple[int, int]]:
    """Return where encapsulated pixel data hold bytes that are no part of a picture.

    Parameters
    ----------
    buffer
        Holds the fragments between ``start`` and ``end``, the basic offset table first (PS3.5 A.4).
    codec
        How item headers are encoded.
    frames
        Number of frames; if there are as many fragments, the end of each picture is known.
    """
    fragments = _fragments(buffer, start, end, codec)[1:]
    run_length = bool(fragments) and _is_run_length_encoded(buffer, *fragments[0])
    spans = []
    ended = False
    for number, (first, last) in enumerate(fragments):
        head = bytes(buffer[first : first + _MARKER])
        if head == _JPEG_START:
            spans += _jpeg_spans(buffer, first, last)
        elif head == _JPEG_2000_START:
            spans += _jpeg_2000_spans(buffer, first, last)
        elif ended or (run_length and number >= frames > 0):
            # Behind the last picture, or between two, belongs to none.
            spans.append((first, last))
            continue
        elif run_length or not number:
            continue
        if len(fragments) == frames:
            picture_end = bytes(buffer[first:last]).rfind(_END_OF_IMAGE)
            if picture_end >= 0:
                spans.append((first + picture_end + _MARKER, last))
        ended = bytes(buffer[max(first, last - _LONGEST_PADDING) : last]).rstrip(b"\0").endswith(_END_OF_IMAGE)
    return [(first, last) for first, last in spans if bytes(buffer[first:last]).strip(b"\0")]


def _is_run_length_encoded(buffer: memoryview, first: int, last: int) -> bool:
    """Tell a fragment of RLE Lossless, always a whole frame, by its header (PS3.5 Annex G.5)."""
    segments, offset = (int.from_bytes(buffer[first + at : first + at + 4], "little") for at in (0, 4))
    return last - first >= _RLE_HEADER and 0 < segments <= _RLE_SEGMENTS and offset == _RLE_HEADER


def _fragments(buffer: memoryview, start: int, end: int, codec: Codec) -> list[tuple[int, int]]:
    fragments = []
    while start < end:
        _, _, length = codec.implicit.unpack_from(buffer, start)
        fragments.append((start + _ITEM_HEADER, start + _ITEM_HEADER + length))
        start += _ITEM_HEADER + length
    return fragments


def _segments(buffer: memoryview, position: int, end: int, last: frozenset[int]) -> list[tuple[int, int, int]]:
    """Return marker code, start and end of the payload of the segments of a header, until one of ``last``."""
    segments = []
    position += _MARKER
    while position + _MARKER + _LENGTH <= end and buffer[position] == _FILL:
        code = buffer[position + 1]
        if code == _FILL:
            position += 1
            continue
        if code in last:
            break
        length = int.from_bytes(buffer[position + _MARKER : position + _MARKER + _LENGTH], "big")
        payload = position + _MARKER + _LENGTH
        position += _MARKER + length
        if length < _LENGTH or position > end:
            break
        segments.append((code, payload, position))
    return segments


def _jpeg_spans(buffer: memoryview, first: int, last: int) -> list[tuple[int, int]]:
    spans = []
    for code, start, end in _segments(buffer, first, last, _JPEG_LAST):
        if code in _JPEG_TEXT:
            spans.append((start, end))
        elif code == _JFIF:
            # A thumbnail shows what the picture showed before anything was removed from it.
            spans.append((start + (_JFIF_HEADER if bytes(buffer[start : start + 5]) == b"JFIF\0" else 0), end))
    return [(start, end) for start, end in spans if start < end]


def _jpeg_2000_spans(buffer: memoryview, first: int, last: int) -> list[tuple[int, int]]:
    return [
        (start + _REGISTRATION, end)
        for code, start, end in _segments(buffer, first, last, _JPEG_2000_LAST)
        if code == _JPEG_2000_TEXT
    ]
