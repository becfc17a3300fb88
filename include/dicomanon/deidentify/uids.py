"""Research UIDs: one to one, the same for ever, and meaningless without the key."""

import hmac
from collections.abc import Callable
from functools import lru_cache

from dicomanon.standard.dictionary import is_registered_uid

_CACHED = 256
_UUID_BYTES = 16


class UidMapper:
    """Maps UIDs of one site to research UIDs.

    HMAC-SHA256 under a secret key, cut to the 122 free bits of a UUID version 8 (RFC 9562), written as a UID under
    2.25 (PS3.5 B.2). Nothing has to be looked up or agreed on: an object that refers to another one can come months
    before it, on another worker. Registered UIDs (SOP classes, coding schemes, well-known instances) stay.

    Parameters
    ----------
    key
        At least 16 secret bytes.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < _UUID_BYTES:
            raise ValueError("the UID key is too short")
        self._key = key
        self._cached = lru_cache(maxsize=_CACHED)(self._map)
        self._salted = lru_cache(maxsize=_CACHED)(self._under_salt)

    def __repr__(self) -> str:
        return "UidMapper()"

    def __call__(self, uid: str) -> str:
        """Return the research UID of a UID; padding is ignored, an empty value stays empty."""
        uid = uid.strip(" \0")
        if not uid or is_registered_uid(uid):
            return uid
        return self._cached(uid)

    def salted(self, salt: bytes | None) -> "UidMapper":
        """Return the mapper of a patient whose UIDs were re-issued: a key derived of this one; without salt, this one.

        References between objects of one patient resolve as ever, and no UID is one that he had before.
        """
        return self if salt is None else self._salted(salt)

    def _under_salt(self, salt: bytes) -> "UidMapper":
        return UidMapper(hmac.digest(self._key, b"research UIDs of a patient\0" + salt, "sha256"))

    def _map(self, uid: str) -> str:
        digest = hmac.digest(self._key, uid.encode("utf-8", "surrogateescape"), "sha256")[:_UUID_BYTES]
        number = int.from_bytes(digest, "big") & ~(0xF << 76) & ~(0x3 << 62) | 0x8 << 76 | 0x2 << 62
        return f"2.25.{number}"


def research_uids(mapper: UidMapper, *, retained: bool) -> Callable[[str], str]:
    """Return what gives UIDs their research UIDs: the mapper, or nothing but the padding changes.

    Parameters
    ----------
    mapper
        Of the site.
    retained
        Whether the profile has the Retain UIDs Option (PS3.15 E.3.9).
    """
    return _without_padding if retained else mapper


def _without_padding(uid: str) -> str:
    return uid.strip(" \0")
