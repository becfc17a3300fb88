"""Follows a line of text beyond what the reader saw of it.

Machines write text into a picture in one colour, and anatomy has noise. So where letters fade over tissue that is as
bright as they are, and no reader finds them, their strokes are still flat: neighbouring pixels of the very same value.
Lossy compression leaves nothing flat. Where a line runs from bright into dark, the reader sees one half of it; the
other has strokes that stand out from what is right around them. Marks beside the line that are too small for a letter,
commas and dots, belong to it in any case.
"""

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from dicomanon.deidentify.pixels.regions import Box
from dicomanon.deidentify.pixels.text_areas import Grey, beyond_noise
from dicomanon.deidentify.pixels.views import Pixels, edges_of

_FARTHEST = 12
"""Heights of the line to either side: a date of birth and an accession number."""
_GAP = 0.28
"""Of the height of a line with its margins: a space, but not the two that part a side marker from a name."""
_MARK = 0.4
"""Of the height of a line: a comma is smaller."""
_MARKS_WITHIN = 0.6
_STANDS_OUT = 0.4
_FEWEST_OF_ONE_COLOUR = 0.1
_FEWEST_PIXELS = 6
_OF_HEIGHT = 8
"""Pixels of a stroke at least, as a part of the height of its line."""
_WIDEST = 3
"""Heights of the line that pixels of one colour may hang together; a letter is not as wide."""
_FAINTEST = 0.025
"""Of the range of values of a text: what stands out less is not seen."""
_UNSEEN = 0.15
"""Of what a text stands out from its ground: what stands out less from the text hides more of it."""
_MOST_OF_IT = 0.5
_WIDEST_STROKE = 5
"""Of the height of a line, this part."""
_LETTER = 0.25
"""Of the height of a line with its margins: the least that shows of a letter."""
_BEYOND = 2
_MARGIN = 3
_COLOURS = 3

Values = npt.NDArray[np.int64]


def to_its_ends(frame: Pixels, box: Box) -> Box:
    """Return the box of a horizontal line of text, widened by what goes on in its colour and by marks beside it.

    Parameters
    ----------
    frame
        (rows, columns) of stored values or (rows, columns, 3) of RGB.
    box
        Of what was read.
    """
    if box.height > box.width:
        return box
    height, columns = box.height, frame.shape[1]
    left, around = _line(frame, box, box.left - _FARTHEST * height, box.right + _FARTHEST * height)
    strokes = [*_flat_strokes(frame, box, around), *_standing_out(frame, box, around)]
    begin, end = _followed(box, [(left + start, left + stop) for start, stop in strokes], _GAP * height)
    begin, end = _beside(begin, end, _marks(frame, box, begin, end), _MARKS_WITHIN * height)
    return Box(
        max(0, begin - _MARGIN) if begin < box.left else begin,
        box.top,
        min(columns, end + _MARGIN) if end > box.right else end,
        box.bottom,
    )


def hides(frame: Pixels, box: Box, beside: Box) -> bool:
    """Tell whether text as bright as that of a line would not be seen in most of a box beside it.

    Parameters
    ----------
    frame
        (rows, columns) of stored values or (rows, columns, 3) of RGB.
    box, beside
        Of what was read, and of what may be there.
    """
    inside = beside.clipped(*frame.shape[:2])
    part = frame[box.top : box.bottom, box.left : box.right]
    grey = _grey(part)
    found = _brightness_of_text(grey)
    if inside is None or found is None:
        return False
    text, stands_out = found
    there = _grey(frame[inside.top : inside.bottom, inside.left : inside.right])
    return bool((np.abs(there - text) <= _UNSEEN * stands_out).mean() >= _MOST_OF_IT)


def _brightness_of_text(grey: npt.NDArray[np.float32]) -> tuple[float, float] | None:
    """Return how bright the strokes in a line are, and by how much they stand out from what is right around them.

    Not by the ground of the whole line: where it runs from tissue into air, tissue stands out from that as well. But
    that tells strokes from the gaps between them, which are as thin.
    """
    ground = np.median(edges_of(grey))
    found = [
        (float(np.median(grey[strokes])), float(np.median(detail[strokes])))
        for detail in _details(grey, grey.shape[0])
        if (strokes := detail > _MOST_OF_IT * detail.max()).any()
    ]
    return max(found, key=lambda one: abs(one[0] - ground), default=None)


def _followed(box: Box, spans: list[tuple[int, int]], gap: float) -> tuple[int, int]:
    """Return the columns of a line with the spans that follow each other to its left and right."""
    begin, end = box.left, box.right
    for start, stop in sorted(spans):
        if start <= end + gap:
            end = max(end, stop)
    for start, stop in sorted(spans, key=lambda span: -span[1]):
        if stop >= begin - gap:
            begin = min(begin, start)
    return begin, end


