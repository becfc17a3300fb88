"""Reads pixels as stored, and writes them back with some of them blank, never changing another one.

Native data are changed in place of a copy. Compressed data are decoded and encoded again without loss, in the same
transfer syntax where there is an encoder for it and natively where there is none, and decoded once more to see that
nothing but the mask has changed. What was lossy stays as lossy as it came.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom.encaps import encapsulate
from pydicom.pixels import get_decoder, get_encoder
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from dicomanon.deidentify.codec import Buffer
from dicomanon.deidentify.faces.surface import Mask
from dicomanon.deidentify.reader import Element
from dicomanon.deidentify.source import SourceInstance
from dicomanon.errors import Held
from dicomanon.reasons import HoldReason

Stored = npt.NDArray[np.integer]

_PIXEL_DATA = 0x7FE00010
_NUMBER_OF_FRAMES = 0x00280008
_PHOTOMETRIC_INTERPRETATION = 0x00280004
_LAYOUT = {
    "samples_per_pixel": 0x00280002,
    "rows": 0x00280010,
    "columns": 0x00280011,
    "bits_allocated": 0x00280100,
    "bits_stored": 0x00280101,
    "pixel_representation": 0x00280103,
}
_HIGH_BIT = 0x00280102
_MONOCHROME = frozenset({"MONOCHROME1", "MONOCHROME2"})
_BYTE = 8
_CELLS = frozenset({8, 16})
_ENCODABLE = frozenset({RLELossless, JPEGLSLossless, JPEG2000Lossless})


@dataclass(frozen=True, slots=True)
class Blanked:
    """Pixel data after blanking.

    Attributes
    ----------
    transfer_syntax
        That of the source, or Explicit VR Little Endian where nothing encodes in it.
    value
        Value of (7FE0,0010); the items of fragments, without the sequence delimiter, if ``encapsulated``.
    """

    transfer_syntax: str
    value: Buffer
    encapsulated: bool


def stored_values(source: SourceInstance) -> Stored:
    """Return the pixels as stored, shape (frames, rows, columns).

    Raises
    ------
    Held
        ``RECOGNIZABLE_FACE``: they are not of one sample in whole cells, or cannot be decoded.
    """
    element, layout = _layout(source)
    if element.stop == element.end:
        return _cells(source, element, layout).copy()
    value = bytes(source.file.buffer[element.value : element.end])
    return _decoded(value, source.transfer_syntax, layout)


def blanked(source: SourceInstance, mask: Mask, fill: Sequence[int]) -> Blanked:
    """Write a value to the pixels of a mask and leave all others as they are.

    Parameters
    ----------
    source
        The object.
    mask
        Shape (frames, rows, columns).
    fill
        Stored value for each frame; the nearest that the cells can hold is taken.

    Raises
    ------
    Held
        ``RECOGNIZABLE_FACE``: as :func:`stored_values`; or decoding the result does not give what was meant.
    """
    before = stored_values(source)
    element, layout = _layout(source)
    if mask.shape != before.shape or len(fill) != len(before):
        raise Held(HoldReason.RECOGNIZABLE_FACE, "the mask is not of the size of the pixels")
    after = np.where(mask, np.array([_within(value, layout) for value in fill], before.dtype)[:, None, None], before)
    if element.stop == element.end:
        little = source.transfer_syntax != ExplicitVRBigEndian
        return Blanked(
            source.transfer_syntax, after.astype(after.dtype.newbyteorder("<" if little else ">")).tobytes(), False
        )
    if source.transfer_syntax not in _ENCODABLE:
        return Blanked(ExplicitVRLittleEndian, after.astype(after.dtype.newbyteorder("<")).tobytes(), False)
    value = _encoded(after, source.transfer_syntax, layout)
    if not np.array_equal(_decoded(value, source.transfer_syntax, layout), after):
        raise Held(HoldReason.RECOGNIZABLE_FACE, "encoding the blanked pixels changed others")
    return Blanked(source.transfer_syntax, value, True)


def _layout(source: SourceInstance) -> tuple[Element, dict[str, int]]:
    element = source.element(_PIXEL_DATA)
    numbers = {name: source.number(tag) for name, tag in _LAYOUT.items()}
    frames = source.text(_NUMBER_OF_FRAMES) or "1"
    layout = {name: number for name, number in numbers.items() if number is not None}
    if element is None or len(layout) != len(numbers) or not frames.isdecimal() or not int(frames):
        raise Held(HoldReason.RECOGNIZABLE_FACE, "size of the pixel data cannot be told")
    whole = layout["bits_allocated"] in _CELLS and source.number(_HIGH_BIT) == layout["bits_stored"] - 1
    if layout["samples_per_pixel"] != 1 or not whole or source.text(_PHOTOMETRIC_INTERPRETATION) not in _MONOCHROME:
        raise Held(HoldReason.RECOGNIZABLE_FACE, "pixels are not of one sample in whole cells")
    return element, {**layout, "number_of_frames": int(frames)}


def _cells(source: SourceInstance, element: Element, layout: dict[str, int]) -> Stored:
    shape = layout["number_of_frames"], layout["rows"], layout["columns"]
    width = layout["bits_allocated"] // _BYTE
    order = "<" if source.file.codec.little else ">"
    size = int(np.prod(shape))
    if element.end - element.value < size * width:
        raise Held(HoldReason.RECOGNIZABLE_FACE, "pixel data are cut short")
    kind = "i" if layout["pixel_representation"] else "u"
    return np.frombuffer(source.file.buffer, f"{order}{kind}{width}", size, element.value).reshape(shape)


def _within(fill: int, layout: dict[str, int]) -> int:
    bits = layout["bits_stored"] - layout["pixel_representation"]
    low = -(1 << bits) if layout["pixel_representation"] else 0
    return min(max(fill, low), (1 << bits) - 1)


def _decoded(value: bytes, syntax: str, layout: dict[str, int]) -> Stored:
    try:
        values, _ = get_decoder(syntax).as_array(
            value, raw=True, photometric_interpretation="MONOCHROME2", pixel_keyword="PixelData", **layout
        )
    except Exception as error:
        # The text of a codec's exception can hold anything.
        raise Held(HoldReason.RECOGNIZABLE_FACE, f"pixel data cannot be decoded ({type(error).__name__})") from None
    shaped: Stored = values.reshape(layout["number_of_frames"], layout["rows"], layout["columns"])
    return shaped


def _encoded(values: Stored, syntax: str, layout: dict[str, int]) -> bytes:
    options = {**layout, "number_of_frames": 1}
    encoder = get_encoder(syntax)
    try:
        frames = [
            encoder.encode(np.ascontiguousarray(frame), photometric_interpretation="MONOCHROME2", **options)
            for frame in values
        ]
    except Exception as error:
        raise Held(HoldReason.RECOGNIZABLE_FACE, f"pixel data cannot be encoded ({type(error).__name__})") from None
    encapsulated: bytes = encapsulate(frames)
    return encapsulated
