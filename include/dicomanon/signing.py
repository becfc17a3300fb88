"""The Ed25519 key that a site signs with (RFC 8032): heads of its audit trail, and certificates of removal."""

import hashlib
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from dicomanon.errors import Fatal
from dicomanon.write_once import write_once


class SigningKey:
    """The private half: a file of its own, in PKCS #8 PEM as other programs read it.

    It is not in the keyring, for whoever checks a signature needs nothing that opens the crosswalk, and whoever may
    open the crosswalk need not be able to sign. What is signed begins as nothing else that is signed does, so that no
    signature can be taken for one of another kind.
    """

    __slots__ = ("_key",)

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def generate(cls, path: Path) -> Self:
        """Make a new key and write it to ``path``, readable by its owner alone; it is there whole or not at all.

        Raises
        ------
        Fatal
            The file exists already (a key is never overwritten) or cannot be written.
        """
        made = cls(Ed25519PrivateKey.generate())
        write_once(path, made._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), "the audit key")
        return made

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the key file.

        Raises
        ------
        Fatal
            It is missing, open to others than its owner and group, or no Ed25519 key.
        """
        try:
            mode = path.stat().st_mode
            key = load_pem_private_key(path.read_bytes(), None)
        except OSError as error:
            raise Fatal(
                f"the audit key cannot be read ({type(error).__name__}): DICOMANON_AUDIT_KEY_FILE names it, "
                "`dicomanon audit key` makes it"
            ) from None
        except (ValueError, TypeError):
            raise Fatal("the audit key file is damaged or locked by a password") from None
        if mode & (stat.S_IRWXO | stat.S_IWGRP | stat.S_IXGRP):
            raise Fatal("the audit key file is open to others: give it mode 0600 (or 0440 where a secret is mounted)")
        if not isinstance(key, Ed25519PrivateKey):
            raise Fatal("the audit key file holds a key of another kind than Ed25519")
        return cls(key)

    @property
    def public(self) -> "PublicKey":
        """The half that checks signatures; not secret."""
        return PublicKey(self._key.public_key())

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message."""
        return self._key.sign(message)

    def __repr__(self) -> str:
        return "SigningKey(****)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not pickled: load its file where it is needed")


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What tells whether something was signed by a site."""

    key: Ed25519PublicKey

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a public key in PEM.

        Raises
        ------
        Fatal
            It is missing, or no Ed25519 key.
        """
        try:
            key = load_pem_public_key(path.read_bytes())
        except OSError as error:
            raise Fatal(f"the public key cannot be read ({type(error).__name__})") from None
        except (ValueError, TypeError):
            raise Fatal("the file of the public key does not hold one in PEM") from None
        if not isinstance(key, Ed25519PublicKey):
            raise Fatal("the public key is of another kind than Ed25519")
        return cls(key)

    @property
    def id(self) -> str:
        """What the key is called beside a signature: SHA-256 of its 32 bytes."""
        return hashlib.sha256(self.key.public_bytes_raw()).hexdigest()

    def pem(self) -> str:
        """Return the key as its file holds it."""
        return self.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Tell whether the other half signed this message."""
        try:
            self.key.verify(signature, message)
        except InvalidSignature:
            return False
        return True
