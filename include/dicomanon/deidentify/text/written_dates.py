"""Finds dates as people write them, and moves those whose reading leaves no doubt by the patient's days."""
# Texts have these characters, and so do the patterns that search them.
# ruff: noqa: RUF001

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib.resources import files

from dicomanon.deidentify.text.contexts import words_of
from dicomanon.deidentify.text.folding import fold
from dicomanon.deidentify.text.known_values import Needles
from dicomanon.deidentify.text.spans import Span

_DIGIT = re.compile(r"\d")
_EARLIEST_YEAR, _LATEST_YEAR = 1850, 2150
_CENTURY_TURN = 50
_MONTHS, _LONGEST_MONTH = 12, 31
_OTHER_YEARS = (range(1300, 1500), range(2400, 2650))
_ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")
# Month names that are something else too, unless they are capitalised or a year stands beside them.


@dataclass(frozen=True, slots=True)
class DateTreatment:
    """What becomes of dates in a text.

    Attributes
    ----------
    days
        Shift by so many days; ``None``: no shift.
    keep
        Leave them; with neither they are removed. A birth date goes in any case.
    """

    days: int | None = None
    keep: bool = False


@dataclass(frozen=True, slots=True)
class _Form:
    pattern: re.Pattern[str]
    read: Callable[[re.Match[str]], list[date]]
    write: Callable[[re.Match[str], date, date], str] | None
    like_version: bool = False


class WrittenDates:
    """Dates of texts, for one set of known values and one treatment."""

    def __init__(self, needles: Needles, treatment: DateTreatment) -> None:
        self._needles = needles
        self._treatment = treatment

    def find(self, text: str, technical: bool) -> list[Span]:
        """Return where dates are and what becomes of each; one that is kept becomes itself.

        Parameters
        ----------
        text
            Any text.
        technical
            Whether it is of equipment, where numbers with dots are versions rather than days, and where no day is
            moved but those that are known to be the patient's.
        """
        spans: list[Span] = []
        if not _DIGIT.search(text):
            return spans
        taken = [False] * len(text)
        for form in _forms():
            for match in form.pattern.finditer(text):
                start, end = match.span()
                if any(taken[start:end]):
                    continue
                readings = form.read(match)
                if not readings and form.write is not None and not _is_of_another_calendar(match):
                    continue
                if technical and form.like_version and not self._is_known(readings):
                    continue
                taken[start:end] = [True] * (end - start)
                spans.append(self._treated(match, form, readings, technical))
        return spans

    def _is_known(self, readings: list[date]) -> bool:
        return any(day in self._needles.dates or day in self._needles.birth_dates for day in readings)

    def _treated(self, match: re.Match[str], form: _Form, readings: list[date], technical: bool) -> Span:
        gone = Span(match.start(), match.end())
        if any(day in self._needles.birth_dates for day in readings):
            return gone
        if self._treatment.keep:
            return Span(match.start(), match.end(), match[0])
        if self._treatment.days is None or form.write is None:
            return gone
        known = [day for day in readings if day in self._needles.dates]
        # The version of a terminology or a software may be anybody's knowledge: moved, it would tell by how many days
        # the patient's dates move.
        sure = known if technical or len(readings) > 1 else readings
        if len(set(sure)) != 1:
            return gone
        try:
            moved = sure[0] + timedelta(days=self._treatment.days)
        except OverflowError:
            return gone
        return Span(match.start(), match.end(), form.write(match, sure[0], moved))


def _day(year: str | int, month: str | int, day: str | int) -> list[date]:
    year = int(year)
    if year < 100:  # noqa: PLR2004
        year += 1900 if year > _CENTURY_TURN else 2000
    try:
        found = date(year, int(month), int(day))
    except ValueError:
        return []
    return [found] if _EARLIEST_YEAR <= year <= _LATEST_YEAR else []


