"""Which studies and series meet a request: what is asked and rows in, what is left of them out; pure.

``CRITERIA`` is the whole of it. Each criterion answers with yes, no, or that it is not known; only a yes is met.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import IntEnum
from itertools import product
from uuid import UUID

from dicomanon.cohort.answers import (
    Answer,
    all_of,
    any_of,
    days,
    has_all,
    has_any,
    numbers,
    values,
    within_ages,
    within_days,
)
from dicomanon.cohort.criteria import CohortCriteria
from dicomanon.cohort.entries import NameWithBirthDate
from dicomanon.crosswalk.identities import name_words, surely_one_person
from dicomanon.crosswalk.rows import CohortSeries, CohortStudy
from dicomanon.identity import PatientIdentity


class Level(IntEnum):
    """What a criterion looks at, in the order in which it is read and asked."""

    NAMES = 0
    """Who people are, before anything else: whoever asks for people is told which of them were not found."""
    STUDY = 1
    PERSON = 2
    SERIES = 3


@dataclass(frozen=True, slots=True)
class Candidate:
    """A study with what was read of it so far: identities of its patient, series with something stored."""

    study: CohortStudy
    identities: tuple[PatientIdentity, ...] = ()
    series: tuple[CohortSeries, ...] = ()


class NameFinder:
    """Finds people by name and birth date, and remembers which entries were found."""

    def __init__(self, entries: Sequence[NameWithBirthDate]) -> None:
        # By birth date and each word of the name: some birth dates, such as January 1st, are shared by many.
        self._asked: dict[tuple[date, str], list[tuple[int, PatientIdentity]]] = defaultdict(list)
        for place, entry in enumerate(entries, start=1):
            identity = PatientIdentity("", name=entry.name, birth_date=entry.birth_date.strftime("%Y%m%d"))
            for word in set(name_words(entry.name)):
                self._asked[entry.birth_date, word].append((place, identity))
        self._missing = set(range(1, len(entries) + 1))

    @property
    def unmatched(self) -> tuple[int, ...]:
        """Places of the entries that nobody was found for."""
        return tuple(sorted(self._missing))

    def find(self, identities: Sequence[PatientIdentity]) -> Answer:
        """Tell whether a person is one of those asked for; unknown where name or birth date is."""
        told = [
            (known, day, word)
            for known in identities
            for day in days(known.birth_date)
            for word in name_words(known.name)
        ]
        met = {
            place
            for known, day, word in told
            for place, asked in self._asked.get((day, word), ())
            if surely_one_person(known, asked)
        }
        self._missing -= met
        return bool(met) if told else None


@dataclass(frozen=True, slots=True)
class Asked:
    """A request with what its identifiers lead to.

    Attributes
    ----------
    index_dates
        By surviving patient.
    excluded
        Surviving patients who are left out.
    """

    criteria: CohortCriteria
    index_dates: Mapping[UUID, Sequence[date]]
    excluded: frozenset[UUID]
    excluded_accession_numbers: frozenset[str]
    names: NameFinder
    excluded_names: NameFinder

    @classmethod
    def of(
        cls, criteria: CohortCriteria, index_dates: Mapping[UUID, Sequence[date]], excluded: frozenset[UUID]
    ) -> "Asked":
        """Prepare a request for being asked of many studies."""
        return cls(
            criteria,
            index_dates,
            excluded,
            frozenset(criteria.exclude_accession_numbers),
            NameFinder(criteria.names_with_birth_dates),
            NameFinder(criteria.exclude_names_with_birth_dates),
        )


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing that a request may ask for.

    Attributes
    ----------
    name
        As attrition tells it; the parameter is called so, or with ``_from`` and ``_to``.
    level
        What has to be read before it can be asked.
    study, series
        The question, to a study as a whole or to each of its series: one of both.
    """

    name: str
    level: Level
    study: Callable[[Asked, Candidate], Answer] | None = None
    series: Callable[[CohortCriteria, CohortSeries], Answer] | None = None

    def is_given(self, criteria: CohortCriteria) -> bool:
        """Tell whether a request asks for it; that something is stored, every request does."""
        return self.name == STORED or not criteria.given().keys().isdisjoint(
            (self.name, f"{self.name}_from", f"{self.name}_to")
        )

    def left(self, asked: Asked, candidate: Candidate) -> tuple[Candidate | None, bool]:
        """Return what is left of a study, and whether it is known what was asked of it."""
        if self.study is not None:
            answer = self.study(asked, candidate)
            return (candidate if answer else None), answer is not None
        answers = [(series, self.series(asked.criteria, series)) for series in candidate.series] if self.series else []
        met = tuple(series for series, answer in answers if answer)
        return (replace(candidate, series=met) if met else None), any(answer is not None for _, answer in answers)


STORED = "stored"


def _negated(answer: Answer) -> Answer:
    return None if answer is None else not answer


def _described(one: Candidate) -> str:
    return f"{one.study.facts.study_description} {one.study.facts.series_description}"


def _on_index_day(asked: Asked, one: Candidate) -> Answer:
    before = timedelta(days=asked.criteria.days_before or 0)
    after = timedelta(days=asked.criteria.days_after or 0)
    indexes = asked.index_dates.get(one.study.patient_id, ())
    return any_of(any(-before <= day - index <= after for index in indexes) for day in days(one.study.facts.study_date))


