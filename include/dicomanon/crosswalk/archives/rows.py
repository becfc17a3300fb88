"""What goes into the crosswalk of a check of the archives, and comes out of it."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from dicomanon.crosswalk.archives.causes import Cause
from dicomanon.crosswalk.rows import InstanceState
from dicomanon.values import Phi, Pseudonym

InstanceKey = tuple[bytes, bytes]
"""Blind indexes of the source Series and SOP Instance UID."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that two places do not agree on.

    It is about a row of ours (``study_id``, ``instance_id``), about something that has none but a UID which we issued
    (``research_uid``), or about something with any other UID (``subject``, stored sealed). ``detail`` has counts and
    our own terms.
    """

    cause: Cause
    study_id: UUID | None = None
    instance_id: int | None = None
    research_uid: str = ""
    subject: Phi[str] | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class SeenDifference:
    """A difference as it is kept; ``research_uid`` is what the research PACS calls it, ``""`` where it has no name."""

    number: int
    cause: Cause
    research_uid: str
    detail: str
    sealed: bool
    first_seen_at: datetime
    last_seen_at: datetime
    gone_at: datetime | None


@dataclass(frozen=True, slots=True)
class SurveyedStudy:
    """A study as an archive lists it; ``paged`` tells whether the answer to no filter at all showed it."""

    uid: Phi[str]
    research_uid: str
    paged: bool


@dataclass(frozen=True, slots=True)
class LedgerStudy:
    """A study of the ledger, as a survey compares it."""

    study_id: UUID
    uid: Phi[str]
    research_uid: str
    observed: int
    stored: int
    pseudonym: Pseudonym | None
    uid_salt: bytes | None = field(default=None, repr=False)
    """Of a patient whose research UIDs were re-issued."""


@dataclass(frozen=True, slots=True)
class LedgerInstance:
    """An instance of the ledger, as a look compares it."""

    instance_id: int
    key: InstanceKey
    state: InstanceState
    research_series_uid: str
    research_sop_uid: str
    sop_class_uid: str
    output_digest: bytes | None


@dataclass(frozen=True, slots=True)
class StoredSample:
    """A stored instance whose bytes are to be read again."""

    instance_id: int
    study_id: UUID
    research_study_uid: str
    research_series_uid: str
    research_sop_uid: str
    output_digest: bytes


@dataclass(frozen=True, slots=True)
class ArchiveCheck:
    """A check of the archives; ``looked_up_to`` is where the next one goes on comparing instances."""

    id: UUID
    looked_up_to: UUID | None