def _is_of_another_calendar(match: re.Match[str]) -> bool:
    """Tell whether numbers can be a day of a year that Muslims, Persians or Buddhists count."""
    parts = match.groupdict()
    if not (parts["y"].isdecimal() and any(int(parts["y"]) in years for years in _OTHER_YEARS)):
        return False
    day, month = (parts[name] or "" for name in (("d", "m") if "d" in parts else ("a", "b")))
    if not (day.isdecimal() and month.isdecimal()):
        return False
    fewer, more = sorted([int(day), int(month)])
    return 0 < fewer <= _MONTHS and more <= _LONGEST_MONTH


def _like(sample: str, number: int) -> str:
    """Write a number as another is written: with as many digits if that had a leading zero, and in its script."""
    if len(sample) == 2 and number > 99:  # noqa: PLR2004
        number %= 100
        text = f"{number:02}"
    else:
        text = f"{number:0{len(sample)}}" if sample[0] == "0" or len(sample) != 1 else str(number)
    if len(sample) == 2 and sample[0] != "0" and number < 10:  # noqa: PLR2004
        text = f"{number:02}"
    zero = ord(sample[0]) - int(sample[0])
    return text if zero == ord("0") else "".join(chr(zero + int(digit)) for digit in text)


def _written(match: re.Match[str], parts: dict[str, str]) -> str:
    """Return the text of a match with some of its groups replaced."""
    pieces, position = [], match.start()
    for name, (first, last) in sorted(((name, match.span(name)) for name in parts), key=lambda item: item[1]):
        pieces += [match.string[position:first], parts[name]]
        position = last
    pieces.append(match.string[position : match.end()])
    return "".join(pieces)


def _numeric(match: re.Match[str], _: date, moved: date) -> str:
    return _written(
        match,
        {
            "y": _like(match["y"], moved.year),
            "m": _like(match["m"], moved.month),
            "d": _like(match["d"], moved.day),
        },
    )


@cache
def _months() -> dict[str, int]:
    text = files("dicomanon.deidentify.text").joinpath("data", "months.csv").read_text(encoding="utf-8")
    return {
        fold(name): int(row["number"]) for row in csv.DictReader(text.splitlines()) for name in row["names"].split()
    }


@cache
def _month_columns() -> dict[str, tuple[str, ...]]:
    """Return for each month name its language's names: those at the same place in each row."""
    text = files("dicomanon.deidentify.text").joinpath("data", "months.csv").read_text(encoding="utf-8")
    rows = [row["names"].split() for row in csv.DictReader(text.splitlines())]
    english = [row[0] for row in rows]
    short = [row[1] if len(row) > 1 and row[0] != "may" else "may" for row in rows]
    columns: dict[str, tuple[str, ...]] = {}
    for row in rows:
        for name in row:
            columns.setdefault(fold(name), ())
    for names in (english, short):
        for name in names:
            columns[fold(name)] = tuple(names)
    columns["june"] = columns["july"] = tuple(english)
    columns["jun"] = columns["jul"] = tuple(short)
    return columns


def _named(match: re.Match[str], _: date, moved: date) -> str:
    name = match["m"]
    columns = _month_columns().get(fold(name), ())
    if _months()[fold(name)] == moved.month:
        month = name
    elif columns:
        month = columns[moved.month - 1]
        month = month.upper() if name.isupper() else month.capitalize() if name[0].isupper() else month
    else:
        month = f"{moved.month:02}"
    year = match["y"]
    mark = "" if year[0].isdigit() else year[0]
    year = mark + _like(year[len(mark) :], moved.year)
    return _written(match, {"y": year, "m": month, "d": _like(match["d"], moved.day)})


def _slashed(match: re.Match[str]) -> list[date]:
    """Return the readings of two numbers and a year: day first and month first."""
    first, second, year = match["a"], match["b"], match["y"]
    readings = _day(year, second, first) + _day(year, first, second)
    return list(dict.fromkeys(readings))


def _slashed_written(match: re.Match[str], day: date, moved: date) -> str:
    day_first = (int(match["a"]), int(match["b"])) == (day.day, day.month)
    first, second = (moved.day, moved.month) if day_first else (moved.month, moved.day)
    parts = {"a": _like(match["a"], first), "b": _like(match["b"], second), "y": _like(match["y"], moved.year)}
    return _written(match, parts)


