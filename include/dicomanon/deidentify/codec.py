"""How data elements are laid out in bytes under each transfer syntax (PS3.5 sections 7 and 10, Annex A)."""

from collections.abc import Iterable
from dataclasses import dataclass
from struct import Struct
from typing import TypeAlias

from dicomanon.standard.dictionary import uid_type

Buffer: TypeAlias = bytes | memoryview

UNDEFINED_LENGTH = 0xFFFFFFFF
DELIMITATION_GROUP = 0xFFFE
ITEM = 0xFFFEE000
ITEM_DELIMITATION = 0xFFFEE00D
SEQUENCE_DELIMITATION = 0xFFFEE0DD

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"

# Syntaxes whose pixels are elsewhere, behind a URL, or that are no PS3.10 files at all (PS3.5 A.6, A.7, PS3.22).
_NOT_A_COMPLETE_FILE = (
    "1.2.840.10008.1.2.4.94",
    "1.2.840.10008.1.2.4.95",
    "1.2.840.10008.1.2.4.204",
    "1.2.840.10008.1.2.4.205",
    "1.2.840.10008.1.2.6.",
    "1.2.840.10008.1.2.7.",
    "1.2.840.10008.1.20",
)

_LONG = ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV")
_SHORT = (
    "AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "PN", "SH", "SL", "SS", "ST", "TM", "UI",
    "UL", "US",
)  # fmt: skip
VRS: dict[bytes, tuple[str, bool]] = {
    **{vr.encode(): (vr, True) for vr in _LONG},
    **{vr.encode(): (vr, False) for vr in _SHORT},
}
"""VR as encoded to its name and whether its length field has 32 bits (PS3.5 section 7.1.2)."""
_LONG_VRS = frozenset(_LONG)

_SPACE_PADDED = frozenset(
    {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UR", "UT"}
)


@dataclass(frozen=True, slots=True)
class Codec:
    """Byte order and VR encoding; ``header`` and ``element`` write what the reader reads."""

    explicit: bool
    little: bool
    short: Struct
    long: Struct
    implicit: Struct

    def header(self, tag: int, vr: str, length: int) -> bytes:
        """Return the header of a data element."""
        if not self.explicit:
            return self.implicit.pack(tag >> 16, tag & 0xFFFF, length)
        if vr in _LONG_VRS:
            return self.long.pack(tag >> 16, tag & 0xFFFF, vr.encode(), 0, length)
        return self.short.pack(tag >> 16, tag & 0xFFFF, vr.encode(), length)

    def element(self, tag: int, vr: str, value: Buffer) -> bytes:
        """Return a data element, its value padded to even length."""
        if len(value) & 1:
            value = bytes(value) + (b" " if vr in _SPACE_PADDED else b"\0")
        return self.header(tag, vr, len(value)) + bytes(value)

    def sequence(self, tag: int, bodies: Iterable[bytes]) -> bytes:
        """Return a sequence of defined length from the encoded data sets of its items."""
        items = b"".join([self.implicit.pack(ITEM >> 16, ITEM & 0xFFFF, len(body)) + body for body in bodies])
        return self.header(tag, "SQ", len(items)) + items


def _codec(explicit: bool, little: bool) -> Codec:
    order = "<" if little else ">"
    return Codec(explicit, little, Struct(f"{order}HH2sH"), Struct(f"{order}HH2sHL"), Struct(f"{order}HHL"))


LITTLE_EXPLICIT = _codec(True, True)
LITTLE_IMPLICIT = _codec(False, True)
BIG_EXPLICIT = _codec(True, False)


def codec_of(transfer_syntax: str) -> Codec | None:
    """Return how data sets of a transfer syntax are encoded; ``None`` for those that we do not read."""
    if transfer_syntax == IMPLICIT_LITTLE:
        return LITTLE_IMPLICIT
    if transfer_syntax == EXPLICIT_BIG:
        return BIG_EXPLICIT
    if uid_type(transfer_syntax) != "Transfer Syntax" or transfer_syntax.startswith(_NOT_A_COMPLETE_FILE):
        return None
    return LITTLE_EXPLICIT
