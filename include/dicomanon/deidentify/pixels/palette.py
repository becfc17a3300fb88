"""Palettes of PALETTE COLOR images as tables of 8-bit colours (PS3.3 C.7.6.3.1.5, C.7.6.3.1.6, C.7.9.2)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dicomanon.deidentify.pixels.description import BYTE, PixelDescription, Samples, undecodable
from dicomanon.deidentify.source import SourceInstance

_DESCRIPTORS = (0x00281101, 0x00281102, 0x00281103)
_TABLES = (0x00281201, 0x00281202, 0x00281203)
_SEGMENTED_TABLES = (0x00281221, 0x00281222, 0x00281223)
_DESCRIPTOR_BYTES = 6
_MOST_ENTRIES = 1 << 16
_WORD = 2 * BYTE
_OFFSET_BITS = 32
_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2
_HIGHEST_8_BIT = 255
# Relative luminance of red, green and blue in thousandths (ITU-R BT.601), as viewers compute it.
_LUMINANCE = (299, 587, 114)


@dataclass(frozen=True, slots=True, repr=False)
class Palette:
    """Colours by index.

    Attributes
    ----------
    first
        The stored value that has the first colour; all below have it too, and all above the last have the last.
    colours
        (entries, 3), 8 bits.
    """

    first: int
    colours: npt.NDArray[np.uint8]

    def rgb(self, values: Samples) -> Samples:
        """Return the colours of stored values, (rows, columns, 3)."""
        shown: Samples = self.colours[np.clip(values.astype(np.int64) - self.first, 0, len(self.colours) - 1)]
        return shown

    def darkest(self, described: PixelDescription) -> int:
        """Return the stored value of the darkest colour that a pixel can have, the lowest if there are several."""
        lowest = max(described.least, self.first)
        highest = min(described.greatest, self.first + len(self.colours) - 1)
        if lowest > highest:
            return described.least
        within = self.colours[lowest - self.first : highest - self.first + 1]
        return lowest + int(np.argmin(within @ np.array(_LUMINANCE)))


def palette_of(source: SourceInstance, described: PixelDescription) -> Palette:
    """Read the palette of an image.

    Raises
    ------
    Held
        ``UNDECODABLE``: a table is absent, or not of the length that its descriptor says.
    """
    order = "<" if source.file.codec.little else ">"
    channels = []
    firsts = set()
    for descriptor_tag, plain, segmented in zip(_DESCRIPTORS, _TABLES, _SEGMENTED_TABLES, strict=True):
        descriptor = source.raw(descriptor_tag)
        if len(descriptor) != _DESCRIPTOR_BYTES:
            raise undecodable("palette without a descriptor")
        entries, first, bits = (int(number) for number in np.frombuffer(descriptor, f"{order}u2"))
        entries = entries or _MOST_ENTRIES
        if bits not in {BYTE, _WORD}:
            raise undecodable("palette of neither 8 nor 16 bits")
        data = source.raw(plain)
        if data:
            table = _plain(data, entries, bits, order)
        else:
            table = _expanded(_numbers(source.raw(segmented), bits, order).tolist(), entries, bits)
        channels.append(table)
        firsts.add(first - (1 << _WORD) if described.signed and first >> (_WORD - 1) else first)
    if len(firsts) > 1 or len(set(map(len, channels))) > 1:
        raise undecodable("palettes of three colours that do not fit each other")
    colours = np.stack(channels, axis=-1)
    # Tables that say 16 bits and hold 8 are common; no real 16-bit palette is all black.
    eight_bits = int(colours.max()) <= _HIGHEST_8_BIT
    return Palette(firsts.pop(), (colours if eight_bits else colours >> BYTE).astype(np.uint8))


def _plain(data: bytes, entries: int, bits: int, order: str) -> Samples:
    # 8-bit tables come as bytes, or each in a word of its own.
    packed = bits == BYTE and len(data) < 2 * entries
    table = _numbers(data, BYTE if packed else _WORD, order)
    if not entries <= len(table) <= entries + 1:
        raise undecodable("palette of another length than described")
    return table[:entries]


def _numbers(data: bytes, bits: int, order: str) -> Samples:
    words = np.frombuffer(data[: len(data) & ~1], f"{order}u2")
    # Bytes are packed into words with the first one low, whatever the byte order (PS3.3 C.7.6.3.1.6).
    return words.astype("<u2").view("u1") if bits == BYTE else words.astype(np.uint16)


def _expanded(numbers: list[int], entries: int, bits: int) -> Samples:
    """Write out a segmented table (PS3.3 C.7.9.2)."""
    table: list[int] = []
    at = 0
    while at + 1 < len(numbers) and len(table) < entries:
        at = _repeat(numbers, at, bits, table) if numbers[at] == _INDIRECT else _append(numbers, at, table)
    if len(table) != entries:
        raise undecodable("segmented palette of another length than described")
    return np.array(table, np.uint16)


def _append(numbers: list[int], at: int, table: list[int]) -> int:
    """Append a segment that stands for itself, and return where the next one begins."""
    opcode, length = numbers[at], numbers[at + 1]
    data = numbers[at + 2 : at + 2 + (length if opcode == _DISCRETE else 1)]
    if opcode not in {_DISCRETE, _LINEAR} or not data or not length or len(table) + length > _MOST_ENTRIES:
        raise undecodable("segmented palette with an unknown segment")
    if opcode == _DISCRETE:
        table += data
    elif table:
        table += np.rint(np.linspace(table[-1], data[0], length + 1)[1:]).astype(int).tolist()
    else:
        raise undecodable("segmented palette that begins with a line from nowhere")
    return at + 2 + len(data)


def _repeat(numbers: list[int], at: int, bits: int, table: list[int]) -> int:
    """Append segments that came before once more, and return where the next one begins.

    They are named by their number and by the offset of the first in bytes, a number of 32 bits, low end first.
    """
    parts = numbers[at + 2 : at + 2 + _OFFSET_BITS // bits]
    position = sum(part << bits * index for index, part in enumerate(parts)) * BYTE // bits
    for _ in range(numbers[at + 1]):
        if position + 1 >= at or numbers[position] == _INDIRECT:
            raise undecodable("segmented palette that refers to no segment before")
        position = _append(numbers, position, table)
    return at + 2 + len(parts)
