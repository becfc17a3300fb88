"""Drops what titles, roles, "by" and degrees show to be a person."""

# Texts have these characters, and so do the patterns that search them.
# ruff: noqa: RUF001

import re

from dicomanon.deidentify.text.contexts import words_of
from dicomanon.deidentify.text.reading import (
    AFTER_TITLE,
    LONGEST_NAME,
    NAMELIKE,
    SHORTEST_NAME,
    Reading,
)
from dicomanon.deidentify.text.tokens import EPONYM, LETTER, NUMBER
from dicomanon.deidentify.text.vocabulary import (
    AMBIGUOUS,
    MEDICAL,
    NAME,
    RARE,
    UNKNOWN,
    WORD,
    given_names,
)

_AFTER_ROLE = re.compile(r"[ \t]{0,2}[:=#/-]?[ \t]{0,3}|_|\^|\.[ \t]{0,2}")


def drop_after_titles(reading: Reading) -> None:
    """Drop names after titles and roles of staff or family."""
    for index, token in enumerate(reading.tokens):
        if token.folded not in words_of("title"):
            continue
        gap = reading.gap(index)
        if not AFTER_TITLE.fullmatch(gap):
            continue
        abbreviation = len(token.text) < SHORTEST_NAME + 1
        # MR, MS, DR, PR are modalities and diseases too.
        surely = not abbreviation or not token.upper or gap.startswith(".")
        _drop_name_at(reading, index + 1, surely and (token.capital or gap.startswith(".")))
    for index, token in enumerate(reading.tokens):
        if token.folded not in words_of("role"):
            continue
        if _AFTER_ROLE.fullmatch(reading.gap(index)):
            _drop_name_at(reading, index + 1, False)
        if index and _is_whose(reading, index - 1):
            reading.drop(index - 1)


def _is_whose(reading: Reading, index: int) -> bool:
    """Tell whether a word is the name of somebody who has the relative behind it: "Autumn's mother"."""
    token = reading.tokens[index]
    return (
        token.text.endswith(("'s", "’s"))
        and reading.gap(index) == " "
        and token.capital
        and (token.kind in NAMELIKE or token.kind == EPONYM)
    )


def _drop_name_at(reading: Reading, index: int, surely: bool) -> None:
    """Drop the words of a name that begins at an index; ``surely`` if what comes first is one whatever it is."""
    first, dropped, particles = index, 0, []
    while index < len(reading.tokens) and index - first < LONGEST_NAME:
        token, gap = reading.tokens[index], reading.gap(index - 1)
        if index > first and not re.fullmatch(r"[ \t]{1,2}|\.[ \t]{0,2}|-|['’]|_|\^|,[ \t]?", gap):
            break
        if dropped and gap.startswith(".") and reading.tokens[index - 1].kind != LETTER:
            break
        if (
            index > first
            and "," in gap
            and not (token.kind in NAMELIKE and token.capital and _is_given(reading, index))
        ):
            break
        if token.folded in words_of("title"):
            index += 1
            continue
        if token.folded in words_of("particle") and (following := reading.at(index + 1)) and following.capital:
            particles.append(index)
            index += 1
            continue
        if token.kind == LETTER and token.upper:
            if not (reading.gap(index).startswith(".") or _is_namelike_at(reading, index + 1)):
                break
        elif not _belongs_to_name(reading, index, surely, dropped, bool(particles)):
            break
        reading.drop(index)
        for particle in particles:
            reading.drop(particle)
        particles = []
        dropped += 1
        index += 1


def _belongs_to_name(reading: Reading, index: int, surely: bool, dropped: int, after_particle: bool) -> bool:  # noqa: PLR0911 - one rule after the other
    """Tell whether a word is part of a name of which so many words went already."""
    token = reading.tokens[index]
    if token.kind == NUMBER:
        return False
    if reading.known[index] or reading.gone[index]:
        return True
    if not dropped and surely and token.capital:
        return True
    if reading.kept[index] and dropped:
        return False
    before = reading.tokens[index - 1]
    if dropped and before.kind == LETTER and reading.gap(index - 1).startswith(".") and token.title:
        return True
    goes_on = after_particle or (
        dropped > 0 and before.kind in {UNKNOWN, NAME} and not reading.capitalises_nouns(index)
    )
    namelike = token.kind in NAMELIKE or token.kind == EPONYM or (token.kind == WORD and goes_on and token.title)
    if not namelike or (reading.is_plain(index) and not surely):
        return False
    if token.kind in {RARE, AMBIGUOUS} and not dropped and not token.capital:
        return token.kind == AMBIGUOUS
    return token.capital or not dropped or reading.tokens[index - 1].text.islower()


def _is_given(reading: Reading, index: int) -> bool:
    token = reading.tokens[index]
    return token.folded in given_names() or token.kind == UNKNOWN


def _is_namelike_at(reading: Reading, index: int) -> bool:
    token = reading.at(index)
    return token is not None and token.kind in NAMELIKE and token.capital


def drop_after_by(reading: Reading) -> None:
    """Drop names after "by", "for", "contact" and the like."""
    mixed_case = any(token.kind in {WORD, RARE, MEDICAL} and not token.upper for token in reading.tokens)
    for index, token in enumerate(reading.tokens):
        is_by = token.folded in words_of("by")
        if not is_by and token.folded not in words_of("for"):
            continue
        after = reading.at(index + 1)
        if (
            after is None
            or not re.fullmatch(r"[ \t]{1,2}|[ \t]?:[ \t]?|\.[ \t]", reading.gap(index))
            or reading.kept[index + 1]
        ):
            continue
        before = reading.at(index - 1)
        of_person = token.folded == "by" and before is not None and before.folded in words_of("verb")
        if after.kind == EPONYM and not of_person:
            continue
        if after.folded in words_of("month") or (reading.is_plain(index + 1) and not of_person):
            continue
        if of_person or (mixed_case and after.capital and after.kind == AMBIGUOUS and not after.eponym):
            _drop_name_at(reading, index + 1, False)
    for index, token in enumerate(reading.tokens):
        if token.folded in words_of("verb") and re.fullmatch(r"[ \t]?[:=-][ \t]?", reading.gap(index)):
            _drop_name_at(reading, index + 1, False)


def drop_before_suffixes(reading: Reading) -> None:
    """Drop names before degrees, and the degrees."""
    for index, token in enumerate(reading.tokens):
        if token.folded not in words_of("suffix") or not token.capital or index == 0:
            continue
        if not re.fullmatch(r",?[ \t]{1,2}|,", reading.gap(index - 1)):
            continue
        here = index - 1
        while here >= 0 and index - here < LONGEST_NAME:
            other = reading.tokens[here]
            if (
                not (other.kind in NAMELIKE or other.kind == LETTER or reading.gone[here])
                or not other.capital
                or reading.kept[here]
            ):
                break
            reading.drop(here)
            if here and not re.fullmatch(r"[ \t]|\.[ \t]?|-", reading.gap(here - 1)):
                break
            here -= 1
        if reading.gone[index - 1]:
            reading.drop(index)
