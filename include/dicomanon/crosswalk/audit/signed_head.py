"""Where the audit trail stood, signed, to be kept where nobody who can write the database can write."""

import base64
import binascii
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self
from uuid import UUID

from dicomanon.crosswalk.audit.chain import Head
from dicomanon.errors import Fatal
from dicomanon.signing import PublicKey, SigningKey

_FORMAT = "dicomanon audit head 1"


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A statement that a trail stood at a head; holds nothing that is secret or about anybody."""

    chain: UUID
    head: Head
    signed_at: datetime
    signature: bytes

    @classmethod
    def sign(cls, key: SigningKey, chain: UUID, head: Head) -> Self:
        """State that the trail stands at this head now."""
        unsigned = cls(chain, head, datetime.now(UTC), b"")
        return replace(unsigned, signature=key.sign(unsigned.statement()))

    @classmethod
    def from_json(cls, text: str, key: PublicKey) -> Self:
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
        if not key.verifies(found.signature, found.statement()):
            raise Fatal("the signed head was changed, or was signed with another key than this one")
        return found

    @classmethod
    def load(cls, path: Path, key: PublicKey) -> Self:
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
