"""Gathers a cohort: what meets the request, what is taken of that, controls, and what the manifest says of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from dicomanon.cohort.attrition import Step, left_by
from dicomanon.cohort.controls import find_controls
from dicomanon.cohort.criteria import CohortCriteria
from dicomanon.cohort.fields import DAYS_SINCE_INDEX_DATE, Columns
from dicomanon.cohort.permission import is_allowed_profile
from dicomanon.cohort.resolve import resolve
from dicomanon.cohort.shaping import Digest, shape, split_of
from dicomanon.crosswalk.projects.rows import ProjectTerms
from dicomanon.crosswalk.rows import CohortInstance

if TYPE_CHECKING:
    from dicomanon.crosswalk.database import Crosswalk
    from dicomanon.crosswalk.keyring import Keyring


@dataclass(frozen=True, slots=True)
class Cohort:
    """What is to be released.

    Attributes
    ----------
    instances
        Stored instances of the series that were taken, of cases and controls.
    control_studies
        Ids of the studies of controls.
    attrition
        How many were left at each criterion, and by sample and limit.
    unmatched
        By parameter, the places of entries that lead to no study.
    columns
        What the request brings to the manifest.
    """

    instances: tuple[CohortInstance, ...]
    control_studies: frozenset[UUID]
    attrition: tuple[Step, ...]
    unmatched: Mapping[str, tuple[int, ...]]
    columns: Columns

    @property
    def controls(self) -> int:
        """How many studies of controls there are."""
        return len(self.control_studies)

    def groups(self) -> tuple[frozenset[str], ...]:
        """Return of whom it is, by surviving pseudonym: the cases; where there are controls, those, and all together.

        A few cases among many controls are a few.
        """
        of_controls = frozenset(one.patient for one in self.instances if one.study_id in self.control_studies)
        of_cases = frozenset(one.patient for one in self.instances if one.study_id not in self.control_studies)
        return (of_cases, of_controls, of_cases | of_controls) if of_controls else (of_cases,)


def gather(
    crosswalk: "Crosswalk", keyring: "Keyring", criteria: CohortCriteria, terms: ProjectTerms, default_issuer: str
) -> Cohort:
    """Return the cohort of a request.

    Parameters
    ----------
    keyring
        Its index key makes chance: who is drawn, and who is in which part of a split.
    terms
        Of the project: what other profiles made, it is not given.
    default_issuer
        Issuer of Patient ID of identifiers that name none.

    Raises
    ------
    Retriable
        The crosswalk cannot be reached.
    """

    def chance(of: str) -> Digest:
        return lambda text: keyring.index(of, f"{criteria.project}|{criteria.sample_seed}|{text}")

    draw, place = chance("cohort.draw"), chance("cohort.split")
    resolution = resolve(crosswalk, criteria, default_issuer)
    shaped = shape(resolution.found, criteria, draw)
    controls = find_controls(crosswalk, criteria, resolution.found, shaped.found, default_issuer, draw)
    of_controls = {control.study.study_id for control in controls.found}
    studies = (*shaped.found, *controls.found)
    wanted = {series.research_series_uid for one in studies for series in one.series}
    instances = tuple(
        instance
        for instance in crosswalk.mapping.cohort_instances([one.study.study_id for one in studies])
        if instance.research_series_uid in wanted and is_allowed_profile(terms, instance.profile_version)
    )
    given = {instance.study_id for instance in instances}
    steps = resolution.attrition + shaped.steps
    if terms.profiles:
        steps += (left_by("profile", (one for one in shaped.found if one.study.study_id in given)),)
    columns: dict[str, dict[str, Any]] = {}
    if criteria.index_dates:
        columns[DAYS_SINCE_INDEX_DATE] = {
            one.study.research_study_uid: resolution.days_since_index_date.get(one.study.study_id) for one in studies
        }
    if shares := criteria.shares():
        columns["split"] = {one.research_study_uid: split_of(one.patient, shares, place) for one in instances}
    if criteria.controls_per_case is not None:
        columns["group"] = {
            one.study.research_study_uid: "control" if one.study.study_id in of_controls else "case" for one in studies
        }
    return Cohort(
        instances=instances,
        control_studies=frozenset(of_controls & given),
        attrition=steps,
        unmatched={**resolution.unmatched, "control_patient_ids": controls.unmatched_patient_ids},
        columns=columns,
    )
