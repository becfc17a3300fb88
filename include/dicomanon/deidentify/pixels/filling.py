"""Which boxes each frame has, and black put into them."""

from collections.abc import Sequence

import numpy as np

from dicomanon.deidentify.pixels.description import PixelDescription, Samples
from dicomanon.deidentify.pixels.regions import Box, Region


def boxes_by_frame(described: PixelDescription, regions: Sequence[Region]) -> dict[int, list[Box]]:
    """Return the boxes of every frame that has any, cut to the image."""
    boxes: dict[int, list[Box]] = {}
    for region in regions:
        box = region.box.clipped(described.rows, described.columns)
        if box is None:
            continue
        frames = range(described.frames) if region.frames is None else sorted(region.frames)
        for index in frames:
            if 0 <= index < described.frames:
                boxes.setdefault(index, []).append(box)
    return boxes


def fill(samples: Samples, boxes: Sequence[Box], value: Sequence[int]) -> None:
    """Set the pixels of boxes, in place."""
    for box in boxes:
        samples[box.top : box.bottom, box.left : box.right] = value[0] if samples.ndim < 3 else value  # noqa: PLR2004


def outside(values: Samples, boxes: Sequence[Box]) -> Samples:
    """Return the values of the pixels that no box covers, in one dimension."""
    covered = np.zeros(values.shape[:2], bool)
    for box in boxes:
        covered[box.top : box.bottom, box.left : box.right] = True
    left: Samples = values[~covered]
    return left
