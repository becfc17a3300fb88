"""Rewrites the value of one element as an action demands."""

import re
from collections.abc import Callable
from functools import cached_property
from typing import Literal

from dicomanon.deidentify.charset import CharacterSet
from dicomanon.deidentify.codec import Buffer, Codec
from dicomanon.deidentify.context import PatientContext
from dicomanon.deidentify.dates import is_time, shift_dates
from dicomanon.deidentify.documents import clean_document
from dicomanon.deidentify.dummies import dummy_sequence, dummy_value
from dicomanon.deidentify.header import SPECIFIC_CHARACTER_SET
from dicomanon.deidentify.reader import Element
from dicomanon.deidentify.repetition import Memory, memory_for
from dicomanon.deidentify.source import SOP_INSTANCE_UID, SourceInstance
from dicomanon.deidentify.text import KnownValues
from dicomanon.deidentify.text_cleaning import cleaner_for
from dicomanon.deidentify.uids import research_uids
from dicomanon.errors import Held
from dicomanon.profile.actions import Action, AttributeRule, TextKind
from dicomanon.profile.compiler import CompiledProfile
from dicomanon.profile.options import RETAIN_UIDS
from dicomanon.reasons import HoldReason
from dicomanon.standard.burned_in import DOCUMENT, sop_class_risks
from dicomanon.standard.dictionary import shown_tag

_NUMERIC_TEXT = b"0123456789+-.eE\\ \0"
_LONG_NUMBER = re.compile(rb"(?<![\d.])\d{6,}(?![\d.])")
_PADDING = " \0"
_SINGLE_VALUED_TEXT = frozenset({"LT", "ST", "UT"})
_NUMBER_BYTES = {"AT": 2, "FD": 8, "FL": 4, "SL": 4, "SS": 2, "SV": 8, "UL": 4, "US": 2, "UV": 8}
_BULK = frozenset({"OB", "OD", "OF", "OL", "OV", "OW"})
_UIDS = re.compile(rb"[0-9]+(\.[0-9]+)*(\\[0-9]+(\.[0-9]+)*)*[ \0]*")
_AGE = re.compile(r"(\d{3})([DWMY])", re.ASCII)
_AGES_PER_YEAR = {"D": 365.25, "W": 52.18, "M": 12, "Y": 1}
_LONGEST_REPEATED = 64
_MOST_TEXTS = 256
_MIME_TYPE = 0x00420012
_DOCUMENT_LENGTH = 0x00420015


