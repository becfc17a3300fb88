"""Judges every place where a known value or an identifying pattern stands: leak, coincidence, or our own value.

A known value found in the bytes is a finding unless one of these holds, and each is narrow:

* it lies within the object's own pseudonym, or an option of the profile keeps the attribute as it is;
* it is a date in a DA or DT element and equals another known date plus the patient's shift: counted as
  ``known-value-by-chance``, a note;
* it lies in bulk data that form it by chance: the same note;
* it is, or lies in, a word of the standard where the standard puts such words: ``known-value-technical-word``, a note
  (see :mod:`dicomanon.validate.vocabulary`).
"""

import bisect
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from typing import Final

from dicomanon.standard.confidentiality import confidentiality_by_tag
from dicomanon.standard.dictionary import dictionary_vrs
from dicomanon.standard.tables import parse_tag
from dicomanon.validate.allowed import AllowedAttributes
from dicomanon.validate.chance import is_chance
from dicomanon.validate.elements import DATA_START, Element, Part10
from dicomanon.validate.findings import Expected, FindingsBuilder
from dicomanon.validate.patterns import find_patterns
from dicomanon.validate.search import Hit, KnownValueSearch, TextHit, is_whole
from dicomanon.validate.text import TEXT_VRS, TextView
from dicomanon.validate.variants import Kind
from dicomanon.validate.vocabulary import standard_coding_schemes, technical_words

_STRING_VRS: Final = TEXT_VRS | {"DA", "DS", "DT", "IS", "TM", "UI"}
_CODE_VALUES: Final = frozenset(parse_tag(tag) for tag in ("0008,0100", "0008,0119", "0008,0120"))
_CODE_PARTS: Final = _CODE_VALUES | frozenset(parse_tag(tag) for tag in ("0008,0102", "0008,0103", "0008,0104"))
_CODING_SCHEME: Final = parse_tag("0008,0102")
_DEIDENTIFICATION_METHOD: Final = parse_tag("0012,0063")
_EMBEDDED_LENGTH: Final = 8
"""Shorter names that stand in the middle of a longer word (art in department) are not sought there."""
_DATE_LENGTH: Final = 8
_MAX_JUDGED: Final = 64
"""Where a value stands more often in one element, all its places are leaks or all are chance."""


