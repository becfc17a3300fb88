"""Tells a value that was written into bulk data from one that pixels form by chance.

Background noise of a low-count image is made of values between 48 and 122, the codes of digits and letters: read as
16-bit text, it spells every six-letter name now and then. How probable that is follows from the bytes around.
"""

import math
from typing import Final

import numpy as np

from dicomanon.validate.search import Hit

_WINDOW: Final = 4096
_ACCEPTED: Final = 1e-6
"""Expected occurrences by chance in one element from which on a hit is no evidence."""


def is_chance(data: bytes, hit: Hit, start: int, length: int) -> bool:
    """Whether the bytes around a hit make it likely without anyone having written it.

    Parameters
    ----------
    data, hit
        Where the hit is.
    start, length
        The value it lies in: a fragment of noise the size of a page says nothing that the whole image does not.
    """
    unit = 2 if hit.width == 2 else 1  # noqa: PLR2004 - bytes of a UTF-16 character
    low, high = max(start, hit.start - _WINDOW), min(start + length, hit.end + _WINDOW)
    low += (hit.start - low) % unit
    high -= (high - hit.end) % unit
    around = data[low : hit.start] + data[hit.end : high]
    if not around:
        return False
    dtype = np.dtype("<u2") if unit == 2 else np.dtype("u1")  # noqa: PLR2004
    symbols = np.frombuffer(around, dtype)
    written = data[hit.start : hit.end]
    lower, upper = np.frombuffer(written.lower(), dtype), np.frombuffer(written.upper(), dtype)
    counts = np.bincount(symbols, minlength=1 << (8 * unit)).astype(np.float64)
    cases = np.where(lower == upper, counts[lower], counts[lower] + counts[upper])
    # Symbols that do not occur around get a small share (Laplace), else one rare byte would prove writing.
    probability = (cases + 0.5) / (symbols.size + 0.5 * np.count_nonzero(counts) + 1)
    expected = math.log(max(length // unit, 1)) + float(np.log(probability).sum())
    return expected > math.log(_ACCEPTED)
