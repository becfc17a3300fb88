"""Blocks of a lossy JPEG frame that a box touches are black; all others keep each of their coefficients."""

import re

import numpy as np
import pytest
from tests.deidentify.pixels.images import BASELINE, ENCODERS, Kind, picture

from dicomanon.deidentify.pixels import coefficients
from dicomanon.deidentify.pixels.coefficients import blackened
from dicomanon.deidentify.pixels.decoding import decode
from dicomanon.deidentify.pixels.description import PixelDescription
from dicomanon.deidentify.pixels.regions import Box
from dicomanon.deidentify.pixels.streams import header_of
from dicomanon.errors import Held
from dicomanon.reasons import HoldReason

GREY = Kind(BASELINE)
YBR = Kind(BASELINE, "YBR_FULL_422", samples=3)
RGB = Kind(BASELINE, "RGB", samples=3)
SUBSAMPLINGS = {"4:4:4": (1, 1), "4:2:2": (2, 1), "4:2:0": (2, 2)}

pytestmark = pytest.mark.skipif(not coefficients.available(), reason="libturbojpeg0 is not installed")


def described(kind: Kind, rows: int, columns: int) -> PixelDescription:
    return PixelDescription(
        transfer_syntax=BASELINE, little=True, tag=0x7FE00010, vr="OB", encapsulated=True, rows=rows, columns=columns,
        frames=1, samples=kind.samples, allocated=8, stored=8, high_bit=7, signed=False, photometric=kind.photometric,
        planar=0,
    )  # fmt: skip


def seen(stream: bytes, kind: Kind, rows: int = 80, columns: int = 100) -> np.ndarray:
    return decode(stream, described(kind, rows, columns)).samples.astype(int)


def all_coefficients(stream: bytes) -> list[tuple[int, int, np.ndarray]]:
    found: list[tuple[int, int, np.ndarray]] = []
    coefficients._transformed(stream, lambda rows, component, first: found.append((component, first, rows.copy())), 64)
    return found


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
@pytest.mark.parametrize("quality", [30, 75, 95, 100])
@pytest.mark.parametrize(
    "box", [Box(17, 9, 41, 22), Box(16, 16, 48, 32), Box(0, 0, 100, 80), Box(99, 79, 100, 80)], ids=str
)
def test_boxes_are_black_and_colours_stay_but_for_a_block(subsampling: str, quality: int, box: Box) -> None:
    frame = picture(YBR, 1, 80, 100)[0]
    stream = ENCODERS[BASELINE](frame, YBR, quality=quality, subsampling=subsampling)  # type: ignore[call-arg]
    made = blackened(stream, header_of(stream), [box], 0)
    before, after = seen(stream, YBR), seen(made, YBR)
    assert not after[box.top : box.bottom, box.left : box.right].any()
    across, down = SUBSAMPLINGS[subsampling]
    changed = np.argwhere((before != after).any(axis=-1))
    # A block of chrominance, one sample for the interpolation into the box, and one for that out of the block.
    far_across, far_down = 8 * across - 1 + 2 * (across > 1) * across, 8 * down - 1 + 2 * (down > 1) * down
    assert changed[:, 1].min() >= box.left - far_across
    assert changed[:, 1].max() < box.right + far_across
    assert changed[:, 0].min() >= box.top - far_down
    assert changed[:, 0].max() < box.bottom + far_down
    # Luminance: only the blocks of 8 by 8 that the box touches.
    weights = np.array([0.299, 0.587, 0.114])
    grey = np.argwhere(np.abs((before - after) @ weights) > 12)
    if len(grey):
        assert (grey.min(axis=0) >= [box.top // 8 * 8, box.left // 8 * 8]).all()
        assert (grey.max(axis=0) < [-(-box.bottom // 8) * 8, -(-box.right // 8) * 8]).all()


@pytest.mark.parametrize("quality", [1, 30, 75, 95, 100])
@pytest.mark.parametrize("shade", [0, 255])
def test_grey_frames_change_in_blocks_of_eight(quality: int, shade: int) -> None:
    frame = picture(GREY, 1, 80, 100)[0]
    stream = ENCODERS[BASELINE](frame, GREY, quality=quality)  # type: ignore[call-arg]
    box = Box(17, 9, 41, 22)
    made = blackened(stream, header_of(stream), [box], shade)
    before, after = seen(stream, GREY), seen(made, GREY)
    blocks = np.s_[8:24, 16:48]
    assert (after[blocks] == shade).all()
    after[blocks] = before[blocks]
    assert np.array_equal(before, after)


def test_frames_of_red_green_and_blue_become_black() -> None:
    stream = ENCODERS[BASELINE](picture(RGB, 1, 80, 100)[0], RGB)
    made = blackened(stream, header_of(stream), [Box(17, 9, 41, 22)], 0, rgb=True)
    before, after = seen(stream, RGB), seen(made, RGB)
    assert not after[8:24, 16:48].any()
    after[8:24, 16:48] = before[8:24, 16:48]
    assert np.array_equal(before, after)


@pytest.mark.parametrize("kind", [GREY, YBR, RGB], ids=lambda kind: kind.named)
def test_other_blocks_keep_each_coefficient(kind: Kind) -> None:
    stream = ENCODERS[BASELINE](picture(kind, 1, 80, 100)[0], kind)
    made = blackened(stream, header_of(stream), [Box(0, 0, 8, 8)], 0, rgb=kind is RGB)
    for (_, first, before), (_, _, after) in zip(all_coefficients(stream), all_coefficients(made), strict=True):
        assert np.array_equal(before[:, 3:], after[:, 3:])
        if first > 2:
            assert np.array_equal(before, after)


@pytest.mark.parametrize("kind", [GREY, YBR, RGB], ids=lambda kind: kind.named)
def test_the_frame_says_the_same_of_its_colours_as_before(kind: Kind) -> None:
    stream = ENCODERS[BASELINE](picture(kind, 1, 80, 100)[0], kind)
    made = blackened(stream, header_of(stream), [Box(0, 0, 8, 8)], 0, rgb=kind is RGB)
    assert re.findall(rb"\xff[\xe0\xee].{4,16}?(?=\xff)", made[:60]) == re.findall(
        rb"\xff[\xe0\xee].{4,16}?(?=\xff)", stream[:60]
    )
    bare = stream[:2] + stream[2 + 2 + int.from_bytes(stream[4:6], "big") :]
    assert b"JFIF" not in blackened(bare, header_of(bare), [Box(0, 0, 8, 8)], 0)
    assert b"Adobe" not in blackened(bare, header_of(bare), [Box(0, 0, 8, 8)], 0)


def test_held_when_the_library_complains() -> None:
    stream = ENCODERS[BASELINE](picture(GREY, 1, 80, 100)[0], GREY)
    cut = stream[: len(stream) // 2] + b"\xff\xd9"
    with pytest.raises(Held) as held:
        blackened(cut, header_of(cut), [Box(0, 0, 8, 8)], 0)
    assert held.value.reason is HoldReason.UNDECODABLE


def test_held_when_the_result_is_not_what_it_should_be(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = ENCODERS[BASELINE](picture(GREY, 1, 80, 100)[0], GREY)
    other = ENCODERS[BASELINE](picture(GREY, 1, 80, 100, seed=1)[0], GREY)
    monkeypatch.setattr(coefficients, "_with_claims_of", lambda *_: other)
    with pytest.raises(Held) as held:
        blackened(stream, header_of(stream), [Box(0, 0, 8, 8)], 0)
    assert held.value.reason is HoldReason.RULE_FAILED
