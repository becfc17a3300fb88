"""A request for the way back, and how it stands."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from dicomanon.crosswalk.audit.events import Subject
from dicomanon.values import Phi


class RequestState(StrEnum):
    """How a request stands."""

    ASKED = "asked"
    APPROVED = "approved"
    REFUSED = "refused"
    SHOWN = "shown"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class ReidentificationRequest:
    """A request with what was decided; the value that it asks for is not in it.

    Attributes
    ----------
    subject
        The pseudonym or research UID that it is about.
    ticket, reason
        Sealed where they rest: people type names and numbers into them.
    decided_by, decided_at, shown_at
        ``None`` where that has not happened.
    """

    id: UUID
    subject: Subject
    requested_by: str
    requested_at: datetime
    expires_at: datetime
    state: RequestState
    ticket: Phi[str] = field(repr=False)
    reason: Phi[str] = field(repr=False)
    decided_by: str | None = None
    decided_at: datetime | None = None
    shown_at: datetime | None = None
