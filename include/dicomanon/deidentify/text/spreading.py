"""Lets what belongs to a dropped name go with it: initials, particles, the other names, the title."""

# Texts have these characters, and so do the patterns that search them.
# ruff: noqa: RUF001

from dicomanon.deidentify.text.contexts import words_of
from dicomanon.deidentify.text.reading import (
    AFTER_TITLE,
    END_OF_SENTENCE,
    LONGEST_NAME,
    NAMELIKE,
    NEAR,
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


def spread(reading: Reading) -> None:
    """Let what stands beside a dropped name and may be part of it go too."""
    changed = True
    rounds = 0
    while changed and rounds < LONGEST_NAME:
        changed = False
        rounds += 1
        for index in range(len(reading.tokens)):
            if not reading.gone[index] or reading.tokens[index].kind == NUMBER:
                continue
            for other in (index - 1, index + 1, *_beyond_particles(reading, index)):
                if 0 <= other < len(reading.tokens) and not reading.gone[other] and _goes_with(reading, other, index):
                    reading.drop(other)
                    changed = True


def _beyond_particles(reading: Reading, gone: int) -> list[int]:
    """Return the words of "van den Berg" after a given name that went."""
    if reading.tokens[gone].kind not in {NAME, UNKNOWN} or not reading.tokens[gone].capital:
        return []
    last = gone + 1
    while (
        last < len(reading.tokens)
        and reading.gap(last - 1) == " "
        and reading.tokens[last].folded in words_of("particle")
    ):
        last += 1
    end = reading.at(last)
    if last == gone + 1 or end is None or reading.gap(last - 1) != " " or not end.capital or reading.kept[last]:
        return []
    if end.kind not in NAMELIKE or reading.is_plain(last):
        return []
    for index in range(gone + 1, last + 1):
        reading.drop(index)
    return []


def _goes_with(reading: Reading, other: int, gone: int) -> bool:  # noqa: PLR0911, PLR0912 - one rule after the other
    gap = reading.gap(min(other, gone))
    token, name = reading.tokens[other], reading.tokens[gone]
    if not NEAR.fullmatch(gap) or reading.kept[other]:
        return False
    if END_OF_SENTENCE.search(gap) and LETTER not in {token.kind, name.kind}:
        return False
    if reading.known[other] and len(token.folded) < SHORTEST_NAME:
        return reading.known[gone]
    if token.kind == LETTER:
        return _is_initial(reading, other, gone, gap)
    if token.folded in words_of("particle"):
        if other > gone:
            return False
        strong = token.folded in words_of("strong-particle") or (token.folded in reading.needles.names)
        return gap == " " and (strong or (other > 0 and reading.gone[other - 1] and reading.near(other - 1)))
    if "," in gap and token.kind not in NAMELIKE and token.kind != EPONYM:
        return False
    if gap == "-" and token.text.islower() and name.kind in {UNKNOWN, NAME} and other > gone:
        return token.kind in NAMELIKE or (token.kind != MEDICAL and len(token.text) <= LONGEST_NAME)
    if name.kind == LETTER or not token.capital or token.folded in words_of("month"):
        return False
    if token.kind in {AMBIGUOUS, RARE}:
        alike = token.upper == name.upper
        if reading.known[gone] and "^" not in gap and "," not in gap and gap != "-":
            # The rest of a person's name is known too: what else stands there is most likely a word.
            alike = alike and (token.folded in given_names() or (name.folded in given_names() and other > gone))
        if token.kind == RARE and name.kind in {RARE, AMBIGUOUS} and not reading.known[gone]:
            return False
        return alike and not reading.is_plain(other)
    if token.kind == EPONYM:
        return name.kind == NAME and token.upper == name.upper
    if token.kind == UNKNOWN:
        return name.folded in given_names() or reading.known[gone] or gap in {"^", "-"}
    if token.kind != WORD or token.folded in words_of("stop"):
        return False
    if gap in {"^", "-"} and name.kind in {NAME, UNKNOWN}:
        return token.title or gap == "^"
    if token.title and gap == " " and not reading.begins_sentence(other) and not reading.capitalises_nouns(other):
        return name.kind in {NAME, UNKNOWN} and name.title
    # A surname that is an ordinary word, after a given name that is only one.
    return token.title and other == gone + 1 and gap == " " and name.kind == NAME and name.folded in given_names()


def _is_initial(reading: Reading, other: int, gone: int, gap: str) -> bool:  # noqa: PLR0911 - one rule after the other
    token = reading.tokens[other]
    if reading.tokens[gone].kind == LETTER:
        return False
    if reading.known[gone] and token.folded in reading.needles.initials and gap in {"_", ".", "-", "^"}:
        return True
    if reading.known[gone] and other < gone and token.folded == "o" and gap in {" ", "'", "’"}:
        return True
    if not token.upper:
        return False
    if other < gone:
        return gap.startswith(".") or (other > 0 and reading.gone[other - 1] and gap == " ")
    following = reading.gap(other)
    if gap.startswith((",", "^")):
        return True
    if gap == " " and other + 1 < len(reading.tokens) and reading.gone[other + 1] and reading.near(other):
        return True
    return gap == " " and following[:1] == "." and reading.known[gone]


def drop_titles(reading: Reading) -> None:
    """Drop titles whose names went."""
    for index, token in enumerate(reading.tokens):
        if token.folded not in words_of("title") or reading.gone[index]:
            continue
        nearest = index + 1
        while nearest < len(reading.tokens) and reading.tokens[nearest].folded in words_of("title"):
            nearest += 1
        if nearest < len(reading.tokens) and reading.gone[nearest] and AFTER_TITLE.fullmatch(reading.gap(index)):
            if token.upper and not reading.gap(index).startswith(".") and token.folded in words_of("modality"):
                continue
            reading.drop(index)
            for between in range(index, nearest):
                reading.drop(between)
