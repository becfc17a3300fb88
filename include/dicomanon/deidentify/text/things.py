"""Tells where a word that may be a name is the thing: an eponym with its noun, a unit, half of a term."""

# Texts have these characters, and so do the patterns that search them.
# ruff: noqa: RUF001

import re

from dicomanon.deidentify.text.contexts import words_of
from dicomanon.deidentify.text.reading import (
    DESCRIBING,
    Reading,
)
from dicomanon.deidentify.text.tokens import LETTER, NUMBER, Token
from dicomanon.deidentify.text.vocabulary import (
    MEDICAL,
    NAME,
    RARE,
    UNKNOWN,
    WORD,
    are_a_pair,
    eponyms,
)


def is_thing(reading: Reading, index: int) -> bool:  # noqa: PLR0911 - one rule after the other
    """Tell whether the words beside it make a word that may be a name the word, the unit or the eponym."""
    token = reading.tokens[index]
    if token.kind in {NUMBER, LETTER}:
        return False
    if token.kind in DESCRIBING and not reading.known[index]:
        return False
    folded, before, after = token.folded, reading.at(index - 1), reading.at(index + 1)
    if reading.known[index] and not token.eponym and _names_with_neighbour(reading, index):
        return False
    after = after if after and re.fullmatch(r"[ \t]{1,2}|-|['’]?s?[ \t]|_|/", reading.gap(index)) else None
    before = before if before and re.fullmatch(r"[ \t]{1,2}|-|_|/", reading.gap(index - 1)) else None
    if before and before.folded in words_of("title") and not before.upper:
        return False
    if folded in {"gray", "grays"} and before and before.kind == NUMBER:
        return True
    if after and _is_pair(reading, folded, after):
        return True
    if before and _is_pair(reading, before.folded, token, first=before):
        return True
    if before and before.eponym and folded in eponyms().get(before.folded, ()):
        return True
    return token.eponym and _is_eponym(reading, index, folded, before, after)


def _names_with_neighbour(reading: Reading, index: int) -> bool:
    """Tell whether another word of a known name stands beside, and both are no term: "long head" is one."""
    folded = reading.tokens[index].folded
    before, after = reading.at(index - 1), reading.at(index + 1)
    if before and reading.known[index - 1] and reading.near(index - 1):
        return not are_a_pair(before.folded, folded)
    if after and reading.known[index + 1] and reading.near(index):
        return not are_a_pair(folded, after.folded)
    return False


def _is_pair(reading: Reading, folded: str, second: Token, first: Token | None = None) -> bool:
    other = first or second
    if other.folded in words_of("stop") or other.kind in {LETTER, NUMBER, NAME, UNKNOWN}:
        return other.eponym and are_a_pair(folded, second.folded)
    return are_a_pair(folded, second.folded)


def _is_eponym(reading: Reading, index: int, folded: str, before: Token | None, after: Token | None) -> bool:
    heads = eponyms().get(folded, frozenset()) | words_of("head")
    for step in (1, 2):
        other = reading.at(index + step)
        if other is None or not re.fullmatch(r"[ \t]{1,2}|-|_", reading.gap(index + step - 1)):
            break
        if other.folded in heads:
            return True
        if step == 1 and other.kind not in {MEDICAL, WORD, RARE} and not other.eponym:
            break
    if after and after.eponym and (reading.gap(index) == "-" or after.folded in heads):
        return True
    if before and before.eponym and reading.gap(index - 1) == "-":
        return True
    if before and before.folded in words_of("head-before"):
        return True
    earlier = reading.at(index - 2)
    return bool(
        before
        and (before.folded == "of" or before.folded in words_of("particle"))
        and earlier
        and (earlier.folded in words_of("head-before") or earlier.folded in heads)
    )
