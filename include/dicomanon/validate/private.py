"""Judges private attributes (PS3.15 section E.3.10) and tells what is in those that may stay.

A private attribute may stay if its creator, group and last byte are in Table E.3.10-1, if an override of the profile
says so, or, where the profile trusts it, if the object itself says so in (0008,0300). Its creator must stand in the
same data set or item, spelled as the table spells it, and its value must be one of the table's VR.
"""

import re
import struct
from collections import deque
from typing import Final

from dicomanon.standard.tables import parse_tag
from dicomanon.validate.allowed import AllowedHere
from dicomanon.validate.elements import EXPLICIT_BIG, Element, Malformed, Part10, walk
from dicomanon.validate.findings import FindingsBuilder

RULE: Final = "private-attribute"
_CREATORS: Final = range(0x10, 0x100)
_LAST_SHORT_GROUP: Final = 0x0007
_LAST_GROUP: Final = 0xFFFF
_CHARACTERISTICS: Final = parse_tag("0008,0300")
_GROUP: Final = parse_tag("0008,0301")
_CREATOR: Final = parse_tag("0008,0302")
_STATUS: Final = parse_tag("0008,0303")
_NONIDENTIFYING: Final = parse_tag("0008,0304")
_WIDTHS: Final = {
    **dict.fromkeys(("SS", "US", "OW"), 2),
    **dict.fromkeys(("AT", "FL", "SL", "UL", "OF", "OL"), 4),
    **dict.fromkeys(("FD", "SV", "UV", "OD", "OV"), 8),
}
_FORMS: Final = {
    "AS": re.compile(r"\d{3}[DWMY]"),
    "DA": re.compile(r"\d{8}|\d{4}\.\d\d\.\d\d"),
    "DS": re.compile(r" *[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)? *"),
    "DT": re.compile(r"\d{4}(?:\d\d){0,5}(?:\.\d{1,6})?(?:[+-]\d{4})?"),
    "IS": re.compile(r" *[+-]?\d{1,12} *"),
    "TM": re.compile(r"\d\d(?:\d\d){0,2}(?:\.\d{1,6})?"),
    "UI": re.compile(r"[0-9.]*"),
}
_UNTYPED: Final = frozenset({"", "OB", "OW/OB", "UN"})
_MOST_READ_AS_TEXT: Final = 4096
_Blocks = dict[tuple[str, int], frozenset[int] | None]


def resolve_private(
    parsed: Part10, here: AllowedHere, *, trusts_blocks: bool, findings: FindingsBuilder
) -> frozenset[Element]:
    """Add a finding for every private attribute that must not be there, and give the others their VR.

    Where the object does not tell the VR of a private attribute (implicit VR, or UN), its element in ``parsed`` gets
    the table's, so that text is searched as text; a sequence is replaced by itself and the elements of its items.

    Returns
    -------
    frozenset
        Private creators that the table or an override names: no secret there, whoever is called Philip.
    """
    named: set[Element] = set()
    trusted = _blocks_called_safe(parsed) if trusts_blocks else {}
    creators: dict[tuple[int, int, int], str] = {}
    resolved: list[Element] = []
    items = max((element.item for element in parsed.elements), default=0)
    pending = deque(parsed.elements)
    while pending:
        element = pending.popleft()
        group = element.tag >> 16
        if not group & 1:
            resolved.append(element)
            continue
        number = element.tag & 0xFFFF
        if group <= _LAST_SHORT_GROUP or group == _LAST_GROUP or number < _CREATORS.start:
            findings.add(RULE, element.place)
        elif number in _CREATORS:
            creator = _text(parsed.body, element)
            creators[element.item, group, number] = creator
            is_named = here.may_create(creator, group)
            if element.vr not in ("LO", "UN") or not (is_named or (creator, group) in trusted):
                findings.add(RULE, element.place)
            element = element._replace(vr="LO")
            if is_named:
                named.add(element)
        else:
            creator = creators.get((element.item, group, number >> 8), "")
            vr = here.private_vr(creator, element)
            if vr is None and (creator, group) in trusted:
                bytes_called_safe = trusted[creator, group]
                vr = "" if bytes_called_safe is None or number & 0xFF in bytes_called_safe else None
            rule, vr = (RULE, element.vr) if vr is None else _judge(parsed.body, element, vr)
            if rule:
                findings.add(rule, element.place)
            element = element._replace(vr=vr)
            if vr == "SQ" and element.length and not _is_walked(element, pending):
                inner = _items(parsed.body, element, items)
                if inner is None:
                    findings.add(RULE, element.place)
                else:
                    items = max((one.item for one in inner), default=items)
                    pending.extendleft(reversed(inner))
        resolved.append(element)
    parsed.elements = resolved
    return frozenset(named)


