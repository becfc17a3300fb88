"""Read a Part 10 object as a list of elements with the byte range of each value, without building data sets.

The check must know *where* in the bytes a finding lies, must see what a tolerant reader skips (trailing bytes,
elements after a broken length), and must not depend on the reader that de-identification uses.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

from pydicom.datadict import dictionary_VR

PREAMBLE_LENGTH: Final = 128
DATA_START: Final = 132
IMPLICIT_LITTLE: Final = "1.2.840.10008.1.2"
EXPLICIT_BIG: Final = "1.2.840.10008.1.2.2"
DEFLATED: Final = frozenset({"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95"})
PIXEL_DATA: Final = 0x7FE00010

_UNDEFINED = 0xFFFFFFFF
_DELIMITERS = 0xFFFE
_ITEM = 0xE000
_ITEM_END = 0xE00D
_SEQUENCE_END = 0xE0DD
_LONG_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_SHORT_VRS = frozenset(
    {b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT"}
    | {b"PN", b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US"}
)
_VR_NAMES = {vr: vr.decode("ascii") for vr in _LONG_VRS | _SHORT_VRS}
_HEADER = 8
_LONG_HEADER = 12
_META_GROUP_LENGTH = 0x00020000
_TRANSFER_SYNTAX = 0x00020010
_MAX_INFLATED = 1 << 31


class Malformed(Exception):
    """The bytes are not a data set as PS3.5 section 7 describes it; holds no value."""


class Element(NamedTuple):
    """One element: ``start`` and ``length`` bound its value; ``path`` are the tags of the sequences around it.

    ``item`` numbers the data set the element belongs to: 0 is the main one, every sequence item has its own.
    """

    tag: int
    vr: str
    start: int
    length: int
    path: tuple[int, ...]
    item: int

    @property
    def place(self) -> str:
        """Where the element is, for people: tags only."""
        return "/".join(f"{tag >> 16:04X},{tag & 0xFFFF:04X}" for tag in (*self.path, self.tag))


@dataclass(slots=True)
class Part10:
    """A parsed object: ``meta`` lies in the object's own bytes, ``elements`` in ``body`` (inflated where deflated)."""

    transfer_syntax: str = ""
    meta: list[Element] = field(default_factory=list)
    body: bytes = b""
    elements: list[Element] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class _Frame(NamedTuple):
    in_items: bool
    limit: int
    open_ended: bool
    path: tuple[int, ...]
    item: int
    implicit: bool
    big: bool


_TAG = {False: struct.Struct("<HH").unpack_from, True: struct.Struct(">HH").unpack_from}
_U32 = {False: struct.Struct("<I").unpack_from, True: struct.Struct(">I").unpack_from}
_U16 = {False: struct.Struct("<H").unpack_from, True: struct.Struct(">H").unpack_from}


def read_part10(data: bytes) -> Part10:
    """Parse ``data`` (PS3.10 section 7.1) as far as it can be read; what cannot is in ``problems``.

    Parameters
    ----------
    data
        The whole file, preamble included.

    Returns
    -------
    Part10
        Elements found before the first malformation are kept, so that they are still checked.
    """
    parsed = Part10(body=data)
    if data[PREAMBLE_LENGTH:DATA_START] != b"DICM":
        parsed.problems.append("no DICM prefix")
        return parsed
    try:
        start = _read_meta(data, parsed)
    except (Malformed, struct.error):
        parsed.problems.append("file meta information malformed")
        return parsed
    syntax = parsed.transfer_syntax
    if syntax in DEFLATED:
        try:
            parsed.body, start = _inflate(data[start:]), 0
        except (zlib.error, Malformed):
            parsed.problems.append("deflated data set malformed")
            return parsed
    walker = walk(parsed.body, start, len(parsed.body), implicit=syntax == IMPLICIT_LITTLE, big=syntax == EXPLICIT_BIG)
    try:
        parsed.elements.extend(walker)
    except (Malformed, struct.error):
        # list.extend keeps what the generator gave before it failed.
        parsed.problems.append("data set malformed")
    return parsed


def _read_meta(data: bytes, parsed: Part10) -> int:
    """Read group 0002, which tells its own length first (PS3.10 section 7.1)."""
    first = next(walk(data, DATA_START, len(data), implicit=False, big=False), None)
    if first is None or first.tag != _META_GROUP_LENGTH or first.length != struct.calcsize("<I"):
        raise Malformed("no group length")
    end: int = first.start + first.length + _U32[False](data, first.start)[0]
    if end > len(data):
        raise Malformed("group length beyond the end")
    parsed.meta.extend(walk(data, DATA_START, end, implicit=False, big=False))
    for element in parsed.meta:
        if element.tag == _TRANSFER_SYNTAX:
            parsed.transfer_syntax = (
                data[element.start : element.start + element.length].decode("latin-1").rstrip("\0 ")
            )
    return end


