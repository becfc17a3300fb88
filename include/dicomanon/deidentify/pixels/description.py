"""What an image's header says of its pixels, checked for contradictions before a byte of them is read.

PS3.3 C.7.6.3 (Image Pixel Module) and PS3.5 section 8.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dicomanon.deidentify.codec import DEFLATED, EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE
from dicomanon.deidentify.pixels.pixel_data import (
    BITS_ALLOCATED,
    BITS_STORED,
    COLUMNS,
    HIGH_BIT,
    PHOTOMETRIC_INTERPRETATION,
    PIXEL_REPRESENTATION,
    ROWS,
    SAMPLES_PER_PIXEL,
    number_of_frames,
)
from dicomanon.deidentify.reader import Element
from dicomanon.deidentify.source import SourceInstance
from dicomanon.errors import Held
from dicomanon.reasons import HoldReason

Samples: TypeAlias = npt.NDArray[Any]
"""Samples of a frame: (rows, columns), or (rows, columns, 3) of a colour image."""

PIXEL_DATA = 0x7FE00010
PLANAR_CONFIGURATION = 0x00280006
BYTE = 8
COLOURS = 3
MONOCHROME1 = "MONOCHROME1"
MONOCHROME2 = "MONOCHROME2"
PALETTE_COLOR = "PALETTE COLOR"
RGB = "RGB"
YBR_FULL = "YBR_FULL"
YBR_PARTIAL = frozenset({"YBR_PARTIAL_422", "YBR_PARTIAL_420"})
HALF_CHROMINANCE = frozenset({"YBR_FULL_422", "YBR_PARTIAL_422"})
TRANSFORMED = frozenset({"YBR_RCT", "YBR_ICT"})
"""RGB that only JPEG 2000 turns into luminance and chrominance, and back when it decodes (PS3.5 section 8.2.4)."""

_FLOATS = {0x7FE00008: 32, 0x7FE00009: 64}
_GREY = frozenset({MONOCHROME1, MONOCHROME2, PALETTE_COLOR})
_COLOUR = frozenset({RGB, YBR_FULL, *YBR_PARTIAL, *HALF_CHROMINANCE, *TRANSFORMED})
_CELLS = frozenset({1, 8, 16, 32, 64})
_NATIVE_SYNTAXES = frozenset({IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED})
_MOST_BYTES_A_FRAME = 1 << 29
"""A detector of 10,000 by 10,000 pixels makes 200 MB; to decode and show a frame takes a few times its size."""


def undecodable(detail: str) -> Held:
    """Return what is raised for pixels that cannot be shown to anybody."""
    return Held(HoldReason.UNDECODABLE, detail)


@dataclass(frozen=True, repr=False, kw_only=True)
class PixelDescription:
    """The facts that say how the bytes of the top-level pixel data are read.

    Attributes
    ----------
    transfer_syntax, little, tag, vr
        How the element is encoded; ``little`` is the byte order of native cells.
    encapsulated
        Whether the value is a sequence of fragments (PS3.5 A.4).
    rows, columns, frames, samples
        Size; samples per pixel are 1 or 3.
    allocated, stored, high_bit
        Bits of a cell, of a sample, and which bit of the cell is the sample's highest.
    signed
        Whether samples are two's complement.
    photometric
        Photometric Interpretation; ``""`` for floating-point pixels.
    planar
        Planar Configuration.
    """

    transfer_syntax: str
    little: bool
    tag: int
    vr: str
    encapsulated: bool
    rows: int
    columns: int
    frames: int
    samples: int
    allocated: int
    stored: int
    high_bit: int
    signed: bool
    photometric: str
    planar: int

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.frames} x {self.rows} x {self.columns} x {self.samples})"

    @property
    def floating(self) -> bool:
        """Whether samples are floating-point numbers (PS3.3 C.7.6.24, C.7.6.25)."""
        return self.tag in _FLOATS

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a decoded frame."""
        return (self.rows, self.columns) if self.samples == 1 else (self.rows, self.columns, self.samples)

    @property
    def shift(self) -> int:
        """Bits of a cell below the sample."""
        return self.high_bit + 1 - self.stored

    @property
    def least(self) -> int:
        """The least number that a sample can be."""
        return -(1 << (self.stored - 1)) if self.signed else 0

    @property
    def greatest(self) -> int:
        """The greatest number that a sample can be."""
        return (1 << (self.stored - self.signed)) - 1


