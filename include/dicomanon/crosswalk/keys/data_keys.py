"""Data keys: what a value is sealed with, and the form of a sealed value. Pure; knows no database and no master key.

A sealed value is one version byte, then for version 3 the number of the key in two bytes, then 12 bytes of nonce,
AES-256-GCM ciphertext and 16 bytes of tag. Version 1 was sealed by the keyring itself, before there were data keys.
Version 2 is sealed by the data key of the patient or study that the row belongs to. Version 3 is sealed by a site key.
Nonces are random, which NIST SP 800-38D allows for 2^32 messages per key.
"""

import os
from collections.abc import Mapping
from typing import NoReturn, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from dicomanon.errors import Fatal, Held
from dicomanon.reasons import HoldReason

KEY_BYTES = 32
ERASED = b""
"""What stands in a sealed column whose value was destroyed."""
DIRECT_KEY = 0
"""Number among the site keys of the one that values of version 1 were sealed with."""

_DIRECT, _OF_ROW, _OF_SITE = b"\x01", b"\x02", b"\x03"
_NUMBER_BYTES = 2
_NONCE_BYTES = 12
_TAG_BYTES = 16


class Sealer(Protocol):
    """What seals and opens the values of a row.

    ``context`` names column and row, such as ``"patient.identity|<row id>"``. It is authenticated, not stored:
    ciphertext moved to another row or column does not open.
    """

    def seal(self, plaintext: bytes, context: str) -> bytes:
        """Encrypt, bound to ``context``."""
        ...

    def open(self, sealed: bytes, context: str) -> bytes:
        """Decrypt what was sealed for the same context.

        Raises
        ------
        Held
            The value was destroyed (``KEYS_DESTROYED``).
        Fatal
            Another key, another row, or changed bytes; which of them cannot be told.
        """
        ...


class SiteKeys:
    """Keys of values that belong to no patient: the newest seals, each of them opens."""

    __slots__ = ("_aeads", "_newest")

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        self._aeads = {number: AESGCM(key) for number, key in keys.items()}
        self._newest = max(keys)

    def seal(self, plaintext: bytes, context: str) -> bytes:
        """Encrypt with the newest key; the contract is :class:`Sealer`'s."""
        if self._newest == DIRECT_KEY:
            raise Fatal("the crosswalk has no site key yet: run `dicomanon migrate`")
        number = self._newest.to_bytes(_NUMBER_BYTES)
        return _OF_SITE + number + encrypted(self._aeads[self._newest], plaintext, context)

    def open(self, sealed: bytes, context: str) -> bytes:
        """Decrypt with whichever key it was; the contract is :class:`Sealer`'s."""
        version = sealed[:1]
        if version == _DIRECT:
            return self._decrypted(DIRECT_KEY, sealed[1:], context)
        if version == _OF_SITE:
            return self._decrypted(int.from_bytes(sealed[1 : 1 + _NUMBER_BYTES]), sealed[1 + _NUMBER_BYTES :], context)
        _refuse(sealed)

    def _decrypted(self, number: int, body: bytes, context: str) -> bytes:
        aead = self._aeads.get(number)
        if aead is None:
            raise Fatal("a sealed value of the crosswalk names a site key that is not there: the row was changed")
        return decrypted(aead, body, context)

    def __repr__(self) -> str:
        return "SiteKeys(****)"


class DataKey:
    """The key of one patient or study; without ``key``, of a row that was last written before there were any."""

    __slots__ = ("_aead", "_site")

    def __init__(self, key: bytes | None, site: Sealer) -> None:
        self._aead = None if key is None else AESGCM(key)
        self._site = site

    def seal(self, plaintext: bytes, context: str) -> bytes:
        """Encrypt; the contract is :class:`Sealer`'s."""
        if self._aead is None:
            raise Fatal("a value was about to be sealed for a row without a data key")
        return _OF_ROW + encrypted(self._aead, plaintext, context)

    def open(self, sealed: bytes, context: str) -> bytes:
        """Decrypt; the contract is :class:`Sealer`'s."""
        version = sealed[:1]
        if version == _OF_ROW and self._aead is not None:
            return decrypted(self._aead, sealed[1:], context)
        if version == _DIRECT:
            return self._site.open(sealed, context)
        _refuse(sealed)

    def __repr__(self) -> str:
        return "DataKey(****)"


def encrypted(aead: AESGCM, plaintext: bytes, context: str) -> bytes:
    """Return nonce, ciphertext and tag."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + aead.encrypt(nonce, plaintext, context.encode())


def decrypted(aead: AESGCM, body: bytes, context: str) -> bytes:
    """Return what :func:`encrypted` was given.

    Raises
    ------
    Fatal
        Another key, another context, or changed bytes.
    """
    if len(body) < _NONCE_BYTES + _TAG_BYTES:
        raise Fatal("a sealed value of the crosswalk is of an unknown version or cut short")
    try:
        return aead.decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], context.encode())
    except InvalidTag:
        raise Fatal("a sealed value of the crosswalk does not open: wrong key, or the row was changed") from None


def _refuse(sealed: bytes) -> NoReturn:
    if sealed == ERASED:
        raise Held(HoldReason.KEYS_DESTROYED, "the keys of this patient were destroyed")
    raise Fatal("a sealed value of the crosswalk is of an unknown version or cut short")
