"""Damages Part 10 files in every way that broken or hostile systems do; shares no code with the engine."""

import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

DEFLATED = "1.2.840.10008.1.2.1.99"
IMPLICIT = "1.2.840.10008.1.2"
BIG = "1.2.840.10008.1.2.2"
PREFIX = 132
UNDEFINED = 0xFFFFFFFF
_LONG = frozenset(["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"])
_SHORT = (
    "AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "PN", "SH", "SL", "SS", "ST", "TM", "UI",
    "UL", "US",
)  # fmt: skip
_TEXT = ("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UI", "UC", "UR", "UT")
_DELIMITERS = frozenset({0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD})

CHARACTER_SETS = (
    b"", b"\\", b"ISO_IR 192\\ISO 2022 IR 87", b"ISO 2022 IR 6\\ISO_IR 100", b"ISO_IR 100\\ISO_IR 101", b"ISO_IR 13",
    b"\\ISO 2022 IR 149\\ISO 2022 IR 87\\ISO 2022 IR 58", b"GB18030", b"UTF-8", b"ISO_IR 999", b"ISO_IR 192", b"\0\0",
    b"MRN77120943",
)  # fmt: skip
SYNTAXES = (
    "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.94", "1.2.840.10008.1.2.8.1", "1.2.3", "",
)  # fmt: skip
# Where no text may stay, whatever it says: Table E.1-1, numbers, dates, UIDs, sequences, private, unknown.
TAGS_WITHOUT_TEXT = (
    0x00080050, 0x00080090, 0x00081070, 0x00100020, 0x00101001, 0x00100030, 0x00080020, 0x0008002A, 0x00080018,
    0x0020000D, 0x00280010, 0x00280030, 0x00181151, 0x00200013, 0x00081140, 0x00400275, 0x52009230, 0x00091001,
    0x00291010, 0x00291910, 0x00080001, 0x00100003, 0x0018FFFF, 0x00000010, 0x00020016, 0x00041130, 0x60003000,
    0x50002500, 0xFFFCFFFC, 0xFFFAFFFA, 0x00120063, 0x00120062, 0x00280303, 0x10001005, 0x00000000,
)  # fmt: skip


@dataclass(frozen=True)
class Spot:
    """A data element: where its header, its length field, its value and the next element begin."""

    start: int
    tag: int
    vr: str
    length_at: int
    value: int
    end: int
    stop: int
    depth: int

    @property
    def long(self) -> bool:
        return self.value - self.length_at == 4


@dataclass(frozen=True)
class File:
    """A well-formed file: preamble and file meta information in ``head``, the data set, inflated, in ``body``."""

    data: bytes

    @cached_property
    def syntax(self) -> str:
        return next((self.data[s.value : s.end].decode().strip("\0 ") for s in self._meta if s.tag == 0x00020010), "")

    @cached_property
    def _meta(self) -> list[Spot]:
        spots: list[Spot] = []
        position = PREFIX
        while position + 8 <= len(self.data) and self.data[position : position + 2] == b"\2\0":
            spot, _ = _header(self.data, position, len(self.data), True, 0)
            spots.append(spot)
            position = spot.stop
        return spots

    @property
    def head(self) -> bytes:
        return self.data[: self._meta[-1].stop if self._meta else PREFIX]

    @cached_property
    def body(self) -> bytes:
        body = self.data[len(self.head) :]
        return zlib.decompress(body, wbits=-zlib.MAX_WBITS) if self.syntax == DEFLATED else body

    @property
    def explicit(self) -> bool:
        return self.syntax != IMPLICIT

    @cached_property
    def spots(self) -> list[Spot]:
        """The elements of all levels as far as they can be read; none of a big endian file."""
        if self.syntax == BIG:
            return []
        return _scan(self.body, 0, len(self.body), self.explicit, 0)[0]

    def with_body(self, body: bytes) -> bytes:
        if self.syntax == DEFLATED:
            deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
            body = deflater.compress(body) + deflater.flush()
        return self.head + body

    def patched(self, at: int, length: int, new: bytes) -> bytes:
        return self.with_body(self.body[:at] + new + self.body[at + length :])


