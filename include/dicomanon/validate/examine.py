"""Checks one de-identified object: everything that residual PHI or a wrong object could show, as counts by rule."""

from typing import Final

from dicomanon.standard.dictionary import is_registered_uid
from dicomanon.standard.tables import parse_tag, read_table
from dicomanon.validate.allowed import AllowedAttributes
from dicomanon.validate.conformance import check_conformance
from dicomanon.validate.elements import Element, Part10, read_part10
from dicomanon.validate.findings import Expected, Findings, FindingsBuilder
from dicomanon.validate.residual import ResidualCheck
from dicomanon.validate.search import KnownValueSearch
from dicomanon.validate.text import TextView

__all__ = ["Expected", "Findings", "examine"]

_IMPLEMENTATION_CLASS: Final = parse_tag("0002,0012")
_OWN_ROOT: Final = "2.25."
_UUID_BITS: Final = 128
_OWN_VERSION: Final = 8
_VARIANT: Final = 0b10


def examine(data: bytes, expected: Expected, search: KnownValueSearch, allowed: AllowedAttributes) -> Findings:
    """Check one de-identified object.

    Parameters
    ----------
    data
        Its Part 10 bytes as they would be stored.
    expected
        What the crosswalk says it must be.
    search
        The known values of its study and patient.
    allowed
        What the profile's options let stay.

    Returns
    -------
    Findings
        Whatever is in ``data``, no exception is raised for it: what cannot be read is a finding.
    """
    data = bytes(data)
    parsed = read_part10(data)
    findings = FindingsBuilder()
    check_conformance(data, parsed, expected, allowed, findings)
    text = TextView(parsed.body, parsed.elements)
    _check_attributes(parsed, expected, allowed, findings)
    _check_uids(data, parsed, allowed, findings)
    _check_person_names(text, expected, findings)
    ResidualCheck(data, parsed, text, expected, search, allowed).add_to(findings)
    return findings.build()


def _check_attributes(
    parsed: Part10, expected: Expected, allowed: AllowedAttributes, findings: FindingsBuilder
) -> None:
    judged: dict[tuple[int, bool], str | None] = {}
    for element in parsed.elements:
        key = (element.tag, bool(element.path))
        if key not in judged:
            judged[key] = allowed.verdict(element.tag, expected.sop_class_uid, nested=key[1])
        rule = judged[key]
        if rule is not None:
            findings.add(rule, element.place)


def _check_uids(data: bytes, parsed: Part10, allowed: AllowedAttributes, findings: FindingsBuilder) -> None:
    """Every value of VR UI is registered in PS3.6 or was issued by us (UUID version 8 under 2.25)."""
    for buffer, elements in ((data, parsed.meta), (parsed.body, parsed.elements)):
        for element in elements:
            if element.vr != "UI" or not element.length or element.tag in allowed.kept:
                continue
            value = buffer[element.start : element.start + element.length].decode("latin-1")
            for uid in value.split("\\"):
                if not _is_allowed_uid(uid.rstrip("\0 "), element):
                    findings.add("foreign-uid", element.place)


def _is_allowed_uid(uid: str, element: Element) -> bool:
    if not uid or is_registered_uid(uid):
        return True
    number = uid.removeprefix(_OWN_ROOT)
    if number == uid or not (number.isascii() and number.isdecimal()) or len(number) > len(str(1 << _UUID_BITS)):
        return False
    if element.tag == _IMPLEMENTATION_CLASS:
        return True
    uuid = int(number)
    # RFC 9562: version in bits 76 to 79, variant in bits 62 and 63.
    return uuid >> _UUID_BITS == 0 and uuid >> 76 & 0xF == _OWN_VERSION and uuid >> 62 & 0b11 == _VARIANT


def _check_person_names(text: TextView, expected: Expected, findings: FindingsBuilder) -> None:
    ours = {"", expected.pseudonym, _person_name_dummy()}
    for element, value in zip(text.elements, text.values, strict=True):
        if element.vr == "PN" and not ours.issuperset(part.strip("^= ") for part in value.split("\\")):
            findings.add("person-name", element.place)


def _person_name_dummy() -> str:
    return next(row["value"] for row in read_table("dummy_values") if row["vr"] == "PN")
