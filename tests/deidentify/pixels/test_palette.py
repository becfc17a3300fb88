"""Palettes of every form that PS3.3 allows, and of those that are common although it does not."""

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut
from tests.deidentify.builders import BIG, EXPLICIT, Leaf
from tests.deidentify.pixels.images import Kind, picture, read, rebuilt, source_of

from dicomanon.deidentify import parse
from dicomanon.deidentify.pixels.image import PixelImage
from dicomanon.deidentify.pixels.masking import mask
from dicomanon.deidentify.pixels.regions import Box, Region
from dicomanon.errors import Held
from dicomanon.reasons import HoldReason


def ramps(entries: int, bits: int) -> list[np.ndarray]:
    """Three tables whose darkest colour is neither the first nor the last."""
    top = (1 << bits) - 1
    at = np.arange(entries)
    return [
        np.abs(at - entries // 3) * top // entries,
        np.abs(at - entries // 3) * top // (entries + 1),
        at * 0 + 3 * top // 255,
    ]


def leaves(
    tables: list[np.ndarray], bits: int, *, first: int = 0, order: str = "<", words: bool = False
) -> tuple[Leaf, ...]:
    found = []
    for channel, table in enumerate(tables):
        descriptor = np.array([len(table) & 0xFFFF, first & 0xFFFF, bits], f"{order}u2").tobytes()
        if bits == 8 and not words:
            data = table.astype("u1").tobytes() + b"\0" * (len(table) % 2)
            if order == ">":
                data = np.frombuffer(data, "<u2").byteswap().tobytes()
        else:
            data = table.astype(f"{order}u2").tobytes()
        found += [Leaf(0x00281101 + channel, "US", descriptor), Leaf(0x00281201 + channel, "OW", data)]
    return tuple(found)


def palette_kind(extra: tuple[Leaf, ...], syntax: str = EXPLICIT, **changes: object) -> Kind:
    return Kind(syntax, "PALETTE COLOR", extra=extra, **changes)  # type: ignore[arg-type]


def image_of(kind: Kind) -> PixelImage:
    image = PixelImage.of(source_of(picture(kind), kind))
    assert image is not None
    return image


@pytest.mark.parametrize("syntax", [EXPLICIT, BIG])
@pytest.mark.parametrize(
    ("entries", "bits", "words"), [(256, 8, False), (255, 8, False), (256, 8, True), (256, 16, False), (100, 16, False)]
)
def test_colours_are_those_of_the_table(syntax: str, entries: int, bits: int, words: bool) -> None:
    tables = ramps(entries, bits)
    order = ">" if syntax == BIG else "<"
    image = image_of(palette_kind(leaves(tables, bits, order=order, words=words), syntax))
    values = np.clip(picture(Kind())[0], 0, entries - 1)
    expected = np.stack([table[values] >> (bits - 8) for table in tables], axis=-1)
    assert np.array_equal(image.frame(0), expected)


@pytest.mark.parametrize(("first", "signed"), [(7, False), (-50, True)])
def test_the_first_value_is_that_of_the_descriptor(first: int, signed: bool) -> None:
    tables = ramps(64, 8)
    kind = palette_kind(leaves(tables, 8, first=first), signed=signed)
    values = np.clip(picture(kind)[0] - first, 0, 63)
    assert np.array_equal(image_of(kind).frame(0), np.stack([table[values] for table in tables], axis=-1))


def test_65536_entries_are_written_as_none() -> None:
    kind = palette_kind(leaves(ramps(65536, 16), 16), allocated=16)
    assert image_of(kind).frame(0).shape == (40, 52, 3)


SEGMENTS = [0, 4, 10, 20, 30, 40, 1, 6, 200, 0, 2, 7, 9, 2, 2, 0, 0, 1, 10, 255]


def segmented(bits: int, order: str = "<") -> tuple[Leaf, ...]:
    numbers = list(SEGMENTS)
    if bits == 8:
        numbers[15:17] = [0, 0, 0, 0]
    else:
        numbers = [
            number * 256 if index in {2, 3, 4, 5, 8, 11, 12, 19} else number for index, number in enumerate(numbers)
        ]
    data = np.array(numbers + [0] * (len(numbers) % 2), "u1" if bits == 8 else f"{order}u2").tobytes()
    if bits == 8 and order == ">":
        data = np.frombuffer(data, "<u2").byteswap().tobytes()
    descriptor = np.array([32, 0, bits], f"{order}u2").tobytes()
    return tuple(
        leaf
        for channel in range(3)
        for leaf in (Leaf(0x00281101 + channel, "US", descriptor), Leaf(0x00281221 + channel, "OW", data))
    )


@pytest.mark.parametrize("syntax", [EXPLICIT, BIG])
@pytest.mark.parametrize("bits", [8, 16])
def test_segmented_tables_are_written_out(bits: int, syntax: str) -> None:
    kind = palette_kind(segmented(bits, ">" if syntax == BIG else "<"), syntax)
    palette = image_of(kind).palette
    first = [10, 20, 30, 40]
    line = np.rint(np.linspace(40, 200, 7)[1:]).tolist()
    again = np.rint(np.linspace(40, 200, 7)[1:]).tolist()
    expected = [*first, *line, 7, 9, *first, *again, *np.rint(np.linspace(200, 255, 11)[1:]).tolist()]
    assert len(expected) == 32
    assert np.abs(palette.colours[:, 0] - np.array(expected)).max() <= (0 if bits == 8 else 1)


def test_segmented_tables_are_as_pydicom_reads_them() -> None:
    kind = palette_kind(segmented(8))
    dataset = read(rebuilt(source_of(picture(kind), kind), mask(image_of(kind), [Region(Box(0, 0, 1, 1))])))
    indices = np.arange(32, dtype=np.uint8)[None]
    assert isinstance(dataset, Dataset)
    assert np.array_equal(apply_color_lut(indices, dataset), image_of(kind).palette.rgb(indices))


@pytest.mark.parametrize("syntax", [EXPLICIT, BIG])
def test_boxes_get_the_darkest_colour(syntax: str) -> None:
    tables = ramps(200, 8)
    kind = palette_kind(leaves(tables, 8, order=">" if syntax == BIG else "<"), syntax)
    source = source_of(picture(kind), kind)
    image = PixelImage.of(source)
    assert image is not None
    again = PixelImage.of(parse(rebuilt(source, mask(image, [Region(Box(2, 3, 20, 9))]))))
    assert again is not None
    assert (again.frame(0)[3:9, 2:20] == [0, 0, 3]).all()
    assert np.array_equal(again.frame(0)[9:], image.frame(0)[9:])


GOOD = leaves(ramps(256, 8), 8)
SEGMENTED = segmented(8)[:5]


@pytest.mark.parametrize(
    "extra",
    [
        (),
        GOOD[2:],
        (*GOOD[:5], Leaf(0x00281203, "OW", bytes(100))),
        (*GOOD[1:], Leaf(0x00281101, "US", b"\1\0\0\0\x0c\0")),
        (*GOOD[1:], Leaf(0x00281101, "US", b"\1\0")),
        (*SEGMENTED, Leaf(0x00281223, "OW", b"\1\4\1\4")),
        (*SEGMENTED, Leaf(0x00281223, "OW", b"\0\2\1\1\2\x09\0\0\0\0")),
        (*SEGMENTED, Leaf(0x00281223, "OW", b"\0\2\1\1\7\1")),
        (*SEGMENTED, Leaf(0x00281223, "OW", b"\0\2\1\1\2\1\x40\0\0\0")),
        (*SEGMENTED, Leaf(0x00281223, "OW", b"")),
    ],
    ids=range(10),
)
def test_held_when_the_palette_is_not_as_described(extra: tuple[Leaf, ...]) -> None:
    with pytest.raises(Held) as held:
        image_of(palette_kind(extra)).frame(0)
    assert held.value.reason is HoldReason.UNDECODABLE
