"""The identifiers of one project: made of those that the research PACS has, by a key of the project's own."""

import hmac
from uuid import UUID

from dicomanon.deidentify.uids import UidMapper

# As those of the crosswalk (base 32 without I, L, O and U), after another letter: people see which kind it is. There is
# no table that refuses one that is taken, so there are more characters: 75 bits.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CHARACTERS, _BITS_EACH = 15, 5
_LONGEST_SHIFT_DAYS = 1461
_UUID_BYTES = 16


class ProjectView:
    """Maps research identifiers to those of a project: one to one, the same for ever.

    Two projects' identifiers have nothing in common that could be compared, and neither leads to the research PACS's,
    without the key of one of them.

    Parameters
    ----------
    key
        Of the project, 32 secret bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._uids = UidMapper(self._made_of("UIDs", "", 32))

    def __repr__(self) -> str:
        return "ProjectView()"

    def uid(self, uid: str) -> str:
        """Return a UID as the project sees it; registered ones name kinds of things, and stay."""
        return self._uids(uid)

    def pseudonym(self, pseudonym: str) -> str:
        """Return a patient's pseudonym in the project: ``P`` and 15 letters and digits."""
        number = int.from_bytes(self._made_of("pseudonym", pseudonym, 10), "big")
        return "P" + "".join(_ALPHABET[number >> _BITS_EACH * at & 31] for at in range(_CHARACTERS))

    def days(self, pseudonym: str) -> int:
        """Return by how many days the dates of objects that bear the research pseudonym move once more: back, by at
        most four years.
        """  # noqa: D205 - one sentence
        return -1 - int.from_bytes(self._made_of("days", pseudonym, 8), "big") % _LONGEST_SHIFT_DAYS

    def reference(self, reference: UUID) -> UUID:
        """Return what the project calls something of ours that concerns others too."""
        return UUID(bytes=self._made_of("reference", str(reference), _UUID_BYTES), version=5)

    def _made_of(self, kind: str, value: str, size: int) -> bytes:
        return hmac.digest(self._key, f"{kind}\0{value}".encode(), "sha256")[:size]
