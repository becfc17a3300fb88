"""What a QIDO-RS request asks for (PS3.18 8.3.4, 10.6.1): read, judged, and split by who can answer it; pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from dicomanon.crosswalk.gateway.showing import Wanted
from dicomanon.gateway.addresses import Address, is_uid
from dicomanon.gateway.attributes import Attribute, KnownBy, Level, find, of_level
from dicomanon.gateway.refusals import BAD_REQUEST, Refusal

_MOST_DIGITS: Final = 9
_LONGEST_VALUE: Final = 1024
_MOST_VALUES: Final = 500
_CODE: Final = re.compile(r"[0-9A-Z_ ]{1,16}")
_FUZZY_WARNING: Final = (
    "The fuzzymatching parameter is not supported. Only literal matching has been performed."  # PS3.18 8.3.4.2
)


@dataclass(frozen=True, slots=True)
class Query:
    """A search.

    Attributes
    ----------
    wanted
        What the crosswalk restricts.
    filters
        What the PACS restricts, value by keyword.
    fields
        Attributes that rows have.
    limit
        ``None`` where none was asked for.
    """

    level: Level
    wanted: Wanted
    filters: Mapping[str, str]
    fields: Sequence[Attribute]
    limit: int | None = None
    offset: int = 0
    warnings: Sequence[str] = field(default=())


def read(level: Level, below: Address | None, parameters: Iterable[tuple[str, str]]) -> Query:
    """Understand a request.

    Parameters
    ----------
    below
        The study, or series, that its path names.
    parameters
        Of its query, decoded, in their order.

    Raises
    ------
    Refusal
        400: it has a parameter that is not known, not supported, given twice, or malformed.
    """
    fields = {one.tag: one for one in of_level(level) if one.is_default}
    filters: dict[str, str] = {}
    exact: dict[str, str] = {}
    numbers: dict[str, int] = {}
    warnings = []
    for name, value in parameters:
        match name:
            case "limit" | "offset":
                _once(name, numbers)
                numbers[name] = _number(name, value)
            case "fuzzymatching":
                if value not in {"true", "false"}:
                    raise Refusal(BAD_REQUEST, "fuzzymatching is true or false.")
                warnings += [_FUZZY_WARNING] if value == "true" else []
            case "includefield":
                fields |= {one.tag: one for one in _included(level, value)}
            case _:
                attribute = _attribute(name, level)
                _once(attribute.keyword, filters.keys() | exact.keys())
                if _restricts(attribute, value):
                    (filters if attribute.known_by is KnownBy.PACS else exact)[attribute.keyword] = value
    return Query(
        level,
        _wanted(below, exact),
        filters,
        sorted(fields.values(), key=lambda one: one.tag),
        numbers.get("limit"),
        numbers.get("offset", 0),
        warnings,
    )


def _attribute(name: str, level: Level) -> Attribute:
    attribute = find(name, level)
    if attribute is None or attribute.known_by is KnownBy.GATEWAY or not _is_matched(attribute, level):
        # Not let pass: what does not restrict shows more than somebody thinks.
        possible = ", ".join(
            one.keyword for one in of_level(level) if one.known_by is not KnownBy.GATEWAY and _is_matched(one, level)
        )
        raise Refusal(BAD_REQUEST, f"A parameter is not supported here. What can be searched by: {possible}.")
    return attribute


_MATCHED: Final = {
    "ModalitiesInStudy": {Level.STUDY},
    "PatientID": set(Level),
    "StudyInstanceUID": set(Level),
    "Modality": {Level.SERIES, Level.INSTANCE},
    "SeriesInstanceUID": {Level.SERIES, Level.INSTANCE},
    "SOPClassUID": {Level.INSTANCE},
    "SOPInstanceUID": {Level.INSTANCE},
}
"""At which levels the crosswalk restricts what it knows; what it counts is not searched by."""


def _is_matched(attribute: Attribute, level: Level) -> bool:
    if attribute.known_by is KnownBy.PACS:
        return attribute.keyword != "SpecificCharacterSet"
    return level in _MATCHED.get(attribute.keyword, set())


def _restricts(attribute: Attribute, value: str) -> bool:
    """Check a value; tell whether it restricts: an empty one and an asterisk do not (PS3.4 C.2.2.2.3)."""
    if (len(value) > _LONGEST_VALUE and attribute.vr != "UI") or not value.isprintable():
        raise Refusal(BAD_REQUEST, f"The value of {attribute.keyword} is too long, or has characters that it cannot.")
    return value.strip("* ") != ""


def _wanted(below: Address | None, exact: Mapping[str, str]) -> Wanted:
    studies = _uids(exact, "StudyInstanceUID")
    series = _uids(exact, "SeriesInstanceUID")
    if below is not None:
        studies = [below.study_uid] if studies is None or below.study_uid in studies else []
        if below.series_uid is not None:
            series = [below.series_uid] if series is None or below.series_uid in series else []
    return Wanted(
        patient_like=_like(exact["PatientID"]) if "PatientID" in exact else None,
        studies=studies,
        modalities=_codes(exact, "ModalitiesInStudy") or _codes(exact, "Modality"),
        series=series,
        sops=_uids(exact, "SOPInstanceUID"),
        sop_classes=_uids(exact, "SOPClassUID"),
    )


def _uids(exact: Mapping[str, str], keyword: str) -> list[str] | None:
    if keyword not in exact:
        return None
    values = _list(exact[keyword])
    if not all(is_uid(value) for value in values):
        raise Refusal(BAD_REQUEST, f"{keyword} is a UID, or several with commas between them.")
    return values


def _codes(exact: Mapping[str, str], keyword: str) -> list[str] | None:
    if keyword not in exact:
        return None
    values = _list(exact[keyword])
    if not all(_CODE.fullmatch(value) for value in values):
        raise Refusal(BAD_REQUEST, f"{keyword} is a code such as CT, or several; not a pattern.")
    return values


def _list(value: str) -> list[str]:
    values = re.split(r"[,\\]", value)
    if len(values) > _MOST_VALUES:
        raise Refusal(BAD_REQUEST, f"At most {_MOST_VALUES} values can be searched for at once.")
    return values


def _like(pattern: str) -> str:
    """Return wildcards of DICOM (PS3.4 C.2.2.2.4) as a pattern of LIKE."""
    escaped = re.sub(r"([\\%_])", r"\\\1", pattern)
    return escaped.replace("*", "%").replace("?", "_")


def _included(level: Level, value: str) -> Iterable[Attribute]:
    """Return what else is asked for; what rows cannot have is left out, as PS3.18 8.3.4.3 has it."""
    for name in value.split(","):
        if name == "all":
            yield from of_level(level)
        elif (attribute := find(name, level)) is not None:
            yield attribute


def _once(name: str, seen: Iterable[str]) -> None:
    if name in seen:
        raise Refusal(BAD_REQUEST, f"{name} is given twice.")


def _number(name: str, value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS) or (name == "limit" and not int(value)):
        raise Refusal(BAD_REQUEST, f"{name} is a whole number.")
    return int(value)
