"""Removals as they come out of the crosswalk: frozen, without PHI; the reasons that people typed stay sealed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from dicomanon.crosswalk.audit.events import Subject, SubjectKind
from dicomanon.crosswalk.rows import InstanceState, ReleaseRow
from dicomanon.values import Pseudonym, ResearchUid


class RemovalKind(StrEnum):
    """Why objects leave the research PACS, and so what becomes of their instances."""

    WITHDRAWAL = "withdrawal"
    """A patient has withdrawn: all that is his is ``withdrawn``, for ever, and he is not taken up again."""
    RECALL = "recall"
    """Objects should not have been released: they are held as ``recalled``."""
    RE_ISSUE = "re-issue"
    """A patient's objects are to be made anew, under new research UIDs: they go back to ``discovered``."""


class Step(StrEnum):
    """What is done of a removal, in this order; each is repeatable and recorded once."""

    MARKED = "marked"
    """The crosswalk says so: nothing new is released of it, the releases that had it give no access."""
    REPLACED = "replaced"
    """Release folders have their tombstones, and new versions are there."""
    NOTIFIED = "notified"
    REMOVED = "removed"
    """Neither QIDO-RS nor WADO-RS of the research PACS shows any of it."""
    CERTIFIED = "certified"

    @property
    def action(self) -> str:
        """What doing it is called in the audit trail, after the kind of the removal."""
        return {"marked": "mark", "replaced": "replace", "notified": "notify", "removed": "remove"}.get(self, "certify")


@dataclass(frozen=True, slots=True)
class Requester:
    """Who asks for a removal; ``account`` tells an account of the operating system from a login of Airflow."""

    name: str
    account: bool = True


@dataclass(frozen=True, slots=True)
class Approval:
    """Somebody else stands for a removal."""

    approved_by: str
    approved_at: datetime


@dataclass(frozen=True, slots=True)
class StepDone:
    """A step that is done, and what it came to."""

    counts: Mapping[str, int]
    at: datetime


@dataclass(frozen=True, slots=True)
class Removal:
    """A decision to remove, and how far it is carried out: of a patient, or, for a recall, of a release."""

    id: UUID
    kind: RemovalKind
    pseudonym: Pseudonym | None
    release_id: UUID | None
    requester: Requester
    ticket: str
    requested_at: datetime
    with_recalled: bool = False
    """Whether a re-issue makes anew what is held as recalled, too."""
    keys_destroyed_at: datetime | None = None
    """When the keys of the patient were destroyed."""
    approvals: tuple[Approval, ...] = ()
    steps: Mapping[Step, StepDone] = field(default_factory=dict)

    @property
    def subject(self) -> Subject:
        """What entries of the audit trail say that it is about."""
        if self.pseudonym is not None:
            return Subject(SubjectKind.PSEUDONYM, self.pseudonym)
        return Subject(SubjectKind.RELEASE, str(self.release_id))

    @property
    def persons(self) -> int:
        """How many persons stand for it; a login of Airflow may be anybody who approves as well, and is none."""
        return int(self.requester.account) + len(self.approvals)

    def approvals_left(self, wanted: int) -> int:
        """Tell how many persons are missing of those who must stand for it."""
        return max(0, wanted - self.persons)

    @property
    def state(self) -> str:
        """The last step that is done, or ``requested``."""
        return next((str(step) for step in reversed(Step) if step in self.steps), "requested")


@dataclass(frozen=True, slots=True)
class Extent:
    """What a removal would take if it were carried out now.

    ``recalled`` counts what is held as recalled: a re-issue takes it if it was asked to, and leaves it else.
    """

    instances: Mapping[InstanceState, int]
    recalled: int
    releases: tuple[ReleaseRow, ...]


@dataclass(frozen=True, slots=True)
class FormerObject:
    """A research object that was removed, as it was.

    ``state`` is that of its instance before. ``gone`` says what the research PACS showed last, ``None`` before it was
    asked, and ``means`` how it was removed.
    """

    removal_id: UUID
    instance_id: int
    state: InstanceState
    pseudonym: Pseudonym
    research_study_uid: ResearchUid
    research_series_uid: ResearchUid
    research_sop_uid: ResearchUid
    output_digest: bytes
    gone: bool | None = None
    means: str = ""


@dataclass(frozen=True, slots=True)
class RemovalReceipt:
    """What became of a former object in the research PACS."""

    instance_id: int
    gone: bool
    means: str


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A release that a removal ended; ``replaced_by`` is ``None`` where nothing was left of it."""

    removal_id: UUID
    kind: RemovalKind
    release: ReleaseRow
    instances: int
    recorded_at: datetime
    replaced_by: ReleaseRow | None
    research_sop_uids: tuple[ResearchUid, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Notice:
    """Somebody was told of a tombstone, and how."""

    release_id: UUID
    means: str
    recipients: tuple[str, ...]
    sent_at: datetime
