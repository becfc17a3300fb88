"""Judges known values and identifying patterns in decoded text: names are words where all around says so."""

import re
from functools import cache
from typing import Final, NamedTuple

from dicomanon.standard.confidentiality import text_attributes
from dicomanon.standard.tables import parse_tag
from dicomanon.validate.allowed import CLEAN_DESCRIPTORS, FULL_DATES, MODIFIED_DATES
from dicomanon.validate.context import are_protocol_words, is_bare_label, is_name_like, is_part_of_word, is_term
from dicomanon.validate.elements import Element
from dicomanon.validate.judging import CODE_PARTS, CODE_VALUES, TECHNICAL, Judge, is_document, known
from dicomanon.validate.patterns import find_patterns
from dicomanon.validate.search import TextHit, is_whole
from dicomanon.validate.variants import Kind

EMBEDDED_LENGTH: Final = 8
"""Shorter names that stand in the middle of a longer word (art in department) are not sought there."""
_DATE_LENGTH: Final = 8
_LONG_TEXT: Final = frozenset({"LT", "ST", "UT"})
_DEIDENTIFICATION_METHOD: Final = parse_tag("0012,0063")
_OUR_UIDS: Final = ("2.25.", "1.2.840.10008.")
_HL7_UIDS: Final = re.compile(r"2\.16\.840\.1\.113883\.(?:1|2|5|6)\.")
"""What HL7 registers, as every clinical document names it; the arcs of organisations (3, 4) are not among them."""
_SCHEMA_HOSTS: Final = re.compile(r"https?://(?:www\.w3\.org|ns\.adobe\.com|purl\.org|snomed\.info|loinc\.org)/")
_TITLED_NAME: Final = re.compile(
    r"(?<![^\W_])(?:(?:Dr|Prof|Mrs|Ms|Mr|Miss|Herr|Frau|Mme|Señora?|Sra?|Dott|Doctor|Dokter|Docteur)(?:\.\s*|\s+)"
    r"|(?:DR|PROF|MRS|MR)\.\s*)(?:[A-Z]\.\s*)*(?P<name>[A-ZÀ-ÖØ-Þ][^\W\d_]+)"
)


class Place(NamedTuple):
    """Where a known value stands in the text of an element."""

    start: int
    end: int
    kind: Kind
    value: int


