"""What each task reads and writes, as data: names of places, batches and releases, never of studies or patients."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Place(StrEnum):
    """Where a data set is; a PACS is called by its endpoint's name, not by its address."""

    CLINICAL = "clinical"
    RESEARCH = "research"
    STAGING = "staging"
    CROSSWALK = "crosswalk"
    RELEASES = "releases"


@dataclass(frozen=True, slots=True)
class DatasetRule:
    """One data set of a task.

    ``name`` may hold ``{batch}`` or ``{release}``; where the task has none, the data set is left out. ``rows`` is the
    task's count that tells how many instances were written, ``sized`` says that they are the batch's objects, whose
    bytes are known.
    """

    place: Place
    name: str
    rows: str = ""
    sized: bool = False
    judged: bool = False
    """Whether the task's verdicts are about it."""


@dataclass(frozen=True, slots=True)
class TaskRule:
    """What a task reads and writes."""

    reads: tuple[DatasetRule, ...] = ()
    writes: tuple[DatasetRule, ...] = ()


_BATCH = "batch/{batch}"
_RELEASE = "release/{release}"

TASKS: Final[Mapping[str, TaskRule]] = MappingProxyType(
    {
        "discover": TaskRule(
            reads=(DatasetRule(Place.CLINICAL, "studies"),),
            writes=(DatasetRule(Place.CROSSWALK, "ledger", rows="enrolled_instances"),),
        ),
        "plan_batches": TaskRule(
            reads=(DatasetRule(Place.CROSSWALK, "ledger"),),
            writes=(DatasetRule(Place.CROSSWALK, "batches", rows="batches"),),
        ),
        "pull_and_anonymize": TaskRule(
            reads=(DatasetRule(Place.CROSSWALK, "batches"), DatasetRule(Place.CLINICAL, _BATCH)),
            writes=(DatasetRule(Place.STAGING, _BATCH, rows="deidentified", sized=True),),
        ),
        "validate": TaskRule(
            reads=(DatasetRule(Place.STAGING, _BATCH, judged=True),),
            writes=(DatasetRule(Place.CROSSWALK, "verdicts/batch/{batch}", rows="instances"),),
        ),
        "store": TaskRule(
            reads=(DatasetRule(Place.STAGING, _BATCH), DatasetRule(Place.CROSSWALK, "verdicts/batch/{batch}")),
            writes=(DatasetRule(Place.RESEARCH, _BATCH, rows="stored", sized=True),),
        ),
        "update_crosswalk": TaskRule(
            reads=(DatasetRule(Place.RESEARCH, _BATCH),),
            writes=(DatasetRule(Place.CROSSWALK, "ledger"),),
        ),
        "reconcile": TaskRule(
            reads=(
                DatasetRule(Place.CLINICAL, "studies"),
                DatasetRule(Place.RESEARCH, "studies"),
                DatasetRule(Place.CROSSWALK, "ledger"),
            ),
        ),
        "resolve_and_release": TaskRule(
            reads=(DatasetRule(Place.CROSSWALK, "ledger"), DatasetRule(Place.RESEARCH, "studies")),
            writes=(DatasetRule(Place.RELEASES, _RELEASE, rows="instances"),),
        ),
    }
)
"""By the task's own name, without its groups. A task that is not here has no data sets."""


def rule_of(task_id: str) -> TaskRule:
    """Return what a task reads and writes."""
    return TASKS.get(task_id.rpartition(".")[2], TaskRule())
