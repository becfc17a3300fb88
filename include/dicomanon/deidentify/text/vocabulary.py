"""What words mean: a vocabulary of medicine and of several languages, names, and pairs of words from terminologies."""
# Texts have these characters, and so do the patterns that search them.

import csv
import lzma
from bisect import bisect_right
from functools import cache, lru_cache
from importlib.resources import files

from dicomanon.deidentify.text.folding import fold, loosely

MEDICAL, WORD, RARE, PROPER, AMBIGUOUS, NAME, UNKNOWN = "m", "w", "r", "p", "a", "n", "u"
"""A technical or medical word, a word of a language, a rare one, a name that terms have, a word that is also a name,
only a name, none of these."""

_STEP = 2048
_SHORTEST_PIECE = 4
_SHORTEST_STEM = 6
_SHORTEST_GLUED = 3
_SHORTEST_COMPOUND = 8
_MOST_PIECES = 4
_LONGEST_WORD = 60
_LONGEST_GLUED = 24
_SHORTEST_WITH_SUFFIX = 8


class _Lines:
    """Sorted lines of text searched in place: half a million strings would take ten times the memory."""

    def __init__(self, name: str) -> None:
        packed = files("dicomanon.deidentify.text").joinpath("data", name).read_bytes()
        self._data = b"\n" + lzma.decompress(packed)
        self._starts = [0]
        position = _STEP
        while position < len(self._data) - 1:
            position = self._data.index(b"\n", position)
            if position < len(self._data) - 1:
                self._starts.append(position)
            position += _STEP
        self._firsts = [self._data[start + 1 : self._data.index(b"\n", start + 1)] for start in self._starts]

    def find(self, line: str, ending: bytes) -> bytes | None:
        """Return what follows ``line`` and ``ending`` up to the end of its line."""
        sought = line.encode() + ending
        at = bisect_right(self._firsts, sought + b"\xff") - 1
        if at < 0:
            return None
        stop = self._starts[at + 1] + 1 if at + 1 < len(self._starts) else len(self._data)
        found = self._data.find(b"\n" + sought, self._starts[at], stop)
        if found < 0:
            return None
        start = found + 1 + len(sought)
        return self._data[start : self._data.index(b"\n", start)] if ending == b"\t" else b""


@cache
def _words() -> _Lines:
    return _Lines("words.xz")


@cache
def _pairs() -> _Lines:
    return _Lines("pairs.xz")


@cache
def _meanings() -> _Lines:
    return _Lines("meanings.xz")


def is_meaning(text: str) -> bool:
    """Tell whether a text is, letter by letter, the meaning of a code of PS3.16 or a name of PS3.6."""
    return _meanings().find(text, b"\n") is not None


def listed(name: str) -> list[str]:
    """Return the words of a list of ours, folded."""
    text = files("dicomanon.deidentify.text").joinpath("data", name).read_text(encoding="utf-8")
    return [fold(word) for line in text.splitlines() if not line.startswith("#") for word in line.split()]


@cache
def _affixes(kind: str) -> tuple[str, ...]:
    """Return beginnings or endings of words, folded.

    Kinds: ``prefix`` and ``suffix`` of medical words, ``inflected-suffix`` before the endings of adjectives, ``link``
    between the parts of German and Dutch words, ``surname-suffix``, which ends no medical compound, ``place-suffix``.
    """
    text = files("dicomanon.deidentify.text").joinpath("data", "affixes.csv").read_text(encoding="utf-8")
    return tuple(fold(row["affix"]) for row in csv.DictReader(text.splitlines()) if row["kind"] == kind)


@cache
def radiology() -> frozenset[str]:
    """Return the words of radiology that we list ourselves."""
    return frozenset(listed("medical.txt"))


@cache
def given_names() -> frozenset[str]:
    """Return common given names, whether or not they are words too."""
    return frozenset(listed("given_names.txt") + listed("census_given_names.txt"))


