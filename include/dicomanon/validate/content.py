"""Judges content items of structured reports and their like: the validator's own reading of PS3.15 Table E.3.4-1."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from dicomanon.standard.confidentiality import confidentiality_by_tag
from dicomanon.standard.content_items import content_item_rows, current_concept
from dicomanon.standard.tables import parse_tag, read_table
from dicomanon.validate.allowed import CLEAN_CONTENT, AllowedAttributes
from dicomanon.validate.elements import Element
from dicomanon.validate.findings import Expected, FindingsBuilder

RULE: Final = "content-item"
_CONTENT: Final = parse_tag("0040,A730")
_SPECIMEN_ITEMS: Final = parse_tag("0040,0612")
_VALUE_TYPE: Final = parse_tag("0040,A040")
_CONCEPT_NAME: Final = parse_tag("0040,A043")
_UID: Final = parse_tag("0040,A124")
_CODE_VALUES: Final = frozenset(parse_tag(tag) for tag in ("0008,0100", "0008,0119", "0008,0120"))
_CODING_SCHEME: Final = parse_tag("0008,0102")
_MEASURED_VALUES: Final = parse_tag("0040,A300")
_NUMERIC_VALUE: Final = parse_tag("0040,A30A")
_UNITS: Final = parse_tag("0040,08EA")
_TEXT: Final = parse_tag("0040,A160")
_WRITTEN_VALUES: Final = {
    _TEXT: "TEXT",
    parse_tag("0040,A123"): "PNAME",
    parse_tag("0040,A121"): "DATE",
    parse_tag("0040,A122"): "TIME",
    parse_tag("0040,A120"): "DATETIME",
}
"""Attributes that hold a value which a dummy can stand for, by value type (PS3.3 Table C.17.3-7)."""
_OTHER_VALUES: Final = {
    parse_tag("0040,A168"): "CODE",
    _MEASURED_VALUES: "NUM",
}
_BY_OTHER_RULES: Final = frozenset({"UIDREF", "IMAGE", "COMPOSITE", "WAVEFORM", "CONTAINER"})
"""Value types that hold UIDs, which are judged as UIDs, or nothing."""
_SUBJECT_AGE: Final = ("121033", "DCM")
_UNITS_PER_YEAR: Final = {"a": 1.0, "mo": 12.0, "wk": 52.18, "d": 365.25, "h": 8766.0}


@dataclass(slots=True)
class _Item:
    """A sequence item or, with number 0, the main data set."""

    element: Element | None
    parent: int
    value_type: str = ""
    concept: tuple[str, str] = ("", "")
    values: list[Element] = field(default_factory=list)


def check_content(
    body: bytes, elements: list[Element], expected: Expected, allowed: AllowedAttributes, findings: FindingsBuilder
) -> None:
    """Add a finding for every content item whose value the profile removes or replaces and that is still there."""
    if not any(element.tag in _content_sequences() for element in elements):
        return
    cleaned = CLEAN_CONTENT in allowed.options
    dummies = _dummies() | {expected.pseudonym}
    for item in _content_items(body, elements):
        stays = cleaned and _stays(item, allowed.options)
        for element in () if stays else item.values:
            value = body[element.start : element.start + element.length].decode("latin-1").strip(" \0")
            if element.tag in _OTHER_VALUES or value not in dummies:
                findings.add(RULE, element.place)
    if allowed.maximum_age is not None:
        for element in _ages_over(body, elements, allowed.maximum_age):
            findings.add("age-over-maximum", element.place)


def kept_values(body: bytes, elements: list[Element], allowed: AllowedAttributes) -> frozenset[Element]:
    """Return the UIDs and texts whose content items an option keeps (K): no secret there."""
    if CLEAN_CONTENT not in allowed.options or not any(element.tag in _content_sequences() for element in elements):
        return frozenset()
    kept: set[Element] = set()
    items = _tree(body, elements)
    for element in elements:
        item = items.get(element.item)
        if element.tag not in {_UID, _TEXT} or item is None or item.element is None:
            continue
        rows = [
            row
            for row in content_item_rows().get(current_concept(*item.concept), ())
            if row.value_type == item.value_type and item.element.tag in _content_sequences()
        ]
        if any(row.options.get(option) == "K" for row in rows for option in allowed.options):
            kept.add(element)
    return frozenset(kept)


def _stays(item: _Item, options: frozenset[str]) -> bool:
    """Whether the value of an item may be other than a dummy: no row of the table is about it, or an option is."""
    value_type = item.value_type or "TEXT"
    if value_type in _BY_OTHER_RULES:
        return True
    rows = [row for row in content_item_rows().get(current_concept(*item.concept), ()) if row.value_type == value_type]
    return all(options & row.options.keys() for row in rows)


def _content_items(body: bytes, elements: list[Element]) -> Iterator[_Item]:
    items = _tree(body, elements)
    for item in items.values():
        if item.element is not None and item.element.tag in _content_sequences():
            yield item


def _tree(body: bytes, elements: list[Element]) -> dict[int, _Item]:
    """Return all items by number, with what makes them content items; numbers follow the order of the bytes."""
    items: dict[int, _Item] = {0: _Item(None, 0)}
    sequences: dict[tuple[int, ...], Element] = {}
    for element in elements:
        item = items.get(element.item)
        if item is None:
            sequence = sequences.get(element.path)
            if sequence is None:
                continue
            item = items[element.item] = _Item(sequence, sequence.item)
        if element.vr == "SQ":
            sequences[*element.path, element.tag] = element
        if element.tag in _WRITTEN_VALUES or element.tag in _OTHER_VALUES:
            if element.length or element.vr == "SQ":
                item.values.append(element)
        elif element.tag == _VALUE_TYPE:
            item.value_type = _string(body, element)
        elif item.element is not None and item.element.tag == _CONCEPT_NAME:
            named = items.get(item.parent)
            if named is not None and element.tag in _CODE_VALUES:
                named.concept = (_string(body, element), named.concept[1])
            elif named is not None and element.tag == _CODING_SCHEME:
                named.concept = (named.concept[0], _string(body, element))
    return items


def _ages_over(body: bytes, elements: list[Element], maximum: int) -> Iterator[Element]:
    """Yield numeric values of Subject Age above the maximum, in whatever unit (PS3.16 TID 1007)."""
    items = _tree(body, elements)
    units: dict[int, str] = {}
    numbers: list[tuple[int, Element]] = []
    for element in elements:
        measured = items.get(element.item)
        if measured is None or measured.element is None:
            continue
        if element.tag == _NUMERIC_VALUE and measured.element.tag == _MEASURED_VALUES:
            item = items.get(measured.parent)
            if item is not None and current_concept(*item.concept) == _SUBJECT_AGE:
                numbers.append((element.item, element))
        elif element.tag in _CODE_VALUES and measured.element.tag == _UNITS:
            units[measured.parent] = _string(body, element)
    for number, element in numbers:
        try:
            age = float(_string(body, element)) / _UNITS_PER_YEAR.get(units.get(number, "a"), 1.0)
        except ValueError:
            continue
        if age >= maximum + 1:
            yield element


def _string(body: bytes, element: Element) -> str:
    return body[element.start : element.start + min(element.length, 256)].decode("latin-1").strip(" \0")


@cache
def _content_sequences() -> frozenset[int]:
    """Return the sequences of content items: those that the clean-structured-content option is about."""
    cleaned = {tag for tag, row in confidentiality_by_tag().items() if row.options.get(CLEAN_CONTENT) == "C"}
    return frozenset({*cleaned, _CONTENT, _SPECIMEN_ITEMS})


@cache
def _dummies() -> frozenset[str]:
    return frozenset({"", *(row["value"] for row in read_table("dummy_values"))})
