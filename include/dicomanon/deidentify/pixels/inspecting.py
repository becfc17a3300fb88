"""Finds where an image shows text that must go: in every frame, or in what a group of frames has in common.

Text that stands still shows in the brightest or the darkest value that each pixel takes in a group, and so does text of
a single frame wherever the others are not as bright, or as dark.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from dicomanon.deidentify.pixels.finding import cover, identifying_text, is_same_line
from dicomanon.deidentify.pixels.judging import TextJudge
from dicomanon.deidentify.pixels.reading import TextReader
from dicomanon.deidentify.pixels.regions import Region, around
from dicomanon.deidentify.pixels.views import Pixels

FRAMES_AT_ONCE = 8
"""Frames that share a projection where text is to be expected."""
_FEWEST_TO_PROJECT = 4


class Frames(Protocol):
    """What is looked at: frames that are decoded one at a time."""

    @property
    def frames(self) -> int:
        """Return how many there are."""

    def frame(self, index: int) -> Pixels:
        """Return stored values, (rows, columns), or RGB, (rows, columns, 3)."""


def inspect(
    image: Frames,
    reader: TextReader,
    judge: TextJudge,
    *,
    masked: Sequence[Region] = (),
    group: int,
    unreadable: bool,
) -> list[Region]:
    """Return the regions of an image that show identifying text.

    Parameters
    ----------
    masked
        Regions of all frames that are made black anyway: what they hide is not read.
    group
        How many frames are looked at together.
    unreadable
        Whether text that cannot be read must go too.

    Raises
    ------
    Held
        ``BURNED_IN_RISK``: text remains whatever is covered. ``UNDECODABLE``: a frame cannot be decoded.
    """
    found = [
        (text.box, members)
        for members in _groups(image.frames, group)
        for picture in _pictures(image, sorted(members))
        for text in identifying_text(_without(picture, masked), reader, judge, unreadable=unreadable)
    ]
    if image.frames == 1:
        return [Region(box, None) for box, _ in found]
    # What stands still is read here with its first letter and there without it.
    boxes = {box for box, _ in found}
    whole = {box: around(other for other in boxes if is_same_line(box, other)) for box in boxes}
    return [Region(whole[box], members) for box, members in found]


def _groups(frames: int, group: int) -> Iterator[frozenset[int]]:
    size = 1 if frames < _FEWEST_TO_PROJECT else group
    for start in range(0, frames, size):
        yield frozenset(range(start, min(start + size, frames)))


def _pictures(image: Frames, members: Sequence[int]) -> Iterator[Pixels]:
    if len(members) == 1:
        yield image.frame(members[0])
        return
    yield from projections(image.frame(index) for index in members)


def _without(picture: Pixels, masked: Sequence[Region]) -> Pixels:
    if not masked:
        return picture
    shown = picture.copy()
    for region in masked:
        cover(shown, region.box)
    return shown


def projections(pictures: Iterator[Pixels]) -> tuple[Pixels, Pixels]:
    """Return the greatest and the least value that each pixel takes."""
    first = next(pictures)
    greatest, least = first.copy(), first.copy()
    for picture in pictures:
        np.maximum(greatest, picture, out=greatest)
        np.minimum(least, picture, out=least)
    return greatest, least