def days_since_index_date(asked: Asked, one: Candidate) -> int | None:
    """Return the days from the nearest index date of the patient to the study; negative before it."""
    indexes = asked.index_dates.get(one.study.patient_id, ())
    since = [(day - index).days for day, index in product(days(one.study.facts.study_date), indexes)]
    return min(since, key=lambda count: (abs(count), count), default=None)


def _of_age(asked: Asked, one: Candidate) -> Answer:
    youngest, oldest = asked.criteria.age_from, asked.criteria.age_to
    pairs = product(birth_days(one.identities), days(one.study.facts.study_date))
    return any_of(within_ages(youngest, oldest, born, day) for born, day in pairs)


def birth_days(identities: Iterable[PatientIdentity]) -> list[date]:
    """Return the birth dates that are told of a person."""
    return [day for known in identities for day in days(known.birth_date)]


def sexes(identities: Iterable[PatientIdentity]) -> list[str]:
    """Return the sexes that are told of a person (PS3.3 C.7.1.1: M, F, O)."""
    return [sex for known in identities if (sex := known.sex.strip().upper())]


def _of_sex(asked: Asked, one: Candidate) -> Answer:
    return any_of(sex in asked.criteria.sex for sex in sexes(one.identities))


def _with_contrast(asked: CohortCriteria, one: CohortSeries) -> Answer:
    used = any_of(value == "YES" for value in values(one.facts.contrast))
    return used if asked.contrast == "yes" else _negated(used)


def _in_millimetres(asked: CohortCriteria, one: CohortSeries) -> Answer:
    least, most = asked.slice_thickness_from or 0.0, asked.slice_thickness_to
    return all_of(
        least <= thickness and (most is None or thickness <= most) for thickness in numbers(one.facts.slice_thickness)
    )


def _left_out(finder: NameFinder, one: Candidate) -> Answer:
    """Tell whether a person is none of those left out; one who has no name or birth date may be, and so is left out."""
    return _negated(finder.find(one.identities))


CRITERIA: tuple[Criterion, ...] = (
    Criterion("names_with_birth_dates", Level.NAMES, lambda asked, one: asked.names.find(one.identities)),
    Criterion("exclude_names_with_birth_dates", Level.NAMES, lambda asked, one: _left_out(asked.excluded_names, one)),
    Criterion("exclude_patient_ids", Level.STUDY, lambda asked, one: one.study.patient_id not in asked.excluded),
    Criterion(
        "exclude_accession_numbers",
        Level.STUDY,
        lambda asked, one: asked.excluded_accession_numbers.isdisjoint(values(one.study.facts.accession_number)),
    ),
    Criterion(
        "study_date",
        Level.STUDY,
        lambda asked, one: within_days(
            asked.criteria.study_date_from, asked.criteria.study_date_to, days(one.study.facts.study_date)
        ),
    ),
    Criterion("index_dates", Level.STUDY, _on_index_day),
    Criterion(
        "description_words", Level.STUDY, lambda asked, one: has_all(asked.criteria.description_words, _described(one))
    ),
    Criterion(
        "exclude_description_words",
        Level.STUDY,
        # A study without any description has none of the words.
        lambda asked, one: not has_any(asked.criteria.exclude_description_words, _described(one)),
    ),
    Criterion(
        "referring_service_words",
        Level.STUDY,
        lambda asked, one: has_any(asked.criteria.referring_service_words, one.study.facts.requesting_service),
    ),
    Criterion("sex", Level.PERSON, _of_sex),
    Criterion(
        "birth_date",
        Level.PERSON,
        lambda asked, one: within_days(
            asked.criteria.birth_date_from, asked.criteria.birth_date_to, birth_days(one.identities)
        ),
    ),
    Criterion("age", Level.PERSON, _of_age),
    Criterion(STORED, Level.SERIES, lambda _, one: bool(one.series)),
    Criterion(
        "modality", Level.SERIES, series=lambda asked, one: any_of(code in asked.modality for code in [one.modality])
    ),
    Criterion(
        "body_part",
        Level.SERIES,
        series=lambda asked, one: any_of(code.upper() in asked.body_part for code in values(one.facts.body_part)),
    ),
    Criterion(
        "laterality",
        Level.SERIES,
        series=lambda asked, one: any_of(code.upper() in asked.laterality for code in values(one.facts.laterality)),
    ),
    Criterion("contrast", Level.SERIES, series=_with_contrast),
    Criterion("slice_thickness", Level.SERIES, series=_in_millimetres),
    Criterion(
        "images",
        Level.SERIES,
        series=lambda asked, one: (asked.images_from or 0) <= one.instances <= (asked.images_to or float("inf")),
    ),
    Criterion(
        "manufacturer",
        Level.SERIES,
        series=lambda asked, one: has_any(
            asked.manufacturer, f"{one.facts.manufacturer} {one.facts.manufacturer_model}"
        ),
    ),
    Criterion(
        "protocol_words", Level.SERIES, series=lambda asked, one: has_all(asked.protocol_words, one.facts.protocol_name)
    ),
)
"""In the order in which they are asked, so that each study counts as dropped where it first fails."""