def _header(data: bytes, at: int, limit: int, explicit: bool, depth: int) -> tuple[Spot, int]:
    """Return the element whose header is at a position, and its length field."""
    group, number = struct.unpack_from("<HH", data, at)
    tag = group << 16 | number
    if tag in _DELIMITERS or not explicit:
        vr, length_at, value = "", at + 4, at + 8
        length = int(struct.unpack_from("<L", data, at + 4)[0])
    else:
        vr = data[at + 4 : at + 6].decode("latin-1")
        long = vr in _LONG
        length_at, value = (at + 8, at + 12) if long else (at + 6, at + 8)
        length = int.from_bytes(data[length_at:value], "little")
    end = min(limit, value if length == UNDEFINED else value + length)
    return Spot(at, tag, vr, length_at, value, end, end, depth), length


def _scan(data: bytes, at: int, limit: int, explicit: bool, depth: int) -> tuple[list[Spot], int]:
    spots: list[Spot] = []
    while at + 8 <= limit:
        try:
            spot, length = _header(data, at, limit, explicit, depth)
        except struct.error:
            break
        if spot.tag in {0xFFFEE00D, 0xFFFEE0DD}:
            return spots, spot.value
        fragments = length == UNDEFINED and spot.vr in {"OB", "OW"}
        nested = spot.vr == "SQ" or length == UNDEFINED or spot.tag == 0xFFFEE000
        if (nested or _looks_nested(data, spot)) and not fragments and depth < 60:
            # Behind VR UN a sequence is implicit.
            inner, stop = _scan(
                data, spot.value, limit if length == UNDEFINED else spot.end, explicit and spot.vr != "UN", depth + 1
            )
            stop = stop if length == UNDEFINED else spot.end
            spots.append(Spot(spot.start, spot.tag, spot.vr, spot.length_at, spot.value, stop, stop, depth))
            spots += inner
        elif fragments:
            stop = spot.value
            while stop + 8 <= limit and data[stop : stop + 4] == b"\xfe\xff\x00\xe0":
                stop += 8 + int(struct.unpack_from("<L", data, stop + 4)[0])
            spots.append(Spot(spot.start, spot.tag, spot.vr, spot.length_at, spot.value, stop, stop + 8, depth))
            stop += 8
        else:
            stop = spot.stop
            spots.append(spot)
        at = stop
    return spots, at


def _looks_nested(data: bytes, spot: Spot) -> bool:
    return spot.end - spot.value >= 8 and data[spot.value : spot.value + 4] == b"\xfe\xff\x00\xe0"


def element(tag: int, vr: str, value: bytes, *, explicit: bool = True, length: int | None = None) -> bytes:
    """Encode an element, with a length that need not be true."""
    size = len(value) if length is None else length
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    if not explicit:
        return head + struct.pack("<L", size) + value
    if vr in _LONG:
        return head + vr.encode() + b"\0\0" + struct.pack("<L", size) + value
    return head + vr.encode("latin-1") + struct.pack("<H", size & 0xFFFF) + value


Mutation = Callable[[random.Random, File, bytes], bytes | None]
"""Takes chance, a file and an identifying string of it; returns a damaged file, ``None`` where it cannot be done."""


def truncated(chance: random.Random, file: File, token: bytes) -> bytes:
    return file.data[: chance.randrange(len(file.data))]


def truncated_data_set(chance: random.Random, file: File, token: bytes) -> bytes:
    return file.with_body(file.body[: chance.randrange(len(file.body) + 1)])


def bits_flipped(chance: random.Random, file: File, token: bytes) -> bytes:
    damaged = bytearray(file.data)
    for _ in range(chance.choice((1, 1, 2, 8, 64))):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def header_flipped(chance: random.Random, file: File, token: bytes) -> bytes | None:
    if not file.spots:
        return None
    at = chance.choice(file.spots).start + chance.randrange(8)
    return file.patched(at, 1, bytes([file.body[at] ^ 1 << chance.randrange(8)]))


