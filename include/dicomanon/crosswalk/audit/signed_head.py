"""Where the audit trail stood, signed, to be kept where nobody who can write the database can write."""

import base64
import binascii
import json
import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn, Self
from uuid import UUID

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

from dicomanon.crosswalk.audit.chain import Head
from dicomanon.errors import Fatal

_FORMAT = "dicomanon audit head 1"


class HeadKey:
    """The Ed25519 key that heads are signed with: a file of its own, in PKCS #8 PEM as other programs read it.

    It is not in the keyring, for whoever checks a head needs nothing that opens the crosswalk, and whoever may open
    the crosswalk need not be able to sign.
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
    def public(self) -> "PublicHeadKey":
        """The half that checks signatures; not secret."""
        return PublicHeadKey(self._key.public_key())

    def sign(self, chain: UUID, head: Head) -> "SignedHead":
        """State that the trail stands at this head now."""
        unsigned = SignedHead(chain, head, datetime.now(UTC), b"")
        return SignedHead(chain, head, unsigned.signed_at, self._key.sign(unsigned.statement()))

    def __repr__(self) -> str:
        return "HeadKey(****)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not pickled: load its file where it is needed")


@dataclass(frozen=True, slots=True)
class PublicHeadKey:
    """What tells whether a head was signed by a site."""

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

    def pem(self) -> str:
        """Return the key as its file holds it."""
        return self.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A statement that a trail stood at a head; holds nothing that is secret or about anybody."""

    chain: UUID
    head: Head
    signed_at: datetime
    signature: bytes

    @classmethod
    def from_json(cls, text: str, key: PublicHeadKey) -> Self:
        """Read a statement and check who signed it.

        Raises
        ------
        Fatal
            It is damaged, or was not signed with this key.
        """
        try:
            content = json.loads(text)
            if content["format"] != _FORMAT:
                raise Fatal("the signed head is of a format that this version does not know")
            found = cls(
                UUID(content["chain"]),
                Head(int(content["number"]), bytes.fromhex(content["hash"])),
                datetime.fromisoformat(content["signed_at"]),
                base64.b64decode(content["signature"], validate=True),
            )
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
            raise Fatal("the signed head is damaged") from None
        try:
            key.key.verify(found.signature, found.statement())
        except InvalidSignature:
            raise Fatal("the signed head was changed, or was signed with another key than this one") from None
        return found

    @classmethod
    def load(cls, path: Path, key: PublicHeadKey) -> Self:
        """Read a statement from a file; see :meth:`from_json`."""
        try:
            return cls.from_json(path.read_text("utf-8"), key)
        except (OSError, UnicodeDecodeError) as error:
            raise Fatal(f"the signed head cannot be read ({type(error).__name__})") from None

    def statement(self) -> bytes:
        """Return the bytes that are signed."""
        return json.dumps(self._content(), sort_keys=True, separators=(",", ":")).encode()

    def to_json(self) -> str:
        """Return the statement as its file holds it, on one line."""
        return json.dumps({**self._content(), "signature": base64.b64encode(self.signature).decode()})

    def _content(self) -> dict[str, object]:
        return {
            "format": _FORMAT,
            "chain": str(self.chain),
            "number": self.head.number,
            "hash": self.head.hash.hex(),
            "signed_at": self.signed_at.isoformat(),
        }


def write_once(path: Path, content: bytes, what: str) -> None:
    """Write a file of mode 0600 that is not there yet; nobody ever sees a part of it.

    Raises
    ------
    Fatal
        It exists already, or cannot be written.
    """
    incoming = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(incoming, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(incoming, path)  # unlike a rename, it never replaces
        finally:
            incoming.unlink()
    except FileExistsError:
        raise Fatal(f"{what} exists already, and is never overwritten") from None
    except OSError as error:
        raise Fatal(f"{what} cannot be written: {type(error).__name__}") from None
