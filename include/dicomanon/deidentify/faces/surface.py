"""The surface of a head: which voxels of a volume are tissue, on an upright grid in patient coordinates."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from dicomanon.deidentify.faces.volume import Floats, Volume
from dicomanon.errors import Held
from dicomanon.reasons import HoldReason

Mask = npt.NDArray[np.bool_]

GRID_MM = 2.0
"""Step of the grid: landmarks need no more, and a head takes a million voxels."""
_TISSUE_HU = -300.0
"""Half way between air and skin."""
_BACKGROUND_SHARE = 0.25
"""Share of the Otsu threshold above which MR signal is tissue: fat-suppressed skin is dim."""
_BACKGROUND_SPREADS = 5.0
_BINS = 512
_ROUNDS_OF_OPENING = 2
_LARGEST_VOXELS = 40_000_000


@dataclass(frozen=True, slots=True)
class Head:
    """Tissue on a grid whose axes run to the head (0), to the front (1) and to the left (2).

    Attributes
    ----------
    tissue
        Largest connected piece, without thin things that touch it (a headrest, glasses, a tube).
    inside
        Which voxels of the grid the volume covers.
    origin
        Height, front and left coordinate of the first voxel, millimetres.
    """

    tissue: Mask
    inside: Mask
    origin: Floats


def head_of(volume: Volume) -> Head:
    """Find the tissue of a volume on the grid.

    Raises
    ------
    Held
        ``RECOGNIZABLE_FACE``: the volume is larger than a body.
    """
    values, steps = _thinned(volume)
    corners = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)]) * (np.array(values.shape) - 1)
    # Patient coordinates run to the left, the back and the head; the grid to the head, the front and the left.
    turn = np.array([[0.0, 0.0, 1.0], [0.0, -1.0, 0.0], [1.0, 0.0, 0.0]])
    to_grid = steps @ turn.T
    start = turn @ volume.origin
    reached = corners @ to_grid + start
    low, high = reached.min(axis=0), reached.max(axis=0)
    # One step of margin, so that a head that fills the picture has a surface.
    origin = low - GRID_MM
    shape = np.ceil((high - low) / GRID_MM).astype(int) + 3
    if shape.prod() > _LARGEST_VOXELS:
        raise Held(HoldReason.RECOGNIZABLE_FACE, "the volume is larger than a body")
    inverse = np.linalg.inv(to_grid.T)
    level = _threshold(volume)
    air = float(values.min())
    matrix, offset = inverse * GRID_MM, inverse @ (origin - start)
    sampled = ndimage.affine_transform(
        values.astype(np.float32, copy=False), matrix, offset, tuple(shape), order=1, mode="constant", cval=air
    )
    inside = ndimage.affine_transform(
        np.ones(values.shape, np.uint8), matrix, offset, tuple(shape), order=0, mode="constant", cval=0
    )
    return Head(_largest(sampled > level), inside > 0, origin)


def _thinned(volume: Volume) -> tuple[npt.NDArray[np.number], Floats]:
    """Leave out slices, rows and columns that are finer than the grid."""
    strides = [stride(float(np.linalg.norm(step))) for step in volume.steps]
    return volume.values[:: strides[0], :: strides[1], :: strides[2]], volume.steps * np.array(strides)[:, None]


def stride(step: float) -> int:
    """Return every how many steps of so many millimetres are enough for the grid."""
    return max(1, int(GRID_MM / 2 / max(step, 1e-6)))


def air_value(volume: Volume) -> float:
    """Return what air is in the volume: the usual value of the darkest part."""
    values = volume.values[:: max(1, len(volume.values) // 32), ::2, ::2]
    return float(np.median(values[values <= _threshold(volume)]))


def _threshold(volume: Volume) -> float:
    if volume.modality == "CT":
        return _TISSUE_HU
    values = volume.values[:: max(1, len(volume.values) // 64), ::2, ::2].astype(np.float32).ravel()
    low, high = np.percentile(values, [0.5, 99.5])
    values = np.clip(values, low, high)
    otsu = _otsu(values)
    dark = values[values < otsu]
    # The background is the lower part of what Otsu calls dark; the rest of that is dim tissue.
    background = dark[dark < _otsu(dark)] if len(dark) else dark
    if not len(background):
        return otsu
    noise = float(background.mean() + _BACKGROUND_SPREADS * background.std())
    return max(min(noise, otsu), float(low) + _BACKGROUND_SHARE * (otsu - float(low)))


def _otsu(values: npt.NDArray[np.float32]) -> float:
    """Return the level that splits the values into two classes of least variance (Otsu 1979)."""
    counts, edges = np.histogram(values, _BINS)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    best = int(np.nanargmax(between)) if np.isfinite(between).any() else 0
    return float(centres[best])


def _largest(tissue: Mask) -> Mask:
    ball = ndimage.generate_binary_structure(3, 1)
    opened: Mask = ndimage.binary_opening(tissue, ball, _ROUNDS_OF_OPENING)
    labels, count = ndimage.label(opened)
    if not count:
        return opened
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    piece: Mask = labels == int(sizes.argmax())
    return piece
