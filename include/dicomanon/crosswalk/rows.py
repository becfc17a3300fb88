"""What goes into the crosswalk and comes out of it: frozen rows, source values wrapped in ``Phi``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from dicomanon.devices import Confirmation, DeviceKey
from dicomanon.identity import StudyFacts
from dicomanon.reasons import HoldReason
from dicomanon.values import BatchId, Phi, Pseudonym, ResearchUid


class InstanceState(StrEnum):
    """Where an instance stands; the last four are final for the ordinary flow, and only a removal ends ``stored``."""

    DISCOVERED = "discovered"
    DEIDENTIFIED = "deidentified"
    VALIDATED = "validated"
    STORED = "stored"
    HELD = "held"
    FILTERED = "filtered"
    WITHDRAWN = "withdrawn"

    @property
    def terminal(self) -> bool:
        """Whether no step of a run has anything left to do for the instance."""
        return self in {InstanceState.STORED, InstanceState.HELD, InstanceState.FILTERED, InstanceState.WITHDRAWN}


@dataclass(frozen=True, slots=True)
class Patient:
    """A patient as the de-identification needs them.

    ``keyed_id`` is the row that the Patient ID was met with; another than ``id`` where patients were merged.
    ``uid_salt`` is there after a re-issue: the patient's research UIDs are made under a key of their own then.
    """

    id: UUID
    pseudonym: Pseudonym
    date_shift_days: int = field(repr=False)
    keyed_id: UUID | None = None
    uid_salt: bytes | None = field(default=None, repr=False)
    withdrawn: bool = False


class IdentityEventKind(StrEnum):
    """What does not fit."""

    PATIENT_DIFFERS = "patient-differs"
    """A known Patient ID with another name, birth date or sex."""
    TWO_PATIENTS = "two-patients-in-study"
    """A study with objects of a second patient."""
    ACCESSION_REUSED = "accession-reused"
    """An accession number of another patient's study."""
    UID_REUSED = "uid-reused"
    """A SOP Instance UID under another study or with other content."""


@dataclass(frozen=True, slots=True)
class IdentityEvent:
    """Something about an identity that an administrator has to look at; the values stay sealed.

    ``parts`` says in what identities differ, ``held`` how many instances wait for the event, ``decided`` what was
    decided, ``""`` while it is open.
    """

    id: UUID
    kind: str
    patient_id: UUID | None
    study_id: UUID | None
    instance_id: int | None
    recorded_at: datetime
    parts: tuple[str, ...] = ()
    other_patient_id: UUID | None = None
    other_study_id: UUID | None = None
    held: int = 0
    decided: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """What a round of QIDO-RS sightings changed in the ledger, in studies."""

    new: int
    grown: int
    shrunk: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class DueStudy:
    """A study whose instances must be listed and enrolled."""

    study_id: UUID
    study_uid: Phi[str]
    instances: int


@dataclass(frozen=True, slots=True)
class Enrollment:
    """How many instance rows a listing added, and how many the study has now."""

    new: int
    total: int


