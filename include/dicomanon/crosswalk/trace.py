"""The answer to "where does this come from": a tree of research identifiers, digests, versions, tasks and verdicts."""

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from uuid import UUID

from dicomanon.crosswalk.removals.traced import TracedRemoval
from dicomanon.crosswalk.rows import ProfilePublication


@dataclass(frozen=True, slots=True)
class TracedVerdict:
    """A verdict of validation; ``output_digest`` is of the bytes it was about."""

    passed: bool
    reason: str
    findings: dict[str, int]
    output_digest: str
    batch_id: int
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class TracedReceipt:
    """What the research PACS said of the object."""

    accepted: bool
    confirmed: bool
    status: int | None
    output_digest: str
    batch_id: int
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class TracedRelease:
    """A release that contains instances of the trace."""

    id: UUID
    project: str
    number: int
    requester: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class TracedEvent:
    """Something a task did with a batch."""

    task_id: str
    map_index: int
    try_number: int
    worker: str
    event: str
    counts: dict[str, int]
    error: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class TracedBatch:
    """A batch, the DAG run it belongs to, and what was done in it."""

    id: int
    number: int
    dag_id: str
    run_id: str
    events: tuple[TracedEvent, ...]


@dataclass(frozen=True, slots=True)
class TracedInstance:
    """One instance; ``source`` says whether its source UIDs are in the crosswalk, sealed, or were destroyed.

    ``action_counts`` tells how many elements each action met when the object was made.
    """

    instance_id: int
    research_sop_uid: str | None
    sop_class_uid: str
    state: str
    reason: str
    detail: str
    source: str
    input_digest: str
    output_digest: str
    input_bytes: int
    output_bytes: int
    profile_version: str
    code_version: str
    batch_id: int | None
    state_changed_at: datetime
    verdicts: tuple[TracedVerdict, ...]
    receipts: tuple[TracedReceipt, ...]
    releases: tuple[UUID, ...]
    action_counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TracedSeries:
    """A series with those of its instances that the trace is about."""

    research_series_uid: str | None
    modality: str
    source: str
    instances: tuple[TracedInstance, ...]


@dataclass(frozen=True, slots=True)
class TracedStudy:
    """A study with those of its series that the trace is about; ``pseudonym`` is the one in its objects."""

    study_id: UUID
    research_study_uid: str | None
    source: str
    observed: int
    enrolled: int | None
    series: tuple[TracedSeries, ...]
    pseudonym: str | None = None


@dataclass(frozen=True, slots=True)
class TracedLook:
    """Somebody was shown an instance."""

    instance_id: int
    research_sop_uid: str | None
    actor: str
    action: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class SeriesSummary:
    """How many instances of a series are in which state."""

    research_study_uid: str | None
    research_series_uid: str | None
    modality: str
    states: dict[str, int]


@dataclass(frozen=True, slots=True)
class TraceSummary:
    """All that a trace is about, in counts, where it does not show every instance.

    ``series`` lists the first of ``series_count``. ``verdicts`` and ``receipts`` count all tries.
    """

    patients: int
    instances: int
    states: dict[str, int]
    input_bytes: int
    output_bytes: int
    series_count: int
    series: tuple[SeriesSummary, ...]
    batch_count: int
    made_by: dict[str, int]
    verdicts: dict[str, int]
    receipts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Trace:
    """What is known about one research identifier; ``kind`` is patient, study, series, instance, release, batch or run.

    ``pseudonym`` is ``None`` for the release of several patients; of patients who were merged it is the surviving one,
    and ``pseudonyms`` has all of them. ``profiles`` has those of the profile versions that
    were published here, and ``action_counts`` the sum over all instances.
    """

    kind: str
    identifier: str
    pseudonym: str | None
    studies: tuple[TracedStudy, ...]
    batches: tuple[TracedBatch, ...]
    releases: tuple[TracedRelease, ...]
    profiles: tuple[ProfilePublication, ...] = ()
    action_counts: dict[str, int] = field(default_factory=dict)
    summary: TraceSummary | None = None
    """Where not every instance is shown."""
    looks: tuple[TracedLook, ...] = ()
    """The latest of those who were shown one of the instances."""
    events: tuple[TracedEvent, ...] = ()
    """What tasks of the run did outside of its batches."""
    pseudonyms: tuple[str, ...] = ()
    removals: tuple[TracedRemoval, ...] = ()

    def instances(self) -> tuple[TracedInstance, ...]:
        """Return the instances of every study and series."""
        return tuple(one for study in self.studies for series in study.series for one in series.instances)

    def to_json(self, *, indent: int | None = None) -> str:
        """Return the tree as JSON."""
        return json.dumps(asdict(self), default=_plain, indent=indent)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