def bytes_inserted(chance: random.Random, file: File, token: bytes) -> bytes:
    at = chance.randrange(len(file.body) + 1)
    return file.patched(at, 0, chance.choice((chance.randbytes(chance.randint(1, 20)), token, bytes(8), b"\xff" * 8)))


def bytes_deleted(chance: random.Random, file: File, token: bytes) -> bytes:
    return file.patched(chance.randrange(len(file.body) + 1), chance.choice((1, 2, 7, 8, 200)), b"")


def length_replaced(chance: random.Random, file: File, token: bytes) -> bytes | None:
    if not file.spots:
        return None
    spot = chance.choice(file.spots)
    size = spot.end - spot.value
    wanted = chance.choice((0, 1, 2, size + 1, size + 2, size + 8, max(0, size - 1), 0x7FFFFFFF, 0xFFFFFFFE, UNDEFINED))
    width = spot.value - spot.length_at
    return file.patched(spot.length_at, width, (wanted & (1 << 8 * width) - 1).to_bytes(width, "little"))


def vr_replaced(chance: random.Random, file: File, token: bytes) -> bytes | None:
    """Replace the VR, also by one that does not exist, without a look at how long its length field must be."""
    spots = [spot for spot in file.spots if spot.vr]
    if not spots:
        return None
    vr = chance.choice((*_SHORT, *_LONG, "ZZ", "\0\0", "  ", "un", "??"))
    return file.patched(chance.choice(spots).start + 4, 2, vr.encode("latin-1"))


def encoded_in_other_vr(chance: random.Random, file: File, token: bytes) -> bytes | None:
    """Write an element of the main data set again, well-formed, in another VR: text as OB, sequences as UN."""
    spots = [spot for spot in file.spots if spot.vr and not spot.depth and spot.end == spot.stop]
    if not spots:
        return None
    spot = chance.choice(spots)
    vr = chance.choice(("UN", "UN", "OB", "OW", "UT", "LO", "PN", "FD", "US", "UI", "DA", "SQ", "CS", "AE"))
    value = file.body[spot.value : spot.end]
    if vr not in _LONG and len(value) > 0xFFFF:
        return None
    return file.patched(spot.start, spot.stop - spot.start, element(spot.tag, vr, value))


def tag_replaced(chance: random.Random, file: File, token: bytes) -> bytes | None:
    """Give an element the tag of an attribute that keeps no text."""
    if not file.spots:
        return None
    spot = chance.choice([spot for spot in file.spots if not spot.depth])
    tag = chance.choice(TAGS_WITHOUT_TEXT)
    return file.patched(spot.start, 4, struct.pack("<HH", tag >> 16, tag & 0xFFFF))


def element_added(chance: random.Random, file: File, token: bytes) -> bytes | None:
    """Add an element with the identifying string in it, in order or not, and in any VR."""
    places = [spot.start for spot in file.spots if not spot.depth]
    if not places:
        return None
    tag, vr = chance.choice(TAGS_WITHOUT_TEXT), chance.choice((*_TEXT, "UN", "OB", "OW", "US", "FD", "SQ", "AT"))
    places = chance.choice((places, [at for at in places if _tag_at(file.body, at) > tag][:1] or [len(file.body)]))
    value = token + b" " * (len(token) & 1)
    return file.patched(chance.choice(places), 0, element(tag, vr, value, explicit=file.explicit))


def duplicated(chance: random.Random, file: File, token: bytes) -> bytes | None:
    if not file.spots:
        return None
    spot = chance.choice(file.spots)
    copied = file.body[spot.start : spot.stop]
    return file.patched(chance.choice((spot.start, spot.stop, len(file.body))), 0, copied)


def moved(chance: random.Random, file: File, token: bytes) -> bytes | None:
    spots = [spot for spot in file.spots if not spot.depth]
    if len(spots) < 3:
        return None
    first, second = sorted(chance.sample(range(len(spots)), 2))
    one, other = spots[first], spots[second]
    body = file.body
    return file.with_body(
        body[: one.start] + body[one.stop : other.stop] + body[one.start : one.stop] + body[other.stop :]
    )


