"""Finds the studies that meet a request's criteria in the crosswalk; everything identifying stays in this process."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from dicomanon.cohort.criteria import CohortCriteria, split_patient_id
from dicomanon.crosswalk.rows import CohortStudy
from dicomanon.identity import StudyFacts

if TYPE_CHECKING:
    from dicomanon.crosswalk.database import Crosswalk

T = TypeVar("T")

MULTIPLE = "\\"
"""Separates the values of a fact that has several (PS3.5 6.4)."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """The studies of a cohort, and what of the request was not found, by position in its list, from 1."""

    studies: tuple[CohortStudy, ...]
    unmatched_patient_ids: tuple[int, ...]
    unmatched_accession_numbers: tuple[int, ...]


def resolve(crosswalk: "Crosswalk", criteria: CohortCriteria, default_issuer: str = "") -> Resolution:
    """Return the studies that meet every criterion; modality is left to the instances, where it is exact.

    Parameters
    ----------
    default_issuer
        Issuer of Patient ID of identifiers that name none.

    Raises
    ------
    Retriable
        The crosswalk cannot be reached.
    """
    identifiers = [split_patient_id(text, default_issuer) for text in criteria.patient_ids]
    studies = list(
        crosswalk.mapping.studies_for_cohort(
            list(dict.fromkeys(identifiers)) or None, list(dict.fromkeys(criteria.accession_numbers)) or None
        )
    )
    known = {study.patient_id for study in studies} if not criteria.accession_numbers else None
    chosen = tuple(
        study for study in studies if _in_window(study.facts, criteria) and _has_words(study.facts, criteria)
    )
    return Resolution(
        studies=chosen,
        unmatched_patient_ids=_positions(
            identifiers, _unknown_patients(crosswalk, list(dict.fromkeys(identifiers)), known)
        ),
        unmatched_accession_numbers=_positions(
            criteria.accession_numbers, _unknown_accession_numbers(crosswalk, criteria.accession_numbers)
        ),
    )


def _in_window(facts: StudyFacts, criteria: CohortCriteria) -> bool:
    """Compare real study dates; a study without a readable date is in no window."""
    if criteria.study_date_from is None and criteria.study_date_to is None:
        return True
    first = criteria.study_date_from or date.min
    last = criteria.study_date_to or date.max
    return any(first <= day <= last for day in _days(facts.study_date))


def _days(text: str) -> Iterator[date]:
    for value in text.split(MULTIPLE):
        try:
            yield datetime.strptime(value.strip().replace(".", ""), "%Y%m%d").date()
        except ValueError:
            continue


def _has_words(facts: StudyFacts, criteria: CohortCriteria) -> bool:
    described = f"{facts.study_description} {facts.series_description}".casefold()
    return all(word.casefold() in described for word in criteria.description_words)


def _unknown_patients(
    crosswalk: "Crosswalk", identifiers: Sequence[tuple[str, str]], patients: set[UUID] | None
) -> set[tuple[str, str]]:
    """Return the identifiers that no de-identified study belongs to.

    ``patients`` are those that all identifiers together lead to, where that is known: it saves asking for each.
    """
    if patients is not None:
        if not patients:
            return set(identifiers)
        # With an issuer, an identifier leads to one patient at most; without, it may lead to several.
        if len(patients) == len(identifiers) and all(issuer for issuer, _ in identifiers):
            return set()
    mapping = crosswalk.mapping
    return {one for one in identifiers if next(iter(mapping.studies_for_cohort([one], None)), None) is None}


def _unknown_accession_numbers(crosswalk: "Crosswalk", numbers: Sequence[str]) -> set[str]:
    if not numbers:
        return set()
    known: set[str] = set()
    for study in crosswalk.mapping.studies_for_cohort(None, list(dict.fromkeys(numbers))):
        known.update(value.strip() for value in study.facts.accession_number.split(MULTIPLE))
    return set(numbers) - known


def _positions(entries: Sequence[T], unknown: set[T]) -> tuple[int, ...]:
    return tuple(number for number, entry in enumerate(entries, start=1) if entry in unknown)
