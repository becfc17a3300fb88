"""What is made of the studies that meet a request: a sample, a limit, a split; pure, and the same for the same request.

Chance comes from keyed digests: who does not hold the key cannot tell who was drawn, and who was will be drawn again.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from dicomanon.cohort.answers import days
from dicomanon.cohort.attrition import Step, left_by
from dicomanon.cohort.criteria import CohortCriteria
from dicomanon.cohort.matching import Candidate

Digest = Callable[[str], bytes]
"""A keyed hash of a text, of at least eight bytes."""

_Rank = Callable[[Candidate], tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Shaped:
    """What is left, by study id, and how many each step left."""

    found: tuple[Candidate, ...]
    steps: tuple[Step, ...]


def shape(found: Sequence[Candidate], asked: CohortCriteria, draw: Digest) -> Shaped:
    """Take so many studies of each patient, and then so many patients, studies or series at all.

    Parameters
    ----------
    draw
        Chance: of a text, the same bytes for the same project and seed.
    """
    left, steps = list(found), []
    if asked.per_patient is not None:
        left = list(_of_each_patient(left, asked.per_patient, _rank(asked, draw)))
        steps.append(left_by("per_patient", left))
    if asked.limit is not None:
        left = _LIMITED[asked.group_by](left, asked.limit, _rank(asked, draw), draw, asked.sample == "random")
        steps.append(left_by("limit", left))
    return Shaped(tuple(sorted(left, key=lambda one: one.study.study_id)), tuple(steps))


def split_of(person: str, shares: Mapping[str, int], place: Digest) -> str:
    """Return which part of a split a person belongs to: the same for as long as project and shares are the same.

    Parameters
    ----------
    person
        The surviving pseudonym.
    shares
        Percent by part; they add up to 100.
    """
    point = int.from_bytes(place(person)[:8]) * 100 >> 64
    for part, share in shares.items():
        if point < share:
            return part
        point -= share
    raise ValueError("the shares of a split do not add up to 100")


def _rank(asked: CohortCriteria, draw: Digest) -> _Rank:
    """Return what orders studies by who is taken first; those without a date come behind."""

    def chance(one: Candidate) -> bytes:
        return draw(str(one.study.study_id))

    def first(one: Candidate) -> tuple[Any, ...]:
        day = min(days(one.study.facts.study_date), default=None)
        return day is None, day.toordinal() if day else 0, chance(one)

    def last(one: Candidate) -> tuple[Any, ...]:
        day = max(days(one.study.facts.study_date), default=None)
        return day is None, -day.toordinal() if day else 0, chance(one)

    return {"first": first, "last": last, "random": lambda one: (chance(one),)}[asked.sample]


def _of_each_patient(found: Iterable[Candidate], most: int, rank: _Rank) -> Iterator[Candidate]:
    for studies in _by_patient(found).values():
        yield from sorted(studies, key=rank)[:most]


def _by_patient(found: Iterable[Candidate]) -> dict[Any, list[Candidate]]:
    patients: dict[Any, list[Candidate]] = defaultdict(list)
    for one in found:
        patients[one.study.patient_id].append(one)
    return patients


def _patients(found: list[Candidate], most: int, rank: _Rank, draw: Digest, by_chance: bool) -> list[Candidate]:
    # By chance, a patient with many studies is as likely as one with one.
    patients = _by_patient(found)
    order = sorted(patients, key=lambda one: draw(str(one)) if by_chance else min(map(rank, patients[one])))
    return list(chain.from_iterable(patients[one] for one in order[:most]))


def _studies(found: list[Candidate], most: int, rank: _Rank, draw: Digest, by_chance: bool) -> list[Candidate]:
    return sorted(found, key=rank)[:most]


def _series(found: list[Candidate], most: int, rank: _Rank, draw: Digest, by_chance: bool) -> list[Candidate]:
    single = [(one, series) for one in found for series in one.series]
    single.sort(key=lambda pair: (() if by_chance else rank(pair[0]), draw(pair[1].research_series_uid)))
    taken = {series.research_series_uid for _, series in single[:most]}
    left = (replace(one, series=tuple(s for s in one.series if s.research_series_uid in taken)) for one in found)
    return [one for one in left if one.series]


_LIMITED = {"patient": _patients, "study": _studies, "series": _series}
