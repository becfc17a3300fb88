"""Drops what the object itself says about persons, places and numbers."""

# Texts have these characters, and so do the patterns that search them.
# ruff: noqa: RUF001

import re

from dicomanon.deidentify.text.contexts import words_of
from dicomanon.deidentify.text.known_values import normalized
from dicomanon.deidentify.text.reading import (
    FEWEST_OTHERS,
    LONGEST_NAME,
    SHORTEST_NAME,
    Reading,
)
from dicomanon.deidentify.text.tokens import LETTER, NUMBER, SHORT
from dicomanon.deidentify.text.vocabulary import (
    MEDICAL,
    NAME,
    RARE,
    UNKNOWN,
    WORD,
    radiology,
)
from dicomanon.profile.actions import TextKind

# Digits as letters, twice because a one is an l or an i.
_READINGS = (str.maketrans("015348", "olseab"), str.maketrans("015348", "oiseab"))
_COMMA = re.compile(r"[ \t]?[,^][ \t]{0,2}")
_MOST_GROUPS = 5
_LONGEST_SPELLED = 16


def drop_known(reading: Reading) -> None:
    """Drop the words of known names that no term needs."""
    for index, token in enumerate(reading.tokens):
        if not reading.known[index] or reading.kept[index]:
            continue
        if reading.beside(index, lambda other: reading.known[other] and not reading.is_plain(other)) or _full_known(
            reading, index
        ):
            reading.drop(index)
        elif len(token.folded) < SHORTEST_NAME:
            if token.kind in {UNKNOWN, NAME} or (token.kind == SHORT and token.title):
                reading.drop(index)
        elif token.folded in words_of("stop"):
            if token.title and index and not reading.begins_sentence(index):
                reading.drop(index)
        elif not (reading.is_plain(index) and _is_in_phrase(reading, index)):
            reading.drop(index)


def drop_parted(reading: Reading) -> None:
    """Drop known names that are written in pieces: "Gil-dong", "S m i t h"."""
    names = reading.needles.names
    for first, token in enumerate(reading.tokens):
        if token.kind == NUMBER or not names:
            continue
        joined = token.folded
        for last in range(first + 1, min(first + _LONGEST_SPELLED, len(reading.tokens))):
            if not re.fullmatch(r"[ \t.-]|['’]|\. |_", reading.gap(last - 1)) or reading.tokens[last].kind == NUMBER:
                break
            joined += reading.tokens[last].folded
            if len(joined) >= LONGEST_NAME - 1 and joined in names:
                for index in range(first, last + 1):
                    reading.drop(index)


def _full_known(reading: Reading, index: int) -> bool:
    """Tell whether a known name stands by another of the same person, be both ordinary words."""
    before = reading.at(index - 1)
    if before and before.kind == LETTER and before.upper and reading.gap(index - 1) in {".", ". "}:
        return True
    if reading.tokens[index].text.endswith(("'s", "’s")):
        return True
    return any(
        0 <= other < len(reading.tokens)
        and reading.known[other]
        and (
            _COMMA.fullmatch(gap)
            or "^" in gap
            or (gap == " " and reading.tokens[other].title and reading.tokens[index].title)
        )
        for other, gap in ((index - 1, reading.gap(index - 1)), (index + 1, reading.gap(index)))
    )


def _is_in_phrase(reading: Reading, index: int) -> bool:
    """Tell whether the words around make a technical word one of theirs: "HEAD CT", "LEFT HAND"."""
    token, before, after = reading.tokens[index], reading.at(index - 1), reading.at(index + 1)
    gap = reading.gap(index)
    if after and re.fullmatch(r"[ \t]{1,2}|[-_/&+]|[ \t][/&+-][ \t]", gap) and not reading.known[index + 1]:
        joined = (
            after.folded in words_of("side") or after.kind in {MEDICAL, SHORT, NUMBER} or after.folded in radiology()
        )
        alike = token.upper == after.upper or not token.title or after.kind == NUMBER or len(after.text) < SHORTEST_NAME
        if joined and alike:
            return True
    if not before or not re.fullmatch(r"[ \t]{1,2}|[-_/&+,]|[ \t][/&+-][ \t]|,[ \t]", reading.gap(index - 1)):
        return False
    if reading.known[index - 1] and reading.gone[index - 1]:
        return False
    lists = reading.kind is TextKind.LABEL and before.kind == MEDICAL and len(reading.tokens) <= FEWEST_OTHERS
    joins = lists or before.folded in words_of("modality") or before.folded in words_of("side")
    return joins and (not token.title or before.title or not before.upper or len(before.text) < SHORTEST_NAME)


