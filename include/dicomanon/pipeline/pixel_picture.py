"""Draws a frame for the eyes of a person: what is known to be made black, and the texts that are found, outlined."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dicomanon.deidentify import parse
from dicomanon.deidentify.pixels.decision import PixelDecision, decide
from dicomanon.deidentify.pixels.finding import FoundText, find_text
from dicomanon.deidentify.pixels.image import PixelImage
from dicomanon.deidentify.pixels.judging import TextClass
from dicomanon.deidentify.pixels.reading import text_reader
from dicomanon.deidentify.pixels.regions import Box
from dicomanon.deidentify.pixels.seeing import judge_of
from dicomanon.deidentify.pixels.views import EightBits, Pixels, as_it_is, grey_of
from dicomanon.devices import ConfirmedDevices
from dicomanon.errors import Held
from dicomanon.profile import CompiledProfile
from dicomanon.reasons import HoldReason

_COLOURS = {TextClass.IDENTIFYING: (0, 0, 255), TextClass.UNREADABLE: (0, 165, 255), TextClass.HARMLESS: (0, 200, 0)}
"""Of the outlines in the picture: blue, green, red."""
_MOST_LEVELS = (1 << 16) - 1
_CONTRAST = 1000.0
_MADE_BLACK = (255, 160, 0)
_GREY_AXES = 2
_WIDE = 3
"""Pixels of an outline in a picture that is made smaller."""


@dataclass(frozen=True, slots=True)
class FramePicture:
    """A frame as a person sees it. It shows PHI; nothing of it says what a text reads.

    Attributes
    ----------
    png
        The picture, texts and boxes outlined.
    rows, columns, frames
        Size of the frame in pixels, whatever that of the picture is, and how many the object has.
    texts
        What was found in this frame.
    decision
        What must be done about the pixels, ``None`` where that cannot be told.
    """

    png: bytes
    rows: int
    columns: int
    frames: int
    texts: tuple[FoundText, ...] = ()
    decision: PixelDecision | None = None


def picture_of(
    raw: bytes,
    profile: CompiledProfile,
    devices: ConfirmedDevices,
    *,
    frame: int = 0,
    longest_side: int | None = None,
    contrast: bool = False,
) -> FramePicture:
    """Draw one frame of an object.

    Parameters
    ----------
    raw
        A Part 10 file.
    profile, devices
        What is decided by, as a run would.
    frame
        Counted from 0.
    longest_side
        Pixels that the picture may have on a side; ``None`` for no bound.
    contrast
        Whether to show every part in a range of its own in place of the frame as it is: faint text in bright tissue
        shows.

    Raises
    ------
    Held
        The object cannot be read, has no pixels, or they cannot be decoded.
    """
    source = parse(raw)
    image = PixelImage.of(source)
    if image is None:
        raise Held(HoldReason.UNDECODABLE, "no pixel data")
    pixels = image.frame(frame)
    try:
        decision = decide(source, profile, devices)
    except Held:
        decision = None
    texts = find_text(pixels, text_reader(), judge_of([source], profile))
    black = [region.box for region in decision.regions if region.holds_for(frame)] if decision else []
    return FramePicture(
        drawn(pixels, texts, black, longest_side=longest_side, contrast=contrast),
        image.rows,
        image.columns,
        image.frames,
        tuple(texts),
        decision,
    )


def drawn(
    frame: Pixels,
    texts: Iterable[FoundText],
    black: Iterable[Box] = (),
    *,
    longest_side: int | None = None,
    contrast: bool = False,
) -> bytes:
    """Return a frame as PNG.

    Blue boxes are made black by rule or confirmation; red text identifies, orange text cannot be read, green text
    stays.

    Parameters
    ----------
    frame
        (rows, columns) of stored values or (rows, columns, 3) of RGB.
    """
    shown = _with_contrast(frame) if contrast else as_it_is(frame)
    code = cv2.COLOR_GRAY2BGR if shown.ndim == _GREY_AXES else cv2.COLOR_RGB2BGR
    canvas: Any = np.ascontiguousarray(cv2.cvtColor(shown, code))
    wide = _WIDE if longest_side and max(canvas.shape[:2]) > longest_side else 1
    for box in black:
        _outline(canvas, box, _MADE_BLACK, wide)
    for text in texts:
        _outline(canvas, text.box, _COLOURS[text.text_class], wide)
    return _png(_bounded(canvas, longest_side))


def redrawn(picture: bytes, *, longest_side: int | None = None) -> FramePicture:
    """Take over a picture that somebody else has drawn, as JPEG or PNG.

    Raises
    ------
    Held
        ``UNDECODABLE``: it is none.
    """
    canvas: Any = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR) if picture else None
    if canvas is None:
        raise Held(HoldReason.UNDECODABLE, "no picture that can be shown")
    rows, columns = canvas.shape[:2]
    return FramePicture(_png(_bounded(canvas, longest_side)), rows, columns, 0)


def _with_contrast(frame: Pixels) -> EightBits:
    grey = grey_of(frame)
    grey = (grey - grey.min()) * (_MOST_LEVELS / max(float(np.ptp(grey)), 1.0))
    equalized: Any = cv2.createCLAHE(clipLimit=_CONTRAST).apply(grey.astype(np.uint16))
    shown: EightBits = (equalized >> 8).astype(np.uint8)
    return shown


def _outline(canvas: npt.NDArray[np.uint8], box: Box, colour: tuple[int, int, int], wide: int) -> None:
    cv2.rectangle(canvas, (box.left, box.top), (box.right - 1, box.bottom - 1), colour, wide)


def _bounded(canvas: Any, longest_side: int | None) -> Any:
    scale = (longest_side or max(canvas.shape[:2])) / max(canvas.shape[:2])
    return canvas if scale >= 1 else cv2.resize(canvas, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def _png(canvas: Any) -> bytes:
    encoded: Any = cv2.imencode(".png", canvas)[1]
    return bytes(encoded)
