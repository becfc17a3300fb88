"""Dates are read as people write them, in several orders and languages; numbers are not."""

import time

import pytest
from tests.patience import HUNG

from dicomanon.validate.written_dates import written_dates


def readings(text: str) -> list[set[str]]:
    return [set(written.readings) for written in written_dates(text.lower())]


@pytest.mark.parametrize(
    "text",
    [
        "2019-01-05", "20190105", "2019.01.05", "2019/1/5", "2019-01-05T10:15", "20190105101500", "5 Jan 2019",
        "05Jan2019", "Jan 5, 2019", "January 5th, 2019", "5th of January 2019", "5. Januar 2019", "5 de enero de 2019",
        "5 janvier 2019", "5 января 2019", "2019年1月5日", "2019-Jan-05", "seen 2019-01-05.", "VA44A 20190105",
    ],
)  # fmt: skip
def test_date_is_read(text: str) -> None:
    assert readings(text) == [{"20190105"}]


def test_date_of_two_orders_has_two_readings() -> None:
    assert readings("05/01/2019") == [{"20190105", "20190501"}]
    assert readings("25.01.2019") == [{"20190125"}]
    assert {"20190105", "20190501"} < readings("5/1/19")[0]


@pytest.mark.parametrize(
    "text", ["12.5.4", "20191305", "0.20190105", "1.2.840.20190105.3.4", "TE 10 12 14", "10/12/14/16/18", "4711", ""]
)
def test_number_is_no_date(text: str) -> None:
    assert not any("20190105" in one for one in readings(text))


def test_long_text_takes_no_time() -> None:
    started = time.process_time()
    assert readings("2019 12 3.5 mm 1/2 " * 20_000) is not None
    assert time.process_time() - started < HUNG
