"""The face goes, the brain stays, whichever way the head was scanned; what cannot be done is held."""

from functools import cache

import numpy as np
import pytest
from tests.deidentify.faces.heads import AXIAL, CORONAL, SAGITTAL, Mask, Phantom, phantom, turned

from dicomanon.deidentify.faces.deface import FaceCut, find_face
from dicomanon.deidentify.faces.surface import air_value
from dicomanon.deidentify.faces.volume import Volume
from dicomanon.errors import Held
from dicomanon.reasons import HoldReason

HEADS: dict[str, dict[str, object]] = {
    "CT, axial": {},
    "MR, axial": {"modality": "MR"},
    "MR, sagittal": {"modality": "MR", "axes": SAGITTAL},
    "MR, coronal": {"modality": "MR", "axes": CORONAL},
    "rows and slices reversed": {"axes": AXIAL * np.array([[-1], [-1], [1]])},
    "oblique planes": {"axes": AXIAL @ turned(15, 10, 5)},
    "chin down": {"rotation": turned(15)},
    "chin up": {"rotation": turned(-15)},
    "looks aside": {"rotation": turned(0, 20)},
    "tilted": {"rotation": turned(0, 0, 10)},
    "a child's": {"scale": 0.8, "spacing": (1.5, 1.5, 1.5)},
    "slices of 5 mm": {"spacing": (5.0, 1.5, 1.5)},
    "ends at the mouth": {"below": -60.0},
}


def hidden(cut: FaceCut, head: Phantom) -> Mask:
    return np.stack([cut.hides(plane) for plane in head.planes])


@cache
def defaced(name: str) -> tuple[Phantom, Mask]:
    head = phantom(**HEADS[name])  # type: ignore[arg-type]
    return head, hidden(find_face(head.volume), head)


@pytest.mark.parametrize("name", HEADS)
def test_the_skin_of_the_face_goes(name: str) -> None:
    head, mask = defaced(name)
    assert mask[head.face].mean() > 0.9


@pytest.mark.parametrize("name", HEADS)
def test_no_voxel_of_the_brain_goes(name: str) -> None:
    head, mask = defaced(name)
    assert not (mask & head.brain).any()


@pytest.mark.parametrize("name", HEADS)
def test_the_head_stays_but_for_its_front(name: str) -> None:
    head, mask = defaced(name)
    tissue = head.volume.values > (-300 if head.volume.modality == "CT" else 100)
    assert (mask & tissue).sum() < 0.15 * tissue.sum()


def test_what_lies_before_the_face_goes_too() -> None:
    head, mask = defaced("CT, axial")
    nose = np.argwhere(head.face)[np.argwhere(head.face)[:, 1].argmin()]
    assert mask[nose[0], : nose[1] + 1, nose[2]].all()


def test_the_surface_left_is_smooth() -> None:
    head, mask = defaced("CT, axial")
    kept = (head.volume.values > -300) & ~mask
    first = np.where(kept.any(axis=1), kept.argmax(axis=1), np.nan)
    middle = first.shape[1] // 2
    at = int(np.argwhere(head.face)[:, 0].mean())
    relief = first[at - 20 : at + 20, middle - 15 : middle + 16]
    # A nose stands out by two centimetres from what is beside it; half a centimetre a step is the slope of the cut.
    assert np.nanmax(np.abs(np.diff(relief, axis=1))) <= 1


def test_the_same_volume_gives_the_same_surface() -> None:
    head = phantom()
    first, second = find_face(head.volume), find_face(head.volume)
    assert np.array_equal(hidden(first, head), hidden(second, head))


def _with_steps(head: Phantom, *signs: int) -> Volume:
    volume = head.volume
    return Volume(volume.values, volume.origin, volume.steps * np.array(signs)[:, None], volume.modality)


@pytest.mark.parametrize(
    ("volume", "why"),
    [
        (lambda: phantom(below=10).volume, "no nose"),
        (lambda: phantom(above=60).volume, "top of the head"),
        (lambda: _with_steps(phantom(), -1, 1, 1), "no face was found"),
        (lambda: _with_steps(phantom(), 1, -1, 1), "no face was found"),
        (lambda: Volume(np.full((40, 64, 64), -1000.0), np.zeros(3), np.eye(3) * 4, "CT"), "no tissue"),
        (lambda: Volume(np.full((40, 64, 64), 40.0), np.zeros(3), np.eye(3) * 4, "CT"), "no face was found"),
    ],
    ids=["only the vault", "top cut off", "upside down", "front to back", "air", "a block"],
)
def test_held_where_no_face_can_be_found(volume: object, why: str) -> None:
    with pytest.raises(Held, match=why) as held:
        find_face(volume())  # type: ignore[operator]
    assert held.value.reason is HoldReason.RECOGNIZABLE_FACE


def test_held_when_the_nose_is_cut_off() -> None:
    head = phantom()
    cropped = Volume(
        head.volume.values[:, 12:], head.volume.origin + 12 * head.volume.steps[1], head.volume.steps, "CT"
    )
    with pytest.raises(Held, match="border of the picture"):
        find_face(cropped)


@pytest.mark.parametrize(("modality", "air"), [("CT", -1000), ("MR", 4)])
def test_air_is_what_lies_around_the_head(modality: str, air: float) -> None:
    assert air_value(phantom(modality).volume) == pytest.approx(air, abs=3)
