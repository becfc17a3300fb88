from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomanon.deidentify.dates import is_time, shift_dates

SHIFTS = st.integers(-4652, -1000)
DATES = st.dates(min_value=datetime(1900, 1, 1).date(), max_value=datetime(2100, 1, 1).date())


@pytest.mark.parametrize(
    ("value", "vr", "expected"),
    [
        ("20240301", "DA", "20240229"),
        ("2024.03.01", "DA", "2024.02.29"),
        ("20240301\\20240302", "DA", "20240229\\20240301"),
        ("20240301-20240302", "DA", "20240229-20240301"),
        ("20240301-", "DA", "20240229-"),
        ("-20240301", "DA", "-20240229"),
        ("", "DA", ""),
        ("20240301101112.123456", "DT", "20240229101112.123456"),
        ("20240301101112+0100", "DT", "20240229101112+0100"),
        ("20240301101112-0500", "DT", "20240229101112-0500"),
        ("2024030110", "DT", "2024022910"),
        ("20240301-20240302", "DT", "20240229-20240301"),
        ("20240301000000-0500-20240302000000-0500", "DT", "20240229000000-0500-20240301000000-0500"),
        ("202403", "DT", "202403"),
        ("2024", "DT", "2024"),
    ],
)
def test_each_form_moves_by_one_day_and_keeps_its_form(value: str, vr: str, expected: str) -> None:
    assert shift_dates(value, vr, -1) == expected


def test_month_and_year_move_with_long_shifts() -> None:
    assert shift_dates("202403", "DT", -365) == "202303"
    assert shift_dates("2024", "DT", -3653) == "2014"


@pytest.mark.parametrize("vr", ["DA", "DT"])
@pytest.mark.parametrize(
    "value",
    [
        "Smith",
        "20241301",
        "20240230",
        "2024-03-01",
        "20240301Smith",
        "00010101",
        "\u0662\u0660\u0662\u06640301",
        "-",
        "20240301\\x",
    ],
)
def test_what_is_no_date_is_not_shifted(value: str, vr: str) -> None:
    assert shift_dates(value, vr, -1000) is None


@pytest.mark.parametrize("value", ["10", "1011", "101112", "101112.123456", "10:11:12", "10\\11", "10-11", "", "-0500"])
def test_times_are_recognized(value: str) -> None:
    assert is_time(value)


@pytest.mark.parametrize("value", ["Smith", "1", "101112 Smith", "101112.", "20240301"[:5], "101112.1234567"])
def test_what_is_no_time_is_not_taken_for_one(value: str) -> None:
    assert not is_time(value)


@given(DATES, DATES, SHIFTS)
def test_intervals_between_dates_survive(first, second, days) -> None:  # type: ignore[no-untyped-def]
    shifted = [
        datetime.strptime(shift_dates(f"{day:%Y%m%d}", "DA", days) or "", "%Y%m%d").date() for day in (first, second)
    ]
    assert shifted[1] - shifted[0] == second - first
    assert shifted[0] - first == timedelta(days=days)


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2100, 1, 1)), SHIFTS)
def test_date_times_move_like_dates_to_the_microsecond(moment, days) -> None:  # type: ignore[no-untyped-def]
    shifted = datetime.strptime(shift_dates(f"{moment:%Y%m%d%H%M%S.%f}", "DT", days) or "", "%Y%m%d%H%M%S.%f")
    assert shifted - moment == timedelta(days=days)


@given(st.text(max_size=30), st.sampled_from(["DA", "DT"]), SHIFTS)
def test_a_shifted_value_holds_nothing_but_dates(value: str, vr: str, days: int) -> None:
    shifted = shift_dates(value, vr, days)
    assert shifted is None or set(shifted) <= set("0123456789.+-\\")
