"""Checks that an object is what the crosswalk expects and says of itself what was done to it."""

import hashlib
from typing import Final

from dicomanon.standard.tables import parse_tag
from dicomanon.validate.allowed import DEFACING, AllowedAttributes
from dicomanon.validate.elements import PREAMBLE_LENGTH, Element, Part10
from dicomanon.validate.findings import Expected, FindingsBuilder

_META: Final = frozenset(0x00020000 | number for number in (0x0000, 0x0001, 0x0002, 0x0003, 0x0010, 0x0012, 0x0013))
"""What we write: anything else in group 0002 (AE titles, private information) came with the source."""
_VERSION_NAME: Final = "DICOMANON"
_OWN_ROOT: Final = "2.25."
_IDENTITY_REMOVED: Final = parse_tag("0012,0062")
_METHOD: Final = parse_tag("0012,0063")
_METHOD_CODES: Final = parse_tag("0012,0064")
_BURNED_IN: Final = parse_tag("0028,0301")
_VISUAL_FEATURES: Final = parse_tag("0028,0302")
_CLAIMED_BY_OBJECT: Final = {
    ("113101", "DCM"): ("clean-pixel-data", _BURNED_IN),
    ("113102", "DCM"): (DEFACING, _VISUAL_FEATURES),
}
"""By method code: the option that must be in force, and the marker that must say NO (PS3.15 sections E.3.1, E.3.2)."""
_LONGITUDINAL: Final = parse_tag("0028,0303")
_CODE_VALUE: Final = parse_tag("0008,0100")
_CODING_SCHEME: Final = parse_tag("0008,0102")


def check_conformance(
    data: bytes, parsed: Part10, expected: Expected, allowed: AllowedAttributes, findings: FindingsBuilder
) -> None:
    """Add what is wrong with digest, structure, file meta information, identifiers and markers."""
    if expected.output_digest is not None and hashlib.sha256(data).digest() != bytes(expected.output_digest):
        findings.add("digest", "whole object")
    if data[:PREAMBLE_LENGTH].count(0) != PREAMBLE_LENGTH:
        findings.add("preamble", "preamble")
    for problem in parsed.problems:
        findings.add("structure", problem)
    _check_order(parsed.elements, findings)
    meta = {element.tag: _text(data, element) for element in parsed.meta}
    main = {
        element.tag: _text(parsed.body, element)
        for element in parsed.elements
        if not element.item and element.length <= _SHORT
    }
    _check_meta(parsed, meta, expected, findings)
    for tag, value in (
        ("0008,0016", expected.sop_class_uid),
        ("0008,0018", expected.sop_uid),
        ("0010,0010", expected.pseudonym),
        ("0010,0020", expected.pseudonym),
        ("0020,000D", expected.study_uid),
        ("0020,000E", expected.series_uid),
    ):
        if main.get(parse_tag(tag)) != value:
            findings.add("identifier", tag)
    if main.get(_IDENTITY_REMOVED) != "YES":
        findings.add("marker", "0012,0062")
    if expected.profile_version not in main.get(_METHOD, ""):
        findings.add("marker", "0012,0063")
    if main.get(_LONGITUDINAL) not in allowed.longitudinal:
        findings.add("marker", "0028,0303")
    if DEFACING in allowed.options and main.get(_VISUAL_FEATURES) == "YES":
        findings.add("marker", "0028,0302")
    codes = _method_codes(parsed)
    for code in codes & _CLAIMED_BY_OBJECT.keys():
        option, marker = _CLAIMED_BY_OBJECT[code]
        if option not in allowed.options or main.get(marker) != "NO":
            findings.add("method-code", "0012,0064")
    if codes - _CLAIMED_BY_OBJECT.keys() != {(code, "DCM") for code in allowed.codes}:
        findings.add("method-code", "0012,0064")


_SHORT: Final = 1024


def _text(data: bytes, element: Element) -> str:
    return data[element.start : element.start + element.length].decode("latin-1").strip(" \0")


def _check_meta(parsed: Part10, meta: dict[int, str], expected: Expected, findings: FindingsBuilder) -> None:
    for element in parsed.meta:
        if element.tag not in _META:
            findings.add("file-meta", element.place)
    for tag, right in (
        ("0002,0002", meta.get(0x00020002) == expected.sop_class_uid),
        ("0002,0003", meta.get(0x00020003) == expected.sop_uid),
        ("0002,0012", meta.get(0x00020012, "").startswith(_OWN_ROOT)),
        ("0002,0013", meta.get(0x00020013, "").startswith(_VERSION_NAME)),
    ):
        if not right:
            findings.add("file-meta", tag)


def _check_order(elements: list[Element], findings: FindingsBuilder) -> None:
    """Tags ascend and occur once in each data set, and no group length is left (PS3.5 sections 7.1, 7.2)."""
    last: dict[int, int] = {}
    for element in elements:
        if element.tag <= last.get(element.item, -1) or not element.tag & 0xFFFF:
            findings.add("structure", element.place)
        last[element.item] = element.tag


def _method_codes(parsed: Part10) -> set[tuple[str, str]]:
    items: dict[int, dict[int, str]] = {}
    for element in parsed.elements:
        if element.path == (_METHOD_CODES,) and element.tag in (_CODE_VALUE, _CODING_SCHEME):
            items.setdefault(element.item, {})[element.tag] = _text(parsed.body, element)
    return {(item.get(_CODE_VALUE, ""), item.get(_CODING_SCHEME, "")) for item in items.values()}
