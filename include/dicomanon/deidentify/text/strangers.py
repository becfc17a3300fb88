"""Drops names of people whom the object does not mention elsewhere, by vocabulary and by how words stand together."""

# Texts have these characters, and so do the patterns that search them.
# ruff: noqa: RUF001

import re

from dicomanon.deidentify.text.contexts import words_of
from dicomanon.deidentify.text.reading import (
    END_OF_SENTENCE,
    FEWEST_OTHERS,
    LONGEST_NAME,
    NAMELIKE,
    SHORTEST_NAME,
    Reading,
)
from dicomanon.deidentify.text.tokens import EPONYM, LETTER, NUMBER, SHORT
from dicomanon.deidentify.text.vocabulary import (
    AMBIGUOUS,
    MEDICAL,
    NAME,
    RARE,
    UNKNOWN,
    WORD,
    given_names,
    surnames,
)
from dicomanon.profile.actions import TextKind

_SPACE = re.compile(r"[ \t_^-]{1,3}|-|")
_WRITTEN = frozenset({MEDICAL, WORD, RARE, AMBIGUOUS, SHORT})
_COMMA = re.compile(r"[ \t]?[,^][ \t]{0,2}")


def drop_unknown(reading: Reading) -> None:
    """Drop words that no vocabulary knows, and in technical texts only what is a name."""
    for index, token in enumerate(reading.tokens):
        if reading.kept[index] or reading.gone[index]:
            continue
        if reading.strict and token.kind in {UNKNOWN, NAME}:
            if not _is_eponym_of_nobody(reading, index):
                reading.drop(index)
        elif token.kind == NAME and not _has_noun(reading, index):
            reading.drop(index)


def _is_eponym_of_nobody(reading: Reading, index: int) -> bool:
    """Tell whether a word that we do not know is an eponym by the noun after it: "Rosai-Dorfman disease"."""
    for step in (1, 2):
        other = reading.at(index + step)
        if other is None or not re.fullmatch(r"[ \t]|-", reading.gap(index + step - 1)):
            return False
        if other.folded in words_of("any-eponym-head"):
            return not reading.beside(index, lambda near: reading.tokens[near].folded in given_names())
        if reading.gap(index + step - 1) != "-" or reading.known[index + step]:
            return False
    return False


def _has_noun(reading: Reading, index: int) -> bool:
    """Tell whether a name in a code's meaning is followed by the noun that makes it an eponym."""
    if reading.kind is not TextKind.CODE:
        return False
    after = reading.at(index + 1)
    return (
        after is not None
        and after.kind in {MEDICAL, WORD, RARE}
        and re.fullmatch(r"[ \t-]|['’]s ", reading.gap(index)) is not None
    )


def drop_institutions(reading: Reading) -> None:
    """Drop the names of hospitals before "hospital"."""
    mixed_case = any(token.kind in {WORD, RARE, MEDICAL} and token.text.islower() for token in reading.tokens)
    for index, token in enumerate(reading.tokens):
        if token.folded not in words_of("institution"):
            continue
        here = index - 1
        while here >= 0 and re.fullmatch(r"[ \t]|['’]s[ \t]|\.[ \t]|-", reading.gap(here)):
            other = reading.tokens[here]
            generic = other.folded in words_of("any-institution") or other.kind == MEDICAL
            named = other.kind in NAMELIKE or (other.kind in {WORD, RARE} and other.title and mixed_case)
            if generic or not other.capital or not named or reading.kept[here]:
                break
            reading.drop(here)
            here -= 1


def drop_full_names(reading: Reading) -> None:
    """Drop words that are names by how they stand together: "Baker, Rose", "Rose Baker", "R. Baker"."""
    for index in range(len(reading.tokens) - 1):
        second = index + 1
        if _parts_person(reading, index, second):
            reading.drop(index)
            reading.drop(second)
            continue
        while (
            second < len(reading.tokens) - 1
            and reading.tokens[second].folded in words_of("particle")
            and reading.gap(second) == " "
        ):
            second += 1
        if second > index + 1 and reading.gap(index) == " " and _is_full_name(reading, index, second, " "):
            for part in range(index, second + 1):
                reading.drop(part)


def _parts_person(reading: Reading, index: int, second: int) -> bool:
    first, other, gap = reading.tokens[index], reading.tokens[second], reading.gap(index)
    if reading.kept[index] or reading.kept[second]:
        return False
    if first.kind == LETTER:
        dotted = gap in {".", ". "} and not (index and reading.gap(index - 1) == ".")
        return dotted and first.upper and other.capital and other.kind in NAMELIKE and not reading.is_plain(second)
    if other.kind == LETTER:
        dotted = reading.gap(second).startswith(".") and other.upper
        surname = first.kind in NAMELIKE - {RARE} or first.kind == EPONYM or (first.kind == RARE and first.capital)
        return gap == ", " and dotted and first.capital and surname and not reading.is_plain(index)
    return _is_full_name(reading, index, second, gap)


