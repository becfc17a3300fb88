"""What goes into decisions about identities and comes out of them; source values wrapped in ``Phi``."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from dicomanon.crosswalk.rows import IdentityEvent
from dicomanon.identity import PatientIdentity
from dicomanon.values import Phi, Pseudonym


class DecisionKind(StrEnum):
    """What may be decided."""

    MERGE = "merge"
    """Two patients are one person."""
    UNMERGE = "unmerge"
    """They are not, after all."""
    OVERRULE = "overrule"
    """What an event says is no conflict."""
    SPLIT = "split"
    """Studies are another patient's."""
    UPHOLD = "uphold"
    """What an event holds stays held."""


@dataclass(frozen=True, slots=True)
class Signed:
    """Who decides, and why; the reason is sealed. A dry run says what would change, and changes nothing."""

    author: str
    reason: str
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class ReleaseName:
    """A release, as its folder is named, and who has it."""

    project: str
    number: int
    requester: str


@dataclass(frozen=True, slots=True)
class Decided:
    """What a decision did, in research identifiers and counts.

    ``settled`` events, ``freed`` instances that the next run takes up, ``reissues`` stored instances that bear another
    pseudonym than they should, ``releases`` that contain any of them. ``survivor`` and ``others`` are pseudonyms.
    """

    kind: DecisionKind
    survivor: Pseudonym | None = None
    others: tuple[Pseudonym, ...] = ()
    new_keys: int = 0
    studies: tuple[UUID, ...] = ()
    settled: tuple[UUID, ...] = ()
    freed: int = 0
    reissues: int = 0
    releases: tuple[ReleaseName, ...] = ()
    dry_run: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class KeyChange:
    """A change of identifier as the admission system reports it: (issuer, Patient ID) before and after."""

    old: tuple[str, str]
    new: tuple[str, str]

    def __repr__(self) -> str:
        return "KeyChange([PHI])"


@dataclass(frozen=True, slots=True)
class OpenReissue:
    """A stored instance that waits to be removed and made again under its patient's pseudonym."""

    instance_id: int
    study_id: UUID
    research_sop_uid: str
    decision_id: UUID
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class ShownEvent:
    """Both sides of an event, for an administrator whose look is recorded.

    ``known`` is what the crosswalk knows of the patient, ``other`` of the second patient where there is one, ``seen``
    what came and did not fit. ``study_uids`` are those of the clinical PACS that the event touches.
    """

    event: IdentityEvent
    pseudonym: Pseudonym | None
    other_pseudonym: Pseudonym | None
    known: Phi[tuple[PatientIdentity, ...]]
    other: Phi[tuple[PatientIdentity, ...]]
    seen: Phi[PatientIdentity | None]
    study_uids: tuple[Phi[str], ...]
