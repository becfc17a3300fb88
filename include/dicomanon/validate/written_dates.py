"""Reads the dates that people write in text, in the orders and with the month names of several languages."""

import re
import unicodedata
from collections.abc import Iterator
from datetime import date
from functools import cache
from typing import Final, NamedTuple

from dicomanon.validate.tables import read_words

_CENTURY: Final = 100
_MONTHS: Final = 12


class WrittenDate(NamedTuple):
    """A date in a text; ``readings`` are the days as YYYYMMDD that it can mean: 05/01/2019 means two."""

    start: int
    end: int
    readings: frozenset[str]


def written_dates(text: str) -> Iterator[WrittenDate]:
    """Yield every date in ``text`` that names a day.

    Parameters
    ----------
    text
        Lower-cased text.
    """
    if not any(character.isdecimal() for character in text):
        return
    for match in _pattern().finditer(text):
        readings = frozenset(_readings(match))
        if readings:
            yield WrittenDate(match.start(), match.end(), readings)


@cache
def _months() -> dict[str, int]:
    """Return month names and their abbreviations, each also without accents."""
    months: dict[str, int] = {}
    for kind, names in read_words("months").items():
        for name in names:
            plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
            months[name] = months[plain] = int(kind)
    return months


@cache
def _pattern() -> re.Pattern[str]:
    names = "|".join(sorted(map(re.escape, _months()), key=len, reverse=True))
    day, year = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:18|19|20)\d\d"
    ordinal = r"(?:st|nd|rd|th|er|º|ª|\.)?"
    return re.compile(
        r"(?<![\d])(?<!\d\.)(?:"
        rf"(?P<y1>{year})(?P<s1>[-/. _]?)(?P<m1>0?[1-9]|1[0-2])(?P=s1)(?P<d1>{day})"
        rf"|(?P<a>\d\d?)(?P<s2>[-/. _])(?P<b>\d\d?)(?P=s2)(?P<y2>{year}|\d\d)"
        rf"|(?P<d3>{day}){ordinal}[ _-]*(?:de |of )?(?P<n3>{names})\.?,?[ _-]*(?:de |del )?(?P<y3>{year}|'?\d\d)"
        rf"|(?<![^\W\d_])(?P<n4>{names})\.?[ _-]*(?P<d4>{day}){ordinal},?[ _-]+(?P<y4>{year})"
        rf"|(?P<y5>{year})[ _-]*(?P<n5>{names})[ _-]*(?P<d5>{day})"
        rf"|(?P<y6>{year}) ?[年년.] ?(?P<m6>0?[1-9]|1[0-2]) ?[月월.] ?(?P<d6>{day}) ?[日일]?"
        r")(?:(?=(?:[t _]?\d{2}:?\d{2}(?::?\d{2})?(?:\.\d+)?)?(?![\d.]\d|\d)))"
    )


def _readings(match: re.Match[str]) -> Iterator[str]:
    for index in "16":
        if match[f"y{index}"]:
            yield from _day(match[f"y{index}"], int(match[f"m{index}"]), match[f"d{index}"])
    if match["y2"] and not (len(match["y2"]) < len("2019") and match["s2"] in " _"):
        # Two digits of a year between blanks are three numbers of anything.
        yield from _day(match["y2"], int(match["b"]), match["a"])
        yield from _day(match["y2"], int(match["a"]), match["b"])
    for index in "345":
        if match[f"y{index}"]:
            yield from _day(match[f"y{index}"], _months()[match[f"n{index}"]], match[f"d{index}"])


def _day(year: str, month: int, day: str) -> Iterator[str]:
    number = int(year.lstrip("'"))
    for century in (0,) if number >= _CENTURY else (1900, 2000):
        try:
            yield date(century + number, month, int(day)).strftime("%Y%m%d")
        except ValueError:
            continue
