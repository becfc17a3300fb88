"""Slices make a volume in any order, or are refused."""

from dataclasses import replace

import numpy as np
import pytest

from dicomanon.deidentify.faces.volume import Plane, stack
from dicomanon.errors import Held

PLANE = Plane((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.5, 0.5), 4, 6)


def planes(depths: list[float]) -> list[tuple[Plane, np.ndarray]]:
    return [(replace(PLANE, position=(0.0, 0.0, depth)), np.full((4, 6), depth)) for depth in depths]


def test_slices_are_put_in_order() -> None:
    volume = stack(planes([9, 3, 0, 6, 12, 15, 18, 21]), "CT")
    assert list(volume.values[:, 0, 0]) == [0, 3, 6, 9, 12, 15, 18, 21]
    assert np.allclose(volume.steps, [[0, 0, 3], [0, 0.5, 0], [0.5, 0, 0]])


def test_of_slices_at_one_place_the_first_counts() -> None:
    assert len(stack(planes([float(at) for at in range(9) for _ in range(2)]), "MR").values) == 9


def test_gantry_tilt_shears_the_volume() -> None:
    slices = [(replace(PLANE, position=(0.0, float(at), 3.0 * at)), np.zeros((4, 6))) for at in range(9)]
    assert np.allclose(stack(slices, "CT").steps[0], [0, 1, 3])


@pytest.mark.parametrize(
    ("slices", "why"),
    [
        ([], "too few"),
        (planes([0, 1, 2]), "too few"),
        (planes([0, 0, 0, 0, 0, 0, 0, 0, 1]), "too few"),
        (planes([0, 1, 2, 3, 5, 6, 7, 8, 9]), "missing"),
        ([*planes(list(range(9))), (replace(PLANE, spacing=(0.6, 0.5)), np.zeros((4, 6)))], "several orientations"),
        ([*planes(list(range(9))), (PLANE, np.zeros((4, 5)))], "several orientations"),
        ([(replace(plane, along_row=(1.0, 1.0, 0.0)), v) for plane, v in planes(list(range(9)))], "not valid"),
    ],
)
def test_held_when_slices_make_no_volume(slices: list[tuple[Plane, np.ndarray]], why: str) -> None:
    with pytest.raises(Held, match=why):
        stack(slices, "CT")
