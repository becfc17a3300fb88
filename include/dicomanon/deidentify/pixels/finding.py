"""Finds the text in a frame: every view of it is read, and what they tell of one place is put together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from dicomanon.deidentify.pixels.judging import READABLE, TextClass, TextJudge
from dicomanon.deidentify.pixels.lines import hides, to_its_ends
from dicomanon.deidentify.pixels.reading import Line, TextReader
from dicomanon.deidentify.pixels.regions import Box, around
from dicomanon.deidentify.pixels.views import Pixels, edges_of, views
from dicomanon.errors import Held
from dicomanon.reasons import HoldReason

_SAME_PLACE = 0.5
"""Share of the smaller box that lies in the larger."""
_SAME_LINE = 0.6
_LIKE_HEIGHTS = 0.4
_MARGIN = 0.2
"""Of the height of a line, for what the detector leaves of its letters."""
_LEAST_MARGIN = 2
_ALL_OF_IT = 0.95
"""Of the length of a line that another view shows."""
_NEARLY_ALL_OF_IT = 0.9
"""The same, of a line that it reads better."""
_PART = 0.9
"""Of the length of a line: what is longer is not a part, but the line again."""
_MOSTLY = 0.8
"""Share of a part that lies in its line."""
_NEARLY_AS_SURE = 0.2
_MOST_ROUNDS = 5
_SURE = 0.8
_GRAVEST_FIRST = (TextClass.IDENTIFYING, TextClass.HARMLESS, TextClass.UNREADABLE)


@dataclass(frozen=True, slots=True)
class FoundText:
    """Text in a place of a frame: where, and what it is; never what it says."""

    box: Box
    text_class: TextClass
    score: float
    has_digits: bool = False


def identifying_text(frame: Pixels, reader: TextReader, judge: TextJudge, *, unreadable: bool) -> list[FoundText]:
    """Return the text in a frame that must go, until nothing of the kind is read any more.

    What lies across another text, or is found in part, shows when that is covered.

    Parameters
    ----------
    frame
        (rows, columns) of stored values or (rows, columns, 3) of RGB.
    unreadable
        Whether what cannot be read must go too.

    Raises
    ------
    Held
        ``BURNED_IN_RISK``: text is read in whatever is covered.
    """
    unwanted = {TextClass.IDENTIFYING, TextClass.UNREADABLE} if unreadable else {TextClass.IDENTIFYING}
    found: list[FoundText] = []
    harmless: list[Box] = []
    covered = frame
    near: list[Box] | None = None
    for _ in range(_MOST_ROUNDS):
        texts = find_text(covered, reader, judge, near=near)
        # A cover that cuts into harmless text makes it another.
        fresh = [
            text
            for text in texts
            if text.text_class in unwanted and not any(_overlap(text.box, box) >= _SAME_PLACE for box in harmless)
        ]
        fresh = [replace(text, box=to_its_ends(frame, text.box)) for text in fresh]
        if not fresh:
            return found
        harmless += [text.box for text in texts if text.text_class is TextClass.HARMLESS and text.score >= _SURE]
        found += fresh
        covered = covered.copy()
        for text in fresh:
            cover(covered, text.box)
        near = [text.box for text in fresh]
    raise Held(HoldReason.BURNED_IN_RISK, "text that does not go away")


def cover(picture: Pixels, box: Box) -> None:
    """Paint a box in the colour of its surroundings, so that no edge is taken for a stroke."""
    inside = picture[box.top : box.bottom, box.left : box.right]
    inside[...] = np.median(edges_of(inside), axis=0).astype(picture.dtype)


def find_text(
    frame: Pixels, reader: TextReader, judge: TextJudge, *, near: Sequence[Box] | None = None
) -> list[FoundText]:
    """Return the lines of text in a frame.

    Parameters
    ----------
    frame
        (rows, columns) of stored values or (rows, columns, 3) of RGB.
    near
        What was covered since the frame was read: only areas that it touches are read again.
    """
    rows, columns = frame.shape[:2]
    judged = [
        (
            judge.whole(line, partial(hides, frame, line.box)) if text_class is TextClass.IDENTIFYING else line,
            text_class,
        )
        for view in views(frame)
        if near is None or any(_shared(view.box, box) for box in near)
        for line in reader.read(view)
        if (text_class := judge.judge(line)) is not TextClass.NOTHING
    ]
    return _with_neighbours([_together(place, rows, columns) for place in _places(_without_joined(judged))])


_Judged = tuple[Line, TextClass]


class _Place(NamedTuple):
    """What different views show in one place: lines that tell where it is, and those that others show more exactly."""

    exact: list[_Judged]
    inexact: list[_Judged]

    @property
    def lines(self) -> list[_Judged]:
        return self.exact + self.inexact


def _without_joined(judged: Sequence[_Judged]) -> list[_Judged]:
    """Leave out lines that join several texts, where these are read apart too and one of them is known to identify.

    In a picture half as large the gap between two texts is half as wide; what is harmless beside a name stays.
    """
    return [
        one
        for one in judged
        if not _is_joined(one[0], [(line, text_class) for line, text_class in judged if _is_part(line, one[0])])
    ]


def _is_part(line: Line, whole: Line) -> bool:
    return (
        line.score >= _SURE
        and line.box.width <= _PART * whole.box.width
        and line.box.height >= _LIKE_HEIGHTS * whole.box.height
        and _shared(line.box, whole.box) >= _MOSTLY * line.box.width * line.box.height
    )


def _is_joined(whole: Line, parts: list[_Judged]) -> bool:
    """Tell whether parts that do not overlap have all the letters of a line."""
    apart: list[_Judged] = []
    for part in sorted(parts, key=lambda part: -part[0].box.width):
        if not any(_shared(part[0].box, other.box) for other, _ in apart):
            apart.append(part)
    letters = sum(_letters(line) for line, _ in apart)
    return (
        len(apart) > 1
        and letters >= _letters(whole)
        and any(text_class is TextClass.IDENTIFYING for _, text_class in apart)
    )


def _letters(line: Line) -> int:
    return sum(character.isalnum() for character in line.text)


def _places(judged: Sequence[_Judged]) -> list[_Place]:
    """Put lines together that different views show in the same place.

    The lines that a finer view shows exactly join no others: in a picture half as large two lines run into one.
    """
    places: list[_Place] = []
    inexact = []
    for one in sorted(judged, key=lambda one: -one[0].box.width * one[0].box.height):
        if any(_is_more_exact(other, one[0]) for other, _ in judged):
            inexact.append(one)
            continue
        for place in places:
            if any(is_same_line(one[0].box, other.box) for other, _ in place.exact):
                place.exact.append(one)
                break
        else:
            places.append(_Place([one], []))
    for one in sorted(inexact, key=lambda one: -one[0].scale):
        for place in places:
            if any(_is_more_exact(other, one[0]) for other, _ in place.lines):
                place.inexact.append(one)
    return places


def is_same_line(first: Box, second: Box) -> bool:
    """Tell whether two boxes are of one line of text, seen twice."""
    heights = sorted(min(box.width, box.height) for box in (first, second))
    return heights[0] >= _LIKE_HEIGHTS * heights[1] and _overlap(first, second) >= _SAME_PLACE


def _together(place: _Place, rows: int, columns: int) -> FoundText:
    lines = place.lines
    best = max(line.score for line, _ in lines)
    classes = {text_class for line, text_class in lines if not any(_outvotes(other, line) for other, _ in lines)}
    text_class = next(each for each in _GRAVEST_FIRST if each in classes)
    box = around(line.box for line, _ in place.exact)
    margin = max(_LEAST_MARGIN, round(_MARGIN * min(box.width, box.height)))
    wide = Box(box.left - margin, box.top - margin, box.right + margin, box.bottom + margin)
    has_digits = any(character.isdigit() for line, _ in lines for character in line.text)
    return FoundText(wide.clipped(rows, columns) or box, text_class, best, has_digits)


def _outvotes(line: Line, other: Line) -> bool:
    """Tell whether a line is a surer reading of another, and not of a piece of it."""
    return line.score > other.score + _NEARLY_AS_SURE and _along(line.box, other.box) >= _SAME_PLACE


def _is_more_exact(line: Line, other: Line) -> bool:
    """Tell whether a finer view shows all of the letters of a line: a coarser one has wider edges."""
    if line.scale <= other.scale or line.score < READABLE or not is_same_line(line.box, other.box):
        return False
    return _along(line.box, other.box) >= (_NEARLY_ALL_OF_IT if _outvotes(line, other) else _ALL_OF_IT)


def _along(box: Box, other: Box) -> float:
    """Return the share of the other's length that lies beside a box which is on its line."""
    if not _shared(box, other):
        return 0.0
    if other.width >= other.height:
        return (min(box.right, other.right) - max(box.left, other.left)) / other.width
    return (min(box.bottom, other.bottom) - max(box.top, other.top)) / other.height


def _with_neighbours(texts: list[FoundText]) -> list[FoundText]:
    """Take for identifying what goes on on the line of identifying text: parts of a name are no words of their own.

    Measurements have digits, and stay.
    """
    identifying = [text.box for text in texts if text.text_class is TextClass.IDENTIFYING]
    return [
        replace(text, text_class=TextClass.IDENTIFYING)
        if not text.has_digits and any(_goes_on(text.box, box) for box in identifying)
        else text
        for text in texts
    ]


def _goes_on(first: Box, second: Box) -> bool:
    height = min(first.height, second.height)
    gap = max(first.left, second.left) - min(first.right, second.right)
    shared = min(first.bottom, second.bottom) - max(first.top, second.top)
    return (
        gap <= height and shared >= _SAME_LINE * height and height >= _LIKE_HEIGHTS * max(first.height, second.height)
    )


def _overlap(first: Box, second: Box) -> float:
    return _shared(first, second) / min(first.width * first.height, second.width * second.height)


def _shared(first: Box, second: Box) -> int:
    width = min(first.right, second.right) - max(first.left, second.left)
    height = min(first.bottom, second.bottom) - max(first.top, second.top)
    return width * height if width > 0 and height > 0 else 0
