"""A box that holds a part of a line grows to its ends, and not into what is beside it."""

import cv2
import numpy as np
import pytest
from tests.deidentify.pixels.pictures import Pixels, slice_of_body

from dicomanon.deidentify.pixels.lines import hides, to_its_ends
from dicomanon.deidentify.pixels.regions import Box


def line_of(text: str, picture: Pixels, *, value: int, font: int = cv2.FONT_HERSHEY_DUPLEX) -> Pixels:
    mask = np.zeros(picture.shape[:2], np.uint8)
    cv2.putText(mask, text, (10, 122), font, 0.8, 1, 1)
    shown = picture.copy()
    shown[mask > 0] = value
    return shown


END = int(np.flatnonzero(line_of("DOE 1951", np.zeros((256, 256), np.int16), value=1).any(axis=0)).max())
"""The last column of the text."""


@pytest.fixture
def anatomy() -> Pixels:
    """A picture as bright as the text where its second half is."""
    picture = slice_of_body(size=256).astype(np.int16) + 1000
    rng = np.random.default_rng(5)
    picture[:, 90:] = rng.normal(900, 12, (256, 166)).astype(np.int16)
    return picture


def test_letters_that_fade_over_anatomy_are_followed(anatomy: Pixels) -> None:
    grown = to_its_ends(line_of("DOE 1951", anatomy, value=905), Box(6, 98, 70, 130))
    assert (grown.left, grown.top, grown.bottom) == (6, 98, 130)
    assert grown.right > END


def test_colours_are_followed_too() -> None:
    grey = np.random.default_rng(3).integers(0, 60, (256, 256, 3), np.uint8)
    mask = line_of("DOE 1951", np.zeros((256, 256), np.int16), value=1) > 0
    grey[mask] = (250, 220, 10)
    assert to_its_ends(grey, Box(6, 98, 70, 130)).right > END


@pytest.mark.parametrize("noise", [0, 3])
def test_letters_that_run_from_bright_into_dark_are_followed(noise: float) -> None:
    """Lossy compression has left no two pixels of a stroke alike."""
    rng = np.random.default_rng(4)
    picture = np.full((256, 256), 220.0)
    picture[:, 72:] = 40
    strokes = cv2.GaussianBlur((line_of("DOE 1951", np.zeros((256, 256)), value=1) > 0).astype(float), (0, 0), 0.5)
    shown = picture * (1 - strokes) + 90 * strokes + rng.normal(0, noise, picture.shape)
    grown = to_its_ends(shown.clip(0, 255).astype(np.uint8), Box(6, 98, 70, 130))
    assert END <= grown.right <= END + 12


def test_tissue_beside_a_line_is_not_taken_for_letters(anatomy: Pixels) -> None:
    shown = cv2.GaussianBlur(anatomy.astype(np.float32), (0, 0), 1.5)
    shown[line_of("DOE", np.zeros((256, 256), np.int16), value=1) > 0] = 1800
    box = Box(6, 98, 72, 130)
    assert to_its_ends(shown.astype(np.int16), box) == box


def test_text_behind_a_gap_is_another(anatomy: Pixels) -> None:
    shown = line_of("DOE", anatomy, value=905)
    shown = np.maximum(shown, line_of("        L", np.zeros_like(anatomy), value=905))
    assert to_its_ends(shown, Box(6, 98, 72, 130)).right <= 80


def test_anatomy_beside_a_line_is_not_followed(anatomy: Pixels) -> None:
    box = Box(6, 98, 72, 130)
    assert to_its_ends(line_of("DOE", anatomy, value=1800), box) == box


def test_a_frame_around_the_text_is_not_followed() -> None:
    picture = np.random.default_rng(3).normal(100, 3, (256, 256)).astype(np.int16)
    shown = line_of("DOE", picture, value=905)
    cv2.rectangle(shown, (2, 90), (250, 140), 905, 1)
    box = Box(6, 98, 72, 130)
    assert to_its_ends(shown, box) == box


def test_a_comma_beside_the_box_belongs_to_it() -> None:
    picture = np.random.default_rng(3).normal(100, 3, (256, 256)).astype(np.int16)
    shown = cv2.GaussianBlur(line_of(", DOE", picture, value=905).astype(np.float32), (0, 0), 0.6).astype(np.int16)
    assert to_its_ends(shown, Box(32, 98, 110, 130)).left <= 14


def test_text_on_its_side_stays_as_it_was_read(anatomy: Pixels) -> None:
    box = Box(6, 20, 30, 130)
    assert to_its_ends(line_of("DOE 1951", anatomy, value=905), box) == box


def test_what_is_as_bright_as_a_text_hides_more_of_it(anatomy: Pixels) -> None:
    anatomy[100:130, :60] = 2000
    picture = line_of("DOE 1951", anatomy, value=2000)
    read = Box(70, 100, END, 130)
    assert hides(picture, read, Box(10, 100, 60, 130))
    assert not hides(picture, read, Box(END, 100, END + 40, 130))
    assert not hides(picture, read, Box(-60, 100, 0, 130))


def test_white_paper_hides_no_dark_text() -> None:
    paper = np.full((256, 256), 250, np.uint8)
    assert not hides(line_of("DOE 1951", paper, value=0), Box(10, 100, END, 130), Box(END, 100, END + 40, 130))


def test_tissue_that_a_line_leaves_for_air_hides_no_text() -> None:
    body = np.full((256, 256), -2000, np.int16)
    body[:, :70] = 100
    picture = line_of("DOE 1951", body, value=2800)
    assert not hides(picture, Box(10, 100, END, 130), Box(-30, 100, 10, 130))
    assert not hides(picture, Box(30, 100, END, 130), Box(0, 100, 30, 130))
