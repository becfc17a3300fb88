"""What several readings of one place come to."""

from tests.deidentify.pixels.pictures import slice_of_body, with_text

from dicomanon.deidentify.pixels.finding import FoundText, find_text
from dicomanon.deidentify.pixels.judging import TextClass, TextJudge
from dicomanon.deidentify.pixels.reading import Line
from dicomanon.deidentify.pixels.regions import Box
from dicomanon.deidentify.pixels.views import View
from dicomanon.deidentify.text import KnownValues
from dicomanon.deidentify.text_cleaning import cleaner_for
from dicomanon.profile import CompiledProfile

NAME = Box(0, 30, 420, 68)


class Reader:
    """Reads what it is told to; which of two readings wins can not be had from the real one at will."""

    def __init__(self, *lines: Line) -> None:
        self._lines = [list(lines)]

    def read(self, view: View) -> list[Line]:
        return self._lines.pop() if self._lines else []


def texts(research: CompiledProfile, *lines: Line) -> list[FoundText]:
    known = KnownValues(names=frozenset({"Featherstone^Wilhelmina"}))
    judge = TextJudge(known.needles, cleaner_for(known, research, None).clean)
    picture = with_text(slice_of_body(size=480), "Featherstone 78F78")
    return find_text(picture, Reader(*lines), judge)  # type: ignore[arg-type]


def classes(research: CompiledProfile, *lines: Line) -> list[TextClass]:
    return [text.text_class for text in texts(research, *lines)]


def test_a_surer_reading_of_the_same_place_wins(research: CompiledProfile) -> None:
    assert classes(research, Line(NAME, "Featherstone", 0.7), Line(NAME, "CT CHEST", 0.99)) == [TextClass.HARMLESS]


def test_nearly_as_sure_a_reading_does_not(research: CompiledProfile) -> None:
    assert classes(research, Line(NAME, "Featherstone", 0.9), Line(NAME, "CT CHEST", 0.99)) == [TextClass.IDENTIFYING]


def test_a_surer_reading_of_a_piece_does_not_clear_the_whole_line(research: CompiledProfile) -> None:
    piece = Box(17, 48, 72, 68)
    assert classes(research, Line(NAME, "Featherstone 78F78", 0.75), Line(piece, "78F78", 1.0)) == [
        TextClass.IDENTIFYING
    ]


def test_harmless_text_beside_a_name_stays_though_another_view_joins_them(research: CompiledProfile) -> None:
    together = Line(Box(0, 30, 420, 60), "Featherstone PORTABLE", 0.98)
    name, harmless = Line(Box(2, 31, 200, 60), "Featherstone", 0.95), Line(Box(260, 31, 418, 60), "PORTABLE", 0.97)
    assert sorted(classes(research, together, name, harmless)) == [TextClass.HARMLESS, TextClass.IDENTIFYING]


def test_a_name_that_only_the_whole_line_shows_goes(research: CompiledProfile) -> None:
    together = Line(Box(0, 30, 420, 60), "Feather stone ABC", 0.98)
    parts = Line(Box(2, 31, 100, 60), "CHEST", 0.95), Line(Box(160, 31, 418, 60), "PORTABLE", 0.97)
    assert TextClass.IDENTIFYING in classes(research, together, *parts)


def test_lines_that_a_coarse_view_runs_together_stay_two(research: CompiledProfile) -> None:
    upper, lower = Line(Box(3, 14, 136, 29), "Featherstone", 1.0, 2.0), Line(Box(4, 34, 193, 49), "CT CHEST", 0.95, 2.0)
    coarse = Line(Box(0, 22, 202, 54), "C7 GHES", 0.47, 0.5)
    found = texts(research, upper, lower, coarse)
    assert [text.text_class for text in found] == [TextClass.HARMLESS, TextClass.IDENTIFYING]
    assert found[0].box.top > upper.box.bottom - 1
    assert found[1].box.bottom < lower.box.top + 1


def test_a_name_that_no_finer_view_shows_goes_whatever_they_read_beside_it(research: CompiledProfile) -> None:
    above, coarse = Line(Box(3, 14, 136, 29), "CT CHEST", 1.0, 2.0), Line(Box(0, 28, 140, 50), "Featherstone", 0.9, 0.5)
    assert TextClass.IDENTIFYING in classes(research, above, coarse)


def test_a_name_of_a_coarse_view_outweighs_what_a_finer_one_makes_of_it(research: CompiledProfile) -> None:
    fine, coarse = (
        Line(Box(3, 14, 136, 29), "Feath stoze", 0.9, 2.0),
        Line(Box(2, 13, 138, 30), "Featherstone", 0.9, 0.5),
    )
    assert classes(research, fine, coarse) == [TextClass.IDENTIFYING]
