"""Reads a Part 10 file into a tree of element positions, and refuses whatever PS3.5 and PS3.10 do not allow.

pydicom reads leniently: a value cut short, an unknown VR, a duplicate or bytes after the end go unnoticed, and each
of them is a way for identifying bytes to pass or for an element to escape its rule. So structure is read here, without
decoding or copying a value.
"""

import gc
import zlib
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple, TypeVar, overload

from dicomanon.deidentify.codec import (
    DEFLATED,
    DELIMITATION_GROUP,
    ITEM,
    ITEM_DELIMITATION,
    LITTLE_EXPLICIT,
    LITTLE_IMPLICIT,
    SEQUENCE_DELIMITATION,
    UNDEFINED_LENGTH,
    VRS,
    Codec,
    codec_of,
)
from dicomanon.standard.dictionary import dictionary_vrs, shown_tag

PREAMBLE = 128
PREFIX = b"DICM"
META_GROUP = 0x0002
MEDIA_STORAGE_SOP_CLASS_UID = 0x00020002
TRANSFER_SYNTAX_UID = 0x00020010
MAXIMUM_DEPTH = 256
"""Sequences within sequences; real objects have a dozen, and each level costs another copy of what is inside."""
MAXIMUM_INFLATED = 1 << 31
USUAL_INFLATED = 1 << 28
MAXIMUM_INFLATION = 64
"""A deflated data set may inflate to the usual size, and beyond it by this factor, up to the maximum: a few kilobytes
must not fill a worker's memory."""
MAXIMUM_ELEMENTS = 1 << 21
"""Data elements and items of one object: some hundred bytes of memory each, in the file only eight."""

LARGE_SEQUENCE = 1 << 13
"""Bytes of a sequence above which its items are not kept in memory."""
SHORT_SEQUENCE = 1 << 11
"""Bytes of a sequence of the main data set up to which it is remembered as well-formed."""
_MOST_SEQUENCES = 512

_SHORT_HEADER = 8
_LONG_HEADER = 12
_VRS_OF_FRAGMENTS = frozenset({"OB", "OW"})


_T = TypeVar("_T")


class Unreadable(Exception):
    """The bytes are not what PS3.5 or PS3.10 allow; the text names tags and never values."""


class Element(NamedTuple):
    """Where a data element is in the buffer.

    ``start`` is where its header begins, or -1 if the header must not be copied; ``value`` to ``end`` its value, and
    ``stop`` where the next element begins. ``items`` is ``None`` unless the value was read as a sequence; those of a
    large one are read anew at each turn.
    """

    tag: int
    vr: str
    start: int
    value: int
    end: int
    stop: int
    items: "Sequence[list[Element]] | None" = None


@dataclass(frozen=True, slots=True, repr=False)
class Part10:
    """A file, taken apart: ``buffer`` holds the data set, inflated if it was deflated."""

    buffer: memoryview
    transfer_syntax: str
    media_storage_sop_class: str
    codec: Codec
    elements: list[Element]


class _DataSet:
    """A data set being read, the main one or an item."""

    __slots__ = ("codec", "elements", "in_order", "last", "limit", "undefined")

    def __init__(self, limit: int, undefined: bool, codec: Codec) -> None:
        self.elements: list[Element] = []
        self.limit = limit
        self.undefined = undefined
        self.codec = codec
        self.last = -1
        self.in_order = True

    def finish(self) -> list[Element]:
        """Return the elements in order, and refuse duplicates that disorder hid."""
        if not self.in_order:
            self.elements.sort(key=lambda element: element.tag)
            for first, second in pairwise(self.elements):
                if first.tag == second.tag:
                    raise Unreadable(f"duplicate of {shown_tag(first.tag)}")
        return self.elements


class _Sequence:
    """A sequence being read, with the data set that it is part of.

    ``items`` becomes ``None`` when the sequence turns out to be large: then only where its items begin is kept.
    """

    __slots__ = ("codec", "items", "limit", "owner", "start", "starts", "tag", "undefined", "value")

    def __init__(
        self, owner: _DataSet, tag: int, start: int, value: int, limit: int, undefined: bool, codec: Codec
    ) -> None:
        self.owner = owner
        self.tag = tag
        self.start = start
        self.value = value
        self.limit = limit
        self.undefined = undefined
        self.codec = codec
        self.items: list[list[Element]] | None = []
        self.starts = array("Q")


