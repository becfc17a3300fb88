"""The engine releases what is masked, says so truthfully, and leaves the rest alone."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)
from tests.deidentify.builders import CONTEXT
from tests.deidentify.pixels.pictures import Pixels, instance, slice_of_body

from dicomanon.deidentify import Deidentified, HeldInstance, Seen, deidentify, encode, parse
from dicomanon.deidentify.pixels.decision import decide
from dicomanon.deidentify.pixels.image import PixelImage
from dicomanon.deidentify.pixels.regions import Box, Region
from dicomanon.deidentify.source import SourceInstance
from dicomanon.devices import ConfirmedDevices
from dicomanon.profile import CompiledProfile
from dicomanon.reasons import HoldReason

GREY16 = slice_of_body(size=64)
GREY8 = np.clip(slice_of_body(size=64) // 8 + 128, 0, 255).astype(np.uint8)
COLOUR = np.stack([GREY8, GREY8 // 2, 255 - GREY8], axis=-1)
BOX = Box(10, 6, 41, 20)
NATIVE = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
LOSSLESS = [RLELossless, JPEGLSLossless, JPEG2000Lossless]


def masked(raw: bytes, regions: tuple[Region, ...], profile: CompiledProfile) -> tuple[PixelImage, SourceInstance]:
    source = parse(raw)
    seen = Seen(decide(source, profile, ConfirmedDevices()), regions)
    outcome = deidentify(source, profile, CONTEXT, seen=seen)
    assert isinstance(outcome, Deidentified), outcome
    result = parse(encode(outcome))
    image = PixelImage.of(result)
    assert image is not None
    return image, result


def outside(shape: tuple[int, ...], box: Box = BOX) -> Pixels:
    mask = np.ones(shape[:2], dtype=bool)
    mask[box.top : box.bottom, box.left : box.right] = False
    return mask


@pytest.mark.parametrize("syntax", NATIVE + LOSSLESS)
@pytest.mark.parametrize("picture", [GREY16, GREY8, GREY16.astype(np.int32).clip(0).astype(np.uint16)])
def test_box_is_black_and_every_other_pixel_stays(syntax: str, picture: Pixels, research: CompiledProfile) -> None:
    image, result = masked(instance(picture, syntax=syntax), (Region(BOX),), research)
    after = image.stored_frame(0)
    assert np.array_equal(after[outside(after.shape)], picture[outside(picture.shape)])
    assert np.all(after[~outside(after.shape)] == (picture.min() if picture.dtype.kind == "i" else 0))
    assert result.transfer_syntax == syntax


@pytest.mark.parametrize("syntax", NATIVE + LOSSLESS)
@pytest.mark.parametrize("planar", [0, 1])
def test_colours_outside_stay(syntax: str, planar: int, research: CompiledProfile) -> None:
    if planar and syntax in LOSSLESS:
        planar = 0
    image, _ = masked(instance(COLOUR, photometric="RGB", syntax=syntax, planar=planar), (Region(BOX),), research)
    after = image.frame(0)
    assert np.array_equal(after[outside(after.shape)], COLOUR[outside(after.shape)])
    assert not after[~outside(after.shape)].any()


def test_black_of_a_palette_is_its_darkest_colour(research: CompiledProfile) -> None:
    table = np.arange(256, dtype="<u2")[::-1] * 257
    palette = {
        f"{colour}PaletteColorLookupTable{part}": [256, 0, 16] if part == "Descriptor" else table.tobytes()
        for colour in ("Red", "Green", "Blue")
        for part in ("Descriptor", "Data")
    }
    image, _ = masked(instance(GREY8, photometric="PALETTE COLOR", **palette), (Region(BOX),), research)
    assert np.all(image.stored_frame(0)[~outside(GREY8.shape)] == 255)
    assert not image.frame(0)[~outside(GREY8.shape)].any()


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, *LOSSLESS])
def test_only_the_frames_of_a_region_change(syntax: str, research: CompiledProfile) -> None:
    frames = [slice_of_body(seed, 64) for seed in range(4)]
    image, _ = masked(instance(frames, syntax=syntax), (Region(BOX, frozenset({1, 3})),), research)
    for number, before in enumerate(frames):
        after = image.stored_frame(number)
        assert np.array_equal(after, before) == (number in {0, 2})
        assert np.array_equal(after[outside(after.shape)], before[outside(before.shape)])


def test_values_of_extremes_that_may_be_wrong_now_are_removed(research: CompiledProfile) -> None:
    raw = instance(GREY16, SmallestImagePixelValue=int(GREY16.min()), LargestImagePixelValue=int(GREY16.max()))
    _, result = masked(raw, (Region(BOX),), research)
    assert result.element(0x00280106) is None
    assert result.element(0x00280107) is None


def test_what_was_done_is_told(research: CompiledProfile) -> None:
    _, result = masked(instance(GREY16), (Region(BOX),), research)
    assert result.text(0x00280301) == "NO"
    assert b"113101" in bytes(result.file.buffer)


def test_nothing_is_told_of_pixels_that_nobody_looked_at(research: CompiledProfile) -> None:
    outcome = deidentify(parse(instance(GREY16)), research, CONTEXT)
    assert isinstance(outcome, Deidentified)
    result = parse(encode(outcome))
    assert not result.text(0x00280301)
    assert b"113101" not in bytes(result.file.buffer)


def test_held_where_the_profile_leaves_pixels_as_they_are(strict: CompiledProfile) -> None:
    source = parse(instance(GREY16))
    seen = Seen(decide(source, strict, ConfirmedDevices()), (Region(BOX),))
    outcome = deidentify(source, strict, CONTEXT, seen=seen)
    assert isinstance(outcome, HeldInstance)
    assert outcome.reason is HoldReason.BURNED_IN_RISK


def test_pixels_without_text_are_the_very_bytes(research: CompiledProfile) -> None:
    source = parse(instance(GREY16, syntax=JPEGLSLossless))
    outcome = deidentify(source, research, CONTEXT, seen=Seen(decide(source, research, ConfirmedDevices())))
    assert isinstance(outcome, Deidentified)
    before = source.element(0x7FE00010)
    assert before is not None
    assert bytes(source.file.buffer[before.start : before.stop]) in encode(outcome)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    box=st.tuples(*[st.integers(-5, 70)] * 4).map(
        lambda sides: Box(min(sides[0], sides[1]), min(sides[2], sides[3]), max(sides[:2]) + 1, max(sides[2:]) + 1)
    ),
    syntax=st.sampled_from([ExplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless, JPEGLSLossless]),
)
def test_any_box_in_any_place(box: Box, syntax: str, research: CompiledProfile) -> None:
    # The second region is somewhere in the image; the first need not be.
    image, _ = masked(instance(GREY16, syntax=syntax), (Region(box), Region(Box(0, 0, 1, 1))), research)
    after = image.stored_frame(0)
    inside = ~outside(after.shape, box.clipped(64, 64) or Box(0, 0, 0, 0))
    inside[0, 0] = True
    assert np.array_equal(after[~inside], GREY16[~inside])
    # Where nothing is left to be as dark as, it is the least value there is.
    assert np.all(after[inside] == (GREY16[~inside].min() if not inside.all() else after.min()))
