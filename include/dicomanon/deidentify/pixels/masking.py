"""Takes text and faces out of an image and leaves every other pixel as it is (PS3.15 E.3.1, E.3.2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dicomanon.deidentify.codec import Buffer
from dicomanon.deidentify.pixels.description import (
    BYTE,
    COLOURS,
    PIXEL_DATA,
    PLANAR_CONFIGURATION,
)
from dicomanon.deidentify.pixels.encapsulated import EXTENDED_OFFSET_TABLE, EXTENDED_OFFSET_TABLE_LENGTHS
from dicomanon.deidentify.pixels.filling import Stencil, covers_by_frame
from dicomanon.deidentify.pixels.image import PixelImage
from dicomanon.deidentify.pixels.masking_native import mask_native
from dicomanon.deidentify.pixels.masking_streams import MaskedStreams, mask_streams
from dicomanon.deidentify.pixels.pixel_data import PHOTOMETRIC_INTERPRETATION
from dicomanon.deidentify.pixels.regions import Region
from dicomanon.errors import Held
from dicomanon.reasons import HoldReason

LOSSY_IMAGE_COMPRESSION = 0x00282110
LOSSY_IMAGE_COMPRESSION_RATIO = 0x00282112
LOSSY_IMAGE_COMPRESSION_METHOD = 0x00282114

_STALE = (0x00280104, 0x00280105, 0x00280106, 0x00280107, 0x00280108, 0x00280109, 0x00280110, 0x00280111)
"""Smallest and largest pixel values, of the image, the series, the plane: what went may have been the extreme."""
_METHODS = {
    "1.2.840.10008.1.2.4.50": b"ISO_10918_1",
    "1.2.840.10008.1.2.4.51": b"ISO_10918_1",
    "1.2.840.10008.1.2.4.81": b"ISO_14495_1",
    "1.2.840.10008.1.2.4.91": b"ISO_15444_1",
    "1.2.840.10008.1.2.4.203": b"ISO_15444_15",
}


@dataclass(frozen=True, slots=True, repr=False)
class MaskedPixels:
    """Pixel data without what had to go.

    Attributes
    ----------
    pieces
        The encoded element, views of the source wherever nothing changed.
    transfer_syntax
        In which it is encoded; another than the source's where that has no lossless form we can write.
    attributes
        Encoded elements of the image description that change, ``None`` for those that go.
    """

    pieces: tuple[Buffer, ...]
    transfer_syntax: str
    attributes: Mapping[int, bytes | None] = field(default_factory=dict)


def mask(image: PixelImage, regions: Sequence[Region], stencils: Mapping[int, Stencil] | None = None) -> MaskedPixels:
    """Return the pixel data of an image with regions made black and the pixels of stencils set to their value.

    Uncompressed frames are changed in a copy. Compressed ones are encoded anew without loss, decoded again and compared
    with what they should be; of lossy JPEG frames only the blocks that a box touches are changed, and no frame loses a
    second time: with stencils they become JPEG-LS. Frames of which nothing goes are copied, unless the transfer syntax
    has to change for all of them.

    Parameters
    ----------
    image
        The image; its source is not changed.
    regions
        What is made black. Boxes are cut to the image, and frames that it does not have are passed over.
    stencils
        By frame; of grey images only. Where there is a box, too, the box counts.

    Raises
    ------
    Held
        ``BURNED_IN_RISK``: there is no way to change pixels of this kind. ``UNDECODABLE``. ``RULE_FAILED``: no region
        lies inside of the image, a stencil is not of grey pixels, or what was encoded is not what was to be encoded.
    """
    covers = covers_by_frame(image, regions, stencils)
    if not covers or (regions and not any(cover.boxes for cover in covers.values())):
        raise Held(HoldReason.RULE_FAILED, "no region lies inside of the image")
    if image.tag != PIXEL_DATA:
        raise Held(HoldReason.BURNED_IN_RISK, "text in pixels of a kind that cannot be masked")
    if stencils and (image.samples > 1 or image.allocated < BYTE):
        raise Held(HoldReason.RULE_FAILED, "a stencil on pixels that are not grey")
    attributes: dict[int, bytes | None] = {tag: None for tag in _STALE if image.source.element(tag)}
    if not image.encapsulated:
        return MaskedPixels(mask_native(image, covers), image.transfer_syntax, attributes)
    streams = mask_streams(image, covers)
    attributes |= _description(image, streams)
    return MaskedPixels(streams.pieces, streams.transfer_syntax, attributes)


def _description(image: PixelImage, streams: MaskedStreams) -> dict[int, bytes | None]:
    """Return what the image description must say now (PS3.3 C.7.6.3, C.7.6.1.1.5; PS3.5 A.4)."""
    source = image.source
    element = source.file.codec.element
    tables = (EXTENDED_OFFSET_TABLE, EXTENDED_OFFSET_TABLE_LENGTHS)
    changed: dict[int, bytes | None] = {tag: None for tag in tables if source.element(tag)}
    if streams.photometric != image.photometric:
        tag = PHOTOMETRIC_INTERPRETATION
        changed[tag] = element(tag, "CS", streams.photometric.encode("ascii"))
    if streams.transfer_syntax == image.transfer_syntax:
        return changed
    if image.samples == COLOURS and image.planar:
        changed[PLANAR_CONFIGURATION] = element(PLANAR_CONFIGURATION, "US", b"\0\0")
    if streams.lossy:
        # The stored pixels were lossy once and stay so for ever, however they are stored (PS3.3 C.7.6.1.1.5).
        changed[LOSSY_IMAGE_COMPRESSION] = element(LOSSY_IMAGE_COMPRESSION, "CS", b"01")
        if not source.text(LOSSY_IMAGE_COMPRESSION_RATIO) and not source.text(LOSSY_IMAGE_COMPRESSION_METHOD):
            ratio = f"{streams.ratio:.4g}".encode("ascii")
            changed[LOSSY_IMAGE_COMPRESSION_RATIO] = element(LOSSY_IMAGE_COMPRESSION_RATIO, "DS", ratio)
            method = _METHODS[image.transfer_syntax]
            changed[LOSSY_IMAGE_COMPRESSION_METHOD] = element(LOSSY_IMAGE_COMPRESSION_METHOD, "CS", method)
    return changed
