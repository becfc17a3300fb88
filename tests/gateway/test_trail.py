"""Entries are written together, each before whoever waits for it goes on."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from dicomanon.crosswalk.audit.events import SubjectKind
from dicomanon.crosswalk.gateway.showing import Use
from dicomanon.errors import Fatal, Retriable
from dicomanon.gateway.trail import Trail


def use(number: int) -> Use:
    return Use(b"", "gateway.query", number, SubjectKind.PROJECT, "LUNG")


def test_what_waits_is_written_at_once_and_nobody_goes_on_before() -> None:
    batches: list[int] = []
    written: set[int] = set()

    def write(uses: Sequence[Use]) -> None:
        time.sleep(0.05)
        batches.append(len(uses))
        written.update(one.count for one in uses)

    def record(number: int) -> bool:
        trail.record(use(number))
        return number in written

    with Trail(write) as trail, ThreadPoolExecutor(20) as pool:
        assert all(pool.map(record, range(40)))
    assert sum(batches) == 40
    assert len(batches) < 10


def test_what_cannot_be_written_is_told_to_all_that_wait_and_the_next_ones_are_tried_anew() -> None:
    fails = True

    def write(uses: Sequence[Use]) -> None:
        if fails:
            raise Retriable("the crosswalk database cannot be reached")

    with Trail(write) as trail:
        for _ in range(2):
            with pytest.raises(Retriable):
                trail.record(use(1))
        fails = False
        trail.record(use(1))


def test_a_foreign_fault_keeps_its_text_to_itself() -> None:
    def write(uses: Sequence[Use]) -> None:
        raise ValueError("Doe^Jane")

    with Trail(write) as trail, pytest.raises(Fatal) as told:
        trail.record(use(1))
    assert "Doe" not in str(told.value)


def test_when_it_ends_what_waits_is_written_and_what_comes_later_refused() -> None:
    written: list[int] = []
    began = threading.Event()

    def write(uses: Sequence[Use]) -> None:
        began.set()
        time.sleep(0.1)
        written.extend(one.count for one in uses)

    trail = Trail(write)
    with ThreadPoolExecutor(5) as pool:
        with trail:
            waiting = [pool.submit(trail.record, use(number)) for number in range(5)]
            assert began.wait(10)
            time.sleep(0.05)
        assert [one.exception() for one in waiting] == [None] * 5
    assert sorted(written) == list(range(5))
    with pytest.raises(Fatal):
        trail.record(use(9))