class LargeSequence(Sequence[list[Element]]):
    """The items of a large sequence, of which memory has only where they begin: what is asked for is read again.

    The elements of a report or of the frames of an image take ten times the memory of what they are in the file.
    """

    def __init__(
        self, buffer: memoryview, codec: Codec, inside: Codec, starts: Sequence[int], known: "dict[int, _Known]"
    ) -> None:
        self._buffer = buffer
        self._codec = codec
        self._inside = inside
        self._starts = starts
        self._known = known

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, index: int) -> list[Element]: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[list[Element]]: ...

    def __getitem__(self, index: int | slice) -> list[Element] | Sequence[list[Element]]:
        if isinstance(index, slice):
            return [self._read(start) for start in self._starts[index]]
        return self._read(self._starts[index])

    def __iter__(self) -> Iterator[list[Element]]:
        return map(self._read, self._starts)

    def _read(self, start: int) -> list[Element]:
        with _without_garbage_collection():
            return _Reader(self._buffer, self._codec, self._known).read_item(start, self._inside)


class ShortSequence(Sequence[list[Element]]):
    """The items of a short sequence that is known to be well-formed: they are read when somebody asks for one."""

    __slots__ = ("_buffer", "_codec", "_items", "_starts", "_value")

    def __init__(self, buffer: memoryview, codec: Codec, value: int, starts: tuple[int, ...]) -> None:
        self._buffer = buffer
        self._codec = codec
        self._value = value
        self._starts = starts
        self._items: list[list[Element]] | None = None

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, index: int) -> list[Element]: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[list[Element]]: ...

    def __getitem__(self, index: int | slice) -> list[Element] | Sequence[list[Element]]:
        if self._items is None:
            self._items = [
                _Reader(self._buffer, self._codec).read_item(self._value + start, self._codec) for start in self._starts
            ]
        return self._items[index]

    def __iter__(self) -> Iterator[list[Element]]:
        return iter(self[:])


@lru_cache(maxsize=_MOST_SEQUENCES)
def _read_short_sequence(tag: int, value: bytes, codec: Codec) -> tuple[tuple[int, ...], int]:
    """Return where the items of a sequence begin in its value, and how many elements and items there are.

    The objects of a series repeat their sequences byte for byte, and the same bytes are well-formed again.

    Raises
    ------
    Unreadable
        They are not.
    """
    reader = _Reader(memoryview(value), codec)
    _, starts = reader.read_sequence(Element(tag, "SQ", 0, 0, len(value), len(value)))
    return tuple(starts), MAXIMUM_ELEMENTS - reader.remaining


def innermost_first(levels: list[Iterator[_T]]) -> Iterator[_T]:
    """Yield the levels of a tree, those that the caller appends meanwhile first: one item of each is in memory."""
    while levels:
        level = next(levels[-1], None)
        if level is None:
            levels.pop()
        else:
            yield level


class _Known(NamedTuple):
    """Where a large sequence ends that has been read before, and where its items begin."""

    end: int
    stop: int
    codec: Codec
    starts: Sequence[int]


def read_part10(raw: memoryview) -> Part10:
    """Take a Part 10 file apart.

    Raises
    ------
    Unreadable
        It is not one, or not a complete one (PS3.10 section 7).
    """
    if len(raw) < PREAMBLE + len(PREFIX) or raw[PREAMBLE : PREAMBLE + len(PREFIX)] != PREFIX:
        raise Unreadable("no DICM prefix")
    meta, start = _read_file_meta(raw)
    transfer_syntax = _uid(meta.get(TRANSFER_SYNTAX_UID, b""))
    codec = codec_of(transfer_syntax)
    if codec is None:
        raise Unreadable("transfer syntax absent or not supported")
    buffer = raw[start:]
    if transfer_syntax == DEFLATED:
        buffer = _inflate(buffer)
    elements = read_data_set(buffer, codec)
    return Part10(buffer, transfer_syntax, _uid(meta.get(MEDIA_STORAGE_SOP_CLASS_UID, b"")), codec, elements)


def _uid(value: bytes) -> str:
    return value.decode("latin-1").strip(" \0")


def _read_file_meta(raw: memoryview) -> tuple[dict[int, bytes], int]:
    """Read group 0002, always Explicit VR Little Endian (PS3.10 section 7.1), and where it ends.

    The group's end is where another group begins: its length element is often wrong.
    """
    position = PREAMBLE + len(PREFIX)
    meta: dict[int, bytes] = {}
    while position + 8 <= len(raw):
        group, number, code, length = LITTLE_EXPLICIT.short.unpack_from(raw, position)
        if group != META_GROUP:
            break
        vr = VRS.get(code)
        if vr is None:
            raise Unreadable("file meta information is not Explicit VR Little Endian")
        position += 8
        if vr[1]:
            if position + 4 > len(raw):
                raise Unreadable("file meta information is cut short")
            length = int.from_bytes(raw[position : position + 4], "little")
            position += 4
        if length > len(raw) - position:
            raise Unreadable("file meta information is cut short")
        meta[group << 16 | number] = bytes(raw[position : position + length])
        position += length
    return meta, position


