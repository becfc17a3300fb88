"""Defined terms and codes: values out of lists, which leave only if they identify the patient."""

import re

from dicomanon.deidentify.text.folding import fold
from dicomanon.deidentify.text.known_values import Needles, normalized
from dicomanon.deidentify.text.vocabulary import MEDICAL, NAME, kind_of, radiology

# PS3.5 section 6.2, Code String; and codes of any scheme, which have no spaces and no separators of names.
_LISTED = re.compile(r"[A-Z0-9][A-Z0-9 _/.+-]{0,63}|[A-Za-z0-9(][\w:/.+()-]{0,255}")
_SHORTEST_IDENTIFIER = 4
_WORD = re.compile(r"[^\W\d_]+")


def is_listed_form(text: str) -> bool:
    """Tell whether a value looks like a defined term or a code; what does not is read as text."""
    return _LISTED.fullmatch(text) is not None


def identifies(text: str, needles: Needles) -> bool:
    """Tell whether a term is an identifier or a name of the patient, and no word of the standard."""
    form = normalized(text)
    if len(form) >= _SHORTEST_IDENTIFIER and form in needles.identifiers:
        return True
    return any(
        needles.is_name(word) and kind_of(word) != MEDICAL and word not in radiology()
        for word in _WORD.findall(fold(text))
    )


def is_name(text: str) -> bool:
    """Tell whether a term is nothing but somebody's name, which no list of the standard has."""
    words = _WORD.findall(fold(text))
    return bool(words) and all(
        len(word) >= _SHORTEST_IDENTIFIER and kind_of(word) == NAME and word not in radiology() for word in words
    )