def _inflate(deflated: bytes) -> bytes:
    """Inflate a deflated data set (PS3.5 section A.5): a raw stream, padded to even length."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    body = inflater.decompress(deflated, _MAX_INFLATED)
    if not inflater.eof or inflater.unused_data.strip(b"\0") or len(inflater.unused_data) > 1:
        raise Malformed("deflated stream does not end where the object does")
    return body


@lru_cache(maxsize=16384)
def vr_of(tag: int) -> str:
    """Return the VR that PS3.6 gives ``tag``; the first where it allows several, ``UN`` where it has none."""
    group, number = tag >> 16, tag & 0xFFFF
    if group & 1:
        return "LO" if 0x10 <= number <= 0xFF else "UN"  # noqa: PLR2004 - private creators, PS3.5 section 7.8.1
    if number == 0:
        return "UL"
    try:
        vr = dictionary_VR(tag)
    except KeyError:
        return "UN"
    return "OW" if "OW" in vr else vr[:2]


def walk(  # noqa: PLR0912, PLR0915 - one state machine; cutting it in pieces doubles its time
    data: bytes, start: int, end: int, *, implicit: bool, big: bool, in_sequence: int | None = None
) -> Iterator[Element]:
    """Yield every element between ``start`` and ``end``, at every level, without recursion.

    A sequence is yielded itself and then its items' elements. With ``in_sequence``, the bytes are the value of that
    sequence and begin with an item. Encapsulated Pixel Data is one element whose value
    are all its fragments (PS3.5 section A.4).

    Raises
    ------
    Malformed
        A length leads out of its surroundings, a delimiter is missing or misplaced, or a VR does not exist.
    """
    in_items, limit, open_ended = in_sequence is not None, end, False
    path: tuple[int, ...] = () if in_sequence is None else (in_sequence,)
    item, items = 0, 0
    frames: list[_Frame] = []
    position = start
    while True:
        if position >= limit:
            if open_ended or position > limit:
                raise Malformed("delimiter missing")
            if not frames:
                return
            in_items, limit, open_ended, path, item, implicit, big = frames.pop()
            continue
        if position + _HEADER > limit:
            raise Malformed("bytes left over")
        group, number = _TAG[big](data, position)
        if group == _DELIMITERS:
            length = _U32[big](data, position + 4)[0]
            position += _HEADER
            if number == _ITEM and in_items:
                frames.append(_Frame(in_items, limit, open_ended, path, item, implicit, big))
                items += 1
                in_items, item, open_ended = False, items, length == _UNDEFINED
                if not open_ended:
                    if position + length > limit:
                        raise Malformed("item longer than its sequence")
                    limit = position + length
            elif open_ended and (number, in_items) in ((_ITEM_END, False), (_SEQUENCE_END, True)) and frames:
                in_items, limit, open_ended, path, item, implicit, big = frames.pop()
            else:
                raise Malformed("delimiter out of place")
            continue
        if in_items:
            raise Malformed("element between items")
        tag = group << 16 | number
        if implicit:
            vr, header = vr_of(tag), _HEADER
            length = _U32[big](data, position + 4)[0]
        else:
            code = data[position + 4 : position + 6]
            if code in _SHORT_VRS:
                length, header = _U16[big](data, position + 6)[0], _HEADER
            elif code in _LONG_VRS:
                if position + _LONG_HEADER > limit:
                    raise Malformed("header cut short")
                length, header = _U32[big](data, position + 8)[0], _LONG_HEADER
            else:
                raise Malformed("no such VR")
            vr = _VR_NAMES[code]
        position += header
        undefined = length == _UNDEFINED
        if undefined and vr in ("OB", "OW"):
            stop = _end_of_fragments(data, position, limit, big=big)
            yield Element(tag, vr, position, stop - position, path, item)
            position = stop + _HEADER
            continue
        if undefined or vr == "SQ":
            if not undefined and position + length > limit:
                raise Malformed("sequence too long")
            yield Element(tag, "SQ", position, 0 if undefined else length, path, item)
            frames.append(_Frame(in_items, limit, open_ended, path, item, implicit, big))
            if not undefined:
                limit = position + length
            # UN of undefined length is a sequence in Implicit VR Little Endian (PS3.5 section 6.2.2 note 2).
            implicit, big = (True, False) if vr == "UN" else (implicit, big)
            in_items, open_ended, path = True, undefined, (*path, tag)
            continue
        if position + length > limit:
            raise Malformed("value longer than its surroundings")
        yield Element(tag, vr, position, length, path, item)
        position += length


def _end_of_fragments(data: bytes, position: int, limit: int, *, big: bool) -> int:
    """Return where the sequence delimiter of encapsulated Pixel Data begins (PS3.5 section A.4)."""
    while position + _HEADER <= limit:
        group, number = _TAG[big](data, position)
        length = _U32[big](data, position + 4)[0]
        if group != _DELIMITERS or number not in (_ITEM, _SEQUENCE_END):
            break
        if number == _SEQUENCE_END:
            return position
        position += _HEADER + length
    raise Malformed("fragments without an end")