def _beside(begin: int, end: int, spans: list[tuple[int, int]], gap: float) -> tuple[int, int]:
    """Return the columns of a line with the spans next to it; a mark does not lead to another, as noise would."""
    near = [(start, stop) for start, stop in spans if start <= end + gap and stop >= begin - gap]
    return min([begin, *(start for start, _ in near)]), max([end, *(stop for _, stop in near)])


def _flat_strokes(frame: Pixels, box: Box, around: Pixels) -> list[tuple[int, int]]:
    """Return the columns of strokes in the colour of a text, in the pixels of its line."""
    part = frame[box.top : box.bottom, box.left : box.right]
    colour = _colour_of_text(part, _strokes(part))
    if colour is None:
        return []
    height = box.height
    return [
        (column, column + width)
        for column, width, _, pixels in _pieces(_single(around) == colour)
        if pixels >= max(_FEWEST_PIXELS, height // _OF_HEIGHT) and width <= _WIDEST * height
    ]


def _standing_out(frame: Pixels, box: Box, around: Pixels) -> list[tuple[int, int]]:
    """Return the columns of strokes as tall as letters, brighter or darker than what is right around them."""
    height, grey = box.height, _grey(around)
    least = _FAINTEST * float(np.ptp(_grey(frame[box.top : box.bottom, box.left : box.right])))
    spans = []
    for detail in _details(grey, height):
        spans += [
            (column, column + width)
            for column, width, tall, _ in _pieces(detail > beyond_noise(detail, least))
            if tall >= _LETTER * height and width <= _WIDEST * height
        ]
    return spans


def _details(grey: npt.NDArray[np.float32], height: int) -> Iterator[Grey]:
    """Yield by how much what is as thin as strokes is brighter, and by how much it is darker, than what is around it.

    Parameters
    ----------
    height
        Of the line, in pixels.
    """
    widest = np.ones((max(3, height // _WIDEST_STROKE) | 1,) * 2, np.uint8)
    for brighter_or_darker in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT):
        detail: Grey = cv2.morphologyEx(grey, brighter_or_darker, widest)  # type: ignore[assignment]
        yield detail


def _marks(frame: Pixels, box: Box, begin: int, end: int) -> list[tuple[int, int]]:
    """Return the columns of what stands out beside a line as its text does, and is smaller than its letters."""
    height = box.height
    reach = round(_MARKS_WITHIN * height) + round(_MARK * height)
    left, around = _line(frame, box, begin - reach, end + reach)
    grey = _grey(around)
    distance = np.abs(grey - np.median(edges_of(_grey(frame[box.top : box.bottom, box.left : box.right]))))
    marks = distance > _STANDS_OUT * distance[:, begin - left : end - left].max()
    return [
        (left + column, left + column + width)
        for column, width, tall, _ in _pieces(marks)
        if width <= _MARK * height and tall <= _MARK * height
    ]


def _line(frame: Pixels, box: Box, left: int, right: int) -> tuple[int, Pixels]:
    """Return where a part of a line begins, and its pixels, with a little above and below."""
    rows, columns = frame.shape[:2]
    left, right = max(0, left), min(columns, right)
    return left, frame[max(0, box.top - _BEYOND) : min(rows, box.bottom + _BEYOND), left:right]


def _single(pixels: Pixels) -> Values:
    """Return one number for each pixel, whatever its channels."""
    values = pixels.astype(np.int64)
    if pixels.ndim < _COLOURS:
        return values
    combined: Values = (values[..., 0] << 32) | (values[..., 1] << 16) | values[..., 2]
    return combined


def _grey(pixels: Pixels) -> npt.NDArray[np.float32]:
    """Return how bright pixels are, all colours alike: to the eye, blue text on black is hardly there."""
    values = pixels.astype(np.float32)
    return values if pixels.ndim < _COLOURS else values.mean(axis=2, dtype=np.float32)


def _colour_of_text(part: Pixels, strokes: npt.NDArray[np.bool_]) -> int | None:
    """Return the value that most strokes of a text have, ``None`` if they are of many."""
    written = _single(part)[strokes]
    if not written.size:
        return None
    values, counts = np.unique(written, return_counts=True)
    most = int(counts.argmax())
    return int(values[most]) if counts[most] >= max(_FEWEST_OF_ONE_COLOUR * written.size, _FEWEST_PIXELS) else None


def _strokes(part: Pixels) -> npt.NDArray[np.bool_]:
    """Return which pixels of a line stand out from its ground as its text does."""
    grey = _grey(part)
    distance = np.abs(grey - np.median(edges_of(grey)))
    stands_out: npt.NDArray[np.bool_] = distance > _STANDS_OUT * distance.max()
    return stands_out


def _pieces(mask: npt.NDArray[np.bool_]) -> list[tuple[int, int, int, int]]:
    """Return what hangs together: first column, width, height, pixels; what goes beyond the line is no part of it."""
    rows = mask.shape[0]
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return [
        (left, width, height, pixels)
        for left, top, width, height, pixels in stats[1:].tolist()
        if top > 0 and top + height < rows
    ]
