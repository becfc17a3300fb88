"""Reads what people paste into a request: lines, columns of a CSV with or without headings, dates, ages.

Whatever cannot be read is named by its place, never by what it says. Places are counted as they are in the list, from
1; blank lines and a line of headings do not count.
"""

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Final, TypeGuard, TypeVar

from dicomanon.identity import Masked

T = TypeVar("T")

HEADINGS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "Patient ID": frozenset({"mrn", "patientid", "pid", "patientnumber", "medicalrecordnumber"}),
        "accession number": frozenset({"accession", "accessionnumber", "accessionno"}),
        "name": frozenset({"name", "patientname", "patientsname"}),
        "birth date": frozenset({"birthdate", "dateofbirth", "dob", "patientbirthdate", "patientsbirthdate"}),
        "date": frozenset({"date", "indexdate", "eventdate", "diagnosisdate", "dateofdiagnosis"}),
    }
)
"""What columns are called, without spaces, punctuation and capitals."""

_MARKS = "\t;,"
_MOST_PLACES = 20
_DAYS = {"D": 1.0, "W": 7.0, "M": 30.44, "Y": 365.25}
_AGE = re.compile(r"(\d{1,3})([DWMY]?)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, repr=False)
class NameWithBirthDate(Masked):
    """A person as people write it."""

    name: str
    birth_date: date


@dataclass(frozen=True, slots=True, repr=False)
class IndexDate(Masked):
    """The day that the studies of a patient are looked for around."""

    patient_id: str
    day: date


@dataclass(frozen=True, slots=True, repr=False)
class Age(Masked):
    """An age in days (D), weeks (W), months (M) or years (Y), as DICOM's VR AS has it (PS3.5 6.2)."""

    number: int
    unit: str

    def __gt__(self, other: "Age") -> bool:
        return self.number * _DAYS[self.unit] > other.number * _DAYS[other.unit]

    def of(self, birth_date: date, day: date) -> int:
        """Return how old somebody is on a day, in full units of this age."""
        days = (day - birth_date).days
        if self.unit == "D":
            return days
        if self.unit == "W":
            return days // 7
        months = 12 * (day.year - birth_date.year) + day.month - birth_date.month - (day.day < birth_date.day)
        return months if self.unit == "M" else months // 12


def read_lines(value: object) -> object:
    """Take one string per line as well, as the form's text area gives it, and drop blank lines."""
    if value is None:
        return ()
    if isinstance(value, str):
        value = value.splitlines()
    if isinstance(value, list | tuple):
        # Not of tabs: a row of a table may begin with an empty cell.
        stripped = (item.strip(" \r\n") if isinstance(item, str) else item for item in value)
        return tuple(item for item in stripped if not isinstance(item, str) or item.strip())
    return value


def read_column(heading: str) -> Callable[[object], object]:
    """Return what reads lines, or the column with a heading where the first line has it."""

    def read(value: object) -> object:
        lines = read_lines(value)
        if not _all_text(lines) or not lines or not (places := _headings(lines[0], (heading,))):
            return lines
        return tuple(cells[0] for cells in _cells(lines, places))

    return read


def read_names_with_birth_dates(value: object) -> object:
    """Read ``NAME, BIRTH DATE`` a line, or those columns where the first line names them."""
    return _pairs(value, ("name", "birth date"), lambda name, day: NameWithBirthDate(name, read_day(day)))


def read_index_dates(value: object) -> object:
    """Read ``PATIENT ID, DATE`` a line, or those columns where the first line names them."""
    return _pairs(value, ("Patient ID", "date"), lambda patient_id, day: IndexDate(patient_id, read_day(day)))


def read_day(text: str) -> date:
    """Read ``2026-11-22`` or DICOM's ``20261122`` (PS3.5 6.2, VR DA).

    Raises
    ------
    ValueError
        It is not such a date.
    """
    for form in ("%Y-%m-%d", "%Y%m%d"):
        try:
            return datetime.strptime(text.strip(), form).date()
        except ValueError:
            continue
    raise ValueError("write a date as YYYY-MM-DD")


def read_optional_day(value: object) -> object:
    """Read a date that may be missing."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return read_day(value)
    raise ValueError("write a date as YYYY-MM-DD")


def read_optional_age(value: object) -> object:
    """Read ``18`` (years), ``018Y``, ``6M``, ``2W`` or ``10D``; none if it is missing."""
    if value is None or value == "":
        return None
    match = _AGE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("write an age as 18 (years), or as 018Y, 006M, 002W, 010D")
    return Age(int(match[1]), match[2].upper() or "Y")


def _pairs(value: object, headings: tuple[str, str], make: Callable[[str, str], T]) -> object:
    lines = read_lines(value)
    if not _all_text(lines):
        raise ValueError(f"write {headings[0]}, {headings[1]} a line")
    if not lines:
        return ()
    places = _headings(lines[0], headings)
    rows = _cells(lines, places) if places else (_parted(line) for line in lines)
    read, unreadable = [], []
    for place, (first, second) in enumerate(rows, start=1):
        try:
            if not first:
                raise ValueError
            read.append(make(first, second))
        except ValueError:
            unreadable.append(place)
    if unreadable:
        shown = ", ".join(map(str, unreadable[:_MOST_PLACES])) + (", …" if len(unreadable) > _MOST_PLACES else "")
        raise ValueError(f"write {headings[0]}, {headings[1]} a line, the date as YYYY-MM-DD; not so: entry {shown}")
    return tuple(read)


def _all_text(lines: object) -> TypeGuard[tuple[str, ...]]:
    return isinstance(lines, tuple) and all(isinstance(line, str) for line in lines)


def _headings(line: str, wanted: Sequence[str]) -> tuple[str, tuple[int, ...]] | None:
    """Return what parts the columns, and which are wanted; nothing if the line is no line of headings."""
    for mark in _MARKS:
        names = [re.sub(r"[\W_]+", "", cell).casefold() for cell in _row(line, mark)]
        found = [next((place for place, name in enumerate(names) if name in HEADINGS[one]), None) for one in wanted]
        places = tuple(place for place in found if place is not None)
        if len(places) == len(wanted):
            return mark, places
    return None


def _cells(lines: Sequence[str], headings: tuple[str, tuple[int, ...]]) -> Iterator[tuple[str, ...]]:
    """Yield the wanted cells of the lines below the headings; an absent one is empty."""
    mark, places = headings
    for line in lines[1:]:
        row = _row(line, mark)
        yield tuple(row[place].strip() if place < len(row) else "" for place in places)


def _row(line: str, mark: str) -> list[str]:
    # Line by line: one quotation mark too many must not swallow the people below.
    try:
        return next(csv.reader([line], delimiter=mark), [])
    except csv.Error:
        return []


def _parted(line: str) -> tuple[str, str]:
    """Return what is before and behind the last mark: a name may hold a comma, a date does not."""
    first, _, second = max((line.rpartition(mark) for mark in _MARKS), key=lambda parts: len(parts[0]))
    return first.strip(' \t"'), second.strip(' \t"')
