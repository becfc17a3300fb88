"""Checks one de-identified object: everything that residual PHI or a wrong object could show, as counts by rule."""

from collections.abc import Iterator
from functools import cache
from typing import Final

from dicomanon.standard import EDITION
from dicomanon.standard.dictionary import is_registered_uid
from dicomanon.standard.tables import parse_tag, read_table
from dicomanon.validate.allowed import CLEAN_DESCRIPTORS, AllowedAttributes, AllowedHere
from dicomanon.validate.conformance import check_conformance
from dicomanon.validate.content import check_content, kept_values
from dicomanon.validate.documents import Unsearchable, document_text
from dicomanon.validate.elements import Element, Part10, read_part10, vr_of
from dicomanon.validate.findings import Expected, Findings, FindingsBuilder
from dicomanon.validate.private import resolve_private
from dicomanon.validate.residual import ResidualCheck
from dicomanon.validate.search import KnownValueSearch
from dicomanon.validate.text import TextView

__all__ = ["Expected", "Findings", "examine"]

_IMPLEMENTATION_CLASS: Final = parse_tag("0002,0012")
_CONTRIBUTING_EQUIPMENT: Final = parse_tag("0018,A001")
_CONTRIBUTION_DESCRIPTION: Final = parse_tag("0018,A003")
_MODALITY: Final = parse_tag("0008,0060")
_DOCUMENT: Final = parse_tag("0042,0011")
_MIME_TYPE: Final = parse_tag("0042,0012")
_BYTES: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW"})
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
    here = allowed.here(expected.sop_class_uid, _modality(parsed))
    here = here.keeping(kept_values(parsed.body, parsed.elements, allowed))
    here = here.keeping(resolve_private(parsed, here, trusts_blocks=allowed.trusts_blocks, findings=findings))
    _check_attributes(parsed, expected, here, findings)
    _check_uids(data, parsed, here, findings)
    check_content(parsed.body, parsed.elements, expected, allowed, findings)
    text = TextView(parsed.body, parsed.elements, list(_documents(parsed, allowed, here, findings)))
    _check_person_names(text, expected, here, findings)
    ResidualCheck(data, parsed, text, expected, search, allowed, here, findings).run()
    return findings.build()


def _modality(parsed: Part10) -> str:
    for element in parsed.elements:
        if element.tag == _MODALITY and not element.item:
            return parsed.body[element.start : element.start + element.length].decode("latin-1").strip(" \0")
    return ""


def _check_attributes(parsed: Part10, expected: Expected, here: AllowedHere, findings: FindingsBuilder) -> None:
    judged: dict[tuple[int, tuple[int, ...]], str | None] = {}
    for element in parsed.elements:
        if element.tag >> 16 & 1:
            continue
        key = (element.tag, element.path)
        if key not in judged:
            judged[key] = here.verdict(element)
        rule = judged[key]
        if rule is not None:
            if not (_is_our_contribution(parsed.body, element, expected) or _is_empty_by_condition(element)):
                findings.add(rule, element.place)
        elif element.length and _hides_its_value(element):
            findings.add("undecoded", element.place)


@cache
def _required_with_others() -> frozenset[int]:
    return frozenset(
        parse_tag(row["tag"]) for row in read_table("attribute_conditions") if row["condition"] == "required-with"
    )


def _is_empty_by_condition(element: Element) -> bool:
    """Whether an attribute is there without a value because PS3.3 requires it beside one that stays (Type 2C)."""
    return not element.length and not element.path and element.tag in _required_with_others()


def _is_our_contribution(body: bytes, element: Element, expected: Expected) -> bool:
    """Whether a description is the one in our own item of Contributing Equipment Sequence, word for word."""
    if element.tag != _CONTRIBUTION_DESCRIPTION or element.path != (_CONTRIBUTING_EQUIPMENT,):
        return False
    ours = f"De-identified with profile {expected.profile_version}, {EDITION}"
    return body[element.start : element.start + element.length].decode("latin-1").rstrip(" ") == ours


def _hides_its_value(element: Element) -> bool:
    """Whether an attribute comes as bytes of unknown meaning although PS3.6 gives it a meaning."""
    return element.vr == "UN" or (element.vr in _BYTES and not any(vr in _BYTES for vr in vr_of(element.tag).split()))


def _documents(
    parsed: Part10, allowed: AllowedAttributes, here: AllowedHere, findings: FindingsBuilder
) -> Iterator[tuple[Element, str]]:
    """Yield the text of encapsulated documents; one that must be a dummy and is none is a finding."""
    for element in parsed.elements:
        if element.tag != _DOCUMENT or not element.length or here.keeps(element):
            continue
        value = parsed.body[element.start : element.start + element.length]
        if not value.strip(b"\0"):
            continue
        if CLEAN_DESCRIPTORS not in allowed.options:
            findings.add("attribute-not-allowed", element.place)
        mime_types = [
            parsed.body[one.start : one.start + one.length].decode("latin-1").strip(" \0").lower()
            for one in parsed.elements
            if one.tag == _MIME_TYPE and one.item == element.item
        ]
        try:
            yield element, document_text(value, mime_types[0] if mime_types else "")
        except Unsearchable:
            findings.add("document-not-searched", element.place)


def _check_uids(data: bytes, parsed: Part10, here: AllowedHere, findings: FindingsBuilder) -> None:
    """Every value of VR UI is registered in PS3.6 or was issued by us (UUID version 8 under 2.25)."""
    for buffer, elements in ((data, parsed.meta), (parsed.body, parsed.elements)):
        for element in elements:
            if element.vr != "UI" or not element.length or here.keeps(element):
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


def _check_person_names(text: TextView, expected: Expected, here: AllowedHere, findings: FindingsBuilder) -> None:
    ours = {"", expected.pseudonym, _person_name_dummy()}
    for element, value in zip(text.elements, text.values, strict=True):
        if element.vr != "PN" or here.keeps(element):
            continue
        if not ours.issuperset(part.strip("^= ") for part in value.split("\\")):
            findings.add("person-name", element.place)


def _person_name_dummy() -> str:
    return next(row["value"] for row in read_table("dummy_values") if row["vr"] == "PN")
