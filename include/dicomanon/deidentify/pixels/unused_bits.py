"""Clears the bits beside the pixel in native cells, where old equipment put overlays (PS3.5-2004 section 8.1.2)."""

import numpy as np
import numpy.typing as npt

from dicomanon.errors import Held
from dicomanon.reasons import HoldReason

_CELLS = (8, 16, 32, 64)
_CHUNK = 1 << 20
"""Cells looked at in one go: their copies stay in the processor's cache and need no memory to speak of."""
_BYTE = 8

_Words = npt.NDArray[np.unsignedinteger]
_Numbers = npt.NDArray[np.signedinteger]


def clear_unused_bits(
    view: memoryview, *, allocated: int, stored: int, high_bit: int, signed: bool, little: bool
) -> memoryview:
    """Return pixel data whose cells hold the pixel and nothing else; what a viewer shows stays as it is.

    Bits below the pixel become zero. Bits above it become zero in unsigned pixels. In signed ones they become copies
    of the sign bit, for there are readers that take the whole cell as a number; if all cells have either such copies
    or zeros above the pixel, whichever it is stays.

    Parameters
    ----------
    view
        Value of (7FE0,0010), native, of any number of frames.
    allocated, stored, high_bit
        Bits Allocated, Bits Stored and High Bit (PS3.5 section 8.1.1).
    signed
        Whether Pixel Representation is 1.
    little
        Whether the transfer syntax has the little end first.

    Returns
    -------
    memoryview
        ``view`` itself if no bit has to change, else a copy.

    Raises
    ------
    Held
        ``BURNED_IN_RISK``: the three numbers do not describe a cell that this can be done for.
    """
    if not 0 < stored <= high_bit + 1 <= allocated:
        raise Held(HoldReason.BURNED_IN_RISK, "bits stored, high bit and bits allocated contradict each other")
    if stored == allocated:
        return view
    if allocated not in _CELLS:
        raise Held(HoldReason.BURNED_IN_RISK, "unused bits in cells that are no whole bytes")
    width = allocated // _BYTE
    cells = len(view) // width
    order = "<" if little else ">"
    words: _Words = np.frombuffer(view, dtype=f"{order}u{width}", count=cells)
    numbers: _Numbers = words.view(f"{order}i{width}")
    below = high_bit + 1 - stored
    shift = allocated - 1 - high_bit
    tail_is_clear = not any(view[cells * width :])
    used = _bits_set_anywhere(words)
    pixel = ((1 << stored) - 1) << below
    if tail_is_clear and not used & ~pixel:
        return view
    if signed and tail_is_clear and not used & ((1 << below) - 1) and _is_sign_extended(numbers, shift):
        return view
    cleared = bytearray(len(view))
    target: _Numbers = np.frombuffer(cleared, dtype=numbers.dtype, count=cells)
    for start in range(0, cells, _CHUNK):
        part = slice(start, start + _CHUNK)
        if signed:
            # Left and right again: the right shift of a negative number copies its sign.
            target[part] = numbers[part] << shift >> (shift + below) << below
        else:
            target.view(words.dtype)[part] = words[part] & words.dtype.type(pixel)
    return memoryview(cleared).toreadonly()


def _bits_set_anywhere(words: _Words) -> int:
    return int(np.bitwise_or.reduce(words)) if len(words) else 0


def _is_sign_extended(numbers: _Numbers, shift: int) -> bool:
    return all(
        np.array_equal(part << shift >> shift, part)
        for part in (numbers[start : start + _CHUNK] for start in range(0, len(numbers), _CHUNK))
    )
