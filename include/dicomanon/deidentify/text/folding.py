"""Reduces words to what they have in common across case, diacritics and the ways to write without them."""
# Texts have these characters, and so do the patterns that search them.
# ruff: noqa: RUF001

import re
import unicodedata
from functools import lru_cache

# Letters that are no base letter with a mark, as people write them who do not have them.
_SINGLE = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ŀ": "l", "ħ": "h", "ə": "e"}
)
_UMLAUTS = re.compile(r"(?<=[^aeq])ue|^ue|ae|oe")
# Accents, and the points that Hebrew and Arabic words are mostly written without.
_POINTS = "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf-\u05c2\u0610-\u061a\u064b-\u065f\u0670"
_MARKED = re.compile(f"[{_POINTS}]")
BRAHMIC = "\u0900-\u0963\u0966-\u109f\u1780-\u17d3"
"""Scripts of South and South-East Asia, whose vowels are marks that ``\\w`` does not match; many part no words."""
MARKS = _POINTS + BRAHMIC
"""What ``[^\\W\\d_]`` leaves out of words."""
_FULL_WIDTH = {0xFEE0 + character: character for character in range(0x21, 0x7F)}
_EAST_ASIAN = re.compile(r"[぀-ヿ㐀-鿿가-힣\uf900-\ufaff]")


def fold(word: str) -> str:
    """Return a word in lower case without diacritics; kana, hangul and ideographs keep their marks."""
    return word.lower() if word.isascii() else _without_marks(word)


@lru_cache(maxsize=1 << 12)
def _without_marks(word: str) -> str:
    word = unicodedata.normalize("NFKC", word).casefold()
    if not _EAST_ASIAN.search(word):
        word = _MARKED.sub("", unicodedata.normalize("NFKD", word)).translate(_SINGLE)
    return word


def legible(text: str) -> str:
    """Return a text as it is read: letters with their marks as one, no wide ones, and nothing that is not seen.

    A soft hyphen or a zero-width space hides a name from a search, not from a reader.
    """
    if text.isascii():
        return text
    composed = unicodedata.normalize("NFC", text).translate(_FULL_WIDTH)
    return "".join([character for character in composed if unicodedata.category(character) != "Cf"])


def loosely(folded: str) -> str:
    """Return a folded word without what transcription adds: ``mueller`` and ``muller`` are one."""
    return _UMLAUTS.sub(lambda match: match[0][0], folded)
