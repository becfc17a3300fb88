"""Items are worked on side by side, come back in order, and few are drawn ahead."""

import threading
from collections.abc import Iterator

import pytest

from dicomanon.at_once import at_once


def test_results_come_in_order_whoever_is_first() -> None:
    second_done = threading.Event()

    def work(number: int) -> int:
        if number == 0:
            assert second_done.wait(10), "the second item waits for the first"
        if number == 1:
            second_done.set()
        return number * number

    assert list(at_once(2, work, range(20))) == [number * number for number in range(20)]


def test_few_items_are_drawn_ahead() -> None:
    drawn = 0

    def items() -> Iterator[int]:
        nonlocal drawn
        for number in range(1000):
            drawn += 1
            yield number

    results = at_once(2, abs, items())
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    assert drawn <= 8
    results.close()  # type: ignore[attr-defined]
    assert drawn <= 8


def test_an_exception_comes_in_its_place() -> None:
    results = at_once(2, lambda number: 6 // number, [3, 2, 0, 1])
    assert [next(results), next(results)] == [2, 3]
    with pytest.raises(ZeroDivisionError):
        next(results)
