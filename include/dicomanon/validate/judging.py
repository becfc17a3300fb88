"""What the searches for residual PHI share: the object, what may stay in it, and what a known value in it means."""

from dataclasses import dataclass, field
from functools import cache
from typing import Final

from dicomanon.standard.confidentiality import confidentiality_by_tag
from dicomanon.standard.dictionary import dictionary_vrs
from dicomanon.standard.tables import parse_tag
from dicomanon.validate.allowed import CLEAN_DESCRIPTORS, AllowedAttributes, AllowedHere
from dicomanon.validate.context import is_everyday_word
from dicomanon.validate.elements import Element, Part10
from dicomanon.validate.findings import Expected, FindingsBuilder
from dicomanon.validate.search import KnownValueSearch
from dicomanon.validate.text import TextView
from dicomanon.validate.variants import Kind
from dicomanon.validate.vocabulary import standard_coding_schemes, technical_words

TECHNICAL: Final = "known-value-technical-word"
BY_CHANCE: Final = "known-value-by-chance"
CODE_VALUES: Final = frozenset(parse_tag(tag) for tag in ("0008,0100", "0008,0119", "0008,0120"))
CODE_PARTS: Final = CODE_VALUES | frozenset(parse_tag(tag) for tag in ("0008,0102", "0008,0103", "0008,0104"))
_CODING_SCHEME: Final = parse_tag("0008,0102")
_DOCUMENT: Final = parse_tag("0042,0011")


@dataclass(slots=True)
class Judge:
    """What is known of one object, and what a known value means where it stands in it.

    Parameters
    ----------
    data
        The object's Part 10 bytes.
    parsed, text
        The same, read.
    expected, search, allowed
        As for :func:`~dicomanon.validate.examine.examine`.
    here
        What may stay in this SOP class and modality.
    findings
        Where findings go.
    """

    data: bytes
    parsed: Part10
    text: TextView
    expected: Expected
    search: KnownValueSearch
    allowed: AllowedAttributes
    here: AllowedHere
    findings: FindingsBuilder
    _counted: set[tuple[str, int, str]] = field(default_factory=set)
    _schemes: dict[int, str] | None = None

    def count(self, rule: str, value: int, place: str) -> None:
        """Count a value once per place, however many forms of it match there."""
        key = (rule, value, place)
        if key not in self._counted:
            self._counted.add(key)
            self.findings.add(rule, place)

    def is_cleaned(self, element: Element) -> bool:
        """Whether what stands there is text that the profile cleans rather than removes or replaces."""
        if is_document(element):
            return True
        if element.tag >> 16 & 1 or self.here.keeps(element) or element.vr == "AS":
            return False
        return element.tag in self.allowed.cleaned or (
            CLEAN_DESCRIPTORS in self.allowed.options and _is_technical_attribute(element)
        )

    def rule_for(self, kind: Kind, word: str, written: str, element: Element) -> str:
        """Return the rule that a known value breaks in a text, or the note that it is a word of the standard there.

        Parameters
        ----------
        word, written
            The whole word around the value and the value as written, both in lower case.
        """
        if _is_technical_attribute(element):
            if element.tag in CODE_VALUES and kind is not Kind.UID and self._in_standard_code(element):
                return TECHNICAL
            if kind is Kind.TEXT and (written in technical_words() or word in technical_words()):
                return TECHNICAL
            if kind is Kind.TEXT and word == written and is_everyday_word(word):
                return TECHNICAL
        return known(kind)

    def _in_standard_code(self, element: Element) -> bool:
        if self._schemes is None:
            body = self.parsed.body
            self._schemes = {
                part.item: body[part.start : part.start + part.length].decode("latin-1").strip(" \0")
                for part in self.parsed.elements
                if part.tag == _CODING_SCHEME
            }
        return self._schemes.get(element.item, "") in standard_coding_schemes()


def known(kind: Kind) -> str:
    """Return the rule that a known value of a kind breaks."""
    return f"known-{kind}"


def is_document(element: Element) -> bool:
    """Whether an element is an encapsulated document."""
    return element.tag == _DOCUMENT


def _is_technical_attribute(element: Element) -> bool:
    """Whether the standard puts words of its own here: not in Table E.1-1, public, and no name or address."""
    return _is_technical_attribute_tag(element.tag, element.vr)


@cache
def _is_technical_attribute_tag(tag: int, vr: str) -> bool:
    if tag >> 16 & 1 or tag not in dictionary_vrs() or tag in confidentiality_by_tag():
        return False
    return vr in ("CS", "LO", "SH", "UC", "UT", "LT", "ST")
