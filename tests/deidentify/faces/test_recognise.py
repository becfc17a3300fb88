"""From header facts alone: may a face be seen?"""

import pytest

from dicomanon.deidentify.faces.recognise import Facts, Sight, recognise

ACROSS_AXIAL = (0.0, 0.0, 1.0)
ACROSS_SAGITTAL = (1.0, 0.0, 0.0)


def sight(iod: str = "ct-image", **facts: object) -> Sight:
    return recognise(Facts(iod, **facts)).sight  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("iod", "text"),
    [
        ("ct-image", "HEAD"), ("mr-image", "Routine Brain"), ("ct-image", "NECK"), ("ct-image", "PET CT WB"),
        ("enhanced-mr-image", "t2 flair"), ("legacy-converted-enhanced-ct-image", "Orbits"),
        ("positron-emission-tomography-image", ""), ("positron-emission-tomography-image", "FDG"),
        ("ct-image", "CHEST HEAD NECK"),
    ],
)  # fmt: skip
def test_what_includes_a_head_may_show_a_face(iod: str, text: str) -> None:
    assert sight(iod, texts=(text,)) is Sight.MAY_SHOW


def test_one_word_for_a_head_counts_more_than_a_body_part_elsewhere() -> None:
    assert sight(texts=("CHEST", "Head and chest")) is Sight.MAY_SHOW


def test_a_code_of_a_region_counts() -> None:
    assert sight(regions=("69536005",)) is Sight.MAY_SHOW
    assert sight(regions=("T-D4000",)) is Sight.NO_FACE


def test_a_long_series_may_begin_at_the_head() -> None:
    assert sight(texts=("CHEST",), extent_mm=900.0, across=ACROSS_AXIAL, step_mm=3.0) is Sight.MAY_SHOW
    assert sight(texts=("CHEST",), extent_mm=650.0, across=ACROSS_AXIAL, step_mm=3.0) is Sight.NO_FACE


@pytest.mark.parametrize("text", ["ABDOMEN", "Prostate", "KNEE"])
def test_other_regions_show_no_face(text: str) -> None:
    assert sight("mr-image", texts=(text,)) is Sight.NO_FACE


def test_without_a_hint_nobody_can_tell() -> None:
    assert sight() is Sight.CANNOT_TELL
    assert sight(texts=("3.0 B30f",)) is Sight.CANNOT_TELL


def test_a_body_part_is_not_believed_of_pet() -> None:
    assert sight("positron-emission-tomography-image", texts=("CHEST",)) is Sight.CANNOT_TELL


@pytest.mark.parametrize("iod", ["computed-radiography-image", "rt-plan", "ultrasound-image", ""])
def test_what_is_no_volume_shows_none(iod: str) -> None:
    assert sight(iod, texts=("HEAD",)) is Sight.NO_FACE


def test_the_object_is_believed_when_it_says_yes_and_not_when_it_says_no() -> None:
    assert sight("rt-plan", visual_features="YES") is Sight.MAY_SHOW
    assert sight(texts=("HEAD",), visual_features="NO") is Sight.MAY_SHOW


def test_a_planning_radiograph_shows_none_and_an_mr_localizer_may() -> None:
    assert sight("ct-image", image_type=("ORIGINAL", "PRIMARY", "LOCALIZER"), texts=("HEAD",)) is Sight.NO_FACE
    assert sight("mr-image", image_type=("ORIGINAL", "PRIMARY", "LOCALIZER"), texts=("HEAD",)) is Sight.MAY_SHOW


@pytest.mark.parametrize(
    ("across", "step", "extent", "answer"),
    [
        (ACROSS_AXIAL, 8.0, None, Sight.NO_FACE),
        (ACROSS_AXIAL, 7.9, None, Sight.MAY_SHOW),
        ((0.0, 0.5, 0.866), 10.0, None, Sight.NO_FACE),
        ((0.0, 0.707, 0.707), 10.0, None, Sight.MAY_SHOW),
        (ACROSS_SAGITTAL, 10.0, None, Sight.MAY_SHOW),
        (ACROSS_AXIAL, 5.0, 39.0, Sight.NO_FACE),
        (ACROSS_AXIAL, 5.0, 41.0, Sight.MAY_SHOW),
        (ACROSS_SAGITTAL, 5.0, 0.0, Sight.MAY_SHOW),
        (None, 10.0, 10.0, Sight.MAY_SHOW),
    ],
)
def test_axial_planes_that_cannot_be_rendered_show_none(
    across: tuple[float, float, float] | None, step: float, extent: float | None, answer: Sight
) -> None:
    facts = {"texts": ("BRAIN",), "across": across, "step_mm": step, "extent_mm": extent}
    assert sight("mr-image", **facts) is answer


def test_reasons_are_codes_and_hold_no_value() -> None:
    told = recognise(Facts("ct-image", texts=("Mr Featherstone HEAD",), regions=("T-D1100",)))
    assert told.reasons == ("code-head", "word-head")
    assert "Featherstone" not in repr(Facts("ct-image", texts=("Mr Featherstone HEAD",)))