def group_lengths_added(chance: random.Random, file: File, token: bytes) -> bytes | None:
    body, seen = file.body, set()
    for spot in reversed([spot for spot in file.spots if not spot.depth]):
        seen.add(spot.tag >> 16)
    for group in sorted(seen, reverse=True):
        at = next(spot.start for spot in file.spots if not spot.depth and spot.tag >> 16 == group)
        size = chance.choice((0, 100, UNDEFINED))
        value = chance.choice((struct.pack("<L", size), token[:4]))
        body = body[:at] + element(group << 16, "UL", value, explicit=file.explicit) + body[at:]
    return file.with_body(body) if seen else None


def undelimited(chance: random.Random, file: File, token: bytes) -> bytes | None:
    """Give a sequence, an item or a value an undefined length and no delimitation, or take the delimitation away."""
    spots = [spot for spot in file.spots if spot.long]
    if not spots:
        return None
    ends = list(_all(file.body, b"\xfe\xff\x0d\xe0\0\0\0\0") + _all(file.body, b"\xfe\xff\xdd\xe0\0\0\0\0"))
    if ends and chance.random() < 0.5:
        return file.patched(chance.choice(ends), 8, b"")
    return file.patched(chance.choice(spots).length_at, 4, b"\xff" * 4)


def nested_deeply(chance: random.Random, file: File, token: bytes) -> bytes:
    depth = chance.choice((20, 250, 300, 3000))
    tag = chance.choice((0x0040A730, 0x00081140, 0x00400275, 0x00091010, 0x52009230))
    inner = element(0x00080050, "SH", token[:16], explicit=file.explicit)
    opening = element(tag, chance.choice(("SQ", "UN")), b"", explicit=file.explicit, length=UNDEFINED)
    opening += struct.pack("<HHL", 0xFFFE, 0xE000, UNDEFINED)
    closing = struct.pack("<HHLHHL", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    closings = chance.choice((depth, depth, 0, depth // 2))
    return file.with_body(file.body + opening * depth + inner + closing * closings)


def charset_contradicted(chance: random.Random, file: File, token: bytes) -> bytes | None:
    spot = next((spot for spot in file.spots if spot.tag == 0x00080005), None)
    if not file.spots:
        return None
    value = chance.choice(CHARACTER_SETS)
    value += b" " * (len(value) & 1)
    new = element(0x00080005, "CS", value, explicit=file.explicit)
    if spot is None:
        return file.patched(0, 0, new)
    if chance.random() < 0.3:
        return file.patched(spot.start, 0, new)  # two of them
    return file.patched(spot.start, spot.stop - spot.start, new)


def without_preamble(chance: random.Random, file: File, token: bytes) -> bytes:
    return chance.choice((file.data[128:], file.data[132:], bytes(128) + file.data[132:], file.body))


def preamble_filled(chance: random.Random, file: File, token: bytes) -> bytes:
    return token.ljust(128, b" ")[:128] + file.data[128:]


def acr_nema(chance: random.Random, file: File, token: bytes) -> bytes:
    """Write what was usual before DICOM: no preamble, implicit, group lengths, a recognition code."""
    leading = element(0x00080000, "", struct.pack("<L", 60), explicit=False)
    leading += element(0x00080010, "", b"ACR-NEMA 2.0", explicit=False)
    body = leading + element(0x00100010, "", token + b" " * (len(token) & 1), explicit=False)
    return chance.choice((body, file.head + body))


def garbage_appended(chance: random.Random, file: File, token: bytes) -> bytes:
    garbage = (
        bytes(512) + token,
        token,
        bytes(511),
        b"\0",
        chance.randbytes(64),
        file.data,
        b"\xfe\xff\xdd\xe0\0\0\0\0",
    )
    return file.data + chance.choice(garbage)


def trailing_padding_added(chance: random.Random, file: File, token: bytes) -> bytes:
    padding = element(0xFFFCFFFC, "OB", token + b"\0" * (len(token) & 1), explicit=file.explicit)
    return file.with_body(file.body + padding)


def syntax_swapped(chance: random.Random, file: File, token: bytes) -> bytes | None:
    spot = next((spot for spot in file._meta if spot.tag == 0x00020010), None)
    if spot is None:
        return None
    uid = chance.choice(SYNTAXES).encode()
    new = element(0x00020010, "UI", uid + b"\0" * (len(uid) & 1))
    return file.data[: spot.start] + new + file.data[spot.stop :]


def meta_damaged(chance: random.Random, file: File, token: bytes) -> bytes:
    head = bytearray(file.head)
    for _ in range(chance.choice((1, 2, 6))):
        head[chance.randrange(128, len(head))] = chance.choice((0, 1, 0xFF, chance.randrange(256)))
    return bytes(head) + file.data[len(head) :]


def meta_with_text(chance: random.Random, file: File, token: bytes) -> bytes:
    """Add identifying file meta information, and private information of group 0002."""
    added = element(0x00020016, "AE", token[:16]) + element(0x00020102, "OB", token + b"\0" * (len(token) & 1))
    return file.head + added + file.data[len(file.head) :]


def hidden_behind_null(chance: random.Random, file: File, token: bytes) -> bytes | None:
    """Put the string behind a null in a text that stays."""
    wanted = {0x00080008, 0x00080060, 0x00080070, 0x00181030, 0x00185100, 0x00280004, 0x00080064}
    spots = [spot for spot in file.spots if not spot.depth and spot.tag in wanted]
    if not spots:
        return None
    spot = chance.choice(spots)
    value = file.body[spot.value : spot.end].rstrip(b" \0") + b"\0" + token
    value += b"\0" * (len(value) & 1)
    return file.patched(
        spot.start, spot.stop - spot.start, element(spot.tag, spot.vr or "", value, explicit=file.explicit)
    )


def pixels_lengthened(chance: random.Random, file: File, token: bytes) -> bytes | None:
    """Put the string behind the last pixel, or into the fragments."""
    spot = next((spot for spot in file.spots if not spot.depth and spot.tag == 0x7FE00010), None)
    if spot is None or not spot.vr:
        return None
    value = file.body[spot.value : spot.end]
    hidden = token + b"\0" * (len(token) & 1)
    if spot.stop != spot.end:
        # After the offset table and the fragments: an item more.
        item = struct.pack("<HHL", 0xFFFE, 0xE000, len(hidden)) + hidden
        return file.patched(spot.end, 0, chance.choice((item, hidden)))
    return file.patched(spot.start, spot.stop - spot.start, element(spot.tag, spot.vr, value + hidden))


def _tag_at(body: bytes, at: int) -> int:
    group, number = struct.unpack_from("<HH", body, at)
    return int(group) << 16 | int(number)


def _all(data: bytes, wanted: bytes) -> list[int]:
    found, at = [], data.find(wanted)
    while at >= 0:
        found.append(at)
        at = data.find(wanted, at + 1)
    return found


MUTATIONS: tuple[Mutation, ...] = (
    truncated, truncated_data_set, bits_flipped, header_flipped, bytes_inserted, bytes_deleted, length_replaced,
    vr_replaced, encoded_in_other_vr, tag_replaced, element_added, duplicated, moved, group_lengths_added, undelimited,
    nested_deeply, charset_contradicted, without_preamble, preamble_filled, acr_nema, garbage_appended,
    trailing_padding_added, syntax_swapped, meta_damaged, meta_with_text, hidden_behind_null, pixels_lengthened,
)  # fmt: skip
MAKES_ANOTHER_ATTRIBUTE = frozenset({
    bits_flipped, header_flipped, bytes_inserted, bytes_deleted, length_replaced, vr_replaced, truncated,
})  # fmt: skip
"""Those by which a value may come to stand under the tag of an attribute that is not identifying."""
