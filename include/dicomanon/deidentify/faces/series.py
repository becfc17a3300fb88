"""From the objects of a series to the pixels of each that show its face; the seam for whoever blanks them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dicomanon.deidentify.faces.applying import stored_values
from dicomanon.deidentify.faces.deface import find_face
from dicomanon.deidentify.faces.facts import group_items, numbers_in
from dicomanon.deidentify.faces.surface import Mask, air_value
from dicomanon.deidentify.faces.volume import Plane, Values, stack
from dicomanon.deidentify.source import SourceInstance
from dicomanon.errors import Held
from dicomanon.reasons import HoldReason

_MODALITY = 0x00080060
_ROWS = 0x00280010
_COLUMNS = 0x00280011
_POSITION = (0x00209113, 0x00200032)
_ORIENTATION = (0x00209116, 0x00200037)
_SPACING = (0x00289110, 0x00280030)
_SLOPE = (0x00289145, 0x00281053)
_INTERCEPT = (0x00289145, 0x00281052)
"""Functional group, and attribute in it or in the main data set."""
_MODALITIES = frozenset({"CT", "MR"})


@dataclass(frozen=True, slots=True)
class Frame:
    """A slice, or a frame of a multi-frame object.

    Attributes
    ----------
    plane
        Where it is.
    values
        Stored values, shape (rows, columns).
    slope, intercept
        From stored values to the modality's units.
    """

    plane: Plane
    values: Values
    slope: float
    intercept: float

    @property
    def in_units(self) -> Values:
        """Values of the modality: Hounsfield units of CT."""
        return self.values * np.float32(self.slope) + np.float32(self.intercept)


@dataclass(frozen=True, slots=True)
class FaceMask:
    """What of an object shows the face, and what comes there instead.

    Attributes
    ----------
    pixels
        Shape (frames, rows, columns).
    fill
        Stored value of air in each frame.
    """

    pixels: Mask
    fill: tuple[int, ...]


def mask_series(sources: Sequence[SourceInstance]) -> dict[str, FaceMask]:
    """Find the face of a series and return what of each object shows it, by SOP Instance UID.

    Parameters
    ----------
    sources
        All objects of a series, in any order; or one multi-frame object.

    Raises
    ------
    Held
        ``RECOGNIZABLE_FACE``: it is not CT or MR, a slice cannot be read, the slices make no volume, or no face was
        found in it.
    """
    modalities = {source.text(_MODALITY).upper() for source in sources}
    if len(modalities) != 1 or not modalities <= _MODALITIES:
        raise Held(HoldReason.RECOGNIZABLE_FACE, "faces are taken out of series of CT and of MR only")
    frames = {source.sop_uid: frames_of(source) for source in sources}
    if len(frames) != len(sources):
        raise Held(HoldReason.RECOGNIZABLE_FACE, "two objects have one UID")
    planes = [(frame.plane, frame.in_units) for ours in frames.values() for frame in ours]
    volume = stack(planes, *modalities)
    cut, air = find_face(volume), air_value(volume)
    return {
        uid: FaceMask(
            np.stack([cut.hides(frame.plane) for frame in ours]),
            tuple(round((air - frame.intercept) / frame.slope) for frame in ours),
        )
        for uid, ours in frames.items()
    }


def frames_of(source: SourceInstance) -> list[Frame]:
    """Read the frames of an object, classic or enhanced, with where they are (PS3.3 C.7.6.2, C.7.6.16).

    Raises
    ------
    Held
        ``RECOGNIZABLE_FACE``: geometry is missing or not valid, or the pixels cannot be decoded.
    """
    values = stored_values(source)
    try:
        return [
            Frame(_plane(source, number), values[number], *_rescale(source, number)) for number in range(len(values))
        ]
    except (ValueError, TypeError):
        raise Held(HoldReason.RECOGNIZABLE_FACE, "geometry of a slice is missing or not valid") from None


def _plane(source: SourceInstance, number: int) -> Plane:
    x, y, z = _numbers(source, number, *_POSITION)
    a, b, c, d, e, f = _numbers(source, number, *_ORIENTATION)
    between_rows, between_columns = _numbers(source, number, *_SPACING)
    rows, columns = source.number(_ROWS), source.number(_COLUMNS)
    if not rows or not columns:
        raise ValueError("no size")
    return Plane((x, y, z), (a, b, c), (d, e, f), (between_rows, between_columns), rows, columns)


def _rescale(source: SourceInstance, number: int) -> tuple[float, float]:
    slope = _numbers(source, number, *_SLOPE) or (1.0,)
    intercept = _numbers(source, number, *_INTERCEPT) or (0.0,)
    if len(slope) != 1 or len(intercept) != 1 or not slope[0]:
        raise ValueError("no rescaling")
    return slope[0], intercept[0]


def _numbers(source: SourceInstance, number: int, group: int, tag: int) -> tuple[float, ...]:
    """Return a value of a frame: its own, that which all frames share, or that of the main data set."""
    for level in (*group_items(source, number, group), source.file.elements):
        numbers = numbers_in(source, level, tag)
        if numbers:
            return numbers
    return ()
