"""Where something may be written: the test before the reader must not miss it, and must not see text everywhere."""

import cv2
import numpy as np
import pytest
from tests.deidentify.pixels.pictures import Pixels, slice_of_body

from dicomanon.deidentify.pixels.regions import Box
from dicomanon.deidentify.pixels.text_areas import text_areas
from dicomanon.deidentify.pixels.views import views

NAME = "Featherstone, Wilhelmina"


def written(picture: Pixels, at: tuple[int, int], *, height: int = 8, value: float, turned: bool = False) -> Box:
    """Write a name into a picture, its letters so many pixels high, and return where it is."""
    stroke = max(1, height // 9)
    scale = cv2.getFontScaleFromHeight(cv2.FONT_HERSHEY_SIMPLEX, height, stroke)
    (width, above), below = cv2.getTextSize(NAME, cv2.FONT_HERSHEY_SIMPLEX, scale, stroke)
    canvas = np.zeros((above + below + 2, width + 2), np.uint8)
    cv2.putText(canvas, NAME, (1, above), cv2.FONT_HERSHEY_SIMPLEX, scale, 255, stroke, cv2.LINE_AA)
    canvas = np.rot90(canvas) if turned else canvas
    left, top = at
    rows, columns = canvas.shape
    part = picture[top : top + rows, left : left + columns]
    alpha = canvas / 255
    part[...] = part * (1 - alpha) + value * alpha
    return Box(left, top, left + columns, top + rows)


def grey(size: int = 512) -> Pixels:
    return slice_of_body(size=size).astype(np.float32)


def share(areas: list[Box], of: Box) -> float:
    covered = np.zeros((of.bottom + 1, of.right + 1), bool)
    for area in areas:
        covered[area.top : area.bottom, area.left : area.right] = True
    return float(covered[of.top : of.bottom, of.left : of.right].mean())


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("value", [-600, 500])
@pytest.mark.parametrize("at", [(20, 20), (150, 250)], ids=["over air", "over the body"])
def test_small_line_is_found(at: tuple[int, int], value: float, turned: bool) -> None:
    picture = grey()
    where = written(picture, at, value=value, turned=turned)
    assert share(text_areas(picture), where) == 1


def test_lines_are_found_where_they_fill_a_noisy_page() -> None:
    picture = np.random.default_rng(3).normal(100, 14, (512, 512)).astype(np.float32)
    lines = [written(picture, (20 + 230 * column, 10 + 16 * row), value=400) for column in (0, 1) for row in range(30)]
    assert min(share(text_areas(picture), line) for line in lines) == 1


def test_anatomy_has_hardly_a_line() -> None:
    assert sum(area.width * area.height for area in text_areas(grey())) < 0.05 * 512 * 512


def test_noise_has_no_line() -> None:
    assert text_areas(np.random.default_rng(4).normal(0, 20, (512, 512)).astype(np.float32)) == []


def test_large_areas_come_in_pieces_that_overlap() -> None:
    picture = np.zeros((600, 600), np.float32)
    lines = [
        written(picture, (10 + 140 * column, 10 + 16 * row), value=255, height=10)
        for column in range(4)
        for row in range(36)
    ]
    areas = text_areas(picture)
    assert max(area.width * area.height for area in areas) <= 112 * 480
    assert min(share(areas, line) for line in lines) == 1


@pytest.mark.parametrize("height", [8, 16, 32, 60])
@pytest.mark.parametrize("colours", [False, True])
def test_letters_of_any_size_come_to_the_same_size(height: int, colours: bool) -> None:
    picture = np.zeros((700, 1400), np.uint8)
    where = written(picture, (30, 200), height=height, value=200)
    frame = np.repeat(picture[..., None], 3, axis=2) if colours else picture
    seen = [view for view in views(frame) if share([view.box], where) == 1]
    assert any(12 <= height * view.scale <= 40 for view in seen)


def test_picture_of_one_value_is_not_looked_at() -> None:
    assert list(views(np.full((300, 300), 7, np.uint16))) == []


def test_view_tells_where_it_is_in_a_frame_of_many_pixels() -> None:
    frame = np.zeros((2200, 2200), np.uint16)
    where = written(frame, (1500, 2000), height=40, value=3000)
    assert any(share([view.box], where) == 1 and view.scale == 1 for view in views(frame))


def test_coloured_letters_as_bright_as_what_is_behind_them_are_seen() -> None:
    rng = np.random.default_rng(5)
    frame = np.repeat(rng.integers(60, 140, (300, 400, 1)), 3, axis=2).astype(np.uint8)
    letters = np.zeros((300, 400), np.uint8)
    where = written(letters, (60, 100), height=12, value=255)
    frame[letters > 128] = (160, 88, 30)
    assert any(share([view.box], where) == 1 for view in views(frame))


def test_grey_pictures_in_colours_are_looked_at_once() -> None:
    picture = np.zeros((300, 400), np.uint8)
    written(picture, (30, 100), height=12, value=200)
    assert len(list(views(np.repeat(picture[..., None], 3, axis=2)))) == len(list(views(picture)))


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 2), (4, 4), (5, 5), (8, 2000)])
def test_tiny_frames_are_looked_at_without_a_fault(shape: tuple[int, int]) -> None:
    frame = np.random.default_rng(6).integers(0, 4096, shape).astype(np.uint16)
    assert all(view.box.right <= shape[1] and view.box.bottom <= shape[0] for view in views(frame))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_no_number_hide_no_line(value: float) -> None:
    picture = grey()
    where = written(picture, (20, 20), value=500)
    picture[60:64, 30:200] = value
    assert any(share([view.box], where) == 1 for view in views(picture))
