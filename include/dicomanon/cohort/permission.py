"""What a project may ask for, held against a request; pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date

from dicomanon.crosswalk.projects.rows import ApprovalFor, ProjectTerms, ProjectVersion
from dicomanon.errors import Fatal

FREE = frozenset(
    {"project", "purpose", "days_before", "days_after", "sample", "sample_seed", "per_patient", "limit",
     "control_age_years", "split_train", "split_validation", "split_test", "group_by", "sort_by", "output",
     "standing", "standing_until", "dry_run"}
)  # fmt: skip
"""Parameters of a request that select nobody by themselves: no project is refused them."""

IDENTIFYING = frozenset(
    {"patient_ids", "names_with_birth_dates", "birth_date_from", "birth_date_to", "accession_numbers", "index_dates",
     "exclude_patient_ids", "exclude_names_with_birth_dates", "exclude_accession_numbers", "control_patient_ids"}
)  # fmt: skip
"""Parameters by which people can be picked; leaving somebody out picks him, too."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a requester stands to a project at the moment of asking.

    Attributes
    ----------
    project
        The terms that hold; ``None`` where nobody set any.
    is_member
        Whether the requester's login of Airflow may ask for it.
    """

    project: ProjectVersion | None
    is_member: bool


def require_allowed(standing: Standing, asked_by: Collection[str], today: date) -> ProjectVersion:
    """Return the project of a request that it may make.

    Parameters
    ----------
    asked_by
        Names of the parameters that the request gives.
    today
        The day that the ethics approval has to hold on.

    Raises
    ------
    Fatal
        It may not; the message says what would have to be done, and repeats no value.
    """
    project = standing.project
    if project is None:
        raise Fatal("there is no such project: correct its name, or have an admin declare it (dicomanon project set)")
    if not standing.is_member:
        raise Fatal(
            "your login does not ask for this project: have an admin add it (dicomanon project add --airflow), "
            "or name another project"
        )
    if project.terms.ethics_expires < today:
        raise Fatal(
            "the project's ethics approval has ended: once it is renewed, have an admin say so (dicomanon project set)"
        )
    if refused := refused_criteria(project.terms, asked_by):
        raise Fatal(f"the project may not ask by {', '.join(refused)}: leave that out, or have its terms changed")
    return project


def refused_criteria(terms: ProjectTerms, asked_by: Iterable[str]) -> list[str]:
    """Return the parameters of a request that a project may not ask by."""
    return [] if terms.criteria is None else sorted(set(asked_by) - FREE - set(terms.criteria))


def reasons_to_hold(
    terms: ProjectTerms, asked_by: Collection[str], *, patients: int, dry_run: bool, is_near: bool
) -> frozenset[ApprovalFor]:
    """Return why a request has to wait for an approval; nothing where it does not.

    Parameters
    ----------
    patients
        How many it leads to. Of a dry run few are no reason: it tells nothing of them but that they are few.
    is_near
        Whether an earlier cohort of the project differs by few of them.
    """
    found = {
        ApprovalFor.IDENTIFIERS: not IDENTIFYING.isdisjoint(asked_by),
        ApprovalFor.SMALL_COHORT: not dry_run and patients < terms.minimum_patients,
        ApprovalFor.OVERLAP: is_near,
        ApprovalFor.PULL: not dry_run and "pull_missing" in asked_by,
    }
    return frozenset(reason for reason, holds in found.items() if holds) & terms.approval_for


def is_allowed_profile(terms: ProjectTerms, profile_version: str) -> bool:
    """Tell whether a project may be given what was made by a version of a profile (``name@hash``)."""
    return not terms.profiles or not {profile_version, profile_version.partition("@")[0]}.isdisjoint(terms.profiles)
