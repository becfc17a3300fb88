"""Pixel data as they are, less the bytes beside the pixels that no viewer shows (PS3.5 section 8, Annex A.4)."""

from dicomanon.deidentify.codec import Buffer
from dicomanon.deidentify.pixels.fragments import spans_of_text
from dicomanon.deidentify.pixels.unused_bits import clear_unused_bits
from dicomanon.deidentify.reader import Element
from dicomanon.deidentify.source import SourceInstance
from dicomanon.errors import Held
from dicomanon.reasons import HoldReason
from dicomanon.standard.confidentiality import OVERLAY_GROUPS
from dicomanon.standard.tables import format_tag

ROWS = 0x00280010
COLUMNS = 0x00280011
SAMPLES_PER_PIXEL = 0x00280002
_NUMBER_OF_FRAMES = 0x00280008
BITS_ALLOCATED = 0x00280100
BITS_STORED = 0x00280101
HIGH_BIT = 0x00280102
PIXEL_REPRESENTATION = 0x00280103
_OVERLAY_BITS = tuple((group << 16 | 0x0102, group << 16 | 0x0100) for group in OVERLAY_GROUPS)
"""Overlay Bit Position and Overlay Bits Allocated of each group."""
_PIXEL_DATA = 0x7FE00010
_BYTE = 8
PHOTOMETRIC_INTERPRETATION = 0x00280004
_HALF_CHROMINANCE = frozenset({"YBR_FULL_422", "YBR_PARTIAL_422"})


def has_embedded_overlay(source: SourceInstance) -> bool:
    """Tell whether an overlay is in unused bits of the pixels, where removing group 60xx leaves it.

    PS3.5-2004 section 8.1.2; retired, and still written.
    """
    return any(
        (source.number(position) or 0) > 0 or (source.number(allocated) or 1) > 1
        for position, allocated in _OVERLAY_BITS
        if source.element(position) or source.element(allocated)
    )


def pixel_data(source: SourceInstance, element: Element) -> tuple[Buffer, ...]:
    """Return the encoded element in pieces, as views of the source wherever nothing has to change.

    Raises
    ------
    Held
        ``RULE_FAILED``: its header is not as it may be copied. ``UNREADABLE``: nothing tells how many bytes the pixels
        take. ``BURNED_IN_RISK``: an overlay is in the pixels and cannot be separated from them.
    """
    buffer = source.file.buffer
    if element.start < 0:
        raise Held(HoldReason.RULE_FAILED, f"encoding of {format_tag(element.tag)}")
    if element.stop != element.end:
        if has_embedded_overlay(source):
            raise Held(HoldReason.BURNED_IN_RISK, "overlay in unused bits of compressed pixel data")
        return _fragments(source, element)
    end = min(element.end, element.value + _native_bytes(source, element))
    pixels = buffer[element.value : end]
    value: Buffer = pixels
    if has_embedded_overlay(source):
        value = _without_unused_bits(source, element, pixels)
    elif end == element.end:
        return (buffer[element.start : element.stop],)
    padding = b"\0" * (len(value) & 1)
    return source.file.codec.header(element.tag, element.vr, len(value) + len(padding)), value, padding


def _without_unused_bits(source: SourceInstance, element: Element, view: memoryview) -> Buffer:
    allocated, stored, high_bit = (source.number(tag) for tag in (BITS_ALLOCATED, BITS_STORED, HIGH_BIT))
    if element.tag != _PIXEL_DATA or not allocated or not stored or high_bit is None:
        raise Held(HoldReason.BURNED_IN_RISK, "overlay in unused bits of the pixel data")
    return clear_unused_bits(
        view,
        allocated=allocated,
        stored=stored,
        high_bit=high_bit,
        signed=source.number(PIXEL_REPRESENTATION) == 1,
        little=source.file.codec.little,
    )


def _fragments(source: SourceInstance, element: Element) -> tuple[Buffer, ...]:
    buffer = source.file.buffer
    spans = spans_of_text(buffer, element.value, element.end, source.file.codec, number_of_frames(source) or 0)
    pieces: list[Buffer] = []
    position = element.start
    for start, end in sorted(spans):
        if end > position:
            pieces += (buffer[position : max(start, position)], bytes(end - max(start, position)))
            position = end
    pieces.append(buffer[position : element.stop])
    return tuple(pieces)


def _native_bytes(source: SourceInstance, element: Element) -> int:
    """Return how many bytes the pixels take, padding included.

    Bytes behind the last pixel are shown by no viewer and may hold anything.
    """
    factors = [source.number(tag) for tag in (ROWS, COLUMNS, SAMPLES_PER_PIXEL, BITS_ALLOCATED)]
    bits = number_of_frames(source)
    if bits is None or any(not factor for factor in factors):
        raise Held(HoldReason.UNREADABLE, "size of the pixel data cannot be told")
    for factor in factors:
        bits *= factor or 1
    size = -(-bits // _BYTE)
    length = element.end - element.value
    if length < size and source.text(PHOTOMETRIC_INTERPRETATION) in _HALF_CHROMINANCE:
        # Two pixels share their chrominance: four bytes instead of six (PS3.3 C.7.6.3.1.2).
        size = -(-size * 2 // 3)
    return size + (size & 1)


def number_of_frames(source: SourceInstance) -> int | None:
    """Return the number of frames, 1 if it is not told and ``None`` if what is told is no number."""
    frames = source.text(_NUMBER_OF_FRAMES) or "1"
    return int(frames) if frames.isdecimal() else None
