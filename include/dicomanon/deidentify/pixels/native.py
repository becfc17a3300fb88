"""Uncompressed pixels: where the cells of a frame are, as views without a copy (PS3.5 section 8.1, Annex D)."""

import numpy as np

from dicomanon.deidentify.codec import Buffer
from dicomanon.deidentify.pixels.description import (
    BYTE,
    COLOURS,
    HALF_CHROMINANCE,
    YBR_PARTIAL,
    PixelDescription,
    Samples,
    undecodable,
)

PAIR = 2
_SAMPLES_OF_PAIR = 4
_WORDS = "<u2"


class NativePixels:
    """The value of an uncompressed pixel data element.

    Parameters
    ----------
    described
        Its description.
    value
        Its bytes; where they may be written to, so may the views.

    Raises
    ------
    Held
        ``UNDECODABLE``: there are fewer bytes than pixels.
    """

    def __init__(self, described: PixelDescription, value: Buffer | bytearray) -> None:
        self.described = described
        self.value = memoryview(value)
        pixels = described.rows * described.columns
        whole = pixels * described.samples * described.allocated
        self.halved = described.photometric in HALF_CHROMINANCE and len(value) * BYTE < whole * described.frames
        if self.halved:
            whole = whole * 2 // COLOURS
        if self.halved and (described.planar or described.columns % PAIR or described.allocated != BYTE):
            raise undecodable("shared chrominance without whole pairs of pixels")
        if "420" in described.photometric or (described.photometric in YBR_PARTIAL and not self.halved):
            raise undecodable("chrominance that uncompressed pixels cannot share")
        self._frame_bits = whole
        if len(value) * BYTE < whole * described.frames:
            raise undecodable("fewer bytes than pixels")

    @property
    def swapped(self) -> bool:
        """Whether small cells stand in words whose bytes are in big-endian order (PS3.5 section 8.1.1, Annex D)."""
        return not self.described.little and self.described.vr == "OW" and self.described.allocated <= BYTE

    @property
    def whole_bytes(self) -> bool:
        """Whether each frame begins at a byte of its own."""
        return not self.swapped and self.described.allocated >= BYTE

    def span(self, index: int) -> tuple[int, int]:
        """Return where a frame begins and ends in the value, if it has bytes of its own."""
        size = self._frame_bits // BYTE
        return index * size, (index + 1) * size

    def cells(self, index: int) -> Samples:
        """Return the cells of a frame, (rows, columns) or (rows, columns, 3), in the byte order they have.

        Cells of one bit are unpacked, bytes in swapped words are set right, and shared chrominance is given to both
        pixels: these are copies.
        """
        described = self.described
        if not self.whole_bytes:
            first, last = index * self._frame_bits, (index + 1) * self._frame_bits
            start, stop = first // BYTE, -(-last // BYTE)
            even = slice(start - start % PAIR, stop + stop % PAIR)
            words = unswapped(self.value[even]) if self.swapped else np.frombuffer(self.value[even], "u1")
            if described.allocated < BYTE:
                bits = np.unpackbits(words, bitorder="little")[first - even.start * BYTE :]
                return bits[: self._frame_bits].reshape(described.shape)
            view: Samples = words[start - even.start : stop - even.start]
            return self._colours_apart(self._arranged(view))
        return self._colours_apart(self.arranged(index))

    def arranged(self, index: int) -> Samples:
        """Return a view of a frame's cells that may be written to if the value may.

        Shape (rows, columns), (rows, columns, 3), or (rows, pairs, 4) where pairs of pixels share their chrominance.
        Only for frames of whole bytes.
        """
        start, stop = self.span(index)
        kind = "f" if self.described.floating else "u"
        order = "<" if self.described.little else ">"
        width = self.described.allocated // BYTE
        return self._arranged(np.frombuffer(self.value[start:stop], f"{order}{kind}{width}"))

    def _arranged(self, cells: Samples) -> Samples:
        described = self.described
        if self.halved:
            return cells.reshape(described.rows, described.columns // PAIR, _SAMPLES_OF_PAIR)
        if described.samples > 1 and described.planar:
            return np.moveaxis(cells.reshape(described.samples, described.rows, described.columns), 0, -1)
        return cells.reshape(described.shape)

    def _colours_apart(self, cells: Samples) -> Samples:
        """Give each pixel of a pair its own copy of the chrominance (PS3.3 C.7.6.3.1.2)."""
        if not self.halved:
            return cells
        whole = np.empty(self.described.shape, cells.dtype)
        whole[..., 0] = cells[..., :PAIR].reshape(self.described.rows, self.described.columns)
        whole[..., 1:] = np.repeat(cells[..., PAIR:], PAIR, axis=1)
        return whole


def unswapped(value: Buffer | bytearray) -> Samples:
    """Return bytes with the two of every word exchanged; a last one without a partner stays."""
    data = np.frombuffer(value, "u1").copy()
    words = data[: len(data) & ~1].view(_WORDS)
    words.byteswap(inplace=True)
    return data
