"""What the crosswalk knows of projects."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class ApprovalFor(StrEnum):
    """What of a cohort request may need the approval of somebody else than the requester."""

    IDENTIFIERS = "identifiers"
    """It asks by what identifies people."""
    SMALL_COHORT = "small-cohort"
    """It leads to fewer patients than the project's minimum; nobody is fewer, too."""
    OVERLAP = "overlap"
    """What it leads to, and what an earlier request of the project led to, differ by fewer patients than that."""
    PULL = "pull"
    """It has the clinical PACS asked for what is missing."""


@dataclass(frozen=True, slots=True)
class ProjectTerms:
    """What a project may do.

    Attributes
    ----------
    lead
        Who answers for it.
    ethics_number, ethics_expires
        Of its ethics approval, and the last day on which that holds.
    retention_days
        How long a release may be kept.
    profiles
        Names or versions of the profiles whose objects it may be given; empty for any.
    criteria
        Parameters that its requests may ask by; ``None`` for all.
    minimum_patients
        Counts of fewer are not told.
    approval_for
        What of its requests waits for an approval.
    own_pseudonyms
        Whether it is given identifiers and dates that no other project has, nor the research PACS.
    """

    title: str
    lead: str
    ethics_number: str
    ethics_expires: date
    retention_days: int
    profiles: tuple[str, ...]
    criteria: tuple[str, ...] | None
    minimum_patients: int
    approval_for: frozenset[ApprovalFor]
    own_pseudonyms: bool = False


@dataclass(frozen=True, slots=True)
class ProjectVersion:
    """The terms of a project as somebody set them."""

    project: str
    version: int
    terms: ProjectTerms
    set_by: str
    set_at: datetime


@dataclass(frozen=True, slots=True)
class ProjectMember:
    """A login that belongs to a project: one of the database reads its releases, one of Airflow asks for them."""

    project: str
    login: str
    added_by: str
    added_at: datetime