@dataclass(frozen=True, slots=True)
class PlannedInstance:
    """An instance that waits for a batch of the current run; ``sop_class_uid`` is ``""`` if QIDO-RS left it out."""

    instance_id: int
    study_id: UUID
    series_id: UUID
    sop_class_uid: str = ""


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A batch as it was planned."""

    id: BatchId
    number: int
    instances: int
    studies: int


@dataclass(frozen=True, slots=True)
class BatchSource:
    """An instance of a batch, as the retrieval needs it.

    ``series_instances`` and ``study_instances`` count what the clinical PACS listed last, so that the caller can
    choose between retrieval by study, by series and by instance. A SOP Instance UID may occur in two series of a
    study: match what arrives by series *and* SOP Instance UID.
    """

    instance_id: int
    study_id: UUID
    series_id: UUID
    study_uid: Phi[str]
    series_uid: Phi[str]
    sop_uid: Phi[str]
    state: InstanceState
    output_digest: bytes | None
    research_sop_uid: ResearchUid | None
    series_instances: int
    study_instances: int


@dataclass(frozen=True, slots=True)
class MappedOutcome:
    """What became of one source instance when it was de-identified.

    ``state`` is ``deidentified``, ``held`` or ``filtered``. Digests are SHA-256 of the source bytes and of the
    de-identified bytes. ``detail`` names tags, rules and counts, never a value. ``action_counts`` tells how many
    elements each action met. ``device`` is the one of a picture that a person should see first. ``keyed_patient_id`` is
    the row that the object's Patient ID was met with, where it is not ``patient_id``; ``event_id`` the identity event
    that the instance is held for. ``uid_salt`` is the patient's that the research UIDs were made under.
    """

    instance_id: int
    state: InstanceState | str
    reason: HoldReason | str = ""
    detail: str = ""
    patient_id: UUID | None = None
    research_study_uid: str = ""
    research_series_uid: str = ""
    research_sop_uid: str = ""
    sop_class_uid: str = ""
    modality: str = ""
    facts: StudyFacts | None = None
    input_digest: bytes = b""
    output_digest: bytes | None = None
    input_bytes: int = 0
    output_bytes: int = 0
    profile_version: str = ""
    code_version: str = ""
    action_counts: Mapping[str, int] = field(default_factory=dict)
    device: DeviceKey | None = None
    keyed_patient_id: UUID | None = None
    event_id: UUID | None = None
    uid_salt: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class StagedInstance:
    """A de-identified object of a batch, as validation and store need it; every value is a research value."""

    instance_id: int
    study_id: UUID
    research_study_uid: ResearchUid
    research_series_uid: ResearchUid
    research_sop_uid: ResearchUid
    sop_class_uid: str
    pseudonym: Pseudonym
    output_digest: bytes
    state: InstanceState
    profile_version: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What validation found in one de-identified object: counts by rule id.

    With ``output_digest`` given, a verdict about other bytes than the crosswalk names is not applied. ``facts`` are
    what the object says of itself, by DICOM keyword; they are kept only if it passed.
    """

    instance_id: int
    passed: bool
    findings: dict[str, int]
    reason: HoldReason | None = None
    output_digest: bytes | None = None
    facts: Mapping[str, str | int | float] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the research PACS said of one object (PS3.18 10.5), and whether QIDO-RS then showed it.

    With ``output_digest`` given, a receipt for other bytes than the crosswalk names is not applied.
    """

    instance_id: int
    accepted: bool
    confirmed: bool
    status: int | None = None
    output_digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class TaskEvent:
    """One step of an Airflow task: who did what, with how many."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    worker: str
    batch_id: int | None
    event: str
    counts: dict[str, int]
    error: str = ""


@dataclass(frozen=True, slots=True)
class StudyBalance:
    """The account of one study: what the clinical PACS has against what became of it.

    ``absent`` counts enrolled instances that the clinical PACS did not list any more when it was last asked.
    """

    study_id: UUID
    study_uid: Phi[str]
    research_study_uid: ResearchUid | None
    pseudonym: Pseudonym | None
    modalities: tuple[str, ...]
    observed: int
    enrolled: int
    stored: int
    held: dict[str, int]
    filtered: int
    pending: int
    absent: int
    withdrawn: int = 0

    @property
    def balanced(self) -> bool:
        """Whether every instance that the clinical PACS reports is stored, held, filtered or withdrawn."""
        settled = self.stored + sum(self.held.values()) + self.filtered + self.withdrawn
        return self.pending == 0 and settled == self.observed + self.absent


@dataclass(frozen=True, slots=True)
class CohortStudy:
    """A study with the facts cohorts are asked by; a fact with several values joins them with a backslash.

    ``pseudonym`` is the one in its objects; ``patient_id`` is the same for all studies of a person.
    """

    study_id: UUID
    pseudonym: Pseudonym
    research_study_uid: ResearchUid
    facts: StudyFacts
    patient_id: UUID


