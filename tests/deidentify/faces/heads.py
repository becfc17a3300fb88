"""A head made of ellipsoids: nose, eyes, brow, lips, chin, neck and brain, sampled on any grid; nobody's."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dicomanon.deidentify.faces.volume import Plane, Volume, stack

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

AXIAL = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
"""Unit vectors of slices, rows and columns in patient coordinates (to the left, the back, the head)."""
SAGITTAL = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
CORONAL = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
_REACH = np.array([95.0, 125.0, 140.0])


@dataclass(frozen=True)
class Phantom:
    """What is where, on the grid of ``volume``."""

    volume: Volume
    planes: list[Plane]
    brain: Mask
    face: Mask
    """The skin that a rendering from the front shows, from the brow to the lips."""


def turned(pitch: float = 0, yaw: float = 0, roll: float = 0) -> Floats:
    """Return the rotation of a head that nods, looks aside and tilts, in degrees."""
    a, b, c = np.radians([pitch, yaw, roll])
    nod = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    look = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    tilt = np.array([[np.cos(c), 0, np.sin(c)], [0, 1, 0], [-np.sin(c), 0, np.cos(c)]])
    return nod @ look @ tilt


def phantom(
    modality: str = "CT",
    axes: Floats = AXIAL,
    spacing: tuple[float, float, float] = (2.0, 2.0, 2.0),
    rotation: Floats | None = None,
    scale: float = 1.0,
    below: float = -140.0,
    above: float = 140.0,
) -> Phantom:
    """Sample the head; ``rotation`` turns it before the scanner, ``below`` and ``above`` cut the picture off."""
    steps = axes * np.array(spacing)[:, None]
    reach = _REACH * scale + 10
    low, high = (
        np.array([-reach[0], -reach[1], max(-reach[2], below)]),
        np.array([reach[0], reach[1], min(reach[2], above)]),
    )
    extent = np.abs(axes @ (high - low))
    counts = np.ceil(extent / spacing).astype(int) + 1
    middle = (low + high) / 2
    origin = middle - (counts - 1) / 2 @ steps
    places = [np.arange(count) for count in counts]
    points = sum(
        place.reshape([-1 if axis == at else 1 for at in range(3)] + [1]) * steps[axis]
        for axis, place in enumerate(places)
    )
    points = points + origin
    if rotation is not None:
        points = points @ rotation  # what the scanner sees there is what the upright head has here
    left, back, up = np.moveaxis(points / scale, -1, 0)
    tissue, brain = _anatomy(left, -back, up)
    values = np.where(tissue, 60.0, -1000.0) if modality == "CT" else np.where(tissue, 300.0, 4.0)
    values = np.where(brain, 35.0 if modality == "CT" else 420.0, values)
    values += np.random.default_rng(5).normal(0, 4, values.shape)
    planes = [
        Plane(
            tuple(origin + index * steps[0]),
            tuple(axes[2]),
            tuple(axes[1]),
            (spacing[1], spacing[2]),
            counts[1],
            counts[2],
        )
        for index in range(counts[0])
    ]
    volume = stack(list(zip(planes, values, strict=True)), modality)
    front = tissue & (np.abs(left) < 42) & (up > -80) & (up < 12) & (-back > 40) & ~_shrunk(left, back, up)
    return Phantom(volume, planes, brain, front)


def _shrunk(left: Floats, back: Floats, up: Floats) -> Mask:
    """Tell the points that have tissue three millimetres before them: they are no skin."""
    tissue, _ = _anatomy(left, -back + 3, up)
    return tissue


def _ellipsoid(points: tuple[Floats, Floats, Floats], centre: tuple[float, ...], radii: tuple[float, ...]) -> Mask:
    inside: Mask = sum(((p - c) / r) ** 2 for p, c, r in zip(points, centre, radii, strict=True)) < 1
    return inside


def _anatomy(left: Floats, front: Floats, up: Floats) -> tuple[Mask, Mask]:
    at = (left, front, up)
    down = np.clip((4 - up) / 48, 0, 1)
    nose = (np.abs(left) < 5 + 11 * down) & (front > 50) & (front < 86 + 28 * down) & (up < 4) & (up > -46)
    tissue = _ellipsoid(at, (0, 0, 40), (74, 95, 84)) | _ellipsoid(at, (0, 28, -35), (64, 62, 92))
    tissue |= _ellipsoid(at, (0, 80, 14), (46, 14, 9))
    for side in (-32, 32):
        tissue &= ~_ellipsoid(at, (side, 96, -8), (17, 20, 12))
        tissue |= _ellipsoid(at, (side, 70, -8), (12, 12, 12))
    tissue |= _ellipsoid(at, (0, 88, -70), (25, 8, 7)) | _ellipsoid(at, (0, 72, -102), (22, 18, 16)) | nose
    tissue |= ((left / 56) ** 2 + ((front + 5) / 60) ** 2 < 1) & (up < -50) & (up > -138)
    return tissue, _ellipsoid(at, (0, -2, 46), (64, 80, 70))
