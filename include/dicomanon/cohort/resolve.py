"""Finds what meets a request in the crosswalk; everything identifying stays in this process."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import islice
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from dicomanon.cohort.answers import values
from dicomanon.cohort.attrition import Sieve, Step
from dicomanon.cohort.criteria import CohortCriteria, split_patient_id
from dicomanon.cohort.matching import Asked, Candidate, Level, days_since_index_date
from dicomanon.crosswalk.rows import CohortStudy
from dicomanon.identity import StudyFacts

if TYPE_CHECKING:
    from dicomanon.crosswalk.database import Crosswalk

T = TypeVar("T")

_STUDIES_AT_ONCE = 1000
_NO_FACTS = StudyFacts()

Identifier = tuple[str, str]
"""Issuer of Patient ID, and Patient ID."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """What meets a request.

    Attributes
    ----------
    found
        Studies, each with those of its series that meet the request, by study id; of the facts the study date alone.
    attrition
        How many were left at each criterion.
    unmatched
        By parameter, the entries that lead to no study, by place in the list, from 1.
    days_since_index_date
        By study id, where the request has index dates.
    """

    found: tuple[Candidate, ...]
    attrition: tuple[Step, ...]
    unmatched: Mapping[str, tuple[int, ...]]
    days_since_index_date: Mapping[UUID, int]


class _Identifiers:
    """The Patient IDs of a request, and the people that they lead to."""

    def __init__(self, crosswalk: "Crosswalk", criteria: CohortCriteria, default_issuer: str) -> None:
        self._default_issuer = default_issuer
        self.wanted = self._of(criteria.patient_ids)
        self.indexed = self._of(entry.patient_id for entry in criteria.index_dates)
        self.unwanted = self._of(criteria.exclude_patient_ids)
        asked = dict.fromkeys([*self.wanted, *self.indexed, *self.unwanted])
        self.people: Mapping[Identifier, set[UUID]] = crosswalk.mapping.people_for_cohort(asked) if asked else {}

    def unmatched(self, identifiers: Sequence[Identifier]) -> tuple[int, ...]:
        """Return the places of identifiers that lead to nobody."""
        return tuple(place for place, one in enumerate(identifiers, start=1) if one not in self.people)

    def index_dates(self, criteria: CohortCriteria) -> dict[UUID, list[date]]:
        """Return the index dates of the request by patient."""
        found: dict[UUID, list[date]] = defaultdict(list)
        for identifier, entry in zip(self.indexed, criteria.index_dates, strict=True):
            for person in self.people.get(identifier, ()):
                found[person].append(entry.day)
        return found

    def _of(self, texts: Iterable[str]) -> list[Identifier]:
        return [split_patient_id(text, self._default_issuer) for text in texts]


def resolve(crosswalk: "Crosswalk", criteria: CohortCriteria, default_issuer: str = "") -> Resolution:
    """Return the studies and series that meet every criterion, out of what is stored.

    Parameters
    ----------
    default_issuer
        Issuer of Patient ID of identifiers that name none.

    Raises
    ------
    Retriable
        The crosswalk cannot be reached.
    """
    identifiers = _Identifiers(crosswalk, criteria, default_issuer)
    excluded = {person for one in identifiers.unwanted for person in identifiers.people.get(one, ())}
    asked = Asked.of(criteria, identifiers.index_dates(criteria), frozenset(excluded))
    sieve = Sieve(asked)
    found: list[Candidate] = []
    studies = crosswalk.mapping.studies_for_cohort(
        list(dict.fromkeys(identifiers.wanted or identifiers.indexed)) or None,
        list(dict.fromkeys(criteria.accession_numbers)) or None,
    )
    for page in pages(studies):
        found.extend(_sifted(crosswalk, sieve, page))
    unmatched = {
        "patient_ids": identifiers.unmatched(identifiers.wanted),
        "index_dates": identifiers.unmatched(identifiers.indexed),
        "exclude_patient_ids": identifiers.unmatched(identifiers.unwanted),
        "names_with_birth_dates": asked.names.unmatched,
        "accession_numbers": _unmatched_accession_numbers(crosswalk, criteria.accession_numbers),
    }
    since = {one.study.study_id: day for one in found if (day := days_since_index_date(asked, one)) is not None}
    return Resolution(tuple(found), sieve.attrition(), unmatched, since)


def _sifted(crosswalk: "Crosswalk", sieve: Sieve, page: Sequence[CohortStudy]) -> list[Candidate]:
    """Read of a page of studies what is asked, level by level, each of what the level before has left."""
    left = [Candidate(study) for study in page]
    sieve.enter(left)
    for level in Level:
        if not sieve.asks(level):
            continue
        if level in {Level.NAMES, Level.PERSON} and not any(one.identities for one in left):
            people = crosswalk.mapping.identities_for_cohort({one.study.patient_id for one in left})
            left = [replace(one, identities=people.get(one.study.patient_id, ())) for one in left]
        if level is Level.SERIES:
            series = crosswalk.mapping.series_for_cohort([one.study.study_id for one in left])
            left = [replace(one, series=series.get(one.study.study_id, ())) for one in left]
        left = sieve.left(level, left)
    return [_kept(one) for one in left]


def _kept(one: Candidate) -> Candidate:
    """Keep of a study what is still asked when all were seen: its date, and which series are in."""
    series = tuple(replace(one_of_it, facts=_NO_FACTS) for one_of_it in one.series)
    return Candidate(replace(one.study, facts=StudyFacts(study_date=one.study.facts.study_date)), (), series)


def pages(rows: Iterator[T]) -> Iterator[list[T]]:
    """Yield rows, so many at once as are asked about in one query."""
    while page := list(islice(rows, _STUDIES_AT_ONCE)):
        yield page


def _unmatched_accession_numbers(crosswalk: "Crosswalk", numbers: Sequence[str]) -> tuple[int, ...]:
    if not numbers:
        return ()
    known: set[str] = set()
    for study in crosswalk.mapping.studies_for_cohort(None, list(dict.fromkeys(numbers))):
        known.update(values(study.facts.accession_number))
    return tuple(place for place, number in enumerate(numbers, start=1) if number not in known)
