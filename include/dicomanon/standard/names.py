"""What people call attributes and SOP classes, and what the standard calls them."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from types import MappingProxyType

from pydicom._uid_dict import UID_dictionary
from pydicom.datadict import DicomDictionary, keyword_for_tag

from dicomanon.standard.confidentiality import confidentiality_by_tag
from dicomanon.standard.iods import iod_by_sop_class

_TAG = re.compile(r"\(?([0-9A-Fa-f]{4}),?\s?([0-9A-Fa-f]{4})\)?")


def keyword_of(tag: int) -> str:
    """Return the keyword of a public attribute, ``""`` if it has none; repeating groups included."""
    row = confidentiality_by_tag().get(tag)
    return (row.keyword if row else "") or str(keyword_for_tag(tag))


def tag_named(text: str) -> int | None:
    """Return the tag that a text names: ``0010,0010``, ``(0010,0010)``, ``00100010`` or a keyword in any case."""
    match = _TAG.fullmatch(text.strip())
    if match:
        return int(match[1] + match[2], 16)
    return _tags_by_keyword().get(text.strip().lower())


def attribute_named(text: str) -> int | None:
    """Return the tag that a person means: as :func:`tag_named`, and by name, ``Patient's Name``.

    Profiles name attributes by keyword or tag only, so that there is one way to write each.
    """
    tag = tag_named(text)
    return tag if tag is not None else _tags_by_name().get(_letters(text))


def similar_keywords(text: str) -> tuple[str, ...]:
    """Return keywords that somebody who typed this may have meant."""
    close = get_close_matches(text.strip().lower(), _tags_by_keyword(), n=3, cutoff=0.75)
    return tuple(keyword_of(_tags_by_keyword()[keyword]) for keyword in close)


def sop_class_named(text: str) -> str | None:
    """Return the UID of the SOP class that a text names: its UID, keyword or name, the last two in any case."""
    wanted = text.strip()
    return wanted if wanted in iod_by_sop_class() else _sop_classes_by_name().get(_plain(wanted))


def similar_sop_classes(text: str) -> tuple[str, ...]:
    """Return keywords of SOP classes that somebody who typed this may have meant."""
    close = get_close_matches(_plain(text), _sop_classes_by_name(), n=3, cutoff=0.6)
    return tuple(dict.fromkeys(sop_class_keyword(_sop_classes_by_name()[name]) for name in close))


def sop_class_keyword(uid: str) -> str:
    """Return the keyword of a SOP class, its UID if it has none."""
    entry = UID_dictionary.get(uid)
    return entry[4] if entry and entry[4] else uid


@cache
def _tags_by_keyword() -> Mapping[str, int]:
    tags = {entry[4].lower(): tag for tag, entry in DicomDictionary.items() if entry[4]}
    for tag, row in confidentiality_by_tag().items():
        if row.keyword:
            tags.setdefault(row.keyword.lower(), tag)
    return MappingProxyType(tags)


@cache
def _tags_by_name() -> Mapping[str, int]:
    tags: dict[str, int] = {}
    # A name that was given anew is that of the attribute in use.
    for tag, entry in sorted(DicomDictionary.items(), key=lambda one: one[1][3] == "Retired"):
        if entry[2]:
            tags.setdefault(_letters(entry[2]), tag)
    for tag, row in confidentiality_by_tag().items():
        if row.name:
            tags.setdefault(_letters(row.name), tag)
    return MappingProxyType(tags)


@cache
def _sop_classes_by_name() -> Mapping[str, str]:
    names = {}
    for uid in iod_by_sop_class():
        entry = UID_dictionary.get(uid)
        if entry:
            names[_plain(entry[0])] = names[_plain(entry[4])] = uid
    return MappingProxyType(names)


def _plain(name: str) -> str:
    """Return a name without what people leave out or write otherwise: case, blanks, dashes, the word Storage."""
    return _letters(name).removesuffix("storage")


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
