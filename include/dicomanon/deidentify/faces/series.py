"""From the objects of a series to the face that goes from each; the seam for whoever takes it out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dicomanon.deidentify.faces.deface import FaceCut, find_face
from dicomanon.deidentify.faces.facts import group_items, numbers_in
from dicomanon.deidentify.faces.surface import air_value, stride
from dicomanon.deidentify.faces.volume import Plane, Values, stack
from dicomanon.deidentify.pixels.description import BYTE, MONOCHROME1, MONOCHROME2
from dicomanon.deidentify.pixels.filling import Stencil
from dicomanon.deidentify.pixels.image import PIXELS, PixelImage
from dicomanon.deidentify.pixels.pixel_data import number_of_frames
from dicomanon.deidentify.source import SourceInstance
from dicomanon.errors import Held
from dicomanon.reasons import HoldReason

_MODALITY = 0x00080060
_FRAME_OF_REFERENCE = 0x00200052
_ROWS = 0x00280010
_COLUMNS = 0x00280011
_POSITION = (0x00209113, 0x00200032)
_ORIENTATION = (0x00209116, 0x00200037)
_SPACING = (0x00289110, 0x00280030)
_SLOPE = (0x00289145, 0x00281053)
_INTERCEPT = (0x00289145, 0x00281052)
"""Functional group, and attribute in it or in the main data set."""
_MODALITIES = frozenset({"CT", "MR"})
_MOST_VOXELS = 1 << 28
"""Of a volume as it is looked at, 1 GB, twice while it is put together: a thousand slices of 512 by 512 at 1 mm."""


@dataclass(frozen=True, slots=True)
class Face:
    """Where the face in a volume is, the same for all of its slices or frames, and what comes in its place.

    Attributes
    ----------
    cut
        The surface that the face lies before.
    air
        Value of air, in units of the modality.
    """

    cut: FaceCut
    air: float

    def stencils(self, source: SourceInstance) -> dict[int, Stencil]:
        """Return what of an object shows the face, by frame; frames that show nothing of it are left out.

        Raises
        ------
        Held
            ``RECOGNIZABLE_FACE``, ``UNDECODABLE``: as for :func:`find_faces`.
        """
        image = _image_of(source)
        found = {}
        for number in range(image.frames):
            pixels = self.cut.hides(_plane(source, number))
            if pixels.any():
                slope, intercept = _rescale(source, number)
                value = round((self.air - intercept) / slope)
                found[number] = Stencil(pixels, min(max(value, image.least), image.greatest))
        return found


def find_faces(sources: Sequence[SourceInstance]) -> list[Face | Held]:
    """Return for each object of a series the face in the volume that it is part of, or why none can be taken out.

    Slices of one orientation and size make a volume, whatever else is in the series; a multi-frame object is one by
    itself. The order of the objects does not matter.

    Returns
    -------
    list
        ``Held`` with ``RECOGNIZABLE_FACE`` where it is not CT or MR, a slice cannot be read, the slices make no
        volume, or no face was found in it.
    """
    found: dict[int, Face | Held] = {}
    volumes: list[tuple[Plane, str, list[int]]] = []
    for at in sorted(range(len(sources)), key=lambda at: sources[at].sop_uid):
        source = sources[at]
        if number_of_frames(source) != 1:
            found[at] = _face_or_held([source])
            continue
        try:
            plane = _plane(source, 0)
        except Held as held:
            found[at] = held
            continue
        frame_of_reference = source.text(_FRAME_OF_REFERENCE)
        for first, where, members in volumes:
            if where == frame_of_reference and plane.is_parallel_to(first):
                members.append(at)
                break
        else:
            volumes.append((plane, frame_of_reference, [at]))
    for _, _, members in volumes:
        found |= dict.fromkeys(members, _face_or_held([sources[at] for at in members]))
    return [found[at] for at in range(len(sources))]


def _face_or_held(sources: Sequence[SourceInstance]) -> Face | Held:
    try:
        return _face_in(sources)
    except Held as held:
        # A slice that cannot be decoded holds the others because of the face that they may show.
        return Held(HoldReason.RECOGNIZABLE_FACE, held.detail)


def _face_in(sources: Sequence[SourceInstance]) -> Face:
    modalities = {source.text(_MODALITY).upper() for source in sources}
    if len(modalities) != 1 or not modalities <= _MODALITIES:
        raise Held(HoldReason.RECOGNIZABLE_FACE, "faces are taken out of series of CT and of MR only")
    frames: list[tuple[Plane, Values]] = []
    voxels = 0
    for frame in (frame for source in sources for frame in _frames_of(source)):
        voxels += frame[1].size
        if voxels > _MOST_VOXELS:
            raise Held(HoldReason.RECOGNIZABLE_FACE, "the volume is too large to be held in memory")
        frames.append(frame)
    volume = stack(frames, *modalities)
    return Face(find_face(volume), air_value(volume))


def _frames_of(source: SourceInstance) -> Iterator[tuple[Plane, Values]]:
    """Yield the frames of an object in units of the modality, as fine as a face needs them (PS3.3 C.7.6.2)."""
    image = _image_of(source)
    for number in range(image.frames):
        plane = _plane(source, number)
        slope, intercept = _rescale(source, number)
        rows, columns = (stride(step) for step in plane.spacing)
        values = image.stored_frame(number)[::rows, ::columns] * np.float32(slope) + np.float32(intercept)
        spacing = plane.spacing[0] * rows, plane.spacing[1] * columns
        yield replace(plane, spacing=spacing, rows=len(values), columns=values.shape[1]), values


def _image_of(source: SourceInstance) -> PixelImage:
    image = PixelImage.of(source)
    grey = image is not None and image.photometric in {MONOCHROME1, MONOCHROME2} and image.allocated >= BYTE
    if image is None or image.tag != PIXELS or not grey:
        raise Held(HoldReason.RECOGNIZABLE_FACE, "pixels are not of one grey sample")
    return image


def _plane(source: SourceInstance, number: int) -> Plane:
    """Return where a slice, or a frame, is (PS3.3 C.7.6.2, C.7.6.16)."""
    try:
        x, y, z = _numbers(source, number, *_POSITION)
        a, b, c, d, e, f = _numbers(source, number, *_ORIENTATION)
        between_rows, between_columns = _numbers(source, number, *_SPACING)
    except ValueError:
        raise _without_geometry() from None
    rows, columns = source.number(_ROWS), source.number(_COLUMNS)
    if not rows or not columns or min(between_rows, between_columns) <= 0:
        raise _without_geometry()
    return Plane((x, y, z), (a, b, c), (d, e, f), (between_rows, between_columns), rows, columns)


def _rescale(source: SourceInstance, number: int) -> tuple[float, float]:
    """Return slope and intercept from stored values to units of the modality."""
    slope = _numbers(source, number, *_SLOPE) or (1.0,)
    intercept = _numbers(source, number, *_INTERCEPT) or (0.0,)
    if len(slope) != 1 or len(intercept) != 1 or not slope[0]:
        raise Held(HoldReason.RECOGNIZABLE_FACE, "rescaling of a slice is not valid")
    return slope[0], intercept[0]


def _without_geometry() -> Held:
    return Held(HoldReason.RECOGNIZABLE_FACE, "geometry of a slice is missing or not valid")


def _numbers(source: SourceInstance, number: int, group: int, tag: int) -> tuple[float, ...]:
    """Return a value of a frame: its own, that which all frames share, or that of the main data set."""
    for level in (*group_items(source, number, group), source.file.elements):
        numbers = numbers_in(source, level, tag)
        if numbers:
            return numbers
    return ()
