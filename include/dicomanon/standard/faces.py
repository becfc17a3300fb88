"""Where a face may be in a volume: by the words of descriptions and by the codes of anatomic regions."""

import re
import unicodedata
from collections.abc import Mapping
from functools import cache, lru_cache
from types import MappingProxyType

from dicomanon.standard.tables import read_table

HEAD = "head"
NECK = "neck"
"""The lower half of a face is often in the picture."""
WHOLE = "whole"
"""More than a trunk, or an examination that begins at the head as a rule."""
AWAY = "away"
"""Somewhere else."""
_IGNORED = "ignored"

_NOT_LETTERS = re.compile(r"[\W\d_]+")


@lru_cache(maxsize=4096)
def regions_named(text: str) -> frozenset[str]:
    """Return which of ``HEAD``, ``NECK``, ``WHOLE`` and ``AWAY`` the words of a text speak of.

    Case, accents and digits do not matter. Phrases that speak of something else ("femoral head") are not counted.
    """
    words = f" {_folded(text)} "
    table = _words()
    for phrase in table.get((_IGNORED, "phrase"), ()):
        words = words.replace(f" {phrase} ", " ")
    return frozenset(region for (region, match), entries in table.items() if _has(words, match, entries)) - {_IGNORED}


def _has(words: str, match: str, entries: tuple[str, ...]) -> bool:
    if match == "part":
        return any(entry in words for entry in entries)
    end = "" if match == "start" else " "
    return any(f" {entry}{end}" in words for entry in entries)


def _folded(text: str) -> str:
    bare = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    # Hangul comes apart with the accents and is put together again.
    return _NOT_LETTERS.sub(" ", unicodedata.normalize("NFC", bare)).strip()


@cache
def _words() -> Mapping[tuple[str, str], tuple[str, ...]]:
    table: dict[tuple[str, str], list[str]] = {}
    for row in read_table("face_words"):
        table.setdefault((row["region"], row["match"]), []).append(_folded(row["word"]))
    return MappingProxyType({key: tuple(entries) for key, entries in table.items()})


@cache
def region_codes() -> Mapping[str, str]:
    """Return the region of a code value of SNOMED CT, or of SNOMED RT; the two cannot be mixed up."""
    return MappingProxyType({row["code_value"]: row["region"] for row in read_table("face_regions")})
