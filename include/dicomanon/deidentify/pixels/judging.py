"""Says of a line of text that was read in a picture whether it may stay."""

import re
from collections.abc import Callable
from enum import StrEnum
from functools import cached_property

from dicomanon.deidentify.pixels.completing import completed
from dicomanon.deidentify.pixels.reading import Line
from dicomanon.deidentify.pixels.regions import Box
from dicomanon.deidentify.text.contexts import words_of
from dicomanon.deidentify.text.folding import fold
from dicomanon.deidentify.text.known_values import Needles, normalized
from dicomanon.profile.actions import TextKind
from dicomanon.values import MASK

_WORDS = re.compile(r"[^\W\d_]+")
_LETTERS_OR_DIGITS = re.compile(r"[^\W_]")
READABLE = 0.6
"""Score below which letters are guesses."""
_NOISE = 0.4
"""Score below which the reader sees letters in anatomy and noise."""
_FEWEST_LETTERS = 2
_FEWEST_UNREAD = 4
"""Fewer are as often a pattern as a text."""
_LONG = 9
_SHORTEST = 6


class TextClass(StrEnum):
    """What a line of text is."""

    NOTHING = "nothing"
    """Too little to identify anybody, or no letters at all."""
    IDENTIFYING = "identifying"
    """A known value of the patient, a name, a date, an identifier, a place, or what nothing knows to be harmless."""
    HARMLESS = "harmless"
    """Measurements, laterality, scales, technique, anatomy: nothing of it would be taken out of a description."""
    UNREADABLE = "unreadable"
    """Text that cannot be read with confidence."""


class TextJudge:
    """Judges the lines of one patient's pictures by the rules for descriptions (PS3.15 E.3.5), and by likeness.

    Parameters
    ----------
    needles
        What the object says about persons.
    clean
        Cleans a text of the same patient.
    """

    def __init__(self, needles: Needles, clean: Callable[[str, TextKind], str]) -> None:
        self._needles = needles
        self._clean = clean

    def __repr__(self) -> str:
        return f"TextJudge({MASK})"

    def judge(self, line: Line) -> TextClass:
        """Return what a line is."""
        letters = len(_LETTERS_OR_DIGITS.findall(line.text))
        if letters < _FEWEST_LETTERS or line.score < _NOISE:
            return TextClass.NOTHING
        if line.score < READABLE and not self._is_known(line.text):
            return TextClass.UNREADABLE if letters >= _FEWEST_UNREAD else TextClass.NOTHING
        return TextClass.IDENTIFYING if self._identifies(line.text) else TextClass.HARMLESS

    def whole(self, line: Line, hides: Callable[[Box], bool]) -> Line:
        """Return a line with the box of the known value that it has a part of; :func:`completed` says more."""
        return completed(line, self._needles.phrases, hides)

    def _identifies(self, text: str) -> bool:
        if self._clean(text, TextKind.DESCRIPTION).strip() != text:
            return True
        # In a picture a word for a house of care names one: banners do, measurements do not.
        return any(fold(word) in words_of("institution") for word in _WORDS.findall(text)) or self._is_known(text)

    def _is_known(self, text: str) -> bool:
        """Tell whether a text has a known value in it, misread at most in part."""
        words = [fold(word) for word in _WORDS.findall(text)]
        forms = {normalized(text), *map(normalized, text.split())}
        return any(_alike(word, name) for word in words for name in self._names) or any(
            _alike(form, identifier) for form in forms for identifier in self._needles.identifiers
        )

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(name for name in self._needles.names if len(name) >= _SHORTEST)


def _alike(read: str, known: str) -> bool:
    """Tell whether one may be the other misread: one letter of six to eight, two of more.

    Shorter ones are too often words that differ by a letter; misread names that are no words the cleaning takes out.
    """
    if min(len(read), len(known)) < _SHORTEST:
        return False
    errors = 1 if len(known) < _LONG else 2
    if abs(len(read) - len(known)) > errors:
        return False
    return _distance(read, known, errors) <= errors


def _distance(first: str, second: str, most: int) -> int:
    """Return the edit distance of two short words, or a number above ``most``."""
    row = list(range(len(second) + 1))
    for index, letter in enumerate(first, 1):
        before, row[0] = row[0], index
        for at, other in enumerate(second, 1):
            before, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, before + (letter != other))
        if min(row) > most:
            return most + 1
    return row[-1]
