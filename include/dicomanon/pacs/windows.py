"""Ranges of Study Date and Study Time that a query can be narrowed to and split into (PS3.4 C.2.2.2.5)."""

from dataclasses import dataclass
from datetime import date, timedelta

STUDY_DATE = "00080020"
STUDY_TIME = "00080030"
MINUTES_OF_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class DateWindow:
    """Study dates from ``start`` to ``end``, both inclusive; ``date.min`` and ``date.max`` leave that end open."""

    start: date
    end: date

    def filters(self) -> dict[str, str]:
        """Return the query's matching keys."""
        if self.start == self.end:
            return {STUDY_DATE: _da(self.start)}
        lower = "" if self.start == date.min else _da(self.start)
        upper = "" if self.end == date.max else _da(self.end)
        return {STUDY_DATE: f"{lower}-{upper}"}

    def halves(self) -> "tuple[Window, Window] | None":
        """Return two windows that make up this one: of days, or of the two halves of its day."""
        if self.start == self.end:
            return TimeWindow(self.start, 0, MINUTES_OF_DAY).halves()
        middle = self.start + (self.end - self.start) // 2
        return DateWindow(self.start, middle), DateWindow(middle + timedelta(days=1), self.end)


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """Study times from one minute up to, not including, another; of any day where ``day`` is ``None``."""

    day: date | None
    start: int
    end: int

    def filters(self) -> dict[str, str]:
        """Return the query's matching keys.

        Archives compare times as text. The lower bound is therefore as short as it can be, so that a stored "08"
        is not below it, and the upper one as long, so that "085959.999" is not above it.
        """
        hour, minute = divmod(self.start, 60)
        lower = f"{hour:02d}{minute:02d}" if minute else f"{hour:02d}"
        hour, minute = divmod(self.end - 1, 60)
        times = {STUDY_TIME: f"{lower}-{hour:02d}{minute:02d}59.999999"}
        return times if self.day is None else {STUDY_DATE: _da(self.day)} | times

    def halves(self) -> "tuple[Window, Window] | None":
        """Return two windows that make up this one; ``None`` for a minute."""
        if self.end - self.start <= 1:
            return None
        middle = (self.start + self.end) // 2
        return TimeWindow(self.day, self.start, middle), TimeWindow(self.day, middle, self.end)


Window = DateWindow | TimeWindow


def parse_date(value: str) -> date | None:
    """Return a DA value (PS3.5 6.2) as a date, ``None`` where it is none."""
    if len(value) != len("YYYYMMDD") or not (value.isascii() and value.isdigit()):
        return None
    try:
        return date(int(value[:4]), int(value[4:6]), int(value[6:]))
    except ValueError:
        return None


def _da(day: date) -> str:
    return day.isoformat().replace("-", "")
