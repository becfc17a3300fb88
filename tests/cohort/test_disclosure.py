"""No count that is told, and no two of them together, says how many few there are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomanon.cohort.attrition import Step
from dicomanon.cohort.disclosure import ROUNDED_TO, attrition, shown, told, told_part, told_size

COUNTS = st.integers(0, 100_000)
MINIMA = st.integers(2, 100)


@pytest.mark.parametrize(
    ("count", "expected"), [(0, None), (1, None), (9, None), (10, 10), (14, 10), (15, 15), (312, 310)]
)
def test_few_are_not_told_and_others_are_rounded(count: int, expected: int | None) -> None:
    assert told(count, 10) == expected


@given(MINIMA, st.integers(0, 1000))
def test_whatever_is_told_stands_for_five_values(minimum: int, step: int) -> None:
    shown_value = minimum + step * ROUNDED_TO
    meant = [count for count in range(shown_value - 10, shown_value + 10) if count >= 0]
    assert [count for count in meant if told(count, minimum) == shown_value] == [*range(shown_value, shown_value + 5)]


@given(COUNTS, COUNTS, MINIMA)
def test_a_difference_of_counts_is_never_known_exactly(before: int, left: int, minimum: int) -> None:
    """Whatever two steps tell, five differences at least would have been told alike, or nothing is."""
    first, second = told(before, minimum), told(left, minimum)
    if first is None or second is None:
        return
    alike = {one - other for one in range(first, first + ROUNDED_TO) for other in range(second, second + ROUNDED_TO)}
    assert before - left in alike
    assert len(alike) >= ROUNDED_TO


@given(st.integers(0, 9), COUNTS)
def test_many_studies_of_few_patients_are_not_told(patients: int, studies: int) -> None:
    assert told(studies, 10, patients=patients) is None
    assert told_size(studies, 10, patients=patients) is None


@pytest.mark.parametrize(("part", "whole", "expected"), [(0, 312, None), (7, 312, None), (12, 312, 10), (302, 312, 300),
                                                         (303, 312, None), (312, 312, None)])  # fmt: skip
def test_of_a_list_neither_the_part_nor_the_rest_is_told_if_it_is_few(
    part: int, whole: int, expected: int | None
) -> None:
    assert told_part(part, whole, 10) == expected


@pytest.mark.parametrize(("size", "expected"), [(10, 10), (99, 90), (3_612, 3_000), (10_000, 10_000), (0, 0)])
def test_sizes_are_told_to_one_digit(size: int, expected: int) -> None:
    assert told_size(size, 10, patients=10) == expected


def test_a_suppressed_step_is_flagged_and_what_was_dropped_is_not_told() -> None:
    steps = (Step("identified", 312, 400), Step("sex", 14, 31, not_known=12), Step("modality", 9, 31))
    assert attrition(steps, 10) == [
        {"criterion": "identified", "patients": 310, "studies": 400, "not_known": None, "suppressed": False},
        {"criterion": "sex", "patients": 10, "studies": 30, "not_known": 10, "suppressed": False},
        {"criterion": "modality", "patients": None, "studies": None, "not_known": None, "suppressed": True},
    ]


def test_people_are_shown_words() -> None:
    assert (shown(None, 10), shown(1500, 10)) == ("fewer than 10", "1,500")
