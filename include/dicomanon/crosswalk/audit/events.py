"""What an entry of the audit trail says, before it is written and as it is read."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID


class SubjectKind(StrEnum):
    """What kind of thing an event is about."""

    PSEUDONYM = "pseudonym"
    STUDY = "study"
    SERIES = "series"
    INSTANCE = "instance"
    INSTANCE_ROW = "instance-row"
    """An instance that has no research UID, by the number of its row."""
    BATCH = "batch"
    RUN = "run"
    PROJECT = "project"
    RELEASE = "release"
    DEVICE = "device"
    PROFILE = "profile"
    ACCOUNT = "account"
    OTHER = "other"


class Subject(NamedTuple):
    """What an event is about, by an identifier that may be shown: research UIDs, pseudonyms, ids of rows; never PHI."""

    kind: SubjectKind
    id: str


@dataclass(frozen=True, slots=True)
class AccessEvent:
    """An event to be recorded.

    Attributes
    ----------
    actor
        Who: an account or a login; ``pipeline`` where a task reads by itself, and the subject leads to its run.
    action
        What, of :mod:`dicomanon.crosswalk.audit.actions`.
    reason
        Why; sealed, since people type names and numbers into it.
    count
        Of how many.
    """

    actor: str
    action: str
    reason: str = field(repr=False)
    count: int = 1
    subject: Subject | None = None
    instance_id: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the trail; everything that its hash covers, and the hash."""

    number: int
    id: UUID
    recorded_at: datetime
    actor: str
    action: str
    reason_sealed: bytes = field(repr=False)
    count: int
    instance_id: int | None
    subject_kind: str
    subject: str
    database_login: str
    hash: bytes
