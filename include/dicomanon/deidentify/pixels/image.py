"""The frames of an image, decoded one at a time (PS3.5 section 8 and Annex A.4)."""

from dataclasses import dataclass
from functools import cached_property

from dicomanon.deidentify.pixels.colour import rgb
from dicomanon.deidentify.pixels.decoding import Decoded, decode
from dicomanon.deidentify.pixels.description import (
    COLOURS,
    PALETTE_COLOR,
    PIXEL_DATA,
    PixelDescription,
    Samples,
    description_of,
    stored_values,
    undecodable,
)
from dicomanon.deidentify.pixels.encapsulated import Span, frames_of
from dicomanon.deidentify.pixels.native import NativePixels
from dicomanon.deidentify.pixels.palette import Palette, palette_of
from dicomanon.deidentify.reader import Element
from dicomanon.deidentify.source import SourceInstance

PIXELS = PIXEL_DATA
_ALL_PIXELS = (0x7FE00008, 0x7FE00009, PIXEL_DATA)


@dataclass(frozen=True, repr=False, kw_only=True)
class PixelImage(PixelDescription):
    """The top-level pixel data of an instance; holds nothing but what has been asked for.

    Attributes
    ----------
    source, element
        Whose pixels, and where they are.
    """

    source: SourceInstance
    element: Element

    @staticmethod
    def of(source: SourceInstance) -> "PixelImage | None":
        """Describe the pixel data of an instance, ``None`` if it has none.

        Raises
        ------
        Held
            ``UNDECODABLE``: the description is incomplete or contradicts itself, or the frames are larger than any
            detector makes.
        """
        for tag in _ALL_PIXELS:
            element = source.element(tag)
            if element is not None:
                return PixelImage(source=source, element=element, **description_of(source, element))
        return None

    def frame(self, index: int) -> Samples:
        """Return a frame as it is seen: stored values, (rows, columns), or RGB of 8 bits, (rows, columns, 3).

        Values are those of PS3.5 section 8.1.1, with their sign and without unused bits; a read-only view of the
        source where they are stored just so.

        Raises
        ------
        Held
            ``UNDECODABLE``: the frame is not there, or not all of it.
        """
        values, photometric = self._values(index)
        if photometric == PALETTE_COLOR:
            return self.palette.rgb(values)
        return rgb(values, photometric, self.stored) if values.ndim == COLOURS else values

    def stored_frame(self, index: int) -> Samples:
        """Return the stored values of a frame, whatever they mean, (rows, columns) or (rows, columns, 3).

        Raises
        ------
        Held
            ``UNDECODABLE``.
        """
        return self._values(index)[0]

    def _values(self, index: int) -> tuple[Samples, str]:
        if not 0 <= index < self.frames:
            raise undecodable("no such frame")
        if self.encapsulated:
            decoded = self.decoded(index)
            return decoded.values(self), decoded.photometric
        return stored_values(self.native.cells(index), self), self.photometric

    def stream(self, index: int) -> bytes:
        """Return a compressed frame, its fragments joined."""
        return b"".join(self.source.file.buffer[start:end] for start, end in self.fragments[index])

    def decoded(self, index: int) -> Decoded:
        """Return a compressed frame as its codec gives it."""
        return decode(self.stream(index), self)

    @cached_property
    def fragments(self) -> list[list[Span]]:
        """Where the fragments of each frame are."""
        return frames_of(self.source, self.element, self.frames)

    @cached_property
    def native(self) -> NativePixels:
        """The uncompressed pixels."""
        return NativePixels(self, self.source.file.buffer[self.element.value : self.element.end])

    @cached_property
    def palette(self) -> Palette:
        """The palette of a PALETTE COLOR image."""
        return palette_of(self.source, self)