def _month_number(match: re.Match[str]) -> int:
    name = fold(match["m"])
    return _months().get(name) or (_ROMAN.index(name) + 1 if name in _ROMAN else 0)


def _named_reading(match: re.Match[str]) -> list[date]:
    month = _month_number(match)
    return _day(match["y"].lstrip("'’"), month, match["d"]) if month else []


def _partial(match: re.Match[str]) -> list[date]:
    """Return nothing: a part of a date has no day; forms without a way to write are removed as they are found."""
    return []


@cache
def _forms() -> tuple[_Form, ...]:
    names = sorted({name for row in _rows() for name in row}, key=len, reverse=True)
    by_letter: dict[str, list[str]] = {}
    for name in names:
        by_letter.setdefault(name[0], []).append(re.escape(name[1:]))
    month = "(?P<m>" + "|".join(f"{letter}(?:{'|'.join(rest)})" for letter, rest in by_letter.items()) + ")"
    sure = "|".join(re.escape(name) for name in names if name not in words_of("month-or-word") and len(name) > 3)  # noqa: PLR2004
    roman = "(?P<m>XII|XI|IX|X|VIII|VII|VI|IV|V|III|II|I)"
    year = r"(?P<y>\d{4})"
    ordinal = r"(?:st|nd|rd|th|er|re|º|ª|°|\.)?"
    link = r"(?:\s?(?:of|de|del|d['’])\s?)?"
    time = r"(?:[T ]\d{2}:?\d{2}(?::?\d{2}(?:\.\d{1,6})?)?(?=\D|$))?"
    ignore = re.IGNORECASE

    def form(
        pattern: str,
        read: Callable[[re.Match[str]], list[date]],
        write: Callable[[re.Match[str], date, date], str] | None,
        *,
        like_version: bool = False,
    ) -> _Form:
        return _Form(re.compile(pattern, ignore), read, write, like_version)

    def ymd(match: re.Match[str]) -> list[date]:
        return _day(match["y"], match["m"], match["d"])

    return (
        form(rf"(?<![\w.]){year}年\s?(?P<m>\d{{1,2}})月\s?(?P<d>\d{{1,2}})日", ymd, _numeric),
        form(rf"(?<![\w.]){year}년\s?(?P<m>\d{{1,2}})월\s?(?P<d>\d{{1,2}})일", ymd, _numeric),
        form(
            rf"(?<![\d.]){year}\s?(?P<s>[-/._])\s?(?P<m>\d{{1,2}})\s?(?P=s)\s?(?P<d>\d{{1,2}})(?![\d]|\.\d)",
            ymd,
            _numeric,
        ),
        form(
            rf"(?<![\d./-])(?P<a>\d{{1,2}})(?P<s>\s?[-/._]\s?)(?P<b>\d{{1,2}})\s?[-/._]\s?{year}(?![\d]|\.\d)",
            _slashed,
            _slashed_written,
        ),
        form(
            r"(?<![\d./-])(?P<a>\d{1,2})(?P<s>\.)(?P<b>\d{1,2})\.(?P<y>\d{2})(?![\d]|[./-]\d)",
            _slashed,
            _slashed_written,
            like_version=True,
        ),
        form(
            r"(?<![\d./-])(?P<a>\d{1,2})(?P<s>[/-])(?P<b>\d{1,2})(?P=s)(?P<y>\d{2})(?![\d]|[./-]\d|\s?(?:[mkµu]?s|[cm]m|ml|mg)\b)",
            _slashed,
            _slashed_written,
        ),
        form(
            rf"(?<![^\W_])(?P<d>\d{{1,2}}){ordinal}[\s,./_-]{{0,2}}{link}{month}\.?[\s,./_-]{{0,2}}{link}(?P<y>\d{{4}}|"
            rf"['’]\d{{2}}|(?<=[-/. ])\d{{2}})(?!\d)",
            _named_reading,
            _named,
        ),
        form(rf"(?<![^\W_])(?P<d>\d{{1,2}}){month}(?P<y>\d{{2}})(?![^\W_])", _named_reading, _named),
        form(rf"(?<![^\W_]){month}\.?[\s_-]?(?P<d>\d{{1,2}}){ordinal},?\s?{year}(?!\d)", _named_reading, _named),
        form(rf"(?<![\w.]){year}[\s,./_-]{{1,2}}{month}[\s,./_-]{{1,2}}(?P<d>\d{{1,2}})(?!\d)", _named_reading, _named),
        form(rf"(?<!\w)(?P<d>\d{{1,2}})[.\s/-]{{1,2}}{roman}[.\s/-]{{1,2}}{year}(?!\d)", _named_reading, None),
        form(
            r"(?<![^\W_])(?<![.-])(?P<y>(?:19|20)\d{2})(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12]\d|"
            r"3[01])(?:\d{6}(?:\.\d{1,6})?(?:[+-]\d{4})?)?(?![^\W_]|\.\d)",
            ymd,
            _numeric,
        ),
        # Without a day, or without a year: never moved.
        form(rf"(?<![^\W_]){month}\.?[\s,./_-]{{0,2}}{link}(?:(?:19|20)\d{{2}}|['’]\d{{2}})(?!\d)", _partial, None),
        form(rf"(?<![\w.])(?:19|20)\d{{2}}[\s,./_-]{{1,2}}{month}(?!\w)", _partial, None),
        form(r"(?<![\w./-])(?:0?[1-9]|1[0-2])\s?[/-]\s?(?:19|20)\d{2}(?![\w/-]|\.\d)", _partial, None),
        form(r"(?<![\w./-])(?:0[1-9]|1[0-2])\.(?:19|20)\d{2}(?![\w/-]|\.\d)", _partial, None),
        form(r"(?<![\w./-])(?:19|20)\d{2}[-/](?:0[1-9]|1[0-2])(?![\w/-]|\.\d)", _partial, None),
        form(rf"(?<![\w.])\d{{1,2}}{ordinal}[\s.-]?\s?(?:of\s|de\s)?(?:{sure})(?!\w)", _partial, None),
        form(rf"(?<!\w)(?:{sure})\.?\s\d{{1,2}}{ordinal}(?![\w]|\.\d)", _partial, None),
        form(
            rf"(?<![\w.])\d{{1,2}}{ordinal}\s(?:of\s)?(?-i:March|May|August|Mars|Mai|Mei|Marzo|Mayo|Maggio|Maio)(?!\w)",
            _partial,
            None,
        ),
        form(r"(?<!\w)(?-i:March|May|August)\s\d{1,2}(?:st|nd|rd|th)?(?![\w]|\.\d|\s?[cm]m)", _partial, None),
        form(rf"(?<=\b(?:le|du|el|il|al|am|op|on|em) )\d{{1,2}}{ordinal}\s(?:de\s)?{month}(?!\w)", _partial, None),
        form(r"(?<!\w)\d{1,2}\s?月\s?\d{1,2}\s?日", _partial, None),
        form(r"(?<!\d)\d{4}\s?年(?:\s?\d{1,2}\s?月)", _partial, None),
        form(
            r"(?:明治|大正|昭和|平成|令和)\s?(?:\d{1,2}|元)\s?年(?:\s?\d{1,2}\s?月)?(?:\s?\d{1,2}\s?日)?",
            _partial,
            None,
        ),
        form(r"(?<!\w)[SHR]\d{1,2}[./]\d{1,2}[./]\d{1,2}(?!\w)", _partial, None, like_version=True),
        form(rf"(?<=\bon )\d{{1,2}}[/-]\d{{1,2}}(?![\w/-]){time}", _partial, None),
    )


def _rows() -> Iterator[list[str]]:
    text = files("dicomanon.deidentify.text").joinpath("data", "months.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        names = row["names"].split()
        yield names + [fold(name) for name in names]