def _inflate(buffer: memoryview) -> memoryview:
    """Inflate a deflated data set (PS3.5 A.5); what follows the deflated stream is padding and is dropped."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        limit = min(MAXIMUM_INFLATED, max(USUAL_INFLATED, MAXIMUM_INFLATION * len(buffer)))
        inflated = inflater.decompress(buffer, limit)
    except zlib.error:
        raise Unreadable("deflated data set cannot be inflated") from None
    if not inflater.eof:
        raise Unreadable("deflated data set is cut short or too large")
    return memoryview(inflated)


def read_data_set(buffer: memoryview, codec: Codec) -> list[Element]:
    """Read the elements of a data set, of all nesting levels, without recursion.

    Sequences of private attributes with a defined length are not looked into.

    Raises
    ------
    Unreadable
        Anything that is not a well-formed data set up to the last byte (zero bytes at the end are dropped).
    """
    with _without_garbage_collection():
        return _Reader(buffer, codec).read()


def read_items(buffer: memoryview, element: Element, codec: Codec) -> Sequence[list[Element]]:
    """Read the items of an element whose value the reader passed over, a private sequence of defined length.

    Raises
    ------
    Unreadable
        The value is not a well-formed sequence.
    """
    items, _ = _Reader(buffer, codec).read_sequence(element)
    return items


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Spare the collector 100,000 tuples in which nothing is cyclic: looking through them takes as long as reading."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Reader:
    """Goes through a buffer once; ``_frame`` is the data set in work, ``_sequences`` what encloses it.

    ``remaining`` is how many more elements and items it may read. ``_known`` has the large sequences by where their
    values begin: who reads an item again goes past those in it.
    """

    def __init__(self, buffer: memoryview, codec: Codec, known: dict[int, _Known] | None = None) -> None:
        self._buffer = buffer
        self._codec = codec
        self._known: dict[int, _Known] = {} if known is None else known
        self._root = self._frame = _DataSet(len(buffer), False, codec)
        self._is_item = False
        self._sequences: list[_Sequence] = []
        self._position = 0
        self.remaining = MAXIMUM_ELEMENTS
        self._vrs = dictionary_vrs()

    def read(self) -> list[Element]:
        while True:
            self._short_elements()
            if self._data_set_goes_on():
                continue
            if not self._sequences:
                return self._root.finish()
            self._item_ends()

    def read_item(self, start: int, codec: Codec) -> list[Element]:
        """Read an item that has been read before; ``start`` is where its header begins."""
        _, _, length = codec.implicit.unpack_from(self._buffer, start)
        self._position = start + _SHORT_HEADER
        undefined = length == UNDEFINED_LENGTH
        limit = len(self._buffer) if undefined else self._position + length
        self._root = self._frame = _DataSet(limit, undefined, codec)
        self._is_item = True
        return self.read()

    def read_sequence(self, element: Element) -> tuple[Sequence[list[Element]], Sequence[int]]:
        """Read a sequence by itself; return its items, and where each begins."""
        # PS3.5 section 6.2.2: a sequence behind VR UN is Implicit VR Little Endian.
        codec = LITTLE_IMPLICIT if element.vr == "UN" and self._codec.explicit else self._codec
        if codec.little is not self._codec.little:
            raise Unreadable(f"mixed byte order at {shown_tag(element.tag)}")
        sequence = _Sequence(self._root, element.tag, element.start, element.value, element.end, False, codec)
        self._sequences.append(sequence)
        self._position = element.value
        self._next_item()
        while self._sequences:
            self._short_elements()
            if not self._data_set_goes_on():
                self._item_ends()
        return self._root.elements[0].items or [], sequence.starts

    def _item_ends(self) -> None:
        sequence, elements = self._sequences[-1], self._frame.finish()
        if sequence.items is not None and self._position - sequence.value > LARGE_SEQUENCE:
            sequence.items = None
        if sequence.items is not None:
            sequence.items.append(elements)
        self._next_item()

    def _short_elements(self) -> None:
        """Read as far as there are only plain elements in order: nearly all are, and objects have 100,000 of them."""
        frame = self._frame
        if not frame.codec.explicit:
            return
        buffer, unpack, find, append = self._buffer, frame.codec.short.unpack_from, VRS.get, frame.elements.append
        new, verbatim = tuple.__new__, frame.codec is self._codec
        start, last, before = self._position, frame.last, len(frame.elements)
        # Of eight bytes at least, so that no more than may remain are read at once.
        end_of_last_header = min(frame.limit - _SHORT_HEADER, start + _SHORT_HEADER * self.remaining)
        while start <= end_of_last_header:
            group, number, code, length = unpack(buffer, start)
            tag = group << 16 | number
            vr, long = find(code, ("", True))
            value = start + _SHORT_HEADER
            stop = value + length
            if long or tag <= last or group == DELIMITATION_GROUP or stop > frame.limit:
                break
            append(new(Element, (tag, vr, start if verbatim else -1, value, stop, stop, None)))
            start, last = stop, tag
        self._position, frame.last = start, last
        self._count(len(frame.elements) - before)

    def _count(self, read: int) -> None:
        self.remaining -= read
        if self.remaining < 0:
            raise Unreadable("too many data elements")

    def _data_set_goes_on(self) -> bool:
        """Read one data element, or the delimitation of the data set; ``False`` at its end."""
        frame, start = self._frame, self._position
        if start == frame.limit:
            if frame.undefined:
                raise Unreadable("item without delimitation")
            return False
        header = self._buffer[start : start + _SHORT_HEADER]
        if start + _SHORT_HEADER > frame.limit or not (header[0] or any(header)):
            self._skip_padding()
            return True
        if frame.codec.explicit:
            tag, vr, length, verbatim = self._explicit_header()
        else:
            group, number, length = frame.codec.implicit.unpack_from(self._buffer, start)
            tag = group << 16 | number
            vr, verbatim = self._vrs.get(tag, "UN"), True
            self._position += _SHORT_HEADER
        if tag >> 16 == DELIMITATION_GROUP:
            if tag == ITEM_DELIMITATION and frame.undefined and not length:
                return False
            raise Unreadable("delimitation out of place")
        self._check_order(tag)
        self._count(1)
        self._value(tag, vr, length, start if verbatim and frame.codec is self._codec else -1)
        return True

    def _explicit_header(self) -> tuple[int, str, int, bool]:
        """Return tag, VR, length of the value and whether the header may be copied; go on to the value."""
        frame, start = self._frame, self._position
        group, number, code, length = frame.codec.short.unpack_from(self._buffer, start)
        tag = group << 16 | number
        if group == DELIMITATION_GROUP:
            self._position += _SHORT_HEADER
            return tag, "", frame.codec.implicit.unpack_from(self._buffer, start)[2], False
        known = VRS.get(code)
        if known is None:
            raise Unreadable(f"unknown VR at {shown_tag(tag)}")
        vr, long = known
        if not long:
            self._position += _SHORT_HEADER
            return tag, vr, length, True
        self._position += _LONG_HEADER
        if self._position > frame.limit:
            raise Unreadable(f"cut short at {shown_tag(tag)}")
        _, _, _, reserved, length = frame.codec.long.unpack_from(self._buffer, start)
        # Reserved bytes could carry anything: a header that uses them is written anew.
        return tag, vr, length, not reserved

    def _check_order(self, tag: int) -> None:
        frame = self._frame
        if tag <= frame.last:
            if tag == frame.last:
                raise Unreadable(f"duplicate of {shown_tag(tag)}")
            frame.in_order = False
        frame.last = tag

    def _value(self, tag: int, vr: str, length: int, start: int) -> None:
        """Note where a value is and go on behind it, or into it if it is a sequence."""
        frame, position = self._frame, self._position
        public = not tag >> 16 & 1
        undefined = length == UNDEFINED_LENGTH
        if undefined and (vr in _VRS_OF_FRAGMENTS or " or " in vr):
            end, self._position = self._end_of_fragments()
            copied = frame is self._root and not self._is_item
            frame.elements.append(Element(tag, vr, start if copied else -1, position, end, self._position))
            return
        if undefined and vr not in {"SQ", "UN"}:
            raise Unreadable(f"undefined length at {shown_tag(tag)}")
        if not undefined and length > frame.limit - position:
            raise Unreadable(f"cut short at {shown_tag(tag)}")
        is_sequence = public and (vr == "SQ" or (vr == "UN" and self._vrs.get(tag) == "SQ"))
        if not undefined and not (is_sequence and length):
            self._position = stop = position + length
            items: list[list[Element]] | None = [] if is_sequence else None
            frame.elements.append(Element(tag, "SQ" if is_sequence else vr, start, position, stop, stop, items))
            return
        if vr == "SQ" and length <= SHORT_SEQUENCE and frame is self._root and not self._is_item:
            self._short_sequence(tag, start, position + length)
            return
        # PS3.5 section 6.2.2: a sequence behind VR UN is Implicit VR Little Endian.
        codec = LITTLE_IMPLICIT if vr == "UN" and frame.codec.explicit else frame.codec
        if codec.little is not self._codec.little and public:
            raise Unreadable(f"mixed byte order at {shown_tag(tag)}")
        if len(self._sequences) == MAXIMUM_DEPTH:
            raise Unreadable("nested too deeply")
        limit = frame.limit if undefined else position + length
        known = self._known.get(position)
        if known is not None:
            self._position = known.stop
            frame.elements.append(Element(tag, "SQ", start, position, known.end, known.stop, self._large(known)))
            return
        self._sequences.append(_Sequence(frame, tag, start, position, limit, undefined, codec))
        self._next_item()

    def _short_sequence(self, tag: int, start: int, stop: int) -> None:
        """Go past a sequence of the main data set; mostly the same bytes have been read in another object."""
        buffer, position = self._buffer, self._position
        starts, elements = _read_short_sequence(tag, bytes(buffer[position:stop]), self._codec)
        self._count(elements)
        self._position = stop
        items = ShortSequence(buffer, self._codec, position, starts)
        self._frame.elements.append(Element(tag, "SQ", start, position, stop, stop, items))

    def _next_item(self) -> None:
        """Go into the next item of the innermost sequence, or back to the data set that the sequence is part of."""
        sequence, position = self._sequences[-1], self._position
        self._count(1)
        if position == sequence.limit and not sequence.undefined:
            self._close(position)
            return
        if position + _SHORT_HEADER > sequence.limit:
            raise Unreadable(f"cut short in {shown_tag(sequence.tag)}")
        group, number, length = sequence.codec.implicit.unpack_from(self._buffer, position)
        tag = group << 16 | number
        self._position = position + _SHORT_HEADER
        if tag == SEQUENCE_DELIMITATION and sequence.undefined and not length:
            self._close(position)
        elif tag != ITEM:
            raise Unreadable(f"no item where one must be in {shown_tag(sequence.tag)}")
        elif length == UNDEFINED_LENGTH:
            sequence.starts.append(position)
            self._frame = _DataSet(sequence.limit, True, sequence.codec)
        elif length > sequence.limit - self._position:
            raise Unreadable(f"item too long in {shown_tag(sequence.tag)}")
        else:
            sequence.starts.append(position)
            self._frame = _DataSet(self._position + length, False, sequence.codec)

    def _close(self, end: int) -> None:
        sequence = self._sequences.pop()
        self._frame = sequence.owner
        items: Sequence[list[Element]] | None = sequence.items
        if items is None:
            known = self._known[sequence.value] = _Known(end, self._position, sequence.codec, sequence.starts)
            items = self._large(known)
        self._frame.elements.append(
            Element(sequence.tag, "SQ", sequence.start, sequence.value, end, self._position, items)
        )

    def _large(self, known: _Known) -> LargeSequence:
        # What is known must not hold the sequence, which holds it: the bytes of an object would stay in memory with
        # the two until the garbage collector comes by.
        return LargeSequence(self._buffer, self._codec, known.codec, known.starts, self._known)

    def _skip_padding(self) -> None:
        """Drop zero bytes up to the end, as some archives append them."""
        if self._frame is not self._root or bytes(self._buffer[self._position :]).strip(b"\0"):
            raise Unreadable("bytes after the last data element")
        self._position = len(self._buffer)

    def _end_of_fragments(self) -> tuple[int, int]:
        """Return where encapsulated fragments end, without and with their delimitation (PS3.5 A.4)."""
        position, limit = self._position, self._frame.limit
        while position + _SHORT_HEADER <= limit:
            group, number, length = self._codec.implicit.unpack_from(self._buffer, position)
            tag = group << 16 | number
            if tag == SEQUENCE_DELIMITATION and not length:
                return position, position + _SHORT_HEADER
            if tag != ITEM or length > limit - position - _SHORT_HEADER:
                break
            position += _SHORT_HEADER + length
        raise Unreadable("encapsulated fragments are cut short")
