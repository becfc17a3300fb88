"""Looks at the pixels of an instance, or of the slices of a series together, for text that must go."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from dicomanon.deidentify.pixels.decision import PixelDecision, PixelPath, decide
from dicomanon.deidentify.pixels.finding import identifying_text
from dicomanon.deidentify.pixels.image import PixelImage
from dicomanon.deidentify.pixels.inspecting import inspect, projections
from dicomanon.deidentify.pixels.judging import TextJudge
from dicomanon.deidentify.pixels.reading import text_reader
from dicomanon.deidentify.pixels.regions import Box, Region
from dicomanon.deidentify.pixels.views import Pixels
from dicomanon.deidentify.source import SourceInstance
from dicomanon.deidentify.text import KnownValues
from dicomanon.deidentify.text_cleaning import cleaner_for
from dicomanon.devices import ConfirmedDevices
from dicomanon.errors import Held
from dicomanon.profile.compiler import CompiledProfile
from dicomanon.reasons import HoldReason

_TO_BE_SEEN = frozenset({PixelPath.CLEAN, PixelPath.MASK, PixelPath.READ})
_FRAMES_TO_READ = 8
_FRAMES_TO_GLANCE = 64
_FEWEST_TOGETHER = 12
"""Fewer slices are looked at one by one: different texts of a few slices in one place are not told apart."""
_STANDS_OUT = 0.5
_NEARLY = 0.05
_HAS_TEXT = 0.2
"""Share of the strokes of a projection that a slice must have for the text to be its own."""


@dataclass(frozen=True, slots=True)
class Seen:
    """That somebody has looked at the pixels of an instance, and what was found.

    Attributes
    ----------
    decision
        Why they were looked at.
    regions
        What has to be made black; empty where nothing has.
    """

    decision: PixelDecision
    regions: tuple[Region, ...] = ()


def look(source: SourceInstance, profile: CompiledProfile, devices: ConfirmedDevices) -> Seen:
    """Read the pixels of one instance.

    Raises
    ------
    Held
        As :func:`decide`; ``UNDECODABLE``; ``BURNED_IN_RISK``: text remains whatever is covered.
    """
    decision = decide(source, profile, devices)
    image = PixelImage.of(source) if decision.path in _TO_BE_SEEN else None
    if image is None:
        # RT Dose may be histograms alone: nothing was looked at, and nothing is to be claimed.
        return Seen(replace(decision, path=PixelPath.NOTHING) if decision.path in _TO_BE_SEEN else decision)
    judge = judge_of([source], profile)
    likely = decision.path is not PixelPath.CLEAN
    group = _FRAMES_TO_READ if likely else _FRAMES_TO_GLANCE
    found = inspect(image, text_reader(), judge, masked=decision.regions, group=group, unreadable=likely)
    return Seen(decision, (*decision.regions, *found))


def can_be_seen_together(
    source: SourceInstance, profile: CompiledProfile, devices: ConfirmedDevices
) -> tuple[object, ...] | None:
    """Return what instances have in common that may be looked at together, ``None`` for one to be looked at alone.

    Raises
    ------
    Held
        As :func:`decide` and :meth:`PixelImage.of`.
    """
    if decide(source, profile, devices).path is not PixelPath.CLEAN:
        return None
    image = PixelImage.of(source)
    if image is None or image.frames != 1 or image.samples != 1:
        return None
    return source.series_uid, image.rows, image.columns, image.photometric, image.signed, image.allocated


def look_together(
    sources: Sequence[SourceInstance], profile: CompiledProfile, devices: ConfirmedDevices
) -> list[Seen | Held]:
    """Read the slices of a series in their projections; those of one group of :func:`can_be_seen_together`.

    Returns
    -------
    list
        For each source what was seen, or why it is held.
    """
    if len(sources) < _FEWEST_TOGETHER:
        return [_seen_or_held(source, profile, devices) for source in sources]
    frames: list[Pixels | Held] = [_frame_or_held(source) for source in sources]
    readable = [frame for frame in frames if not isinstance(frame, Held)]
    if not readable:
        return [frame for frame in frames if isinstance(frame, Held)]
    judge = judge_of(sources, profile)
    try:
        found = [
            (text.box, picture)
            for picture in projections(iter(readable))
            for text in identifying_text(picture, text_reader(), judge, unreadable=False)
        ]
    except Held as held:
        return [held] * len(sources)
    return [
        frame if isinstance(frame, Held) else Seen(decide(source, profile, devices), _regions_of(frame, found))
        for source, frame in zip(sources, frames, strict=True)
    ]


def _seen_or_held(source: SourceInstance, profile: CompiledProfile, devices: ConfirmedDevices) -> Seen | Held:
    try:
        return look(source, profile, devices)
    except Held as held:
        return held


def _frame_or_held(source: SourceInstance) -> Pixels | Held:
    try:
        image = PixelImage.of(source)
        if image is None:
            raise Held(HoldReason.UNREADABLE, "image without pixel data")
        return image.frame(0)
    except Held as held:
        return held


def _regions_of(frame: Pixels, found: Sequence[tuple[Box, Pixels]]) -> tuple[Region, ...]:
    return tuple(Region(box) for box, projection in found if _has_strokes_of(frame, projection, box))


def _has_strokes_of(frame: Pixels, projection: Pixels, box: Box) -> bool:
    """Tell whether the strokes that a projection shows in a box are this slice's."""
    theirs = projection[box.top : box.bottom, box.left : box.right].astype(np.float64)
    ours = frame[box.top : box.bottom, box.left : box.right].astype(np.float64)
    distance = np.abs(theirs - np.median(theirs))
    strokes = distance >= _STANDS_OUT * distance.max()
    near = np.abs(ours - theirs) <= _NEARLY * max(float(distance.max()), 1.0)
    return bool(near[strokes].mean() >= _HAS_TEXT)


def judge_of(sources: Sequence[SourceInstance], profile: CompiledProfile) -> TextJudge:
    """Return the judge of what is read in the pixels of these objects of one patient."""
    known = [KnownValues.of(source) for source in sources]
    together = replace(
        known[0],
        **{
            name: frozenset(chain.from_iterable(getattr(each, name) for each in known))
            for name in KnownValues.__dataclass_fields__
        },
    )
    return TextJudge(together.needles, cleaner_for(together, profile, date_shift_days=None).clean)
