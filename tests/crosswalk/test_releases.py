"""Releases are numbered, immutable, and made of stored instances only."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.crosswalk.scenario import Run, discover, sightings

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.errors import Fatal


@pytest.fixture
def stored(crosswalk: Crosswalk) -> list[int]:
    discover(crosswalk, "1.2", sightings("1.2", 3))
    run = Run(crosswalk)
    run.complete()
    return [source.instance_id for source in run.sources()]


def test_numbers_count_within_a_project(crosswalk: Crosswalk, stored: list[int]) -> None:
    numbers = [crosswalk.releases.create(p, "ada", b"d", stored).number for p in ("LUNG", "BRAIN", "LUNG")]
    assert numbers == [1, 1, 2]


def test_numbers_have_no_gap_and_no_double_under_concurrency(crosswalk: Crosswalk, stored: list[int]) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: crosswalk.releases.create("LUNG", "ada", b"d", stored), range(8)))
    assert sorted(one.number for one in made) == list(range(1, 9))


def test_the_same_request_is_the_same_release(crosswalk: Crosswalk, stored: list[int]) -> None:
    first = crosswalk.releases.create("LUNG", "ada", b"d", stored, request_key="cohort_extraction/run-1")
    again = crosswalk.releases.create("LUNG", "ada", b"d", stored, request_key="cohort_extraction/run-1")
    assert again == first
    assert first.instances == 3


def test_refused_with_an_instance_that_is_not_stored(crosswalk: Crosswalk, stored: list[int]) -> None:
    discover(crosswalk, "1.3", sightings("1.3", 1))
    (pending,) = [one.instance_id for one in crosswalk.ledger.unplanned(crosswalk.ledger.open_run("d", "r"))]
    with pytest.raises(Fatal, match="1 instances of the release are not stored"):
        crosswalk.releases.create("LUNG", "ada", b"d", [*stored, pending])
    assert crosswalk.releases.create("LUNG", "ada", b"d", stored).number == 1


@pytest.mark.parametrize(("actor", "action", "reason"), [("", "a", "r"), ("x", " ", "r"), ("x", "a", "")])
def test_an_access_without_who_what_or_why_is_refused(
    crosswalk: Crosswalk, actor: str, action: str, reason: str
) -> None:
    with pytest.raises(Fatal):
        crosswalk.releases.record_access(actor, action, reason, 1)
