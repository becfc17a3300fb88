"""The columns of a manifest, as data: order, types, and what each means; the data dictionary is written of it."""

import csv
import re
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from io import StringIO
from typing import Any, Final

import pyarrow as pa

from dicomanon.cohort.entries import read_day
from dicomanon.crosswalk.rows import CohortInstance

_TYPES: Final[Mapping[str, pa.DataType]] = {
    "string": pa.string(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "date": pa.date32(),
}
_DICTIONARY: Final = ("name", "type", "unit", "keyword", "meaning", "deidentified", "null_means")
_OLDEST: Final = 90
"""Years that stand for themselves and for more, whatever the object says (45 CFR 164.514(b)(2)(i)(C))."""
_PER_YEAR: Final = {"Y": 1, "M": 12, "W": 52.1775, "D": 365.2425}


DAYS_SINCE_INDEX_DATE: Final = "days_since_index_date"
_DATES: Final = "LongitudinalTemporalInformationModified"
_NOTHING: Final[Mapping[str, Any]] = {}
_DATES_KEPT: Final = frozenset({"MODIFIED", "UNMODIFIED"})

Reader = Callable[[CohortInstance], Any]
Columns = Mapping[str, Mapping[str, Any]]
"""What a request brings to a manifest: by column, what it says of a study, by research Study Instance UID."""


@dataclass(frozen=True, slots=True)
class Field:
    """A column.

    Attributes
    ----------
    type
        ``string``, ``int64``, ``float64`` or ``date``.
    source
        Where its values come from: ``crosswalk``, the de-identified ``object``, the ``request``; those of ``summary``
        are in the tables beside the manifest.
    keyword
        Of the DICOM attribute (PS3.6), where there is one.
    """

    name: str
    type: str
    source: str
    unit: str
    keyword: str
    meaning: str
    deidentified: str
    null_means: str

    @property
    def arrow(self) -> pa.Field:
        """The column as Parquet has it."""
        return pa.field(self.name, _TYPES[self.type], nullable=bool(self.null_means))

    def reader(self, columns: Columns) -> Reader:
        """Return what tells the value of an instance, with what its request brings."""
        if self.source == "crosswalk":
            return _OF_CROSSWALK[self.name]
        if self.source == "request":
            brought = columns[self.name]
            if self.name == DAYS_SINCE_INDEX_DATE:
                return lambda one: brought.get(one.research_study_uid) if _has_dates(one) else None
            return lambda one: brought.get(one.research_study_uid)
        keyword, made = self.keyword, _MADE.get(self.name)
        if made is None:
            return lambda one: (one.facts or _NOTHING).get(keyword)
        return lambda one: made(told) if (told := (one.facts or _NOTHING).get(keyword)) is not None else None


@cache
def fields() -> tuple[Field, ...]:
    """Return every column there is, in order."""
    text = resources.files("dicomanon.cohort").joinpath("manifest_fields.csv").read_text("utf-8")
    return tuple(Field(**row) for row in csv.DictReader(text.splitlines()))


def manifest_fields(of_request: Iterable[str] = (), not_told: Container[str] = ()) -> tuple[Field, ...]:
    """Return the columns of a manifest: those of every manifest, but for some, and the named ones of the request."""
    asked = frozenset(of_request)
    return tuple(
        one
        for one in fields()
        if one.name not in not_told
        and (one.source in {"crosswalk", "object"} or (one.source == "request" and one.name in asked))
    )


def fact_keywords() -> frozenset[str]:
    """Return the attributes that are to be kept of a de-identified object."""
    return frozenset(one.keyword for one in fields() if one.source == "object")


def data_dictionary(columns: Container[str]) -> str:
    """Return what each column means, as CSV: those of a manifest, then those of the tables beside it."""
    text = StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_DICTIONARY)
    told = (one for one in fields() if one.source != "summary" and one.name in columns)
    for one in (*told, *(one for one in fields() if one.source == "summary")):
        table.writerow(getattr(one, column) for column in _DICTIONARY)
    return text.getvalue()


@cache
def age_in_years(text: str) -> float | None:
    """Return an age (PS3.5 6.2, VR AS) in years, at most 90; nothing if it is none."""
    match = re.fullmatch(r"(\d{3})([DWMY])", text)
    return min(round(int(match[1]) / _PER_YEAR[match[2]], 2), float(_OLDEST)) if match else None


@cache
def _day(text: str) -> date | None:
    try:
        return read_day(text)
    except ValueError:
        return None


def _has_dates(instance: CohortInstance) -> bool:
    # Where the profile takes dates away, no interval may bring them back.
    return (instance.facts or _NOTHING).get(_DATES) in _DATES_KEPT


_OF_CROSSWALK: Final[Mapping[str, Reader]] = {
    "pseudonym": lambda one: one.pseudonym,
    "StudyInstanceUID": lambda one: one.research_study_uid,
    "SeriesInstanceUID": lambda one: one.research_series_uid,
    "SOPInstanceUID": lambda one: one.research_sop_uid,
    "Modality": lambda one: one.modality,
    "SOPClassUID": lambda one: one.sop_class_uid,
    "output_digest": lambda one: one.output_digest.hex(),
    "patient": lambda one: one.patient,
    "bytes": lambda one: one.output_bytes,
    "profile_version": lambda one: one.profile_version,
    "verdict": lambda one: "passed" if one.passed else None,
}
_MADE: Final[Mapping[str, Callable[[Any], Any]]] = {"StudyDate": _day, "age_years": age_in_years}
