"""Takes a text apart into words, numbers and what parts them."""
# Texts have these characters, and so do the patterns that search them.
# ruff: noqa: RUF001

import re
from dataclasses import dataclass

from dicomanon.deidentify.text.contexts import eponyms_alone, words_of
from dicomanon.deidentify.text.folding import MARKS, fold
from dicomanon.deidentify.text.vocabulary import AMBIGUOUS, MEDICAL, NAME, PROPER, RARE, UNKNOWN, WORD, eponyms, kind_of

NUMBER, LETTER, SHORT, EPONYM = "d", "i", "x", "e"
"""Digits, a single letter, an abbreviation without a meaning that we know, an eponym that means the thing."""

_EAST_ASIAN = "぀-ヿ㐀-鿿가-힣\uf900-\ufaff"
_LETTER_OR_DIGIT = rf"(?:[^\W_{_EAST_ASIAN}]|[{MARKS}])"
_RAW = re.compile(rf"{_LETTER_OR_DIGIT}+(?:['’`´ʼ]{_LETTER_OR_DIGIT}+)*")
_LETTER = rf"(?:[^\W\d]|[{MARKS}])"
_PIECE = re.compile(rf"\d+|{_LETTER}+(?:['’`´ʼ]{_LETTER}+)*")
_CAMEL = re.compile(
    r"(?<=[a-zß-öø-ÿ])(?=[A-ZÀ-ÖØ-Þ][A-ZÀ-ÖØ-Þ]|[A-ZÀ-ÖØ-Þ][a-zß-öø-ÿ])|(?<=[A-Z])(?=[A-Z][a-z]{2})|(?<=[a-z]{3})(?=[A-Z])"
)
_NO_SPLIT = re.compile(r"(?:Mc|Mac|De|Di|Da|Le|La|Van|Von|Du|Des|Fitz|O)[A-Z]")
_APOSTROPHE = re.compile(r"['’`´ʼ]")
_VOWELS = frozenset("aeiouyαεηιουωаеиоуыэюя")
_ENDINGS = frozenset(["t", "ll", "re", "ve", "d", "m", "s"])
_LONGEST_ABBREVIATION = 6
_SHORT_PIECE = 3


@dataclass(slots=True)
class Token:
    """A word or number of a text.

    Attributes
    ----------
    start, end
        Where it is.
    text
        As written.
    folded
        Without case, diacritics, elided article and possessive.
    kind
        What it is by itself.
    raw
        Number of the stretch of letters and digits that it is part of.
    mixed
        Whether that stretch has letters and digits.
    eponym
        Whether it is one.
    """

    start: int
    end: int
    text: str
    folded: str
    kind: str
    raw: int
    mixed: bool = False
    eponym: bool = False

    @property
    def upper(self) -> bool:
        """Tell whether it is written in capitals."""
        return self.text.isupper()

    @property
    def title(self) -> bool:
        """Tell whether it has a capital first and others not."""
        return self.text[:1].isupper() and not self.text.isupper()

    @property
    def capital(self) -> bool:
        """Tell whether it begins with a capital."""
        return self.text[:1].isupper()


def tokens_of(text: str) -> list[Token]:
    """Return the words and numbers of a text, without those in scripts that do not part words."""
    found: list[Token] = []
    for raw, match in enumerate(_RAW.finditer(text)):
        start, stretch = match.start(), match[0]
        if stretch.isdecimal():
            found.append(Token(start, match.end(), stretch, stretch, NUMBER, raw))
            continue
        pieces = list(_PIECE.finditer(stretch))
        mixed = len(pieces) > 1
        for piece in pieces:
            for first, last in _words(piece[0]):
                word = piece[0][first:last]
                at = start + piece.start() + first
                found.append(_token(at, word, raw, mixed))
    return found


def _words(piece: str) -> list[tuple[int, int]]:
    """Return the words of what is written together in CamelCase."""
    if piece[0].isdecimal() or piece.islower() or piece.isupper() or piece.istitle() or _NO_SPLIT.match(piece):
        return [(0, len(piece))]
    if meaning(piece)[1] != UNKNOWN:
        return [(0, len(piece))]
    cuts = [match.start() for match in _CAMEL.finditer(piece)]
    return list(zip([0, *cuts], [*cuts, len(piece)], strict=True))


def _token(start: int, word: str, raw: int, mixed: bool) -> Token:
    end = start + len(word)
    if word.isdecimal():
        return Token(start, end, word, word, NUMBER, raw, mixed)
    folded, kind = meaning(word)
    eponym = folded in eponyms() or folded in eponyms_alone() or kind == PROPER
    if kind == PROPER or (folded in eponyms_alone() and kind in {UNKNOWN, NAME, AMBIGUOUS, WORD, RARE}):
        kind = EPONYM
    elif mixed and len(word) <= _SHORT_PIECE and kind == UNKNOWN:
        kind = SHORT
    return Token(start, end, word, folded, kind, raw, mixed, eponym)


def meaning(word: str) -> tuple[str, str]:  # noqa: PLR0911 - one rule after the other
    """Return a word as it is compared, and what it is."""
    parts = _APOSTROPHE.split(word)
    if len(parts) > 1:
        first, last = fold(parts[0]), fold(parts[-1])
        if last in _ENDINGS and len(first) > 1:
            folded, kind = meaning("".join(parts[:-1]))
            return folded, kind if last == "s" or kind in {MEDICAL, WORD, RARE} else WORD
        if first in words_of("elision") and len(parts) == 2 and len(last) > 1:  # noqa: PLR2004
            folded, kind = meaning(parts[1])
            if kind not in {UNKNOWN, NAME}:
                return folded, kind
        folded = fold("".join(parts))
        kind = kind_of(folded)
        return folded, kind if kind in {NAME, MEDICAL} else UNKNOWN
    folded = fold(word)
    if len(folded) <= 1:
        return folded, LETTER
    kind = kind_of(folded)
    if kind != UNKNOWN:
        return folded, kind
    if len(folded) == 2:  # noqa: PLR2004
        return folded, UNKNOWN if word.istitle() else SHORT
    if word[-1] == "s" and word[:-1].isupper() and kind_of(folded[:-1]) == MEDICAL:
        return folded, MEDICAL
    if folded[-1] == "s" and kind_of(folded[:-1]) == MEDICAL:
        return folded, WORD
    # Only scripts with capitals have the vowels that abbreviations leave out.
    if len(folded) <= _LONGEST_ABBREVIATION and not _VOWELS & set(folded) and word.lower() != word.upper():
        return folded, SHORT
    return folded, UNKNOWN
