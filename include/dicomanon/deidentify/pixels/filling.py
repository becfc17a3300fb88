"""What of each frame is covered, boxes and shapes, and values put there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dicomanon.deidentify.pixels.description import PixelDescription, Samples
from dicomanon.deidentify.pixels.regions import Box, Region

GREY_AXES = 2


@dataclass(frozen=True, slots=True)
class Stencil:
    """Pixels of one grey frame, of any shape.

    Attributes
    ----------
    pixels
        Shape (rows, columns).
    value
        Stored value that they get.
    """

    pixels: npt.NDArray[np.bool_]
    value: int


@dataclass(frozen=True, slots=True)
class Cover:
    """What goes of one frame: boxes become black, the pixels of a stencil get its value."""

    boxes: Sequence[Box] = ()
    stencil: Stencil | None = None


Covers = Mapping[int, Cover]


def covers_by_frame(
    described: PixelDescription, regions: Sequence[Region], stencils: Mapping[int, Stencil] | None = None
) -> dict[int, Cover]:
    """Return what goes of every frame of which something does; boxes are cut to the image."""
    boxes: dict[int, list[Box]] = {}
    for region in regions:
        box = region.box.clipped(described.rows, described.columns)
        if box is None:
            continue
        frames = range(described.frames) if region.frames is None else sorted(region.frames)
        for index in frames:
            if 0 <= index < described.frames:
                boxes.setdefault(index, []).append(box)
    stencils = stencils or {}
    return {index: Cover(boxes.get(index, ()), stencils.get(index)) for index in sorted({*boxes, *stencils})}


def fill(samples: Samples, boxes: Sequence[Box], value: Sequence[int]) -> None:
    """Set the pixels of boxes, in place."""
    for box in boxes:
        samples[box.top : box.bottom, box.left : box.right] = value[0] if samples.ndim == GREY_AXES else value


def outside(values: Samples, boxes: Sequence[Box]) -> Samples:
    """Return the values of the pixels that no box covers, in one dimension."""
    covered = np.zeros(values.shape[:2], bool)
    for box in boxes:
        covered[box.top : box.bottom, box.left : box.right] = True
    left: Samples = values[~covered]
    return left
