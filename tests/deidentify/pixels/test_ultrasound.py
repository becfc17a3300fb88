import struct

import pytest
from tests.deidentify.builders import BIG, Instance, Leaf, Nest, Node

from dicomanon.deidentify import parse
from dicomanon.deidentify.pixels.regions import Box
from dicomanon.deidentify.pixels.ultrasound import UltrasoundRegion, ultrasound_regions

EDGES = (0x00186018, 0x0018601A, 0x0018601C, 0x0018601E)


def _item(*edges: int, order: str = "<", without: int = 0) -> tuple[Node, ...]:
    leaves = [
        Leaf(tag, "UL", struct.pack(f"{order}L", edge))
        for tag, edge in zip(EDGES, edges, strict=True)
        if tag != without
    ]
    return (
        Leaf(0x00186012, "US", struct.pack(f"{order}H", 1)),
        Leaf(0x00186014, "US", struct.pack(f"{order}H", 2)),
        *leaves,
    )


def _regions(*items: tuple[Node, ...], syntax: str = "1.2.840.10008.1.2.1") -> tuple[UltrasoundRegion, ...]:
    instance = Instance(extra=(Nest(0x00186011, items),), syntax=syntax)
    return ultrasound_regions(parse(instance.raw()), 480, 640)


def test_the_last_pixel_is_inside() -> None:
    assert _regions(_item(100, 50, 599, 449)) == (UltrasoundRegion(Box(100, 50, 600, 450), 1, 2),)


def test_big_endian_is_read() -> None:
    (region,) = _regions(_item(100, 50, 599, 449, order=">"), syntax=BIG)
    assert region.box == Box(100, 50, 600, 450)


@pytest.mark.parametrize(
    "edges",
    [
        (100, 50, 100, 50),
        (200, 50, 100, 400),
        (0, 0, 639, 479),
        (0, 10, 639, 479),
        (100, 50, 640, 400),
        (700, 0, 800, 90),
    ],
    ids=["empty", "inverted", "everything", "nearly everything", "beyond the edge", "outside"],
)
def test_what_no_region_can_be_is_left_out(edges: tuple[int, int, int, int]) -> None:
    assert _regions(_item(*edges), _item(10, 50, 99, 199))[0].box == Box(10, 50, 100, 200)
    assert len(_regions(_item(*edges), _item(10, 50, 99, 199))) == 1


def test_an_item_without_its_place_is_left_out() -> None:
    assert _regions(_item(10, 50, 99, 199, without=EDGES[2])) == ()


def test_without_the_sequence_there_are_none() -> None:
    assert ultrasound_regions(parse(Instance().raw()), 4, 4) == ()
