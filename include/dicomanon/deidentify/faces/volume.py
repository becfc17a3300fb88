"""Slices of a series, or frames of an object, as one volume in patient coordinates (PS3.3 C.7.6.2.1.1)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dicomanon.errors import Held
from dicomanon.reasons import HoldReason

Floats = npt.NDArray[np.float64]
Values = npt.NDArray[np.number]

_PARALLEL = 1e-3
"""How far direction cosines of one stack may differ."""
_ORTHOGONAL = 1e-2
_LARGEST_STEP = 1.6
"""Longest step between neighbours, in usual steps: at two, a slice is missing."""
_SAME_PLACE_MM = 0.02
FEWEST_SLICES = 8
"""Fewer planes are no volume."""


@dataclass(frozen=True, slots=True)
class Plane:
    """Where the pixels of a slice or frame are.

    Attributes
    ----------
    position
        Image Position (Patient): centre of the first pixel, millimetres, axes to the left, back and head.
    along_row, along_column
        Image Orientation (Patient): unit vectors of growing column index, and of growing row index.
    spacing
        Pixel Spacing: millimetres between rows, and between columns.
    rows, columns
        Size.
    """

    position: tuple[float, float, float]
    along_row: tuple[float, float, float]
    along_column: tuple[float, float, float]
    spacing: tuple[float, float]
    rows: int
    columns: int

    @property
    def steps(self) -> Floats:
        """Displacement by one row and by one column, shape (2, 3)."""
        return np.array([np.multiply(self.along_column, self.spacing[0]), np.multiply(self.along_row, self.spacing[1])])

    @property
    def normal(self) -> Floats:
        """Unit vector across the plane."""
        return np.cross(self.along_row, self.along_column)

    @property
    def depth(self) -> float:
        """Place along the normal, millimetres."""
        return float(self.normal @ self.position)

    def is_parallel_to(self, other: "Plane") -> bool:
        """Tell whether both are of one orientation, spacing and size."""
        turned = np.abs(self.steps - other.steps).max() > _PARALLEL * max(other.spacing)
        return not turned and (self.rows, self.columns) == (other.rows, other.columns)


@dataclass(frozen=True, slots=True)
class Volume:
    """Equally oriented planes, from one end to the other.

    Attributes
    ----------
    values
        Shape (slices, rows, columns); CT in Hounsfield units, MR in whatever the scanner wrote.
    origin
        Patient coordinates of the first voxel's centre, millimetres.
    steps
        Displacement by one slice, row and column, shape (3, 3).
    modality
        ``CT`` or ``MR``.
    """

    values: Values
    origin: Floats
    steps: Floats
    modality: str


def stack(planes: Sequence[tuple[Plane, Values]], modality: str) -> Volume:
    """Make a volume of planes in any order; of several at one place (echoes, phases) the first counts.

    Raises
    ------
    Held
        ``RECOGNIZABLE_FACE``: the planes are no volume. They are too few, differ in orientation or size, or one is
        missing between others.
    """
    first = planes[0][0] if planes else None
    if first is None or len(planes) < FEWEST_SLICES:
        raise _no_volume("too few slices")
    _require_a_grid(first)
    for plane, values in planes:
        same = plane.is_parallel_to(first) and (plane.rows, plane.columns) == values.shape
        if not same or not np.isfinite(plane.position).all():
            raise _no_volume("slices of several orientations or sizes")
    ordered = sorted(planes, key=lambda one: one[0].depth)
    kept = [ordered[0]]
    for one in ordered[1:]:
        if one[0].depth - kept[-1][0].depth > _SAME_PLACE_MM:
            kept.append(one)
    if len(kept) < FEWEST_SLICES:
        raise _no_volume("too few slices")
    gaps = np.diff([plane.depth for plane, _ in kept])
    if gaps.max() > _LARGEST_STEP * np.median(gaps):
        raise _no_volume("a slice is missing")
    start, end = np.array(kept[0][0].position), np.array(kept[-1][0].position)
    steps = np.vstack([(end - start)[None] / (len(kept) - 1), first.steps])
    return Volume(np.stack([values for _, values in kept]), start, steps, modality)


def _require_a_grid(plane: Plane) -> None:
    row, column = np.array(plane.along_row), np.array(plane.along_column)
    lengths = abs(np.linalg.norm(row) - 1), abs(np.linalg.norm(column) - 1), abs(row @ column)
    if not np.isfinite(lengths).all() or max(lengths) > _ORTHOGONAL or min(plane.spacing) <= 0:
        raise _no_volume("orientation or spacing is not valid")


def _no_volume(why: str) -> Held:
    return Held(HoldReason.RECOGNIZABLE_FACE, f"the series is no volume to find a face in: {why}")
