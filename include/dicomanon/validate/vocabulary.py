"""Words of the standard itself, so that a patient called Gray or Axial does not hold every image.

The rule: a known value that is a word of PS3.6 (attribute and UID names) or PS3.16 (meanings of coded concepts) is a
note, not a finding, *where the standard puts such words*: in an attribute that Table E.1-1 does not list and that is
a Code String, a part of a code, or a text. Anywhere else, and for names of more than one word, it is a finding.
"""

import re
from functools import cache
from itertools import pairwise

from pydicom._uid_dict import UID_dictionary
from pydicom.datadict import DicomDictionary

_WORD = re.compile(r"[^\W\d_]{3,}")
_LEGACY_SCHEMES = frozenset({"SRT", "SNM3", "99SDM"})
"""Designators that PS3.16 Table 8-1 has replaced and objects still carry."""


@cache
def technical_words() -> frozenset[str]:
    """Return the words of PS3.6 and PS3.16 in lower case; takes a second once per process, and only when needed."""
    from pydicom.sr._concepts_dict import concepts

    words: set[str] = set()
    for entry in DicomDictionary.values():
        words.update(_WORD.findall(entry[2].lower()))
    for name, *_ in UID_dictionary.values():
        words.update(_WORD.findall(name.lower()))
    for scheme in concepts.values():
        for codes in scheme.values():
            for meaning, _ in codes.values():
                words.update(_WORD.findall(meaning.lower()))
    return frozenset(words)


@cache
def anatomical_words() -> frozenset[str]:
    """Return the words that name a part of the body by themselves, as the context groups of PS3.16 have them."""
    from pydicom.sr._cid_dict import cid_concepts, name_for_cid
    from pydicom.sr._concepts_dict import concepts

    words: set[str] = set()
    for cid, name in name_for_cid.items():
        if "Anatom" not in name:
            continue
        for scheme, keywords in cid_concepts[cid].items():
            for keyword in keywords:
                meanings = [meaning for meaning, _ in concepts.get(scheme, {}).get(keyword, {}).values()]
                words.update(meaning.lower() for meaning in meanings if _WORD.fullmatch(meaning.lower()))
    return frozenset(words)


@cache
def standard_pairs() -> frozenset[tuple[str, str]]:
    """Return the pairs of words that stand side by side in PS3.6 and PS3.16: long axis, white matter."""
    from pydicom.sr._concepts_dict import concepts

    pairs: set[tuple[str, str]] = set()
    texts = [entry[2] for entry in DicomDictionary.values()]
    for scheme in concepts.values():
        for codes in scheme.values():
            texts.extend(meaning for meaning, _ in codes.values())
    for text in texts:
        for phrase in re.split(r"[^\w\s]", text.lower()):
            words = phrase.split()
            pairs.update(pair for pair in pairwise(words) if all(_WORD.fullmatch(word) for word in pair))
    return frozenset(pairs)


@cache
def standard_coding_schemes() -> frozenset[str]:
    """Return the designators of coding schemes that belong to no single site (PS3.16 section 8)."""
    from pydicom.sr._concepts_dict import concepts

    return frozenset(concepts) | _LEGACY_SCHEMES