@cache
def surnames() -> frozenset[str]:
    """Return common surnames, whether or not they are words too."""
    return frozenset(listed("surnames.txt") + listed("census_surnames.txt"))


@cache
def eponyms() -> dict[str, frozenset[str]]:
    """Return eponyms and the words that follow each."""
    text = files("dicomanon.deidentify.text").joinpath("data", "eponyms.csv").read_text(encoding="utf-8")
    return {
        fold(row["eponym"]): frozenset(fold(head) for head in row["heads"].split())
        for row in csv.DictReader(text.splitlines())
    }


@lru_cache(maxsize=1 << 16)
def are_a_pair(first: str, second: str) -> bool:
    """Tell whether a terminology has one folded word right before the other."""
    return _pairs().find(f"{first} {second}", b"\n") is not None


@lru_cache(maxsize=1 << 16)
def kind_of(folded: str) -> str:
    """Return what a folded word is."""
    if len(folded) > _LONGEST_WORD:
        return UNKNOWN
    return _entry(folded) or _entry(loosely(folded)) or _derived(folded)


def _entry(folded: str) -> str:
    found = _words().find(folded, b"\t")
    return found.decode() if found else ""


def is_listed(folded: str) -> bool:
    """Tell whether a folded word is in the vocabulary as it is, be it as a name."""
    return bool(_entry(folded))


def ends_like_place(folded: str) -> bool:
    """Tell whether a word ends as towns do: a compound such as Wolkenstein is one where a place is told."""
    return folded.endswith(_affixes("place-suffix"))


def _is_word(folded: str) -> bool:
    return _entry(folded) in {MEDICAL, WORD, RARE}


@cache
def _stems() -> frozenset[str]:
    return frozenset(_stem(word) for word in radiology() if len(word) >= _SHORTEST_STEM)


def _stem(folded: str) -> str:
    """Return a word without what adjectives and nouns of the Romance and Germanic languages end in."""
    return folded.rstrip("aeiosnmry")


def _derived(folded: str) -> str:
    if len(folded) > _SHORTEST_STEM and len(stem := _stem(folded)) >= _SHORTEST_STEM and stem in _stems():
        return WORD
    if len(folded) >= _SHORTEST_WITH_SUFFIX and (
        folded.endswith(_affixes("suffix")) or folded.rstrip("enrmsaoi").endswith(_affixes("inflected-suffix"))
    ):
        return MEDICAL
    for prefix in _affixes("prefix"):
        rest = folded[len(prefix) :]
        if folded.startswith(prefix) and len(rest) >= _SHORTEST_PIECE and _is_word(rest):
            return RARE
    if len(folded) >= _SHORTEST_COMPOUND and _is_compound(folded):
        return MEDICAL
    if 2 * _SHORTEST_GLUED < len(folded) <= _LONGEST_GLUED and _is_glued(folded):
        return MEDICAL
    return UNKNOWN


def _is_compound(folded: str) -> bool:
    """Tell whether a word is put together as in German or Dutch, from words of which one is of radiology."""
    if folded.endswith(_affixes("surname-suffix")):
        return False
    ours = radiology()
    for at in range(_SHORTEST_PIECE, len(folded) - _SHORTEST_PIECE + 1):
        first, rest = folded[:at], folded[at:]
        for link in ("", *_affixes("link")):
            if link and not first.endswith(link):
                continue
            stem = first[: len(first) - len(link)]
            if len(stem) < _SHORTEST_PIECE:
                continue
            if (stem in ours and _is_word(rest)) or (rest in ours and _is_word(stem)):
                return True
    return False


def _is_glued(folded: str, pieces: int = _MOST_PIECES) -> bool:
    """Tell whether words of radiology are written without the spaces between them, as labels do."""
    ours = radiology()
    if len(folded) >= _SHORTEST_GLUED and folded in ours:
        return True
    return pieces > 1 and any(
        folded[:at] in ours and _is_glued(folded[at:], pieces - 1)
        for at in range(_SHORTEST_GLUED, len(folded) - _SHORTEST_GLUED + 1)
    )
