"""Encapsulated CDA: an HL7 Clinical Document whose header says nothing of persons, and whose text is cleaned."""

import re
from collections.abc import Callable, Mapping
from datetime import date
from functools import cache
from types import MappingProxyType
from xml.etree.ElementTree import Element, tostring

from defusedxml.ElementTree import fromstring

from dicomanon.errors import Held
from dicomanon.reasons import HoldReason
from dicomanon.standard.tables import read_table

_CleanText = Callable[[str], str]

_HL7 = "urn:hl7-org:v3"
_XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_MAXIMUM_BYTES = 16 << 20
_MAXIMUM_DEPTH = 100
_MASKED = {"nullFlavor": "MSK"}
"""HL7's null flavor for information that is there and is not to be seen."""
_TIMESTAMP = re.compile(r"(\d{4})(\d{2})(\d{2})((?:\d{2}){0,3}(?:\.\d+)?(?:[+-]\d{4})?)", re.ASCII)
_ISO_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)
_QUANTITY = re.compile(r"[+-]?\d{1,7}(\.\d{1,6})?([eE][+-]?\d{1,2})?", re.ASCII)
_TRUTH = frozenset({"true", "false"})
_CODE = re.compile(r"[A-Za-z0-9.:+-]{1,20}", re.ASCII)
_NOTHING = re.compile(r"(?!)")


@cache
def _element_rules() -> Mapping[str, str]:
    return MappingProxyType({row["element"]: row["rule"] for row in read_table("cda_elements")})


@cache
def _attribute_rules() -> Mapping[str, tuple[str, re.Pattern[str]]]:
    return MappingProxyType(
        {row["attribute"]: (row["rule"], re.compile(row["pattern"], re.ASCII)) for row in read_table("cda_attributes")}
    )


def clean_cda(data: bytes, clean: _CleanText) -> bytes:
    """Return a CDA document with only the elements and attributes that our tables know, each by its rule.

    Persons, organisations, identifiers, addresses and contact data are left out where the schema lets them, and
    masked (``nullFlavor="MSK"``) where it asks for them. Narrative, titles and display names are cleaned; so are dates,
    which ``clean`` sees as ISO 8601 has them. Comments, processing instructions and extensions of other
    namespaces go.

    Raises
    ------
    Held
        ``ENCAPSULATED_DOCUMENT``: it is no CDA Release 2, has a document type declaration or entities, has an element
        that the tables do not know, or a body or value that is not text.
    """
    if len(data) > _MAXIMUM_BYTES:
        raise _held("larger than can be read")
    root = fromstring(data.rstrip(b"\0 \r\n\t"), forbid_dtd=True)
    if root.tag != f"{{{_HL7}}}ClinicalDocument":
        raise _held("not a clinical document")
    cleaned = _Cleaner(clean).element(root, 0, in_time=False)
    if cleaned is None:
        raise _held("nothing left")
    cleaned.set("xmlns", _HL7)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(cleaned, encoding="unicode")}'.encode()


def _held(what: str) -> Held:
    return Held(HoldReason.ENCAPSULATED_DOCUMENT, f"CDA: {what}")


class _Cleaner:
    """Builds the new document; nothing of the old one is reused but what a rule lets through."""

    def __init__(self, clean: _CleanText) -> None:
        self._clean = clean
        self._links: dict[str, str] = {}

    def element(self, element: Element, depth: int, *, in_time: bool) -> Element | None:
        """Return an element and what is in it, ``None`` if it goes."""
        if depth > _MAXIMUM_DEPTH:
            raise _held("nested too deep")
        namespace, _, name = element.tag.rpartition("}")
        if namespace != f"{{{_HL7}":
            return None
        rule = _element_rules().get(name)
        if rule is None:
            raise _held("an element that is not in our table")
        if rule == "drop":
            return None
        if rule == "mask":
            return Element(name, _MASKED)
        in_time = in_time or rule == "time"
        if rule == "body" and (element.get("representation", "TXT") != "TXT" or not _is_plain(element)):
            raise _held("a body or value that is not text")
        made = Element(name, self._attributes(element, rule, in_time=in_time))
        made.text = self._text(element.text)
        for child in element:
            kept = self.element(child, depth + 1, in_time=in_time)
            tail = self._text(child.tail)
            if kept is not None:
                kept.tail = tail
                made.append(kept)
            elif len(made):
                made[-1].tail = (made[-1].tail or "") + (tail or "")
            else:
                made.text = (made.text or "") + (tail or "")
        if rule in {"narrative", "body"} and len(element):
            self._join(element, made)
        return made

    def _join(self, element: Element, made: Element) -> None:
        """Drop the mark-up of a paragraph where a name was in pieces: <b>A</b>lfred."""
        below = [child.tag.rpartition("}")[2] for child in element.iter() if child is not element]
        if any(_element_rules().get(name) != "inline" for name in below):
            return
        joined = self._clean("".join(element.itertext()))
        if joined != "".join(made.itertext()):
            for child in list(made):
                made.remove(child)
            made.text = joined

    def _text(self, text: str | None) -> str | None:
        return self._clean(text) if text and text.strip() else text

    def _attributes(self, element: Element, rule: str, *, in_time: bool) -> dict[str, str]:
        attributes: dict[str, str] = {}
        for name, value in element.attrib.items():
            known = "xsi:type" if name == _XSI_TYPE else name
            kept = self._attribute(known, value, element, rule, in_time=in_time)
            if kept is not None:
                attributes[name] = kept
        if any(element.get(name) is not None and name not in attributes for name in ("value", "code", "unit")):
            # What could not be kept is said to be masked, not to be absent.
            return {name: value for name, value in attributes.items() if name == _XSI_TYPE} | _MASKED
        return attributes

    def _attribute(self, name: str, value: str, element: Element, rule: str, *, in_time: bool) -> str | None:
        what, pattern = _attribute_rules().get(name, ("drop", _NOTHING))
        if what == "pattern" or (what == "identifier" and rule == "template"):
            return value if pattern.fullmatch(value) else None
        if what == "code":
            scheme = element.get("codeSystem")
            if scheme is not None:
                registered = self._attribute("codeSystem", scheme, element, rule, in_time=in_time) is not None
                return value if registered and _CODE.fullmatch(value) else None
            return value if pattern.fullmatch(value) else None
        if what == "value":
            return self._value(value, has_unit="unit" in element.attrib, in_time=in_time)
        if what == "clean":
            return self._clean(value)
        return self._link(value) if what == "link" else None

    def _link(self, name: str) -> str:
        return self._links.setdefault(name, f"link{len(self._links) + 1}")

    def _value(self, value: str, *, has_unit: bool, in_time: bool) -> str | None:
        if in_time and not has_unit:
            return self._timestamp(value)
        if value in _TRUTH or _QUANTITY.fullmatch(value):
            return value
        if value.startswith("#"):
            return f"#{self._link(value[1:])}"
        return self._timestamp(value)

    def _timestamp(self, value: str) -> str | None:
        """Return a time stamp with its date cleaned, ``None`` if its day is not known or nothing is left of it."""
        match = _TIMESTAMP.fullmatch(value)
        if match is None:
            return None
        try:
            day = date(int(match[1]), int(match[2]), int(match[3])).isoformat()
        except ValueError:
            return None
        moved = _ISO_DATE.fullmatch(self._clean(day))
        return None if moved is None else moved[1] + moved[2] + moved[3] + match[4]


def _is_plain(element: Element) -> bool:
    return element.get("mediaType", "text/plain") in {"text/plain", "text/x-hl7-text+xml"}