def _is_full_name(reading: Reading, index: int, second: int, gap: str) -> bool:  # noqa: PLR0911 - one rule after the other
    """Tell whether two words are a given name and a surname, or the other way round."""
    first, other = reading.tokens[index], reading.tokens[second]
    if (
        first.upper != other.upper
        or not (first.capital and other.capital)
        or reading.kept[index]
        or reading.kept[second]
    ):
        return False
    comma = _COMMA.fullmatch(gap) is not None
    if not comma and _SPACE.fullmatch(gap) is None:
        return False
    if not reading.strict and first.kind == other.kind == UNKNOWN and not first.mixed and not other.mixed:
        long_enough = min(len(first.text), len(other.text)) > SHORTEST_NAME
        if (first.title and other.title and gap == " ") or (comma and long_enough):
            return True
    if (
        "^" in gap
        and first.kind in NAMELIKE
        and other.kind in NAMELIKE
        and not (reading.is_plain(index) or reading.is_plain(second))
    ):
        return True
    for given, family in ((other, first),) if comma else ((first, other), (other, first)):
        if (
            given.folded not in given_names()
            or given.kind not in {AMBIGUOUS, NAME}
            or len(given.folded) < SHORTEST_NAME
        ):
            continue
        if family.kind in {UNKNOWN, NAME} or (family.kind == AMBIGUOUS and family.folded in surnames()):
            return True
        if family.kind == EPONYM and (comma or given.kind == NAME):
            return True
    return False


def drop_misplaced(reading: Reading) -> None:
    """Drop words that may be names and are written unlike the words around them."""
    for index, token in enumerate(reading.tokens):
        may_be = token.kind == AMBIGUOUS or (token.kind == EPONYM and index == len(reading.tokens) - 1)
        if (
            not may_be
            or not token.title
            or reading.kept[index]
            or reading.is_plain(index)
            or token.folded in words_of("month")
            or token.mixed
        ):
            continue
        others = [
            other
            for at, other in enumerate(reading.tokens)
            if at != index and other.kind in _WRITTEN and len(other.text) > 1 and not other.mixed
        ]
        upper = sum(other.upper for other in others)
        lower = sum(other.text.islower() for other in others)
        if (len(others) >= FEWEST_OTHERS and upper == len(others)) or (
            not token.eponym
            and lower >= FEWEST_OTHERS
            and not reading.begins_sentence(index)
            and not any(other.title and not reading.begins_sentence(reading.tokens.index(other)) for other in others)
            and (token.folded in surnames() or token.folded in given_names())
        ):
            reading.drop(index)
    for index in range(len(reading.tokens) - 1):
        pair = (index, index + 1)
        unlike = all(
            reading.tokens[each].kind in {RARE, AMBIGUOUS} and reading.tokens[each].title and not reading.kept[each]
            and not reading.tokens[each].eponym and not reading.is_plain(each) and not reading.tokens[each].mixed
            for each in pair
        )  # fmt: skip
        if (
            unlike
            and reading.gap(index) == " "
            and not reading.begins_sentence(index)
            and not reading.capitalises_nouns(*pair)
        ):
            for each in pair:
                reading.drop(each)


def drop_belongings(reading: Reading) -> None:
    """Drop what has a capital after "employer": nobody needs to know it is a name."""
    for index, token in enumerate(reading.tokens):
        if token.folded not in words_of("belongs"):
            continue
        here = index + 1
        if here < len(reading.tokens) and reading.tokens[here].folded in {
            "at",
            "for",
            "bei",
            "chez",
            "in",
            "by",
            "en",
            "presso",
            "bij",
        }:
            here += 1
        while (
            here < min(len(reading.tokens), index + LONGEST_NAME + 2)
            and reading.tokens[here].title
            and not END_OF_SENTENCE.search(reading.gap(here - 1))
        ):
            reading.drop(here)
            here += 1


def drop_nothing_else(reading: Reading) -> None:
    """Drop a text that is nothing but a name, though each of its words could be a word."""
    words = [index for index, token in enumerate(reading.tokens) if token.kind not in {NUMBER, LETTER}]
    if not FEWEST_OTHERS <= len(words) <= SHORTEST_NAME or any(
        reading.kept[index] or reading.is_plain(index) for index in words
    ):
        return
    tokens = [reading.tokens[index] for index in words]
    alike = len({token.upper for token in tokens}) == 1 and all(token.capital for token in tokens)
    named = any(token.kind in {AMBIGUOUS, NAME} and token.folded in given_names() | surnames() for token in tokens)
    if alike and named and all(token.kind in NAMELIKE and not token.eponym for token in tokens):
        for index in words:
            reading.drop(index)
