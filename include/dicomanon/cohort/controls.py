"""Finds controls for cases: people of the same sex, and of nearly the same age on the day of their study."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from dicomanon.cohort.answers import days
from dicomanon.cohort.criteria import CohortCriteria
from dicomanon.cohort.matching import Candidate, birth_days, sexes
from dicomanon.cohort.resolve import pages, resolve
from dicomanon.cohort.shaping import Digest

if TYPE_CHECKING:
    from dicomanon.crosswalk.database import Crosswalk

_DAYS_A_YEAR = 365.25


@dataclass(frozen=True, slots=True)
class Imaged:
    """A person on the day of a study; ``age`` in days."""

    person: UUID
    study: UUID
    sex: str
    age: int


@dataclass(frozen=True, slots=True)
class Controls:
    """A study of each control, and the places of Patient IDs of controls that lead to no study."""

    found: tuple[Candidate, ...] = ()
    unmatched_patient_ids: tuple[int, ...] = ()


def find_controls(
    crosswalk: "Crosswalk",
    criteria: CohortCriteria,
    meeting: Sequence[Candidate],
    cases: Sequence[Candidate],
    default_issuer: str,
    draw: Digest,
) -> Controls:
    """Return a study for each control, with those of its series that meet what is asked of controls.

    Parameters
    ----------
    meeting
        Whatever meets the request: of these people, nobody is a control.
    cases
        Those of them who were taken.
    """
    if criteria.controls_per_case is None or not cases:
        return Controls()
    barred = {one.study.patient_id for one in meeting}
    resolution = resolve(crosswalk, criteria.of_controls(), default_issuer)
    pool = {one.study.study_id: one for one in resolution.found if one.study.patient_id not in barred}
    chosen = matched(
        _imaged(crosswalk, cases),
        _imaged(crosswalk, list(pool.values())),
        criteria.controls_per_case,
        round(criteria.control_age_years * _DAYS_A_YEAR),
        draw,
    )
    return Controls(tuple(pool[study] for study in sorted(chosen)), resolution.unmatched["patient_ids"])


def matched(
    cases: Iterable[Imaged], pool: Iterable[Imaged], per_case: int, within_days: int, draw: Digest
) -> frozenset[UUID]:
    """Return the studies of controls: for each case the nearest in age, each person once; pure.

    Cases choose in a drawn order, so that none is served first for what it is. A case for whom there are fewer than
    ``per_case`` gets those.

    Parameters
    ----------
    within_days
        By how much ages may differ, in days.
    draw
        Chance: orders cases, and people of one age.
    """
    by_sex: dict[str, list[Imaged]] = defaultdict(list)
    for one in sorted(pool, key=lambda one: (one.age, draw(str(one.study)))):
        by_sex[one.sex].append(one)
    ages = {sex: [one.age for one in people] for sex, people in by_sex.items()}
    taken: set[UUID] = set()
    chosen: set[UUID] = set()
    for case in sorted(_one_each(cases), key=lambda one: draw(str(one.person))):
        known = ages.get(case.sex, [])
        near = by_sex[case.sex][
            bisect_left(known, case.age - within_days) : bisect_right(known, case.age + within_days)
        ]
        missing = per_case
        for one in sorted(near, key=lambda one: abs(one.age - case.age)):
            if missing and one.person not in taken:
                taken.add(one.person)
                chosen.add(one.study)
                missing -= 1
    return frozenset(chosen)


def _one_each(cases: Iterable[Imaged]) -> list[Imaged]:
    """Return each person once, as on the day of the first study."""
    people: dict[UUID, Imaged] = {}
    for one in sorted(cases, key=lambda one: (one.age, one.study)):
        people.setdefault(one.person, one)
    return list(people.values())


def _imaged(crosswalk: "Crosswalk", candidates: Sequence[Candidate]) -> Iterator[Imaged]:
    """Yield those whose sex, birth date and study date are known: nobody else can be matched."""
    for page in pages(iter(candidates)):
        people = crosswalk.mapping.identities_for_cohort({one.study.patient_id for one in page})
        for one in page:
            identities = people.get(one.study.patient_id, ())
            born, sex = birth_days(identities), sexes(identities)
            day = min(days(one.study.facts.study_date), default=None)
            if born and sex and day:
                yield Imaged(one.study.patient_id, one.study.study_id, sex[0], (day - born[0]).days)
