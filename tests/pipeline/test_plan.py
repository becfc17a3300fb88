"""How unsettled instances are cut into batches."""

from dataclasses import replace
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from dicomanon.crosswalk.rows import PlannedInstance
from dicomanon.pipeline.plan import cut, typical_megabytes

DX = "1.2.840.10008.5.1.4.1.1.1.1"


def study(size: int, start: int = 0, sop_class_uid: str = "") -> list[PlannedInstance]:
    study_id, series_id = uuid4(), uuid4()
    return [PlannedInstance(start + number, study_id, series_id, sop_class_uid) for number in range(size)]


def studies_of(batch: list[PlannedInstance]) -> set[UUID]:
    return {instance.study_id for instance in batch}


@given(st.lists(st.integers(1, 40), max_size=12), st.integers(1, 50), st.integers(1, 100), st.integers(1, 8))
def test_every_instance_is_in_exactly_one_batch_within_its_bounds(
    sizes: list[int], instances: int, megabytes: int, at_once: int
) -> None:
    planned: list[PlannedInstance] = []
    for number, size in enumerate(sizes):
        planned += study(size, len(planned), DX if number % 3 == 0 else "")
    batches = cut(planned, instances=instances, megabytes=megabytes, at_once=at_once)
    assert sorted(one.instance_id for batch in batches for one in batch) == list(range(len(planned)))
    for batch in batches:
        weight = sum(typical_megabytes().get(one.sop_class_uid, 1) for one in batch)
        assert 1 <= len(batch) <= instances
        assert len(batch) == 1 or weight <= megabytes


def test_a_study_that_fits_stays_whole() -> None:
    first, second = study(60), study(60, 60)
    batches = cut(first + second, instances=100, megabytes=1000, at_once=1)
    assert [studies_of(batch) for batch in batches] == [studies_of(first), studies_of(second)]


def test_a_study_larger_than_a_batch_spans_several() -> None:
    batches = cut(study(250), instances=100, megabytes=1000, at_once=1)
    assert [len(batch) for batch in batches] == [100, 100, 50]


def test_a_series_stays_whole_where_faces_are_looked_for() -> None:
    planned = study(60) + study(150, 60) + study(60, 210)
    planned = [replace(one, study_id=planned[0].study_id) for one in planned]
    batches = cut(planned, instances=100, megabytes=1000, at_once=1, whole_series=True)
    assert [len(batch) for batch in batches] == [60, 150, 60]


def test_large_objects_make_smaller_batches() -> None:
    batches = cut(study(10, sop_class_uid=DX), instances=1000, megabytes=100, at_once=1)
    assert [len(batch) for batch in batches] == [5, 5]


def test_work_is_spread_over_the_batches_that_run_at_once() -> None:
    planned = [one for number in range(4) for one in study(200, 200 * number)]
    assert [len(batch) for batch in cut(planned, instances=1000, megabytes=9999, at_once=2)] == [400, 400]


def test_a_few_large_objects_are_spread_too() -> None:
    planned = [one for number in range(40) for one in study(1, number, DX)]
    assert [len(batch) for batch in cut(planned, instances=1000, megabytes=9999, at_once=2)] == [20, 20]


def test_little_work_is_not_spread() -> None:
    planned = [one for number in range(4) for one in study(20, 20 * number)]
    assert len(cut(planned, instances=1000, megabytes=9999, at_once=4)) == 1


def test_nothing_to_do_makes_no_batch() -> None:
    assert cut([], instances=10, megabytes=10, at_once=2) == []
