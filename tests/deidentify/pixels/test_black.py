"""What black is: always dark in a viewer, never a value that means something else."""

import numpy as np
import pytest
from tests.deidentify.builders import BIG, EXPLICIT, Leaf
from tests.deidentify.pixels.images import Kind, picture, source_of

from dicomanon.deidentify.pixels.black import black
from dicomanon.deidentify.pixels.image import PixelImage


def image_of(kind: Kind) -> PixelImage:
    image = PixelImage.of(source_of(picture(kind), kind))
    assert image is not None
    return image


def black_of(kind: Kind, outside: list[int] | None = None, photometric: str = "") -> tuple[int, ...]:
    def values() -> np.ndarray:
        assert outside is not None, "the frame does not matter"
        return np.array(outside, np.int64)

    return black(image_of(kind), photometric or kind.photometric, values)


def padding(*values: int, order: str = "little") -> tuple[Leaf, ...]:
    return tuple(
        Leaf(tag, "US", (value & 0xFFFF).to_bytes(2, order))  # type: ignore[arg-type]
        for tag, value in zip((0x00280120, 0x00280121), values, strict=False)
    )


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Kind(), 0),
        (Kind(allocated=16, stored=12), 0),
        (Kind(photometric="MONOCHROME1"), 255),
        (Kind(photometric="MONOCHROME1", allocated=16, stored=12), 4095),
        (Kind(photometric="MONOCHROME1", allocated=1), 1),
        (Kind(allocated=1), 0),
    ],
)
def test_unsigned_values_take_the_end_of_their_range(kind: Kind, expected: int) -> None:
    assert black_of(kind) == (expected,)


def test_signed_values_take_the_darkest_of_the_frame() -> None:
    assert black_of(Kind(allocated=16, signed=True), [-1024, 7, 3000]) == (-1024,)
    assert black_of(Kind(allocated=16, signed=True, photometric="MONOCHROME1"), [-1024, 7, 3000]) == (3000,)


def test_signed_frames_that_are_all_box_take_the_end_of_their_range() -> None:
    assert black_of(Kind(allocated=16, stored=12, signed=True), []) == (-2048,)
    assert black_of(Kind(allocated=16, stored=12, signed=True, photometric="MONOCHROME1"), []) == (2047,)


@pytest.mark.parametrize("syntax", [EXPLICIT, BIG])
def test_padding_is_passed_over(syntax: str) -> None:
    order = "big" if syntax == BIG else "little"
    for limits, expected in (((0,), 1), ((0, 20), 21), ((20, 0), 21), ((5,), 0), ((0, 65535), 0)):
        assert black_of(Kind(syntax, allocated=16, extra=padding(*limits, order=order))) == (expected,)
    inverse = Kind(syntax, "MONOCHROME1", allocated=16, stored=12, extra=padding(4095, order=order))
    assert black_of(inverse) == (4094,)
    signed = Kind(syntax, allocated=16, signed=True, extra=padding(-2000, order=order))
    assert black_of(signed, [-2000, -1024, 5]) == (-1024,)
    assert black_of(signed, [-2000, -2000]) == (-32768,)


@pytest.mark.parametrize(
    ("photometric", "allocated", "expected"),
    [
        ("RGB", 8, (0, 0, 0)), ("RGB", 16, (0, 0, 0)), ("YBR_FULL", 8, (0, 128, 128)),
        ("YBR_FULL_422", 8, (0, 128, 128)),
        ("YBR_PARTIAL_422", 8, (16, 128, 128)), ("YBR_FULL", 16, (0, 32768, 32768)),
    ],
)  # fmt: skip
def test_colours_have_a_black_of_their_own(photometric: str, allocated: int, expected: tuple[int, ...]) -> None:
    assert black_of(Kind(photometric="RGB", samples=3, allocated=allocated), photometric=photometric) == expected