@dataclass(frozen=True, slots=True)
class CohortSeries:
    """A series of which something is stored: the facts cohorts are asked by, and how many instances are stored."""

    research_series_uid: ResearchUid
    modality: str
    facts: StudyFacts
    instances: int


@dataclass(frozen=True, slots=True)
class CohortInstance:
    """A stored instance, as a release needs it; every value is a research value.

    ``pseudonym`` is the one in the object, ``patient`` the one that all objects of the person are counted under.
    ``facts`` is what the object says of itself, by DICOM keyword, ``None`` where it is from before that was kept;
    ``passed`` tells whether validation has passed just these bytes. Both are read for a release alone.
    """

    instance_id: int
    study_id: UUID
    pseudonym: Pseudonym
    research_study_uid: ResearchUid
    research_series_uid: ResearchUid
    research_sop_uid: ResearchUid
    modality: str
    sop_class_uid: str
    output_digest: bytes
    output_bytes: int
    profile_version: str
    patient: Pseudonym
    facts: Mapping[str, str | int | float] | None = None
    passed: bool = False


@dataclass(frozen=True, slots=True)
class LeftOut:
    """So many instances of a study that are not stored; ``reason`` is ``""`` for those that nothing holds."""

    research_study_uid: ResearchUid
    state: InstanceState
    reason: str
    instances: int


@dataclass(frozen=True, slots=True)
class ProfileApproval:
    """Somebody stands for a published profile beside its publisher."""

    approved_by: str
    approved_at: datetime


@dataclass(frozen=True, slots=True)
class ProfilePublication:
    """Who published a profile version, checked by which code, and who approved it."""

    version: str
    name: str
    code_version: str
    published_by: str
    published_at: datetime
    approvals: tuple[ProfileApproval, ...] = ()

    @property
    def persons(self) -> int:
        """How many stand for it, the publisher included."""
        return 1 + len(self.approvals)


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """A release: an immutable set of stored instances; ``number`` counts within the project."""

    id: UUID
    project: str
    number: int
    requester: str
    instances: int
    created_at: datetime
    replaces: UUID | None = None


@dataclass(frozen=True, slots=True)
class DeviceConfirmation:
    """What a person said of a device; people type names into reasons."""

    said: Confirmation
    author: str
    confirmed_at: datetime
    reason: Phi[str]


@dataclass(frozen=True, slots=True)
class SeenDevice:
    """A device whose pictures a person should see first.

    ``instances`` and ``studies`` count in what it was seen, ``waiting`` the instances that are held until it is
    confirmed. Of the confirmations the last one counts.
    """

    id: UUID
    key: DeviceKey
    first_seen_at: datetime
    instances: int
    studies: int
    waiting: int
    confirmations: tuple[DeviceConfirmation, ...] = ()

    @property
    def state(self) -> str:
        """``unconfirmed``, ``clean``, ``mask`` or ``hold``."""
        return str(self.confirmations[-1].said.decision) if self.confirmations else "unconfirmed"


@dataclass(frozen=True, slots=True)
class HeldCount:
    """How much is held for one reason."""

    instances: int
    studies: int


@dataclass(frozen=True, slots=True)
class HeldInstance:
    """An instance that waits for a person; nothing in it says what it is called in the clinical PACS.

    ``research_sop_uid`` is ``""`` where none was given.
    """

    instance_id: int
    reason: HoldReason
    detail: str
    held_since: datetime
    research_sop_uid: str


@dataclass(frozen=True, slots=True)
class HeldSource:
    """Where the clinical PACS has a held instance."""

    instance: HeldInstance
    study_uid: Phi[str]
    series_uid: Phi[str]
    sop_uid: Phi[str]
