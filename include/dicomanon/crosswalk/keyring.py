"""The four secret keys of an installation, and the sealing and blind indexing done with them."""

import base64
import binascii
import hashlib
import hmac
import json
import os
import secrets
import stat
from pathlib import Path
from typing import NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from dicomanon.errors import Fatal

_FORMAT = 1
_KEY_NAMES = ("sealing", "index", "uid", "request")
_KEY_BYTES = 32
_SEALED_VERSION = b"\x01"
_NONCE_BYTES = 12
_TAG_BYTES = 16
# 128 bits: at 10^9 rows the chance that any two values share an index is below 10^-20, at half the index size.
_INDEX_BYTES = 16


class Keyring:
    """Sealing key, index key, UID key and request key: independent, random, 256 bits each.

    Losing the file loses every source value in the crosswalk and the way to give a known patient's new study the
    same pseudonym; keep a copy where the database's backups are not.
    """

    __slots__ = ("_aead", "_index_mac", "_keys", "_request")

    def __init__(self, sealing: bytes, index: bytes, uid: bytes, request: bytes) -> None:
        self._keys = dict(zip(_KEY_NAMES, (sealing, index, uid, request), strict=True))
        if any(len(key) != _KEY_BYTES for key in self._keys.values()):
            raise Fatal("a key of the keyring is not 32 bytes long")
        if len(set(self._keys.values())) != len(_KEY_NAMES):
            raise Fatal("two keys of the keyring are the same: each must be random and independent")
        self._aead = AESGCM(sealing)
        self._index_mac = hmac.new(index, digestmod=hashlib.sha256)
        self._request = X25519PrivateKey.from_private_bytes(request)

    @classmethod
    def generate(cls, path: Path) -> "Keyring":
        """Make a new keyring and write it to ``path``, readable by its owner alone.

        Raises
        ------
        Fatal
            The file exists already (a keyring is never overwritten) or cannot be written.
        """
        keyring = cls(*(secrets.token_bytes(_KEY_BYTES) for _ in _KEY_NAMES))
        content = {name: base64.b64encode(key).decode() for name, key in keyring._keys.items()}
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                json.dump({"format": _FORMAT, "keys": content}, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
        except FileExistsError:
            raise Fatal("the keyring file exists already and is never overwritten") from None
        except OSError as error:
            raise Fatal(f"the keyring file cannot be written: {type(error).__name__}") from None
        return keyring

    @classmethod
    def load(cls, path: Path) -> "Keyring":
        """Read the keyring file.

        Raises
        ------
        Fatal
            The file is missing, open to others than its owner and group, or not a keyring.
        """
        try:
            mode = path.stat().st_mode
            text = path.read_text("ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise Fatal(f"the keyring file cannot be read: {type(error).__name__}") from None
        if mode & (stat.S_IRWXO | stat.S_IWGRP | stat.S_IXGRP):
            raise Fatal("the keyring file is open to others: give it mode 0600 (or 0440 where a secret is mounted)")
        try:
            content = json.loads(text)
            if content["format"] != _FORMAT:
                raise Fatal("the keyring file is of a format that this version does not know")
            keys = [base64.b64decode(content["keys"][name], validate=True) for name in _KEY_NAMES]
        except (ValueError, KeyError, TypeError, binascii.Error):
            raise Fatal("the keyring file is damaged") from None
        return cls(*keys)

    @property
    def uid_key(self) -> bytes:
        """Key of the one-to-one mapping from source UIDs to research UIDs."""
        return self._keys["uid"]

    @property
    def request_private_key(self) -> bytes:
        """X25519 private key (32 bytes) that opens the sealed parameters of cohort requests."""
        return self._keys["request"]

    @property
    def request_public_key(self) -> bytes:
        """X25519 public key (32 bytes) that requests are sealed with; not secret."""
        return self._request.public_key().public_bytes_raw()

    def seal(self, plaintext: bytes, context: str) -> bytes:
        """Encrypt with AES-256-GCM, bound to ``context``.

        Parameters
        ----------
        plaintext
            What to hide.
        context
            Column and row that the ciphertext belongs to, such as ``"patient.identity|<row id>"``. It is
            authenticated, not stored: ciphertext moved to another row or column does not open.

        Returns
        -------
        bytes
            One version byte, 12 bytes of nonce, ciphertext, 16 bytes of tag. Nonces are random, which NIST
            SP 800-38D allows for 2^32 messages per key.
        """
        nonce = os.urandom(_NONCE_BYTES)
        return _SEALED_VERSION + nonce + self._aead.encrypt(nonce, plaintext, context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        """Decrypt what :meth:`seal` made for the same context.

        Raises
        ------
        Fatal
            Another key, another row, or changed bytes; which of them cannot be told.
        """
        if sealed[:1] != _SEALED_VERSION or len(sealed) < 1 + _NONCE_BYTES + _TAG_BYTES:
            raise Fatal("a sealed value of the crosswalk is of an unknown version or cut short")
        try:
            return self._aead.decrypt(sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :], context.encode())
        except InvalidTag:
            raise Fatal(
                "a sealed value of the crosswalk does not open: wrong keyring, or the row was changed"
            ) from None

    def index(self, kind: str, value: str) -> bytes:
        """Return the blind index of a value: 16 bytes of HMAC-SHA256, equal for equal values of one kind only."""
        mac = self._index_mac.copy()
        mac.update(kind.encode() + b"\0" + value.encode("utf-8", "surrogatepass"))
        return mac.digest()[:_INDEX_BYTES]

    def fingerprints(self) -> dict[str, bytes]:
        """Return a one-way mark of each key, by which a database recognises the keyring it was written with."""
        label = b"dicomanon keyring fingerprint"
        return {name: hmac.digest(key, label, "sha256")[:_INDEX_BYTES] for name, key in self._keys.items()}

    def __repr__(self) -> str:
        return "Keyring(****)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a keyring is not pickled: load its file where it is needed")
