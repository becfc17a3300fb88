"""A sample is of the size asked for, the same each time, and favours nobody; a patient stays in one part of a split."""

import hashlib
from collections import Counter
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomanon.cohort.attrition import Step
from dicomanon.cohort.controls import Imaged, matched
from dicomanon.cohort.criteria import CohortCriteria
from dicomanon.cohort.matching import Candidate
from dicomanon.cohort.shaping import Digest, Shaped, shape, split_of
from dicomanon.crosswalk.rows import CohortSeries, CohortStudy
from dicomanon.identity import StudyFacts
from dicomanon.values import Pseudonym, ResearchUid

DATES = ("20200301", "20200101", "", "20200201")


def keyed(seed: int) -> Digest:
    return lambda text: hashlib.sha256(f"{seed}|{text}".encode()).digest()


def candidate(patient: int, study: int, date: str = "", series: int = 2) -> Candidate:
    return Candidate(
        CohortStudy(UUID(int=study), Pseudonym("D"), ResearchUid(""), StudyFacts(study_date=date), UUID(int=patient)),
        series=tuple(
            CohortSeries(ResearchUid(f"2.25.{study}{number}"), "CT", StudyFacts(), 9) for number in range(series)
        ),
    )


COHORT = [candidate(patient, 10 * patient + study, DATES[study]) for patient in range(1, 6) for study in range(4)]


def shaped(seed: int = 1, found: list[Candidate] = COHORT, **asked: Any) -> Shaped:
    criteria = CohortCriteria.read({"project": "P", "modality": ["CT"], **asked})
    return shape(found, criteria, keyed(seed))


def studies(of: Shaped) -> list[int]:
    return [one.study.study_id.int % 10 for one in of.found]


def test_without_being_asked_everything_stays() -> None:
    assert shaped() == Shaped(tuple(COHORT), ())


@pytest.mark.parametrize(("sample", "taken"), [("first", {1, 3}), ("last", {0, 3})])
def test_first_and_last_of_each_patient_are_by_date_and_dated_ones_come_first(sample: str, taken: set[int]) -> None:
    left = shaped(sample=sample, per_patient=2)
    assert Counter(studies(left)) == dict.fromkeys(taken, 5)
    assert left.steps == (Step("per_patient", 5, 10),)
    assert set(studies(shaped(sample=sample, per_patient=9))) == {0, 1, 2, 3}


@given(st.integers(0, 1000), st.integers(1, 30), st.sampled_from(["patient", "study", "series"]))
def test_limit_is_of_what_is_grouped_by(seed: int, limit: int, unit: str) -> None:
    left = shaped(seed, limit=limit, group_by=unit)
    of = {
        "patient": len({one.study.patient_id for one in left.found}),
        "study": len(left.found),
        "series": sum(len(one.series) for one in left.found),
    }
    assert of[unit] == min(limit, {"patient": 5, "study": 20, "series": 40}[unit])
    assert {one.study.study_id for one in left.found} <= {one.study.study_id for one in COHORT}
    assert left == shaped(seed, found=COHORT[::-1], limit=limit, group_by=unit)


def test_the_first_patients_are_those_who_were_imaged_first() -> None:
    found = [candidate(1, 11, "20200105"), candidate(2, 21, "20200101"), candidate(2, 22, "20210101")]
    left = shaped(found=found, sample="first", limit=1, group_by="patient")
    assert studies(left) == [1, 2]
    assert {one.study.patient_id.int for one in left.found} == {2}


def test_steps_follow_each_other() -> None:
    left = shaped(per_patient=1, limit=2)
    assert left.steps == (Step("per_patient", 5, 5), Step("limit", 2, 2))


def test_who_has_many_studies_is_not_drawn_more_often() -> None:
    found = [candidate(1, study) for study in range(100, 150)] + [candidate(2, 200)]
    drawn = Counter(shaped(seed, found=found, limit=1).found[0].study.patient_id.int for seed in range(400))
    assert 140 < drawn[1] < 260


def test_split_keeps_its_shares_and_everybody_where_they_are() -> None:
    people = [f"D{number}" for number in range(4000)]
    shares = {"train": 70, "validation": 10, "test": 20}
    parts = {person: split_of(person, shares, keyed(1)) for person in people}
    counted = Counter(parts.values())
    assert all(abs(counted[part] / 40 - share) < 3 for part, share in shares.items())
    assert parts == {person: split_of(person, shares, keyed(1)) for person in reversed(people)}
    assert parts != {person: split_of(person, shares, keyed(2)) for person in people}
    assert {split_of(person, {"train": 100, "validation": 0, "test": 0}, keyed(1)) for person in people} == {"train"}


@pytest.mark.parametrize(("digest", "part"), [(b"\x00" * 16, "train"), (b"\xff" * 16, "test")])
def test_split_has_a_part_for_both_ends_of_the_line(digest: bytes, part: str) -> None:
    assert split_of("D1", {"train": 50, "validation": 0, "test": 50}, lambda _: digest) == part


def imaged(person: int, sex: str, years: float, study: int = 0) -> Imaged:
    return Imaged(UUID(int=person), UUID(int=study or 1000 + person), sex, round(years * 365.25))


def controls(cases: list[Imaged], pool: list[Imaged], per_case: int = 1, years: float = 2) -> set[int]:
    return {study.int - 1000 for study in matched(cases, pool, per_case, round(years * 365.25), keyed(1))}


def test_controls_are_of_the_same_sex_and_the_nearest_in_age() -> None:
    pool = [
        imaged(11, "F", 51.5),
        imaged(12, "M", 50),
        imaged(13, "F", 50.4),
        imaged(14, "F", 60),
        imaged(15, "F", 48.1),
    ]
    assert controls([imaged(1, "F", 50)], pool) == {13}
    assert controls([imaged(1, "F", 50)], pool, per_case=5) == {11, 13, 15}
    assert controls([imaged(1, "F", 50)], pool, years=0.2) == set()


def test_a_control_serves_one_case_and_a_case_is_served_once() -> None:
    pool = [imaged(11, "F", 50), imaged(11, "F", 50.5, study=1099), imaged(12, "F", 51)]
    cases = [imaged(1, "F", 50), imaged(2, "F", 50), imaged(2, "F", 51, study=7), imaged(3, "F", 50)]
    assert len(controls(cases, pool)) == 2
    assert len(controls([cases[1], cases[2]], pool)) == 1


@given(
    st.lists(st.tuples(st.integers(1, 40), st.sampled_from("MF"), st.integers(0, 90)), max_size=60), st.integers(1, 4)
)
def test_no_more_controls_than_asked_and_the_same_each_time(rows: list[tuple[int, str, int]], per_case: int) -> None:
    pool = [imaged(person, sex, years, study=2000 + place) for place, (person, sex, years) in enumerate(rows)]
    cases = [imaged(100 + number, "MF"[number % 2], 45) for number in range(6)]
    chosen = matched(cases, pool, per_case, 3650, keyed(3))
    assert chosen == matched(cases[::-1], pool[::-1], per_case, 3650, keyed(3))
    assert len(chosen) <= per_case * len(cases)
    people = [one.person for one in pool if one.study in chosen]
    assert len(people) == len(set(people))
