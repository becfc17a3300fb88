"""Words that say what the words beside them are, by role; a table."""

import csv
from functools import cache
from importlib.resources import files

from dicomanon.deidentify.text.folding import fold
from dicomanon.deidentify.text.vocabulary import listed


@cache
def words_of(role: str) -> frozenset[str]:
    """Return the folded words that play a role.

    Roles: ``modality``, ``side`` (what stands before a part of the body), ``title``, ``role`` (of staff), ``suffix``
    (what stands after a name), ``by`` and ``for`` (what stands before one), ``verb`` (before ``by``), ``particle``,
    ``strong-particle`` (one that is no word elsewhere), ``stop``, ``month``, ``institution``, ``any-institution``,
    ``head`` (noun of an eponym), ``head-before`` (such a noun in front), ``any-eponym-head``, ``belongs`` (before a
    firm), ``no-name`` (in name attributes), ``generic-place`` (what all addresses share), ``elision``,
    ``month-or-word``.
    """
    text = files("dicomanon.deidentify.text").joinpath("data", "context_words.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return frozenset(fold(word) for row in rows if row["role"] == role for word in row["words"].split())


@cache
def eponyms_alone() -> frozenset[str]:
    """Return eponyms that mean the thing without its noun."""
    return frozenset(listed("eponyms_alone.txt"))
