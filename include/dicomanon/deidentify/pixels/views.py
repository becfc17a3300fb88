"""Shows a frame to the text reader in eight bits, in ways in which text on it is legible.

No window of the header is trusted: it may be set so that a viewer, and this reader, see nothing.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dicomanon.deidentify.pixels.regions import Box

Pixels = npt.NDArray[np.generic]
EightBits = npt.NDArray[np.uint8]

_WHITE = 255
_GREY = 128
_LEAST_BITS = 1e-6
_BACKGROUND_SIGMA = 6.0
"""Pixels; strokes of letters up to 60 pixels high are narrower than what this blurs away."""
_CONTRAST_SIGMA = 20.0
_CONTRAST_GAIN = 50.0
_COLOURS = 3

_COMFORTABLE_SIDE = 736
"""Pixels of the shorter side that letters of 8 pixels need to be seen."""
_MOST_ENLARGED = 4.0
_MOST_PIXELS = 800_000
"""Of a picture that is read as a whole; time grows with it."""
_LARGE_LETTERS = 1.7
"""What shows small letters splits the large ones: these are sought in a picture so many times smaller."""
_LARGE_FRAME = 1_500_000
_HUGE_FRAME = 4_000_000
"""Pixels of a frame above which letters of less than 16 pixels are too small for whoever looks at all of it."""
_TILE = 128
_OVERLAP = 48
_WIDEST_STROKE = np.ones((9, 9), np.uint8)
_ABOVE_NOISE = 3.0
_LEAST_SHARE = 0.02
"""Of the range of values: a stroke that stands out less is no burned-in text."""
_FEWEST_STROKES = 24


@dataclass(frozen=True, slots=True)
class View:
    """A picture of a frame, or of a part of it.

    Attributes
    ----------
    pixels
        (rows, columns) grey, or (rows, columns, 3) RGB.
    left, top
        Where the part begins in the frame.
    scale
        Pixels of the picture per pixel of the frame.
    """

    pixels: EightBits
    left: int = 0
    top: int = 0
    scale: float = 1.0

    def in_frame(self, box: Box) -> Box:
        """Return a box of the picture in pixels of the frame."""
        return Box(
            self.left + math.floor(box.left / self.scale),
            self.top + math.floor(box.top / self.scale),
            self.left + math.ceil(box.right / self.scale),
            self.top + math.ceil(box.bottom / self.scale),
        )


def views(frame: Pixels, *, glance: bool = False) -> Iterator[View]:
    """Yield pictures that show all text of a frame.

    Two are enough, values as they are for small letters, and local contrast for large ones: of 553 pieces of burned-in
    text, four more of other scales and windows showed none that these did not. Of large frames small letters are
    sought only where something stands out.

    Parameters
    ----------
    frame
        Stored values of a monochrome image, (rows, columns), or RGB, (rows, columns, 3).
    glance
        Whether one picture must do: local contrast, enlarged.
    """
    rows, columns = frame.shape[:2]
    if frame.min() == frame.max():
        return
    if rows * columns > _LARGE_FRAME:
        yield from _views_of_large(frame)
        return
    comfortable = min(_COMFORTABLE_SIDE / min(rows, columns), _MOST_ENLARGED)
    largest = min(comfortable, math.sqrt(_MOST_PIXELS / (rows * columns)))
    if glance:
        yield _enlarged(local_contrast(frame), max(1.0, largest))
        return
    yield _enlarged(as_it_is(frame), max(1.0, largest))
    yield _enlarged(local_contrast(frame), max(1.0, largest / _LARGE_LETTERS))


def _views_of_large(frame: Pixels) -> Iterator[View]:
    rows, columns = frame.shape[:2]
    grey = _grey(frame)
    small = math.sqrt(_MOST_PIXELS / _LARGE_LETTERS / (rows * columns))
    yield View(local_contrast(_resized(grey, small)), scale=small)
    scale = 0.5 if rows * columns > _HUGE_FRAME else 1.0
    seen = grey if scale == 1 else _resized(grey, scale)
    for area in areas_with_strokes(seen):
        part = seen[area.top : area.bottom, area.left : area.right]
        yield View(local_contrast(part), int(area.left / scale), int(area.top / scale), scale)


def areas_with_strokes(values: npt.NDArray[np.float32]) -> list[Box]:
    """Return where something as narrow as a stroke of letters stands out from the noise; a cheap test.

    An edge between two areas, however sharp, is none. Tiles next to each other become one area.
    """
    brighter = cv2.morphologyEx(values, cv2.MORPH_TOPHAT, _WIDEST_STROKE)
    detail = np.maximum(brighter, cv2.morphologyEx(values, cv2.MORPH_BLACKHAT, _WIDEST_STROKE))
    noise = float(np.median(detail[::3, ::3]))
    low, high = np.percentile(values[::5, ::5], (1, 99))
    strokes = (detail > max(_ABOVE_NOISE * noise, _LEAST_SHARE * float(high - low))).astype(np.uint8)
    rows, columns = -(-values.shape[0] // _TILE), -(-values.shape[1] // _TILE)
    padded = np.zeros((rows * _TILE, columns * _TILE), np.uint8)
    padded[: values.shape[0], : values.shape[1]] = strokes
    counts = padded.reshape(rows, _TILE, columns, _TILE).sum(axis=(1, 3), dtype=np.int64)
    _, _, stats, _ = cv2.connectedComponentsWithStats((counts >= _FEWEST_STROKES).astype(np.uint8), connectivity=8)
    areas = []
    for left, top, width, height, _ in stats[1:].tolist():
        wide = Box(
            left * _TILE - _OVERLAP,
            top * _TILE - _OVERLAP,
            (left + width) * _TILE + _OVERLAP,
            (top + height) * _TILE + _OVERLAP,
        )
        if (area := wide.clipped(*values.shape)) is not None:
            areas.append(area)
    return areas


def local_contrast(frame: Pixels) -> EightBits:
    """Return what stands out from its surroundings: strokes show alike on air and on bone.

    Light text on dark and dark on light come out light and dark on grey.
    """
    values = _grey(frame)
    detail = values - cv2.GaussianBlur(values, (0, 0), _BACKGROUND_SIGMA)
    contrast = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), _CONTRAST_SIGMA))
    least = max(float(np.median(contrast)) / 2, _LEAST_BITS)
    raised = _GREY + detail * (_CONTRAST_GAIN / np.maximum(contrast, least))
    shown: EightBits = np.clip(raised, 0, _WHITE).astype(np.uint8)
    return shown


def as_it_is(frame: Pixels) -> EightBits:
    """Return colours as they are, and grey values from the least in black to the greatest in white."""
    if frame.ndim == _COLOURS:
        return frame.astype(np.uint8, copy=False)
    values = frame.astype(np.float32)
    low, high = float(values.min()), float(values.max())
    shown: EightBits = ((values - low) * (_WHITE / max(high - low, _LEAST_BITS))).astype(np.uint8)
    return shown


def edges_of(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the pixels along the four edges of a part of a frame: what is around the text in it."""
    return np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])


def _grey(frame: Pixels) -> npt.NDArray[np.float32]:
    if frame.ndim == _COLOURS:
        return cv2.cvtColor(frame.astype(np.uint8, copy=False), cv2.COLOR_RGB2GRAY).astype(np.float32)
    return frame.astype(np.float32)


def _resized(grey: npt.NDArray[np.float32], scale: float) -> npt.NDArray[np.float32]:
    smaller: Any = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return smaller  # type: ignore[no-any-return]


def _enlarged(pixels: EightBits, scale: float) -> View:
    if scale == 1:
        return View(pixels)
    larger: Any = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    return View(larger, scale=scale)
