"""Reads the word lists of ``validate/data``: this room's own, so that no detection is shared with de-identification."""

import csv
from functools import cache
from importlib.resources import files
from io import StringIO


@cache
def read_words(name: str) -> dict[str, frozenset[str]]:
    """Return the words of ``validate/data/<name>.csv`` by their kind, in lower case."""
    text = files("dicomanon.validate").joinpath("data", f"{name}.csv").read_text(encoding="utf-8")
    words: dict[str, set[str]] = {}
    for row in csv.DictReader(StringIO(text, newline="")):
        words.setdefault(row["kind"], set()).update(row["words"].lower().split())
    return {kind: frozenset(found) for kind, found in words.items()}
