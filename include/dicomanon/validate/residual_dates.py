"""Judges dates and ages, in elements of their own and in text, with the patient's shift in mind."""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Final

from dicomanon.standard.confidentiality import confidentiality_by_tag
from dicomanon.standard.tables import parse_tag
from dicomanon.validate.ages import ages_over, is_age_over
from dicomanon.validate.allowed import FULL_DATES, MODIFIED_DATES
from dicomanon.validate.elements import Element
from dicomanon.validate.judging import BY_CHANCE, CODE_PARTS, CODE_VALUES, Judge, known
from dicomanon.validate.known_values import placeholders
from dicomanon.validate.variants import Kind
from dicomanon.validate.written_dates import written_dates

_AGE: Final = "age-over-maximum"
_DATE_LENGTH: Final = 8
_NO_DATES: Final = CODE_VALUES | {parse_tag("0012,0063")}
"""Attributes that hold codes of the standard, and no date that anyone writes."""


class DateSearch:
    """The search of one object for dates that are the patient's, and for ages that are too high to be kept.

    Parameters
    ----------
    judge
        Of the object.
    """

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._search = judge.search
        self._allowed = judge.allowed
        self._here = judge.here
        self._kept_dates: frozenset[str] | None = None

    def search_dates(self) -> None:
        """Count known dates, and where none may stay every date."""
        self._search_elements()
        self._search_text()

    def _search_elements(self) -> None:
        body = self._judge.parsed.body
        not_removed = not self._allowed.options & {FULL_DATES, MODIFIED_DATES}
        for element in self._judge.parsed.elements:
            if element.vr not in ("DA", "DT") or not element.length or self._here.keeps(element):
                continue
            value = body[element.start : element.start + element.length].decode("latin-1")
            for date in _dates(value):
                index = self._search.date(date)
                rule = None if index is None else self._date_rule({date}, element)
                if rule is not None and index is not None:
                    self._judge.count(rule, index, element.place)
                elif not_removed and date not in placeholders():
                    self._judge.findings.add("date-not-removed", element.place)

    def _search_text(self) -> None:
        dates = self._search.dates
        if not dates:
            return
        text = self._judge.text
        for element, lowered in zip(text.elements, text.lowered, strict=True):
            if self._here.keeps(element) or element.vr == "AS" or element.tag in _NO_DATES:
                continue
            for written in written_dates(lowered):
                if dates.isdisjoint(written.readings):
                    continue
                rule = self._date_rule(written.readings, element)
                if rule is not None:
                    value = min(index for index in map(self._search.date, written.readings) if index is not None)
                    self._judge.count(rule, value, element.place)

    def _date_rule(self, readings: Collection[str], element: Element) -> str | None:
        """Return the rule that a known date breaks where it stands; ``readings`` are the days that it can mean."""
        if FULL_DATES in self._allowed.options:
            if element.vr in ("DA", "DT"):
                if element.tag not in confidentiality_by_tag():
                    return None
            elif not self._may_be_birth_date(readings):
                return None
        if any(self._is_shifted(date) for date in readings):
            return BY_CHANCE
        return known(Kind.DATE)

    def _may_be_birth_date(self, readings: Collection[str]) -> bool:
        """Whether a date is the earliest that is known of a patient, and none that the object keeps.

        Full dates may stay in text, a birth date may not: it is by nature the first of a patient's dates.
        """
        if self._kept_dates is None:
            body = self._judge.parsed.body
            kept: set[str] = set()
            for element in self._judge.parsed.elements:
                if element.vr in ("DA", "DT") and self._here.keeps(element):
                    kept.update(_dates(body[element.start : element.start + element.length].decode("latin-1")))
            self._kept_dates = frozenset(kept)
        return min(self._search.dates, default="") in set(readings) - self._kept_dates

    def _is_shifted(self, date: str) -> bool:
        shift = self._judge.expected.date_shift_days
        if not shift:
            return False
        try:
            original = datetime.strptime(date, "%Y%m%d") - timedelta(days=shift)
        except (ValueError, OverflowError):
            return False
        return self._search.date(f"{original:%Y%m%d}") is not None

    def search_ages(self) -> None:
        """Add ages above the profile's maximum."""
        maximum = self._allowed.maximum_age
        if maximum is None:
            return
        text = self._judge.text
        for element, lowered in zip(text.elements, text.lowered, strict=True):
            if element.vr == "AS":
                over = is_age_over(lowered.upper(), maximum)
            else:
                over = element.tag not in CODE_PARTS and any(True for _ in ages_over(lowered, maximum))
            if over:
                self._judge.findings.add(_AGE, element.place)


def _dates(value: str) -> Iterator[str]:
    """Yield the dates of a DA or DT value, of all its values and of both ends of a range (PS3.5 section 6.2)."""
    for single in value.split("\\"):
        for part in single.split("-"):
            date = part.strip(" \0").replace(".", "")[:_DATE_LENGTH]
            if len(date) == _DATE_LENGTH and date.isdecimal():
                yield date
