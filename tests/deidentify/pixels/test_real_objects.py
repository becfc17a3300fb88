"""Objects of many makers, masked: other decoders see the same as ours, and the objects conform as before."""

from pathlib import Path

import numpy as np
import pytest
from pydicom.pixels import pixel_array
from tests.deidentify.pixels.images import read, rebuilt
from tests.deidentify.pixels.test_masking import BY_BLOCKS, assert_masked, covered, image_of
from tests.deidentify.test_conformance import errors_of
from tests.objects import all_objects

from dicomanon.deidentify import parse
from dicomanon.deidentify.pixels.image import PixelImage
from dicomanon.deidentify.pixels.masking import mask
from dicomanon.deidentify.pixels.regions import Box, Region
from dicomanon.errors import Held

_MAKERS = ("pydicom/", "sample/", "encoding/ct-", "highdicom/")
_MANY_FRAMES = 8
_MARGIN = 18


def _masked_regions(image: PixelImage) -> tuple[Region, ...]:
    box = Box(image.columns // 8, image.rows // 10, image.columns // 2 + 1, image.rows // 3 + 1)
    frames = None if image.frames < _MANY_FRAMES else frozenset({0, image.frames // 2})
    return (Region(box, frames),)


def _images() -> dict[str, bytes]:
    found = {}
    for name, data in all_objects().items():
        if name.startswith(_MAKERS):
            try:
                image = PixelImage.of(parse(data))
            except Held:
                continue
            if image is not None:
                found[name] = data
    return found


IMAGES = _images()
# Cut off on purpose; wrapped in a JP2 file, which PS3.5 section 8.2.4 forbids; fragments that belong to no frame.
HELD = {"pydicom/MR_truncated", "pydicom/GDCMJ2K_TextGBR", "pydicom/JPEG2000-embedded-sequence-delimiter"}


def test_only_damaged_objects_are_held() -> None:
    held = set()
    for name, data in IMAGES.items():
        image = PixelImage.of(parse(data))
        assert image is not None
        try:
            image.frame(image.frames - 1)
        except Held:
            held.add(name)
    assert held == HELD & IMAGES.keys()


@pytest.mark.parametrize("name", sorted(IMAGES.keys() - HELD))
def test_other_decoders_see_black_boxes_and_the_same_around_them(name: str, tmp_path: Path) -> None:
    source = parse(IMAGES[name])
    image = image_of(source)
    regions = _masked_regions(image)
    masked = mask(image, regions)
    data = rebuilt(source, masked)
    after = image_of(parse(data))
    assert_masked(image, after, regions)
    for index in {0, image.frames - 1}:
        try:
            theirs = pixel_array(read(IMAGES[name]), index=index, raw=True)
        except (RuntimeError, ValueError):
            theirs = None  # 12 bits of JPEG Extended
        ours = pixel_array(read(data), index=index, raw=True)
        by_blocks = image.transfer_syntax in BY_BLOCKS and masked.transfer_syntax == image.transfer_syntax
        outside = ~covered(image, regions, index, margin=_MARGIN if by_blocks else 0)
        if theirs is not None:
            assert np.array_equal(ours[outside], theirs[outside])
    assert errors_of(data, tmp_path) <= errors_of(IMAGES[name], tmp_path)