def drop_identifiers(reading: Reading) -> None:
    """Drop known identifiers, whatever parts their groups."""
    identifiers = reading.needles.identifiers
    if not identifiers or (
        reading.needles.identifiers_have_digits
        and not any(token.kind == NUMBER or token.mixed for token in reading.tokens)
    ):
        return
    for first in range(len(reading.tokens)):
        joined = ""
        for last in range(first, min(first + _MOST_GROUPS * 2, len(reading.tokens))):
            if last > first and not re.fullmatch(r"[ \t]?[-_./#]?[ \t]?", reading.gap(last - 1)):
                break
            joined += reading.tokens[last].folded
            form = normalized(joined)
            if len(form) >= SHORTEST_NAME and form in identifiers and _may_be_identifier(reading, first, last):
                for index in range(first, last + 1):
                    reading.drop(index)
    for index, token in enumerate(reading.tokens):
        if token.kind == NUMBER and len(token.text) > LONGEST_NAME and token.text.lstrip("0") in identifiers:
            reading.drop(index)
        elif token.mixed and token.kind != NUMBER:
            _drop_misread(reading, index)


def _may_be_identifier(reading: Reading, first: int, last: int) -> bool:
    # A word that is an identifier by chance, as a station called "CT", is none.
    return first != last or reading.tokens[first].kind not in {MEDICAL, WORD, RARE}


def _drop_misread(reading: Reading, index: int) -> None:
    """Drop a name with digits for letters, as character recognition or a hurry makes them."""
    raw = reading.tokens[index].raw
    group = [other for other, token in enumerate(reading.tokens) if token.raw == raw] if index < 1 << 12 else [index]
    written = reading.text[reading.tokens[group[0]].start : reading.tokens[group[-1]].end].lower()
    for letters in _READINGS:
        read = written.translate(letters)
        if read in reading.needles.names and len(read) >= SHORTEST_NAME:
            for other in group:
                reading.drop(other)


def drop_whole_places(reading: Reading) -> None:
    """Drop known places that are written out: a "St. Ward Medical Center" has no word of its own."""
    places = reading.needles.whole_places
    longest = max(map(len, places), default=0)
    for first in range(len(reading.tokens)):
        joined = ""
        for last in range(first, len(reading.tokens)):
            joined += reading.tokens[last].folded
            if len(joined) > longest:
                break
            if joined in places:
                for index in range(first, last + 1):
                    reading.drop(index)


def drop_places(reading: Reading) -> None:
    """Drop words of known places: those that say which, and their neighbours from the same places."""
    places, words = reading.needles.places, reading.needles.place_words
    index = 0
    while index < len(reading.tokens):
        last = index
        while last < len(reading.tokens) and reading.tokens[last].folded in words:
            last += 1
            if last < len(reading.tokens) and not reading.near(last - 1):
                break
        telling = [other for other in range(index, last) if reading.tokens[other].folded in places]
        alone = [other for other in telling if places[reading.tokens[other].folded] and not reading.kept[other]]
        if last - index > 1 and telling and _names_place(reading, index, last, telling):
            for other in range(index, last):
                reading.drop(other)
        else:
            for other in alone:
                reading.drop(other)
        index = max(last, index + 1)


def _names_place(reading: Reading, first: int, last: int, telling: list[int]) -> bool:
    """Tell whether words that a place has too, side by side, are its name and no phrase."""
    if any(reading.needles.places[reading.tokens[index].folded] for index in telling):
        return True
    institution = any(reading.tokens[index].folded in words_of("institution") for index in range(first, last))
    return institution or last - first > FEWEST_OTHERS