class ResidualCheck:
    """The judgement of one object."""

    def __init__(
        self,
        data: bytes,
        parsed: Part10,
        text: TextView,
        expected: Expected,
        search: KnownValueSearch,
        allowed: AllowedAttributes,
    ) -> None:
        self._data = data
        self._parsed = parsed
        self._text = text
        self._expected = expected
        self._search = search
        self._allowed = allowed
        self._counted: set[tuple[str, int, str]] = set()
        self._schemes: dict[int, str] | None = None

    def add_to(self, findings: FindingsBuilder) -> None:
        """Add every finding of known values and patterns."""
        body_is_file = self._parsed.body is self._data
        elements = self._parsed.meta + self._parsed.elements if body_is_file else self._parsed.meta
        # Compressed or not, the bytes as stored are searched; inflated ones as well.
        self._search_bytes(self._data, elements, findings)
        if not body_is_file:
            self._search_bytes(self._parsed.body, self._parsed.elements, findings)
        self._search_words(findings)
        self._search_dates(findings)
        self._search_patterns(findings)

    # -- bytes --------------------------------------------------------------------------------------------------------

    def _search_bytes(self, data: bytes, elements: list[Element], findings: FindingsBuilder) -> None:
        hits = self._search.scan(data)
        if not hits:
            return
        values = [element for element in elements if element.vr != "SQ" and element.length]
        starts = [element.start for element in values]
        judged: Counter[tuple[int, int]] = Counter()
        for hit in hits:
            index = bisect.bisect_right(starts, hit.start) - 1
            judged[hit.value, index] += 1
            if judged[hit.value, index] > _MAX_JUDGED:
                continue
            element = values[index] if index >= 0 else None
            if element is not None and hit.start >= element.start + element.length:
                element = None
            rule = self._judge_bytes(data, hit, element)
            if rule is not None:
                place = element.place if element is not None else _outside(hit, index, len(values))
                self._count(findings, rule, hit.value, place)

    def _judge_bytes(self, data: bytes, hit: Hit, element: Element | None) -> str | None:
        """Return the rule that a hit breaks, or None where it says nothing."""
        if element is None:
            by_chance = not is_whole(data, hit) or is_chance(data, hit, 0, len(data))
            return None if by_chance else _rule(hit.kind)
        if element.vr in _STRING_VRS:
            return self._judge_string(data, hit, element)
        if element.tag in self._allowed.kept:
            return None
        return _BY_CHANCE if is_chance(data, hit, element.start, element.length) else _rule(hit.kind)

    def _judge_string(self, data: bytes, hit: Hit, element: Element) -> str | None:
        # Byte-swapped text is sought where words are swapped: in bulk data. In strings it would be found in numbers.
        if hit.swapped or not is_whole(data, hit) or self._is_ours(data, hit, element):
            return None
        if element.vr in ("DA", "DT") and hit.kind is Kind.DATE:
            # Dates in date elements are judged by themselves, with the patient's shift.
            return None
        if hit.kind is Kind.TEXT and hit.width == 1 and _is_embedded(data, hit, element):
            return None
        word = _word_around(data, hit, element) if hit.width == 1 else ""
        return self._judge_text(hit.kind, word, data[hit.start : hit.end].decode("latin-1").lower(), element)

    def _is_ours(self, data: bytes, hit: Hit, element: Element) -> bool:
        if element.tag in self._allowed.kept:
            return True
        pseudonym = self._expected.pseudonym.encode("latin-1", "replace")
        at = data.find(pseudonym, element.start, element.start + element.length)
        return bool(pseudonym) and at >= 0 and at <= hit.start and hit.end <= at + len(pseudonym)

    # -- decoded text -------------------------------------------------------------------------------------------------

    def _search_words(self, findings: FindingsBuilder) -> None:
        text = self._text
        for hit in self._search.words(text.joined):
            element = text.elements[text.at(hit.start)]
            self._judge_word(
                findings, hit, element, text.word_around(hit.start, hit.end), text.joined[hit.start : hit.end]
            )
        for element, value in zip(text.elements, text.values, strict=True):
            if len(value) <= _DATE_LENGTH and value.isdecimal():
                whole = self._search.whole_value(value)
                if whole is not None:
                    self._judge_word(findings, whole, element, value, value)

    def _judge_word(self, findings: FindingsBuilder, hit: TextHit, element: Element, word: str, written: str) -> None:
        if element.tag in self._allowed.kept or element.vr == "AS" or word == self._expected.pseudonym.lower():
            return
        self._count(findings, self._judge_text(hit.kind, word, written, element), hit.value, element.place)

    def _judge_text(self, kind: Kind, word: str, written: str, element: Element) -> str:
        if _is_technical_attribute(element):
            if element.tag in _CODE_VALUES and kind is not Kind.UID and self._in_standard_code(element):
                return _TECHNICAL
            if kind is Kind.TEXT and (written in technical_words() or word in technical_words()):
                return _TECHNICAL
        return _rule(kind)

    def _in_standard_code(self, element: Element) -> bool:
        if self._schemes is None:
            body = self._parsed.body
            self._schemes = {
                part.item: body[part.start : part.start + part.length].decode("latin-1").strip(" \0")
                for part in self._parsed.elements
                if part.tag == _CODING_SCHEME
            }
        return self._schemes.get(element.item, "") in standard_coding_schemes()

    # -- dates --------------------------------------------------------------------------------------------------------

    def _search_dates(self, findings: FindingsBuilder) -> None:
        body = self._parsed.body
        for element in self._parsed.elements:
            if element.vr not in ("DA", "DT") or not element.length or element.tag in self._allowed.kept:
                continue
            value = body[element.start : element.start + element.length].decode("latin-1")
            for date in _dates(value):
                index = self._search.date(date)
                if index is not None:
                    rule = _BY_CHANCE if self._is_shifted(date) else _rule(Kind.DATE)
                    self._count(findings, rule, index, element.place)

    def _is_shifted(self, date: str) -> bool:
        shift = self._expected.date_shift_days
        if not shift:
            return False
        try:
            original = datetime.strptime(date, "%Y%m%d") - timedelta(days=shift)
        except (ValueError, OverflowError):
            return False
        return self._search.date(f"{original:%Y%m%d}") is not None

    # -- patterns -----------------------------------------------------------------------------------------------------

    def _search_patterns(self, findings: FindingsBuilder) -> None:
        text = self._text
        for rule, position, matched in find_patterns(text.joined):
            element = text.elements[text.at(position)]
            if rule == "pattern-uid" and (matched.startswith("2.25.") or matched.startswith("1.2.840.10008.")):
                continue
            if rule == "pattern-person-name" and (element.vr == "PN" or element.tag in _CODE_PARTS):
                continue
            if rule == "pattern-date" and _holds_version(element.tag):
                continue
            if element.tag in _CODE_VALUES or element.tag in self._allowed.kept:
                continue
            findings.add(rule, element.place)

    def _count(self, findings: FindingsBuilder, rule: str, value: int, place: str) -> None:
        """Count a value once per place, however many forms of it match there."""
        key = (rule, value, place)
        if key not in self._counted:
            self._counted.add(key)
            findings.add(rule, place)