class TextSearch:
    """The search of one object's text.

    Parameters
    ----------
    judge
        Of the object.
    """

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._text = judge.text
        self._search = judge.search
        self._here = judge.here
        self._allowed = judge.allowed
        self._pseudonym = judge.expected.pseudonym.lower()
        self._places: dict[int, list[Place]] = {}

    def note(self, index: int, place: Place) -> None:
        """Keep a place in a cleaned text for :meth:`search_known_values`, when all that is known of it is together.

        Parameters
        ----------
        index
            Of the text in the object's :class:`~dicomanon.validate.text.TextView`.
        """
        self._places.setdefault(index, []).append(place)

    def search_known_values(self) -> None:
        """Count every known value in the text, the places noted before among them."""
        self._search_documents()
        self._search_words()
        self._judge_places()

    def _search_documents(self) -> None:
        """Seek long values in the text from inside documents; short ones and patterns are sought in all text."""
        for index, element in enumerate(self._text.elements):
            if not is_document(element):
                continue
            text = self._text.lowered[index]
            # Letters that a document places one by one come with blanks between them.
            for written in (text, re.sub(r"\s+", "", text)):
                encoded = written.encode()
                for hit in self._search.scan(encoded):
                    if hit.width != 1 or hit.swapped or not is_whole(encoded, hit) or hit.kind is Kind.DATE:
                        continue
                    if written is text and text.isascii():
                        self.note(index, Place(hit.start, hit.end, hit.kind, hit.value))
                    elif written is text or hit.end - hit.start >= EMBEDDED_LENGTH:
                        word = self._search.is_one_word(hit.value) and encoded[hit.start : hit.end].decode() in text
                        if not (word and written is not text):
                            self._judge.count(known(hit.kind), hit.value, element.place)

    def _search_words(self) -> None:
        text = self._text
        for hit in self._search.words(text.joined):
            index = text.at(hit.start)
            element = text.elements[index]
            if self._judge.is_cleaned(element):
                offset = text.start_of(index)
                self.note(index, Place(hit.start - offset, hit.end - offset, hit.kind, hit.value))
                continue
            self._judge_word(hit, element, text.word_around(hit.start, hit.end), text.joined[hit.start : hit.end])
        for element, value in zip(text.elements, text.values, strict=True):
            if len(value) <= _DATE_LENGTH and value.isdecimal():
                whole = self._search.whole_value(value)
                if whole is not None:
                    self._judge_word(whole, element, value, value)

    def _judge_places(self) -> None:
        """Judge known values in cleaned texts: names are words where all that stands around them says so."""
        for index, places in self._places.items():
            element, text = self._text.elements[index], self._text.lowered[index]
            spans = [(place.start, place.end) for place in places if not self._is_harmless_number(place, element)]
            for place in places:
                word = _word_in(text, place.start, place.end)
                if word == self._pseudonym:
                    continue
                written = text[place.start : place.end]
                rule = self._judge.rule_for(place.kind, word, written, element)
                if rule == known(Kind.TEXT) and self._search.is_one_word(place.value):
                    others = [span for span in spans if span != (place.start, place.end)]
                    term = is_part_of_word(word, written) or is_term(text, place.start, place.end, others)
                    if term or (element.tag in _labels() and is_bare_label(text, written)):
                        rule = TECHNICAL
                self._judge.count(rule, place.value, element.place)

    def _is_harmless_number(self, place: Place, element: Element) -> bool:
        return self._judge.rule_for(place.kind, "", "", element) == TECHNICAL

    def _judge_word(self, hit: TextHit, element: Element, word: str, written: str) -> None:
        if self._here.keeps(element) or element.vr == "AS" or word == self._pseudonym:
            return
        self._judge.count(self._judge.rule_for(hit.kind, word, written, element), hit.value, element.place)

    # -- patterns -----------------------------------------------------------------------------------------------------

    def search_patterns(self) -> None:
        """Add what looks like an identifier, whoever's it may be."""
        text, findings = self._text, self._judge.findings
        for rule, position, matched in find_patterns(text.joined):
            index = text.at(position)
            element = text.elements[index]
            if element.tag in CODE_VALUES or self._here.keeps(element):
                continue
            start = position - text.start_of(index)
            written = text.values[index][start : start + len(matched)] if text.values[index].isascii() else matched
            if not self._is_harmless(rule, written, element):
                findings.add(rule, element.place)
        for element, value in zip(text.elements, text.values, strict=True):
            if element.vr == "PN" or element.tag in CODE_PARTS or self._here.keeps(element):
                continue
            for match in _TITLED_NAME.finditer(value):
                if is_name_like(match["name"].lower()):
                    findings.add("pattern-titled-name", element.place)

    def _is_harmless(self, rule: str, written: str, element: Element) -> bool:
        match rule:
            case "pattern-uid":
                return written.startswith(_OUR_UIDS) or (is_document(element) and bool(_HL7_UIDS.match(written)))
            case "pattern-person-name":
                return element.vr == "PN" or element.tag in CODE_PARTS or are_protocol_words(written)
            case "pattern-date":
                return self._dates_may_show(element) or _holds_version(element.tag)
            case "pattern-url":
                # Equipment names its maker's page as its model or version.
                described = element.vr in _LONG_TEXT or self._is_described(element)
                return not described or element.tag in CODE_PARTS or bool(_SCHEMA_HOSTS.match(written.lower()))
            case "pattern-network-address":
                return _holds_version(element.tag)
        return False

    def _is_described(self, element: Element) -> bool:
        """Whether people type there: into a description, a private attribute, a document."""
        return element.tag in self._allowed.cleaned or bool(element.tag >> 16 & 1) or is_document(element)

    def _dates_may_show(self, element: Element) -> bool:
        """Whether dates in a text have been moved, or are kept: then only the known ones are findings."""
        if not self._allowed.options & {FULL_DATES, MODIFIED_DATES}:
            return False
        return CLEAN_DESCRIPTORS in self._allowed.options or element.tag in self._allowed.cleaned


def _word_in(text: str, start: int, end: int) -> str:
    while start > 0 and text[start - 1].isalnum():
        start -= 1
    while end < len(text) and text[end].isalnum():
        end += 1
    return text[start:end]


@cache
def _labels() -> frozenset[int]:
    """Return attributes whose whole value is the name of a thing (PS3.3 C.8.8.5, C.8.20.2)."""
    return frozenset(tag for tag, row in text_attributes().items() if row.kind == "label")


@cache
def _holds_version(tag: int) -> bool:
    """Whether an attribute is a version by its name in PS3.6: software and coding schemes are versioned by date."""
    from pydicom.datadict import dictionary_description

    try:
        return "Version" in dictionary_description(tag) or tag == _DEIDENTIFICATION_METHOD
    except KeyError:
        return False
