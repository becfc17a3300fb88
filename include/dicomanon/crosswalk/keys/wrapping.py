"""Wrapping keys: they encrypt data keys, and nothing else. Pure.

A wrapped data key is one version byte, the number of the wrapping key in four bytes, then nonce, ciphertext and tag: 65
bytes that rest on the row that they belong to, and open for no other.
"""

import os
from typing import Literal
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from dicomanon.crosswalk.keys.data_keys import KEY_BYTES, decrypted, encrypted
from dicomanon.errors import Fatal

Owner = Literal["patient", "study", "site"]
"""Table of the row that a data key rests on."""
RowId = UUID | int

_VERSION = b"\x01"
_NUMBER_BYTES = 4


class WrappingKey:
    """One wrapping key, unwrapped."""

    __slots__ = ("_aead", "number")

    def __init__(self, number: int, key: bytes) -> None:
        self.number = number
        self._aead = AESGCM(key)

    def wrap(self, key: bytes, owner: Owner, row: RowId) -> bytes:
        """Encrypt a data key for its row."""
        prefix = wrapped_prefix(self.number)
        return prefix + encrypted(self._aead, key, _context(owner, row))

    def unwrap(self, wrapped: bytes, owner: Owner, row: RowId) -> bytes:
        """Decrypt the data key of a row.

        Raises
        ------
        Fatal
            It is not this row's, not by this wrapping key, or changed.
        """
        return decrypted(self._aead, wrapped[1 + _NUMBER_BYTES :], _context(owner, row))

    def __repr__(self) -> str:
        return f"WrappingKey({self.number}, ****)"


def new_key() -> bytes:
    """Return a random key."""
    return os.urandom(KEY_BYTES)


def wrapped_prefix(number: int) -> bytes:
    """Return what every data key that is wrapped by this wrapping key begins with."""
    return _VERSION + number.to_bytes(_NUMBER_BYTES)


def wrapped_by(wrapped: bytes) -> int:
    """Return the number of the wrapping key.

    Raises
    ------
    Fatal
        It is not a wrapped data key.
    """
    if wrapped[:1] != _VERSION or len(wrapped) <= 1 + _NUMBER_BYTES:
        raise Fatal("a data key of the crosswalk is of an unknown version or cut short")
    return int.from_bytes(wrapped[1 : 1 + _NUMBER_BYTES])


def _context(owner: Owner, row: RowId) -> str:
    return f"{owner}.key|{row}"
