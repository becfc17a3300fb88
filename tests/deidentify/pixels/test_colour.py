import numpy as np
import pytest
from pydicom.pixels.processing import convert_color_space
from tests.deidentify.pixels.images import COLOUR, picture

from dicomanon.deidentify.pixels.colour import rgb


def test_full_range_luminance_is_turned_as_pydicom_turns_it() -> None:
    frame = picture(COLOUR, 1, 600, 700)[0].astype(np.uint8)
    theirs = convert_color_space(frame, "YBR_FULL", "RGB").astype(int)
    assert np.abs(rgb(frame, "YBR_FULL", 8) - theirs).max() <= 1


@pytest.mark.parametrize(("ybr", "expected"), [((16, 128, 128), 0), ((235, 128, 128), 255), ((0, 128, 128), 0)])
def test_partial_range_luminance_goes_from_16_to_235(ybr: tuple[int, ...], expected: int) -> None:
    assert (rgb(np.array([[ybr]], np.uint8), "YBR_PARTIAL_422", 8) == expected).all()


@pytest.mark.parametrize(("stored", "kind"), [(16, "u2"), (12, "u2"), (32, "u4"), (4, "u1")])
def test_other_depths_are_shown_in_eight_bits(stored: int, kind: str) -> None:
    values = np.array([[(0, (1 << stored) // 2, (1 << stored) - 1)]], kind)
    assert rgb(values, "RGB", stored).tolist() == [[[0, 136 if stored == 4 else 128, 255]]]


def test_eight_bits_of_rgb_are_not_copied() -> None:
    frame = picture(COLOUR)[0].astype(np.uint8)
    assert np.shares_memory(rgb(frame, "RGB", 8), frame)
