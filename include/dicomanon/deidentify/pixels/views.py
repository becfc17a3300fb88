"""Shows a frame to the text reader in eight bits, in pictures in which text on it is legible.

No window of the header is trusted: it may be set so that a viewer, and this reader, see nothing. Letters of all sizes
come to the same size in a pyramid of pictures, each half as large as the one before. At every level only the areas
that may show text are read, each in a window of its own: the reader judges a picture as a whole, and what it reads in
a small area it does not see in the whole frame.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dicomanon.deidentify.pixels.regions import Box
from dicomanon.deidentify.pixels.text_areas import Grey, text_areas

Pixels = npt.NDArray[np.generic]
EightBits = npt.NDArray[np.uint8]

_WHITE = 255
_LEAST_RANGE = 1e-6
_WINDOW = (0.5, 99.8)
"""Percentiles of an area that become black and white: a short text in it has few pixels."""
_COLOURS = 3
_COLOURFUL = 64
"""Least difference of red, green and blue of coloured letters."""
_ENLARGED = 2
"""Letters of 8 to 12 pixels are read best so many times larger, those of 12 to 20 sometimes only as they are."""
_HUGE_FRAME = 4_000_000
"""Pixels of a frame above which letters of less than 16 pixels are too small for whoever looks at all of it."""
_HALVED_AS_THEY_ARE = (np.uint8, np.uint16, np.int16)
_LEAST_SIDE = 60
"""Pixels of the smallest picture of the pyramid."""


@dataclass(frozen=True, slots=True)
class View:
    """A picture of a part of a frame.

    Attributes
    ----------
    pixels
        (rows, columns), grey.
    left, top
        Where the part begins in the frame.
    scale
        Pixels of the picture per pixel of the frame.
    """

    pixels: EightBits
    left: int = 0
    top: int = 0
    scale: float = 1.0

    @property
    def box(self) -> Box:
        """The part, in pixels of the frame."""
        rows, columns = self.pixels.shape
        return self.in_frame(Box(0, 0, columns, rows))

    def in_frame(self, box: Box) -> Box:
        """Return a box of the picture in pixels of the frame."""
        return Box(
            self.left + math.floor(box.left / self.scale),
            self.top + math.floor(box.top / self.scale),
            self.left + math.ceil(box.right / self.scale),
            self.top + math.ceil(box.bottom / self.scale),
        )


def views(frame: Pixels) -> Iterator[View]:
    """Yield pictures that show all text of a frame.

    Parameters
    ----------
    frame
        Stored values of a monochrome image, (rows, columns), or RGB, (rows, columns, 3).
    """
    if frame.min() == frame.max():
        return
    scale = 1.0
    if frame.shape[0] * frame.shape[1] > _HUGE_FRAME:
        # As it is, for as numbers with a point it would be several times as large.
        frame, scale = _half(frame if frame.dtype in _HALVED_AS_THEY_ARE else grey_of(frame)), 0.5
    yield from _pyramid(grey_of(frame), scale)
    if frame.ndim == _COLOURS:
        # Coloured letters on grey anatomy stand out by nothing else if they are as bright.
        colour = np.ptp(frame, axis=2).astype(np.float32)
        if colour.max() >= _COLOURFUL:
            yield from _pyramid(colour, scale)


def _pyramid(values: Grey, scale: float) -> Iterator[View]:
    while True:
        for area in text_areas(values):
            shown = _windowed(values[area.top : area.bottom, area.left : area.right])
            left, top = int(area.left / scale), int(area.top / scale)
            yield View(_enlarged(shown), left, top, _ENLARGED * scale)
            yield View(shown, left, top, scale)
        if min(values.shape) < 2 * _LEAST_SIDE:
            return
        values, scale = _half(values), scale / 2


def as_it_is(frame: Pixels) -> EightBits:
    """Return colours as they are, and grey values from the least in black to the greatest in white."""
    if frame.ndim == _COLOURS:
        return frame.astype(np.uint8, copy=False)
    values = grey_of(frame)
    return _stretched(values, float(values.min()), float(values.max()))


def edges_of(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the pixels along the four edges of a part of a frame: what is around the text in it."""
    return np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])


def grey_of(frame: Pixels) -> Grey:
    """Return how bright pixels are; where floating-point pixels are no number, as bright as the darkest."""
    if frame.ndim == _COLOURS:
        return cv2.cvtColor(frame.astype(np.uint8, copy=False), cv2.COLOR_RGB2GRAY).astype(np.float32)
    values = frame.astype(np.float32)
    if frame.dtype.kind == "f" and not (finite := np.isfinite(values)).all():
        # A single one would spread over all that is computed from its surroundings.
        values = np.where(finite, values, values[finite].min() if finite.any() else np.float32(0))
    return values


def _half(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    smaller: Any = cv2.resize(pixels, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return smaller  # type: ignore[no-any-return]


def _windowed(part: Grey) -> EightBits:
    low, high = np.percentile(part, _WINDOW)
    return _stretched(part, float(low), float(high))


def _stretched(values: Grey, low: float, high: float) -> EightBits:
    raised = (values - low) * (_WHITE / max(high - low, _LEAST_RANGE))
    shown: EightBits = np.clip(raised, 0, _WHITE).astype(np.uint8)
    return shown


def _enlarged(pixels: EightBits) -> EightBits:
    larger: Any = cv2.resize(pixels, None, fx=_ENLARGED, fy=_ENLARGED, interpolation=cv2.INTER_CUBIC)
    return larger  # type: ignore[no-any-return]
