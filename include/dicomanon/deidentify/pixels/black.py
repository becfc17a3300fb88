"""The value that is shown black, by photometric interpretation (PS3.3 C.7.6.3.1.2)."""

from collections.abc import Callable

from dicomanon.deidentify.pixels.description import (
    MONOCHROME1,
    PALETTE_COLOR,
    YBR_FULL,
    YBR_PARTIAL,
    PixelDescription,
    Samples,
)
from dicomanon.deidentify.pixels.image import PixelImage
from dicomanon.deidentify.source import SourceInstance

PIXEL_PADDING_VALUE = 0x00280120
PIXEL_PADDING_RANGE_LIMIT = 0x00280121

_PARTIAL_BLACK = 16
_BITS = 8
_WORD = 16
_LUMINANCE = frozenset({YBR_FULL, "YBR_FULL_422"})
_LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"


def black(image: PixelImage, photometric: str, outside: Callable[[], Samples]) -> tuple[int, ...]:
    """Return the stored values that make a pixel black, one per sample.

    Unsigned grey samples take the end of their range: zero, or the greatest number under MONOCHROME1. No window shows
    it as anything else, and it is where detectors and windows end. Signed ones take the least (greatest) value that the
    frame has outside of its boxes, air as a rule: the end of their range, -32768, is a number no scanner writes, and a
    viewer that finds its own window would show the rest of the picture in one shade of grey.

    A value that stands for padding is passed over: padding means that there was nothing to be seen, and viewers and
    measurements leave it out. In a label map it is the background, and the only value that is no segment.

    Parameters
    ----------
    image
        The image.
    photometric
        What the samples mean, which for decoded ones is not always what the header says.
    outside
        Gives the stored values of the frame outside of its boxes; called only if they matter.
    """
    if image.samples > 1:
        return _colour(photometric, image.stored)
    if image.source.sop_class_uid == _LABEL_MAP:
        # What is in no segment has the padding value as its label (PS3.3 C.8.20.2); any other number is a segment.
        return (_padding(image.source, image) or (0,))[:1]
    if photometric == PALETTE_COLOR:
        return (image.palette.darkest(image),)
    greatest = photometric == MONOCHROME1
    padding = None if image.stored == 1 else _padding(image.source, image)
    if image.signed:
        values = outside()
        if padding is not None:
            values = values[(values < padding[0]) | (values > padding[1])]
        if values.size:
            return (int(values.max() if greatest else values.min()),)
    end = image.greatest if greatest else image.least
    if padding is not None and padding[0] <= end <= padding[1]:
        beside = padding[0] - 1 if greatest else padding[1] + 1
        end = beside if image.least <= beside <= image.greatest else end
    return (end,)


def _colour(photometric: str, stored: int) -> tuple[int, int, int]:
    middle = 1 << (stored - 1)
    if photometric in _LUMINANCE:
        return 0, middle, middle
    if photometric in YBR_PARTIAL:
        return _PARTIAL_BLACK << max(0, stored - _BITS), middle, middle
    return 0, 0, 0


def _padding(source: SourceInstance, described: PixelDescription) -> tuple[int, int] | None:
    """Return the range of values that stand for padding (PS3.3 C.7.5.1.1.2)."""
    order = "little" if source.file.codec.little else "big"
    found = []
    for tag in (PIXEL_PADDING_VALUE, PIXEL_PADDING_RANGE_LIMIT):
        raw = source.raw(tag)
        if len(raw) == _WORD // _BITS:
            found.append(int.from_bytes(raw, order, signed=described.signed))  # type: ignore[arg-type]
    return (min(found), max(found)) if found and source.raw(PIXEL_PADDING_VALUE) else None