def _is_walked(element: Element, pending: deque[Element]) -> bool:
    """Whether the reader has gone into a sequence: its items' elements come next, and lie in it."""
    return bool(pending) and element.start <= pending[0].start < element.start + element.length


def _items(body: bytes, element: Element, items: int) -> list[Element] | None:
    """Return the elements in a sequence of unknown VR: implicit, little-endian (PS3.5 section 6.2.2)."""
    end = element.start + element.length
    try:
        inner = list(walk(body, element.start, end, implicit=True, big=False, in_sequence=element.tag))
    except (Malformed, struct.error):
        return None
    return [one._replace(path=element.path + one.path, item=items + one.item) for one in inner]


def _judge(body: bytes, element: Element, vr: str) -> tuple[str, str]:
    """Return the rule that the value breaks, ``""`` if none, and the VR that it is to be read as."""
    if element.vr not in ("UN", vr) and vr and element.vr not in vr.split("/"):
        return "private-value", element.vr
    if vr in _UNTYPED:
        if element.vr not in _UNTYPED:
            return "", element.vr
        value = body[element.start : element.start + min(element.length, _MOST_READ_AS_TEXT + 1)]
        return "", "UT" if 0 < len(value) <= _MOST_READ_AS_TEXT and _is_text(value) else "OB"
    if vr in _WIDTHS:
        return ("private-value" if element.length % _WIDTHS[vr] else ""), vr
    if vr in _FORMS:
        values = _text(body, element).split("\\")
        right = all(not value or _FORMS[vr].fullmatch(value.rstrip(" ")) for value in values)
        return ("" if right else "private-value"), vr
    return "", vr


def _is_text(value: bytes) -> bool:
    return not value.rstrip(b"\0").translate(None, _PRINTABLE)


_PRINTABLE: Final = bytes([9, 10, 12, 13, 27, *range(32, 127), *range(160, 256)])


def _text(body: bytes, element: Element) -> str:
    return body[element.start : element.start + element.length].decode("latin-1").rstrip(" \0")


def _blocks_called_safe(parsed: Part10) -> _Blocks:
    """Read Private Data Element Characteristics Sequence: per creator and group the safe last bytes, None for all."""
    number = ">H" if parsed.transfer_syntax == EXPLICIT_BIG else "<H"
    told: dict[int, dict[int, bytes]] = {}
    for element in parsed.elements:
        if element.path == (_CHARACTERISTICS,):
            value = parsed.body[element.start : element.start + element.length]
            told.setdefault(element.item, {})[element.tag] = value
    blocks: _Blocks = {}
    for item in told.values():
        group = item.get(_GROUP, b"")
        if len(group) != struct.calcsize(number):
            continue
        key = item.get(_CREATOR, b"").decode("latin-1").rstrip(" \0"), struct.unpack(number, group)[0]
        status = item.get(_STATUS, b"").decode("latin-1").strip(" \0")
        listed = item.get(_NONIDENTIFYING, b"")
        if status == "SAFE":
            blocks[key] = None
        elif status == "MIXED" and len(listed) % 2 == 0:
            blocks[key] = frozenset(single[0] & 0xFF for single in struct.iter_unpack(number, listed))
    return blocks
