"""What was written into pixels is told from what pixels spell by themselves."""

import numpy as np
import pytest

from dicomanon.validate.chance import is_chance
from dicomanon.validate.search import KnownValueSearch

GENERATOR = np.random.default_rng(2)
LETTERS = GENERATOR.integers(97, 123, 1 << 17, "<u2")


def judged(data: bytes, value: str) -> list[bool]:
    return [is_chance(data, hit, 0, len(data)) for hit in KnownValueSearch({value}).scan(data)]


@pytest.mark.parametrize(
    "background",
    [
        b"\0" * 200_000,
        b"\xff" * 200_000,
        GENERATOR.integers(0, 256, 200_000, np.uint8).tobytes(),
        GENERATOR.normal(1000, 60, 100_000).astype("<u2").tobytes(),
        LETTERS.astype(np.uint8).tobytes(),
    ],
)
def test_long_name_is_written_whatever_is_around_it(background: bytes) -> None:
    data = background[:70_001] + b"Featherstone" + background[70_001:]
    assert judged(data, "Featherstone") == [False]


def test_six_letters_among_letters_are_chance() -> None:
    data = LETTERS.tobytes()
    value = data[40_000:40_012].decode("utf-16-le")
    assert set(judged(data, value)) == {True}


def test_value_alone_is_written() -> None:
    assert judged(b"Featherstone", "Featherstone") == [False]
