"""Small value types that keep PHI from being printed and identifiers from being mixed up."""

from dataclasses import dataclass
from typing import Generic, NewType, TypeVar

T = TypeVar("T")

Pseudonym = NewType("Pseudonym", str)
"""A patient's research identifier."""
ResearchUid = NewType("ResearchUid", str)
"""A UID that we issued; safe to show."""
SourceUid = NewType("SourceUid", str)
"""A UID of the clinical side: PHI."""
BatchId = NewType("BatchId", int)

MASK = "[PHI]"

TICKET_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._/#-]{0,39}"
"""The number of a ticket, which is kept in clear: its form has no room for a sentence."""


@dataclass(frozen=True, slots=True, repr=False)
class Phi(Generic[T]):
    """A value that identifies a patient; every textual form of it is masked.

    Call :meth:`reveal` where the value is needed, as late and as locally as possible.
    """

    _value: T

    def reveal(self) -> T:
        """Return the value itself."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __reduce__(self) -> tuple[type, tuple[str]]:
        raise TypeError("a Phi value is not pickled: pass the id of its row in the crosswalk instead")