_TECHNICAL: Final = "known-value-technical-word"
_BY_CHANCE: Final = "known-value-by-chance"


def _rule(kind: Kind) -> str:
    return f"known-{kind}"


def _outside(hit: Hit, index: int, elements: int) -> str:
    """Name a place that is in no element's value."""
    if hit.start < DATA_START:
        return "preamble"
    return "after the last element" if index == elements - 1 else "between elements"


def _dates(value: str) -> Iterator[str]:
    """Yield the dates of a DA or DT value, of all its values and of both ends of a range (PS3.5 section 6.2)."""
    for single in value.split("\\"):
        for part in single.split("-"):
            date = part.strip(" \0").replace(".", "")[:_DATE_LENGTH]
            if len(date) == _DATE_LENGTH and date.isdecimal():
                yield date


def _is_embedded(data: bytes, hit: Hit, element: Element) -> bool:
    """Whether a short name is only a piece from the middle of a longer word."""
    if hit.end - hit.start >= _EMBEDDED_LENGTH or hit.start == element.start:
        return False
    return data[hit.start - 1 : hit.start].isalpha() and data[hit.end : hit.end + 1].isalpha()


def _word_around(data: bytes, hit: Hit, element: Element) -> str:
    start, end, stop = hit.start, hit.end, element.start + element.length
    while start > element.start and data[start - 1 : start].isalnum():
        start -= 1
    while end < stop and data[end : end + 1].isalnum():
        end += 1
    return data[start:end].decode("latin-1").lower()


@cache
def _is_technical_attribute_tag(tag: int, vr: str) -> bool:
    if tag >> 16 & 1 or tag not in dictionary_vrs() or tag in confidentiality_by_tag():
        return False
    return vr in ("CS", "LO", "SH", "UC", "UT", "LT", "ST")


def _is_technical_attribute(element: Element) -> bool:
    """Whether the standard puts words of its own here: not in Table E.1-1, public, and no name or address."""
    return _is_technical_attribute_tag(element.tag, element.vr)


@cache
def _holds_version(tag: int) -> bool:
    """Whether an attribute is a version by its name in PS3.6: software and coding schemes are versioned by date."""
    from pydicom.datadict import dictionary_description

    try:
        return "Version" in dictionary_description(tag) or tag == _DEIDENTIFICATION_METHOD
    except KeyError:
        return False
