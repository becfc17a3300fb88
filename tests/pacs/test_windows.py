"""Windows cover exactly what they were split from, also where an archive compares times as text."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomanon.pacs.windows import STUDY_DATE, STUDY_TIME, DateWindow, TimeWindow, parse_date


@given(st.dates(), st.integers(0, 4000))
def test_halves_of_days_meet_without_gap_or_overlap(start: date, days: int) -> None:
    end = min(date.max - timedelta(days=1), start + timedelta(days=days))
    if end <= start:
        return
    halves = DateWindow(start, end).halves()
    assert halves is not None
    first, second = halves
    assert isinstance(first, DateWindow)
    assert isinstance(second, DateWindow)
    assert (first.start, second.end) == (start, end)
    assert second.start - first.end == timedelta(days=1)


def test_a_day_is_split_by_time_down_to_a_minute_and_no_further() -> None:
    window = DateWindow(date(2020, 2, 29), date(2020, 2, 29))
    minutes = []
    pending = list(window.halves() or ())
    while pending:
        part = pending.pop()
        assert isinstance(part, TimeWindow)
        halves = part.halves()
        if halves is None:
            minutes.append(part)
        else:
            pending.extend(halves)
    assert sorted((minute.start, minute.end) for minute in minutes) == [(n, n + 1) for n in range(1440)]


@given(st.integers(1, 1439), st.sampled_from(["%H", "%H%M", "%H%M%S", "%H%M%S.%f"]), st.integers(0, 1439 * 60))
def test_a_time_of_any_precision_is_on_one_side_of_a_split_when_compared_as_text(
    minute: int, precision: str, second: int
) -> None:
    hours, rest = divmod(second, 3600)
    value = precision.replace("%H", f"{hours:02d}").replace("%M", f"{rest // 60:02d}")
    value = value.replace("%S", f"{rest % 60:02d}").replace("%f", "999")
    sides = []
    for window in (TimeWindow(None, 0, minute), TimeWindow(None, minute, 1440)):
        lower, upper = window.filters()[STUDY_TIME].split("-")
        sides.append(lower <= value <= upper)
    assert sides.count(True) == 1


def test_a_window_without_bound_is_asked_for_as_an_open_range() -> None:
    assert DateWindow(date.min, date(1899, 12, 31)).filters() == {STUDY_DATE: "-18991231"}
    assert DateWindow(date(2030, 1, 1), date.max).filters() == {STUDY_DATE: "20300101-"}
    assert DateWindow(date(999, 1, 2), date(999, 1, 2)).filters() == {STUDY_DATE: "09990102"}


@pytest.mark.parametrize("value", ["", "2020", "2020.01.01", "20201301", "20200230", "２０２００１０１", "0000"])
def test_what_is_no_date_is_none(value: str) -> None:
    assert parse_date(value) is None
