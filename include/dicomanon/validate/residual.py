"""Judges every place where a known value or an identifying pattern stands: leak, coincidence, or our own value.

A known value found in the bytes is a finding unless one of these holds, and each is narrow:

* it lies within the object's own pseudonym, or the profile keeps the attribute as it is;
* it is a date, and another known date plus the patient's shift gives the same day: ``known-value-by-chance``, a note;
* it lies in bulk data that form it by chance: the same note;
* it is, or lies in, a word of the standard where the standard puts such words (see
  :mod:`dicomanon.validate.vocabulary`), or it is a word of medicine where it stands in a text that the profile cleans
  rather than removes (see :mod:`dicomanon.validate.context`): ``known-value-technical-word``, a note.

This is the search of the bytes; that of decoded text is in :mod:`dicomanon.validate.residual_text`, that of dates and
ages in :mod:`dicomanon.validate.residual_dates`.
"""

import bisect
from collections import Counter
from typing import Final

from dicomanon.validate.allowed import AllowedAttributes, AllowedHere
from dicomanon.validate.chance import is_chance
from dicomanon.validate.elements import DATA_START, Element, Part10
from dicomanon.validate.findings import Expected, FindingsBuilder
from dicomanon.validate.judging import BY_CHANCE, Judge, known
from dicomanon.validate.residual_dates import DateSearch
from dicomanon.validate.residual_text import EMBEDDED_LENGTH, Place, TextSearch
from dicomanon.validate.search import Hit, KnownValueSearch, is_whole
from dicomanon.validate.text import TEXT_VRS, TextView
from dicomanon.validate.variants import Kind

_STRING_VRS: Final = TEXT_VRS | {"DA", "DS", "DT", "IS", "TM", "UI"}
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
        here: AllowedHere,
        findings: FindingsBuilder,
    ) -> None:
        self._data = data
        self._parsed = parsed
        self._text = text
        self._expected = expected
        self._search = search
        self._here = here
        self._judge = Judge(data, parsed, text, expected, search, allowed, here, findings)
        self._in_text = TextSearch(self._judge)
        self._of_dates = DateSearch(self._judge)

    def run(self) -> None:
        """Add every finding of known values and patterns."""
        body_is_file = self._parsed.body is self._data
        elements = self._parsed.meta + self._parsed.elements if body_is_file else self._parsed.meta
        # Compressed or not, the bytes as stored are searched; inflated ones as well.
        self._search_bytes(self._data, elements)
        if not body_is_file:
            self._search_bytes(self._parsed.body, self._parsed.elements)
        self._in_text.search_known_values()
        self._of_dates.search_dates()
        self._in_text.search_patterns()
        self._of_dates.search_ages()

    def _search_bytes(self, data: bytes, elements: list[Element]) -> None:
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
            if element is not None and self._defer(data, hit, element):
                continue
            rule = self._judge_bytes(data, hit, element)
            if rule is not None:
                place = element.place if element is not None else _outside(hit, index, len(values))
                self._judge.count(rule, hit.value, place)

    def _defer(self, data: bytes, hit: Hit, element: Element) -> bool:
        """Leave a hit in a cleaned text for later, when all that is known of the text is together."""
        if data is not self._parsed.body or hit.width != 1 or hit.kind is Kind.DATE:
            return False
        index = self._text.index_of(element)
        if index is None or not self._judge.is_cleaned(element):
            return False
        # In ASCII, places among the bytes are places in the text.
        value = self._text.values[index]
        start, end = hit.start - element.start, hit.end - element.start
        if not value.isascii():
            written = data[hit.start : hit.end].decode("latin-1").lower()
            before = data[element.start : hit.start].decode("latin-1").lower().count(written)
            start = -1
            for _ in range(before + 1):
                start = self._text.lowered[index].find(written, start + 1)
            end = start + len(written)
            if start < 0:
                return False
        if is_whole(data, hit) and not self._is_ours(data, hit, element) and not _is_embedded(data, hit, element):
            self._in_text.note(index, Place(start, end, hit.kind, hit.value))
        return True

    def _judge_bytes(self, data: bytes, hit: Hit, element: Element | None) -> str | None:
        """Return the rule that a hit breaks, or None where it says nothing."""
        if element is None:
            by_chance = not is_whole(data, hit) or is_chance(data, hit, 0, len(data))
            return None if by_chance else known(hit.kind)
        if element.vr in _STRING_VRS:
            return self._judge_string(data, hit, element)
        if self._here.keeps(element):
            return None
        return BY_CHANCE if is_chance(data, hit, element.start, element.length) else known(hit.kind)

    def _judge_string(self, data: bytes, hit: Hit, element: Element) -> str | None:
        # Byte-swapped text is sought where words are swapped: in bulk data. In strings it would be found in numbers.
        if hit.swapped or not is_whole(data, hit) or self._is_ours(data, hit, element):
            return None
        if hit.kind is Kind.DATE and (element.vr in ("DA", "DT") or (hit.width == 1 and self._has_text(data, element))):
            # Dates in date elements and in text are judged by themselves, with the patient's shift.
            return None
        if hit.kind is Kind.TEXT and hit.width == 1 and _is_embedded(data, hit, element):
            return None
        word = _word_around(data, hit, element) if hit.width == 1 else ""
        written = data[hit.start : hit.end].decode("latin-1").lower()
        return self._judge.rule_for(hit.kind, word, written, element)

    def _has_text(self, data: bytes, element: Element) -> bool:
        return data is self._parsed.body and self._text.index_of(element) is not None

    def _is_ours(self, data: bytes, hit: Hit, element: Element) -> bool:
        if self._here.keeps(element):
            return True
        pseudonym = self._expected.pseudonym.encode("latin-1", "replace")
        at = data.find(pseudonym, element.start, element.start + element.length)
        return bool(pseudonym) and at >= 0 and at <= hit.start and hit.end <= at + len(pseudonym)


def _outside(hit: Hit, index: int, elements: int) -> str:
    """Name a place that is in no element's value."""
    if hit.start < DATA_START:
        return "preamble"
    return "after the last element" if index == elements - 1 else "between elements"


def _is_embedded(data: bytes, hit: Hit, element: Element) -> bool:
    """Whether a short name is only a piece from the middle of a longer word."""
    if hit.end - hit.start >= EMBEDDED_LENGTH or hit.start == element.start:
        return False
    return data[hit.start - 1 : hit.start].isalpha() and data[hit.end : hit.end + 1].isalpha()


def _word_around(data: bytes, hit: Hit, element: Element) -> str:
    start, end, stop = hit.start, hit.end, element.start + element.length
    while start > element.start and data[start - 1 : start].isalnum():
        start -= 1
    while end < stop and data[end : end + 1].isalnum():
        end += 1
    return data[start:end].decode("latin-1").lower()
