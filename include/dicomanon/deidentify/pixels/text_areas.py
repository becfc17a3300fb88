"""Finds where a picture may show a line of small letters: the cheap test before the reader.

Letters are narrow strokes side by side. Where many strokes that stand out from the noise around them begin and end
within the height of a line, something is written, or looks as if it were. An edge between two areas, however sharp, is
no stroke, and a vessel is a single one.
"""

import math
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dicomanon.deidentify.pixels.regions import Box

Grey = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Marks = npt.NDArray[np.uint8]

_WIDEST_STROKE = np.ones((9, 9), np.uint8)
_SURROUNDINGS = 63
_ABOVE_MEAN = 3.5
_ABOVE_MOST = 7.0
_EVERY = 3
"""A third of the rows and columns tells as much of the noise."""
_STEPS = 32
"""In eight bits, for the noise of a picture on the whole."""
_WHITE = 255
_LEAST_NOISE = 1e-6
_LEAST_SHARE = 0.04
"""Of the range of values: a stroke that stands out less is no burned-in text."""
_LINE_LENGTH = 21
"""Pixels; three or four small letters."""
_LINE_HEIGHT = 9
_STROKE_ENDS = 0.14
"""Of the pixels of a line, those where a stroke begins or ends."""
_LEAST_LINE = 80
"""Pixels of an area of such pixels."""
_LEAST_SIDE = 5
"""Pixels of a picture; no letters are as small."""
_MOST_OF_16_BITS = (1 << 16) - 1
_AROUND = 20
"""Pixels around a line: the reader needs some, and too many keep it from seeing the line at all."""
_TILE = (384, 112)
"""Columns and rows: most lines lie."""
_OVERLAP = 32
_ONE_PIECE = 112 * 480
"""Pixels of an area that is read as a whole."""


def text_areas(grey: Grey) -> list[Box]:
    """Return the parts of a picture that may show letters of about 8 to 20 pixels, upright or turned.

    Of generated lines it finds 95 of 100, of texts of five letters nearly 90; `bench/pixels.py` measures it together
    with the reader. Large areas come as tiles that overlap.

    Parameters
    ----------
    grey
        (rows, columns).
    """
    if min(grey.shape) < _LEAST_SIDE:
        return []
    likely = _without_specks(_line_like(grey))
    if not likely.any():
        return []
    around: Marks = cv2.dilate(likely, np.ones((2 * _AROUND + 1, 2 * _AROUND + 1), np.uint8))  # type: ignore[assignment]
    labels, stats = _components(around)
    areas = []
    for label, (left, top, width, height, _) in enumerate(stats[1:].tolist(), start=1):
        for tile in _tiles(Box(left, top, left + width, top + height)):
            part = slice(tile.top, tile.bottom), slice(tile.left, tile.right)
            if likely[part][labels[part] == label].any():
                areas.append(tile)
    return areas


def _without_specks(likely: Marks) -> Marks:
    """Return what is large enough for a few letters; noise has small specks everywhere."""
    labels, stats = _components(likely)
    kept = np.zeros_like(likely)
    for label in np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] >= _LEAST_LINE) + 1:
        left, top, width, height, _ = stats[label].tolist()
        part = slice(top, top + height), slice(left, left + width)
        kept[part] |= labels[part] == label
    return kept


def _components(marks: Marks) -> tuple[npt.NDArray[Any], npt.NDArray[np.int32]]:
    """Return for each pixel the number of its piece, 0 for none, and for each piece its box and size.

    Numbers of 16 bits take a third of the time; there are enough of them where fewer pixels are marked.
    """
    numbers = cv2.CV_16U if cv2.countNonZero(marks) <= _MOST_OF_16_BITS else cv2.CV_32S
    _, labels, stats, _ = cv2.connectedComponentsWithStats(marks, connectivity=8, ltype=numbers)
    return labels, stats  # type: ignore[return-value]


def _line_like(grey: Grey) -> Marks:
    """Return around which pixels strokes begin and end as often as letters do."""
    low, high = np.percentile(grey[::_EVERY, ::_EVERY], (1, 99))
    found = np.zeros(grey.shape, np.uint8)
    for brighter_or_darker in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT):
        detail: Any = cv2.morphologyEx(grey, brighter_or_darker, _WIDEST_STROKE)
        strokes = cv2.compare(detail, beyond_noise(detail, _LEAST_SHARE * float(high - low)), cv2.CMP_GT)
        across, down = np.zeros(grey.shape, np.uint8), np.zeros(grey.shape, np.uint8)
        cv2.bitwise_xor(strokes[:, 1:], strokes[:, :-1], across[:, 1:])
        cv2.bitwise_xor(strokes[1:], strokes[:-1], down[1:])
        found |= _many(across, (_LINE_LENGTH, _LINE_HEIGHT))
        found |= _many(down, (_LINE_HEIGHT, _LINE_LENGTH))
    return found


def _many(ends: Marks, line: tuple[int, int]) -> Marks:
    """Return around which pixels a line of so many columns and rows has as many ends of strokes as letters have."""
    return cv2.threshold(cv2.boxFilter(ends, -1, line), int(_STROKE_ENDS * _WHITE), 1, cv2.THRESH_BINARY)[1]  # type: ignore[return-value]


def beyond_noise(detail: Grey, least: float) -> Grey:
    """Return what the noise around a pixel does not reach, or the least that a stroke must have.

    The mean tells of noise of any kind, but not where text fills a page. There most pixels still are no strokes.
    """
    some, others = detail[:-1:_EVERY, :-1:_EVERY], detail[1::_EVERY, 1::_EVERY]
    around = (_SURROUNDINGS // _EVERY, _SURROUNDINGS // _EVERY)
    mean: Any = cv2.boxFilter(np.ascontiguousarray(some), -1, around, borderType=cv2.BORDER_REFLECT)
    # The median of the greater of two pixels is the 71st percentile of all.
    most = _median(np.maximum(some, others), around[0])
    coarse = np.maximum(np.minimum(_ABOVE_MEAN * mean, _ABOVE_MOST * most), np.float32(least))
    limit: Any = cv2.resize(coarse, detail.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return limit  # type: ignore[no-any-return]


def _median(values: Grey, around: int) -> Grey:
    steps = np.float32(_STEPS / max(float(values.mean()), _LEAST_NOISE))
    coarse: Any = cv2.medianBlur(np.clip(values * steps, 0, _WHITE).astype(np.uint8), around)
    return coarse.astype(np.float32) / steps  # type: ignore[no-any-return]


def _tiles(box: Box) -> Iterator[Box]:
    """Cut what is more than a few lines of text: in a large picture the reader does not see small letters."""
    if box.width * box.height <= _ONE_PIECE:
        yield box
        return
    columns, rows = _TILE
    for top, bottom in _cuts(box.top, box.bottom, rows):
        for left, right in _cuts(box.left, box.right, columns):
            yield Box(left, top, right, bottom)


def _cuts(start: int, stop: int, length: int) -> list[tuple[int, int]]:
    """Return where pieces of the same length begin and end, which overlap at least as far as they should."""
    count = max(1, math.ceil((stop - start - _OVERLAP) / (length - _OVERLAP)))
    step = (stop - start - _OVERLAP) / count
    return [
        (start + math.floor(number * step), min(stop, start + math.ceil((number + 1) * step) + _OVERLAP))
        for number in range(count)
    ]
