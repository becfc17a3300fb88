"""Rectangles of pixels, and the frames that they hold for."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Box:
    """A rectangle in pixels, origin at the top left, half-open: ``right`` and ``bottom`` are the first ones outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Columns."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Rows."""
        return self.bottom - self.top

    def clipped(self, rows: int, columns: int) -> "Box | None":
        """Return the part that lies inside of an image, ``None`` if there is none."""
        box = Box(max(0, self.left), max(0, self.top), min(columns, self.right), min(rows, self.bottom))
        return box if box.width > 0 and box.height > 0 else None


def around(boxes: Iterable[Box]) -> Box:
    """Return the smallest box that holds all of them; there is one at least."""
    lefts, tops, rights, bottoms = zip(*((box.left, box.top, box.right, box.bottom) for box in boxes), strict=True)
    return Box(min(lefts), min(tops), max(rights), max(bottoms))


@dataclass(frozen=True, slots=True)
class Region:
    """A box in some frames; ``frames`` are indices from 0, ``None`` means every frame."""

    box: Box
    frames: frozenset[int] | None = None

    def holds_for(self, frame: int) -> bool:
        """Tell whether a frame has the box."""
        return self.frames is None or frame in self.frames
