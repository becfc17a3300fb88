"""Compares the facts of studies and series with what is asked: yes, no, or not known; pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from dicomanon.cohort.entries import Age, read_day

Answer = bool | None
"""Whether something is met; ``None`` where what it is asked by is not known."""

MULTIPLE = "\\"
"""Separates the values of a fact that has several (PS3.5 6.4)."""


def values(text: str) -> Iterator[str]:
    """Yield the values of a fact."""
    for value in text.split(MULTIPLE):
        if stripped := value.strip(" \0"):
            yield stripped


def days(text: str) -> Iterator[date]:
    """Yield the values of a fact that are dates; ``2020.01.31`` is the form of old objects (PS3.5 6.2)."""
    for value in values(text):
        try:
            yield read_day(value.replace(".", ""))
        except ValueError:
            continue


def numbers(text: str) -> Iterator[float]:
    """Yield the values of a fact that are numbers (PS3.5 6.2, VR DS)."""
    for value in values(text):
        try:
            yield float(value)
        except ValueError:
            continue


def any_of(answers: Iterable[bool]) -> Answer:
    """Tell whether one value meets; unknown where there is none."""
    known = list(answers)
    return any(known) if known else None


def all_of(answers: Iterable[bool]) -> Answer:
    """Tell whether every value meets; unknown where there is none."""
    known = list(answers)
    return all(known) if known else None


def has_any(words: Sequence[str], text: str) -> Answer:
    """Tell whether a text has one of the words, in any case; unknown where there is no text."""
    folded = text.casefold()
    return any(word.casefold() in folded for word in words) if text.strip() else None


def has_all(words: Sequence[str], text: str) -> Answer:
    """Tell whether a text has all of the words, in any case; unknown where there is no text."""
    folded = text.casefold()
    return all(word.casefold() in folded for word in words) if text.strip() else None


def within_days(first: date | None, last: date | None, found: Iterable[date]) -> Answer:
    """Tell whether one of the days lies in a window, both ends included."""
    return any_of((first or date.min) <= day <= (last or date.max) for day in found)


def within_ages(youngest: Age | None, oldest: Age | None, born: date, day: date) -> bool:
    """Tell whether somebody's age on a day lies in a window, both ends included, in full units of each end."""
    return (youngest is None or youngest.of(born, day) >= youngest.number) and (
        oldest is None or oldest.of(born, day) <= oldest.number
    )
