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
_MARKED = re.compile(r"[̀-ͯ]")
_EAST_ASIAN = re.compile(r"[぀-ヿ㐀-鿿가-힣\uf900-\ufaff]")


@lru_cache(maxsize=1 << 16)
def fold(word: str) -> str:
    """Return a word in lower case without diacritics; kana, hangul and ideographs keep their marks."""
    if word.isascii():
        return word.lower()
    word = unicodedata.normalize("NFKC", word).casefold()
    if not _EAST_ASIAN.search(word):
        word = _MARKED.sub("", unicodedata.normalize("NFKD", word)).translate(_SINGLE)
    return word


def loosely(folded: str) -> str:
    """Return a folded word without what transcription adds: ``mueller`` and ``muller`` are one."""
    return _UMLAUTS.sub(lambda match: match[0][0], folded)