class ValueRewriter:
    """Knows the instance, its profile and its patient; each method answers for one action.

    A method returns the encoded element, or ``None`` where it does not understand the value: the rule's fallback then
    applies.

    Attributes
    ----------
    wrote_own_uid
        Whether a UID was written that no other instance has for the same value.
    """

    def __init__(self, source: SourceInstance, profile: CompiledProfile, context: PatientContext) -> None:
        self._source = source
        self._buffer = source.file.buffer
        self._codec: Codec = source.file.codec
        self._profile = profile
        self._context = context
        self._uids = research_uids(context.uids, retained=profile.has(RETAIN_UIDS))
        self.wrote_own_uid = False
        self._document_bytes: int | None = None
        self._texts: dict[tuple[bytes, TextKind, bool, CharacterSet], bytes | None] = {}
        self._clean: Callable[[str, TextKind], str] | None = None

    def memory(self) -> Memory | None:
        """Return what is remembered of elements of objects like this one; ``None`` for documents.

        In a document the length depends on what the document came to.
        """
        source = self._source
        if sop_class_risks()[source.sop_class_uid].risk == DOCUMENT:
            return None
        return memory_for(
            self._profile,
            self._context,
            self._known,
            self._codec,
            source.character_set,
            source.sop_class_uid,
            source.facts.modality,
        )

    def kept(self, element: Element, rule: AttributeRule, character_set: CharacterSet) -> Buffer | None:
        """Return the element as it is encoded; what came as UN gets the VR of its tag."""
        tag, vr = element.tag, element.vr
        if element.stop != element.end:
            raise Held(HoldReason.RULE_FAILED, f"undefined length at {shown_tag(tag)}")
        if tag == SPECIFIC_CHARACTER_SET and not character_set.known:
            return self._codec.header(tag, rule.vr, 0)
        if tag == _DOCUMENT_LENGTH and self._document_bytes is not None:
            order: Literal["little", "big"] = "little" if self._codec.little else "big"
            return self._codec.element(tag, rule.vr, self._document_bytes.to_bytes(4, order))
        length = element.end - element.value
        if vr == "UN" and self._codec.explicit and rule.vr != "UN":
            return self._out_of_unknown(element, rule.vr)
        if element.start >= 0 and not length & 1:
            return self._buffer[element.start : element.stop]
        # Out of an Implicit VR sequence some VRs are ambiguous; as UN nothing wrong is said.
        return self._codec.element(tag, "UN" if " or " in vr else vr, self._value(element))

    def kept_number(self, element: Element, rule: AttributeRule, character_set: CharacterSet) -> Buffer | None:
        """Return numeric text as it is, unless one of the numbers is the patient's."""
        value = self._value(element)
        if value.translate(None, _NUMERIC_TEXT):
            return None
        for number in _LONG_NUMBER.findall(value):
            if not self._clean_text(number.decode(), TextKind.TERM):
                return None
        return self.kept(element, rule, character_set)

    def kept_date(self, element: Element, rule: AttributeRule, _: CharacterSet) -> Buffer | None:
        """Return dates as they are."""
        text = self._ascii(element)
        if text is None or shift_dates(text, rule.vr, 0) is None:
            return None
        return self._codec.element(element.tag, rule.vr, text.encode())

    def kept_time(self, element: Element, rule: AttributeRule, _: CharacterSet) -> Buffer | None:
        """Return times of day, or offsets from UTC, as they are."""
        text = self._ascii(element)
        return self._codec.element(element.tag, rule.vr, text.encode()) if text is not None and is_time(text) else None

    def kept_uid(self, element: Element, rule: AttributeRule, _: CharacterSet) -> Buffer | None:
        """Return UIDs as they are; what is none is mapped like one."""
        value = self._value(element)
        if value.strip(b" \0") and not _UIDS.fullmatch(value):
            return self.replaced(element, Action.UID, rule.vr)
        return self._codec.element(element.tag, rule.vr, value.rstrip(b" \0"))

    def capped_age(self, element: Element, rule: AttributeRule, _: CharacterSet) -> Buffer | None:
        """Return ages up to the profile's maximum as they are, and above it the maximum.

        Of a number nobody knows here whether it counts years: above the maximum it is not understood.
        """
        text = self._ascii(element)
        if text is None:
            return None
        maximum = self._profile.profile.maximum_age
        if rule.vr == "DS":
            return self.kept(element, rule, _) if _is_number_up_to(text, maximum) else None
        ages = []
        for age in (part.strip() for part in text.split("\\")):
            match = _AGE.fullmatch(age)
            if match is None and age:
                return None
            above = match and maximum is not None and int(match[1]) / _AGES_PER_YEAR[match[2]] >= maximum + 1
            ages.append(f"{maximum:03}Y" if above else age)
        return self._codec.element(element.tag, rule.vr, "\\".join(ages).encode())

    def shifted_date(self, element: Element, rule: AttributeRule, _: CharacterSet) -> Buffer | None:
        """Return dates moved by the patient's days."""
        text = self._ascii(element)
        shifted = None if text is None else shift_dates(text, rule.vr, self._context.date_shift_days)
        return None if shifted is None else self._codec.element(element.tag, rule.vr, shifted.encode())

    def text(self, element: Element, rule: AttributeRule, character_set: CharacterSet) -> Buffer | None:
        """Return a text without what identifies."""
        value = self._value(element)
        cleaned = self._cleaned(value, rule.text, rule.vr in _SINGLE_VALUED_TEXT, character_set)
        if cleaned is None:
            return None
        if cleaned == value:
            return self.kept(element, rule, character_set)
        return self._codec.element(element.tag, rule.vr, cleaned)

    def _cleaned(self, value: bytes, kind: TextKind, single: bool, character_set: CharacterSet) -> bytes | None:
        """Return the value to write; a term or a label of a report comes hundreds of times, its prose once."""
        if len(value) > _LONGEST_REPEATED:
            return self._without_identifiers(value, kind, single, character_set)
        key = value, kind, single, character_set
        if key not in self._texts:
            if len(self._texts) >= _MOST_TEXTS:
                self._texts.clear()
            self._texts[key] = self._without_identifiers(*key)
        return self._texts[key]

    def _without_identifiers(
        self, value: bytes, kind: TextKind, single: bool, character_set: CharacterSet
    ) -> bytes | None:
        """Return the value to write, ``None`` if it cannot be read or nothing is left of it."""
        # Readers stop at a null or show what is behind it, as they like: what follows one goes.
        shown = value.partition(b"\0")[0]
        text = character_set.decode(shown)
        if text is None:
            return None
        text = text.rstrip(_PADDING)
        cleaned = (
            self._clean_text(text, kind)
            if single
            else "\\".join([self._clean_text(part, kind) if part else part for part in text.split("\\")])
        )
        if cleaned == text:
            return shown if value[len(shown) :].strip(b"\0 ") else value
        return character_set.encode(cleaned) if cleaned.strip("\\ ") else None

    def document(self, element: Element, rule: AttributeRule, _: CharacterSet) -> Buffer | None:
        """Return an encapsulated document made anew from its cleaned text; none belongs into other SOP classes.

        Raises
        ------
        Held
            ``ENCAPSULATED_DOCUMENT``: it holds what nobody can read.
        """
        if sop_class_risks()[self._source.sop_class_uid].risk != DOCUMENT:
            return None
        mime_type = self._source.text(_MIME_TYPE)
        cleaned = clean_document(self._value(element), mime_type, lambda text: self._clean_text(text, rule.text))
        self._document_bytes = len(cleaned)
        return self._codec.element(element.tag, rule.vr, cleaned)

    def replaced(self, element: Element, action: Action, vr: str) -> bytes:
        """Return an element with a value of ours (PS3.15 E.1.1).

        Raises
        ------
        Held
            ``RULE_FAILED``: the action is none that gives a value.
        """
        codec, tag = self._codec, element.tag
        if action is Action.EMPTY:
            return codec.header(tag, vr, 0)
        if action is Action.PSEUDONYM:
            return codec.element(tag, vr, self._context.pseudonym.encode("ascii"))
        if action is Action.UID or vr == "UI":
            uids = self._value(element).decode("latin-1").strip(_PADDING).split("\\") if element.items is None else [""]
            if action is Action.DUMMY and not any(uids):
                return codec.element(tag, "UI", self._new_uid(tag).encode("ascii"))
            return codec.element(tag, "UI", "\\".join([self._uids(uid) for uid in uids]).encode("ascii"))
        if action is Action.DUMMY and vr == "SQ":
            return dummy_sequence(tag, codec, self._new_uid(tag))
        if action is Action.DUMMY:
            return codec.element(tag, vr, dummy_value(vr, codec.little, tag))
        raise Held(HoldReason.RULE_FAILED, f"no way to {action} {shown_tag(tag)}")

    def _out_of_unknown(self, element: Element, vr: str) -> Buffer | None:
        """Give an element of VR UN the VR of its tag; its value is little endian (PS3.5 section 6.2.2)."""
        length = element.end - element.value
        width = _NUMBER_BYTES.get(vr, 1)
        if length % width or (not self._codec.little and (width > 1 or vr in _BULK)):
            return None
        return self._codec.element(element.tag, vr, self._value(element))

    def _clean_text(self, text: str, kind: TextKind) -> str:
        if self._clean is None:
            self._clean = cleaner_for(self._known, self._profile, self._context.date_shift_days).clean
        return self._clean(text, kind)

    @cached_property
    def _known(self) -> KnownValues:
        return KnownValues.of(self._source)

    def _value(self, element: Element) -> bytes:
        return bytes(self._buffer[element.value : element.end])

    def _ascii(self, element: Element) -> str | None:
        value = self._value(element)
        return value.decode("ascii").strip(_PADDING) if value.isascii() else None

    def _new_uid(self, tag: int) -> str:
        """Return a UID of this instance's own, which refers to nothing."""
        self.wrote_own_uid = True
        return self._context.uids(f"{self._source.text(SOP_INSTANCE_UID)}/{tag:08X}")


def _is_number_up_to(text: str, maximum: int | None) -> bool:
    try:
        return maximum is None or abs(float(text)) < maximum + 1
    except ValueError:
        return False
