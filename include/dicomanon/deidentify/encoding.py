"""Writes a de-identified instance as a Part 10 file with file meta information of our own."""

import zlib

from dicomanon.deidentify.codec import DEFLATED, LITTLE_EXPLICIT, Buffer
from dicomanon.deidentify.outcome import Deidentified
from dicomanon.deidentify.reader import MEDIA_STORAGE_SOP_CLASS_UID, PREAMBLE, PREFIX, TRANSFER_SYNTAX_UID

IMPLEMENTATION_CLASS_UID = "2.25.81127440752956781760564039549336706729"
IMPLEMENTATION_VERSION_NAME = "DICOMANON"

_GROUP_LENGTH = 0x00020000
_VERSION = 0x00020001
_MEDIA_STORAGE_SOP_INSTANCE_UID = 0x00020003
_IMPLEMENTATION_CLASS_UID = 0x00020012
_IMPLEMENTATION_VERSION_NAME = 0x00020013
_DEFLATE_LEVEL = 6


def encode(outcome: Deidentified) -> bytes:
    """Return the instance as a file in one piece, see :func:`encode_in_pieces`."""
    return b"".join(encode_in_pieces(outcome))


def encode_in_pieces(outcome: Deidentified) -> tuple[Buffer, ...]:
    """Return the instance as a file, bulk data as views of the source's buffer (PS3.10 section 7).

    The preamble is zero and the file meta information holds nothing of the source's: application entity titles,
    private information and implementation names identify places (PS3.15 E.1.1). The same outcome gives the same
    bytes.
    """
    body: tuple[Buffer, ...] = outcome.chunks
    if outcome.transfer_syntax == DEFLATED:
        deflater = zlib.compressobj(_DEFLATE_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        stream = deflater.compress(b"".join(body)) + deflater.flush()
        body = (stream, b"\0" * (len(stream) & 1))
    return *_header(outcome), *body


def _header(outcome: Deidentified) -> tuple[bytes, ...]:
    element = LITTLE_EXPLICIT.element
    meta = b"".join(
        (
            element(_VERSION, "OB", b"\0\1"),
            element(MEDIA_STORAGE_SOP_CLASS_UID, "UI", outcome.sop_class_uid.encode()),
            element(_MEDIA_STORAGE_SOP_INSTANCE_UID, "UI", outcome.sop_uid.encode()),
            element(TRANSFER_SYNTAX_UID, "UI", outcome.transfer_syntax.encode()),
            element(_IMPLEMENTATION_CLASS_UID, "UI", IMPLEMENTATION_CLASS_UID.encode()),
            element(_IMPLEMENTATION_VERSION_NAME, "SH", IMPLEMENTATION_VERSION_NAME.encode()),
        )
    )
    return bytes(PREAMBLE), PREFIX, element(_GROUP_LENGTH, "UL", len(meta).to_bytes(4, "little")), meta
