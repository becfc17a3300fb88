"""Colours as RGB of 8 bits, the way viewers compute them (PS3.3 C.7.6.3.1.2)."""

import numpy as np

from dicomanon.deidentify.pixels.description import BYTE, YBR_FULL, YBR_PARTIAL, Samples

_LUMINANCE = frozenset({YBR_FULL, "YBR_FULL_422", *YBR_PARTIAL})
_PIXELS_AT_ONCE = 1 << 18
"""Pixels that are turned into RGB in one go: the numbers in between take some ten times their room."""
_GREY = 128.0
_PARTIAL_BLACK = 16.0
# ITU-R BT.601: the whole range of 8 bits, and luminance from 16 to 235 with chrominance from 16 to 240.
_FULL = np.array([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]])
_PARTIAL = np.array([[1.1644, 0, 1.5960], [1.1644, -0.3917, -0.8130], [1.1644, 2.0173, 0]])


def rgb(values: Samples, photometric: str, stored: int) -> Samples:
    """Return a frame of a colour image as RGB of 8 bits, (rows, columns, 3).

    Parameters
    ----------
    values
        Its samples, (rows, columns, 3).
    photometric
        What they mean; whatever is not luminance and chrominance is RGB.
    stored
        Bits of a sample.
    """
    if photometric not in _LUMINANCE:
        return _eight_bits(values, stored)
    partial = photometric in YBR_PARTIAL
    matrix = (_PARTIAL if partial else _FULL).T.astype(np.float32)
    zero = np.array([_PARTIAL_BLACK if partial else 0.0, _GREY, _GREY], np.float32)
    shown = np.empty(values.shape, np.uint8)
    rows = max(1, _PIXELS_AT_ONCE // values.shape[1])
    for start in range(0, len(values), rows):
        part = slice(start, start + rows)
        exact = (_eight_bits(values[part], stored).astype(np.float32) - zero) @ matrix
        shown[part] = np.clip(np.rint(exact), 0, 255)
    return shown


def _eight_bits(values: Samples, stored: int) -> Samples:
    if stored == BYTE:
        return values.astype(np.uint8, copy=False)
    if stored > BYTE:
        return (values >> (stored - BYTE)).astype(np.uint8)
    most = (1 << stored) - 1
    return (values.astype(np.uint16) * 255 // most).astype(np.uint8)
