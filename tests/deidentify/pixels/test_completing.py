"""A line that begins or ends within a word of a known value is as long as that value is."""

import pytest

from dicomanon.deidentify.pixels.completing import completed
from dicomanon.deidentify.pixels.reading import Line
from dicomanon.deidentify.pixels.regions import Box
from dicomanon.deidentify.text import KnownValues

KNOWN = KnownValues(
    names=frozenset({"Featherstone^Wilhelmina^^Dr"}),
    places=frozenset({"University Hospital of Nordhaven"}),
    patient_identifiers=frozenset({"AB-0417-7733"}),
).needles.phrases


def ends(text: str, *, hidden: bool = False) -> tuple[int, int]:
    """Return how many letters of ten pixels are missing before and after a text."""
    width = 10 * len(text)
    box = completed(Line(Box(500, 40, 500 + width, 52), text, 0.9), KNOWN, lambda _: hidden).box
    assert (box.top, box.bottom) == (40, 52)
    return round((500 - box.left) / 11), round((box.right - 500 - width) / 11)


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("ty Hospital of Nordhaven 12/24", (8, 0)),
        ("erstone, Wilhelmina", (5, 0)),
        ("Wilhelmina Featherst", (0, 3)),
        ("Featherstone, Wilhel", (0, 4)),
        ("417 7733 MRN", (3, 0)),
        ("DOB 1956 University Hospital of Nor", (0, 6)),
    ],
)
def test_what_is_missing_of_a_word_is_added(text: str, missing: tuple[int, int]) -> None:
    assert ends(text) == missing


@pytest.mark.parametrize(
    "text",
    [
        "Hospital of Nordhaven",
        "Wilhelmina",
        "Featherstone",
        "University Hospital",
        "CHEST PORTABLE",
        "stone",
        "5.2 cm",
        "",
    ],
)
def test_what_begins_and_ends_with_a_word_stays_as_it_is(text: str) -> None:
    assert ends(text) == (0, 0)


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("Wilhelmina DOB 1956", (12, 0)),
        ("Nordhaven CT 2", (20, 0)),
        ("MRN 12 Featherstone", (0, 10)),
        ("University Hospital", (0, 11)),
    ],
)
def test_whole_words_are_added_where_nobody_would_see_them(text: str, missing: tuple[int, int]) -> None:
    assert ends(text, hidden=True) == missing
    assert ends(text, hidden=False) == (0, 0)


@pytest.mark.parametrize(
    "text", ["Wilhelmina Featherstone", "Featherstone, Wilhelmina", "CHEST PORTABLE", "5.2 cm x 3"]
)
def test_nothing_is_added_to_what_is_whole(text: str) -> None:
    assert ends(text, hidden=True) == (0, 0)


def test_text_on_its_side_stays_as_it_was_read() -> None:
    line = Line(Box(10, 10, 22, 200), "erstone, Wilhelmina", 0.9)
    assert completed(line, KNOWN, lambda _: True) is line