def description_of(source: SourceInstance, element: Element) -> dict[str, Any]:
    """Return the fields of :class:`PixelDescription` for a pixel data element of the main data set.

    Raises
    ------
    Held
        ``UNDECODABLE``: what the header says is incomplete, contradicts itself, or no codec of ours knows such pixels.
    """
    encapsulated = element.stop != element.end
    if encapsulated is (source.transfer_syntax in _NATIVE_SYNTAXES):
        raise undecodable("encapsulation contradicts the transfer syntax")
    floating = _FLOATS.get(element.tag)
    allocated = floating or source.number(BITS_ALLOCATED) or 0
    stored = floating or source.number(BITS_STORED) or 0
    high_bit = source.number(HIGH_BIT)
    fields: dict[str, Any] = {
        "transfer_syntax": source.transfer_syntax,
        "little": source.file.codec.little,
        "tag": element.tag,
        "vr": element.vr,
        "encapsulated": encapsulated,
        "rows": source.number(ROWS) or 0,
        "columns": source.number(COLUMNS) or 0,
        "frames": number_of_frames(source) or 0,
        "samples": source.number(SAMPLES_PER_PIXEL) or 1,
        "allocated": allocated,
        "stored": stored,
        "high_bit": stored - 1 if floating or high_bit is None else high_bit,
        "signed": source.number(PIXEL_REPRESENTATION) == 1 and not floating,
        "photometric": "" if floating else source.text(PHOTOMETRIC_INTERPRETATION),
        "planar": source.number(PLANAR_CONFIGURATION) or 0,
    }
    _check(PixelDescription(**fields))
    return fields


def _check(described: PixelDescription) -> None:
    rows, columns = described.rows, described.columns
    if not rows or not columns or not described.frames:
        raise undecodable("size of the pixel data cannot be told")
    if described.allocated not in _CELLS or not 0 < described.stored <= described.high_bit + 1 <= described.allocated:
        raise undecodable("bits stored, high bit and bits allocated contradict each other")
    if rows * columns * described.samples * described.allocated > _MOST_BYTES_A_FRAME * BYTE:
        raise undecodable("frames larger than any detector makes")
    known = _GREY if described.samples == 1 else _COLOUR
    if described.samples not in {1, COLOURS} or (described.photometric not in known and not described.floating):
        raise undecodable("photometric interpretation of another number of samples, or unknown")
    if described.planar not in {0, 1} or (described.samples > 1 and described.allocated < BYTE):
        raise undecodable("planes of an unknown kind")
    if described.floating and (described.samples > 1 or described.encapsulated):
        raise undecodable("floating-point pixels of an unknown kind")


def stored_values(cells: Samples, described: PixelDescription) -> Samples:
    """Return the samples that cells hold: unused bits masked out, signed where they are (PS3.5 section 8.1.1).

    Parameters
    ----------
    cells
        Unsigned whole cells, or floating-point numbers.

    Returns
    -------
    numpy.ndarray
        In the machine's byte order; a view of ``cells`` where nothing has to be changed.
    """
    if cells.dtype.kind == "f":
        return cells.astype(cells.dtype.newbyteorder("="), copy=False)
    native = cells.astype(cells.dtype.newbyteorder("="), copy=False)
    if native.dtype.kind == "i":
        return native
    width = native.dtype.itemsize * BYTE
    if described.stored >= width:
        return native.view(f"i{width // BYTE}") if described.signed else native
    if described.signed:
        up = native.dtype.type(width - 1 - described.high_bit)
        left: Samples = (native << up).view(f"i{width // BYTE}")
        # Left and right again: the right shift of a negative number copies its sign.
        return left >> (width - described.stored)
    kind = native.dtype.type
    pixel = kind(((1 << described.stored) - 1) << described.shift)
    if not described.shift and not np.bitwise_or.reduce(native, axis=None) & ~pixel:
        return native
    values: Samples = (native & pixel) >> kind(described.shift)
    return values


def as_cell(value: int, described: PixelDescription, width: int) -> int:
    """Return the cell of ``width`` bits that holds a sample, as an unsigned number.

    Bits below the sample are zero. Bits above it are zero, or copies of the sign bit: there are readers that take the
    whole cell as a number.
    """
    return (value << described.shift) & ((1 << width) - 1)
