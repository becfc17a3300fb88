"""Which object a PS3.10 file is, from its first bytes: what is passed on is looked at before it is; pure."""

import struct
from typing import Final

_PREAMBLE: Final = 132
GROUP_LENGTH_ENDS: Final = _PREAMBLE + 12
"""(0002,0000) File Meta Information Group Length is the first element (PS3.10 7.1), and says where its group ends."""
_LONGEST_META: Final = 1 << 16
_SOP_INSTANCE_UID: Final = (0x0002, 0x0003)
_LONG_VRS: Final = {b"OB", b"OW", b"UN", b"UT", b"SQ", b"UC", b"UR"}


class NotDicom(ValueError):
    """It is no PS3.10 file."""


def needed(head: bytes) -> int:
    """Return how many bytes tell which object it is: first those that say how many.

    Raises
    ------
    NotDicom
    """
    if len(head) < GROUP_LENGTH_ENDS:
        return GROUP_LENGTH_ENDS
    if head[128:_PREAMBLE] != b"DICM" or head[_PREAMBLE : _PREAMBLE + 8] != b"\x02\x00\x00\x00UL\x04\x00":
        raise NotDicom
    length = int(struct.unpack_from("<I", head, _PREAMBLE + 8)[0])
    if length > _LONGEST_META:
        raise NotDicom
    return GROUP_LENGTH_ENDS + length


def sop_instance_uid(head: bytes) -> str:
    """Return Media Storage SOP Instance UID (0002,0003) of a file's first bytes, as many as :func:`needed` said.

    Raises
    ------
    NotDicom
    """
    at = GROUP_LENGTH_ENDS
    try:
        while at < len(head):
            group, element, vr = struct.unpack_from("<HH2s", head, at)
            long = vr in _LONG_VRS
            (length,) = struct.unpack_from("<I" if long else "<H", head, at + (8 if long else 6))
            at += 12 if long else 8
            if (group, element) == _SOP_INSTANCE_UID:
                return head[at : at + length].rstrip(b"\0 ").decode("ascii")
            at += length
    except (struct.error, UnicodeDecodeError):
        raise NotDicom from None
    raise NotDicom
