"""Carries out the profile on every element of every nesting level, and copies what stays as it is encoded."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from dicomanon.deidentify.codec import Buffer
from dicomanon.deidentify.context import PatientContext
from dicomanon.deidentify.dates import is_time, shift_dates
from dicomanon.deidentify.dummies import dummy_sequence, dummy_value
from dicomanon.deidentify.frames import spans_of_text
from dicomanon.deidentify.reader import Element
from dicomanon.deidentify.source import SOP_INSTANCE_UID, SPECIFIC_CHARACTER_SET, SourceInstance
from dicomanon.errors import Held
from dicomanon.profile.actions import Action, AttributeRule
from dicomanon.profile.compiler import PIXEL_DATA, SopClassActions
from dicomanon.reasons import HoldReason
from dicomanon.standard.tables import format_tag

_ROWS = 0x00280010
_COLUMNS = 0x00280011
_SAMPLES_PER_PIXEL = 0x00280002
_BITS_ALLOCATED = 0x00280100
_NUMBER_OF_FRAMES = 0x00280008
_BYTE = 8

_NUMERIC_TEXT = b"0123456789+-.eE\\ \0"
_TEXT_VRS = frozenset({"AE", "AS", "CS", "DS", "IS", "LO", "LT", "SH", "ST", "UC", "UR", "UT"})
# PS3.3 C.12.1.1.2, and its usual misspellings.
_CHARACTER_SETS = re.compile(rb"(\\|ISO[ _-]?(IR|2022[ _-]?IR)[ _-]?\d{1,3}|GB18030|GBK|[ \0])*")
_RECURSE = b""
"""Stands for: look inside; no encoded element is empty."""


class _Level:
    """A sequence that is being rewritten: the items that are done, the one in work, those to come."""

    __slots__ = ("bodies", "chunks", "elements", "items", "sequence")

    def __init__(self, sequence: Element | None, items: Iterator[list[Element]]) -> None:
        self.sequence = sequence
        self.items = items
        self.bodies: list[bytes] = []
        self.chunks: list[tuple[int, Buffer]] = []
        self.elements: Iterator[Element] = iter(next(items))


class Rewriter:
    """Rewrites one instance.

    Attributes
    ----------
    at
        Tag of the element in work, for reports of what went wrong; a number, never a value.
    counts
        Elements by action.
    """

    def __init__(self, source: SourceInstance, actions: SopClassActions, context: PatientContext) -> None:
        self.at = 0
        self.counts: Counter[str] = Counter()
        self._source = source
        self._buffer = source.file.buffer
        self._codec = source.file.codec
        self._actions = actions
        self._context = context

    def rewrite(self) -> list[tuple[int, Buffer]]:
        """Return what is left of the main data set as (tag, encoded element), in order.

        Raises
        ------
        Held
            ``RULE_FAILED``: an element cannot be treated as its rule demands.
        """
        root = _Level(None, iter([self._source.file.elements]))
        levels = [root]
        rules: Mapping[int, AttributeRule] = self._actions.top
        while True:
            level = levels[-1]
            entered = False
            for element in level.elements:
                chunk = self._apply(element, rules[element.tag])
                if chunk is None:
                    continue
                if chunk is _RECURSE and element.items is not None:
                    levels.append(_Level(element, iter(element.items)))
                    rules = self._actions.nested
                    entered = True
                    break
                level.chunks.append((element.tag, chunk))
            if entered:
                continue
            if level is root:
                return root.chunks
            # The item is done: go on with the next one, or close the sequence.
            level.bodies.append(b"".join([chunk for _, chunk in level.chunks]))
            following = next(level.items, None)
            if following is not None:
                level.chunks = []
                level.elements = iter(following)
                continue
            levels.pop()
            assert level.sequence is not None
            tag = level.sequence.tag
            levels[-1].chunks.append((tag, self._codec.sequence(tag, level.bodies)))
            if levels[-1] is root:
                rules = self._actions.top

    def _apply(self, element: Element, rule: AttributeRule) -> Buffer | None:
        """Return the encoded element, ``None`` if it goes, or ``_RECURSE``."""
        self.at = element.tag
        action = rule.action
        if action is Action.KEEP or action is Action.KEEP_NUMBER or action is Action.RECURSE:
            if element.vr not in rule.accepted or (rule.length and element.end - element.value not in {0, rule.length}):
                # The tag says one thing, the VR or the length another: anything may be in there.
                action = Action.REMOVE
            elif action is Action.KEEP_NUMBER and self._value(element).translate(None, _NUMERIC_TEXT):
                action = rule.fallback
        elif action is Action.SHIFT_DATE or action is Action.KEEP_TIME:
            value = self._value(element)
            kept = self._temporal(value, action, rule.vr)
            if kept is not None:
                self.counts[action] += 1
                return self._codec.element(element.tag, rule.vr, kept)
            action = rule.fallback
        self.counts[action] += 1
        if action is Action.REMOVE:
            return None
        if action is Action.KEEP or action is Action.KEEP_NUMBER:
            return self._kept(element, rule)
        if action is Action.RECURSE:
            return _RECURSE if element.items else self._codec.header(element.tag, "SQ", 0)
        return self._replaced(element, action, rule.vr)

    def _value(self, element: Element) -> bytes:
        return bytes(self._buffer[element.value : element.end])

    def _kept(self, element: Element, rule: AttributeRule) -> Buffer:
        if element.tag in PIXEL_DATA:
            return self._pixel_data(element)
        if element.tag == SPECIFIC_CHARACTER_SET and not _CHARACTER_SETS.fullmatch(self._value(element)):
            return self._codec.header(element.tag, rule.vr, 0)
        if element.stop != element.end:
            raise Held(HoldReason.RULE_FAILED, f"undefined length at {format_tag(element.tag)}")
        # Out of an Implicit VR sequence some VRs are ambiguous; as UN nothing wrong is said.
        vr = "UN" if " or " in element.vr else element.vr
        if rule.vr in _TEXT_VRS:
            value = self._value(element)
            end = value.find(b"\0")
            # Readers stop at a null or show what is behind it, as they like: only padding may follow one.
            if end >= 0 and value[end:].strip(b"\0 "):
                return self._codec.element(element.tag, vr, value[:end])
        if element.start >= 0 and not (element.end - element.value) & 1:
            return self._buffer[element.start : element.stop]
        return self._codec.element(element.tag, vr, self._value(element))

    def _pixel_data(self, element: Element) -> Buffer:
        if element.start < 0:
            raise Held(HoldReason.RULE_FAILED, f"encoding of {format_tag(element.tag)}")
        if element.stop != element.end:
            return self._fragments(element)
        expected = self._native_pixel_bytes()
        if expected is not None and element.end - element.value > expected + (expected & 1):
            # Bytes behind the last pixel are shown by no viewer and may hold anything.
            return self._codec.element(element.tag, element.vr, self._buffer[element.value : element.value + expected])
        return self._buffer[element.start : element.stop]

    def _fragments(self, element: Element) -> Buffer:
        whole = self._buffer[element.start : element.stop]
        frames = self._source.text(_NUMBER_OF_FRAMES) or "1"
        count = int(frames) if frames.isdecimal() else 0
        spans = spans_of_text(self._buffer, element.value, element.end, self._codec, count)
        if not spans:
            return whole
        cleaned = bytearray(whole)
        for start, end in spans:
            cleaned[start - element.start : end - element.start] = bytes(end - start)
        return bytes(cleaned)

    def _native_pixel_bytes(self) -> int | None:
        factors = [self._source.number(tag) for tag in (_ROWS, _COLUMNS, _SAMPLES_PER_PIXEL, _BITS_ALLOCATED)]
        frames = self._source.text(_NUMBER_OF_FRAMES) or "1"
        if not frames.isdecimal() or any(not factor for factor in factors):
            return None
        bits = int(frames)
        for factor in factors:
            bits *= factor or 1
        return -(-bits // _BYTE)

    def _temporal(self, value: bytes, action: Action, vr: str) -> bytes | None:
        text = value.decode("latin-1").strip(" \0")
        if action is Action.KEEP_TIME:
            return text.encode("ascii") if text.isascii() and is_time(text) else None
        shifted = shift_dates(text, vr, self._context.date_shift_days)
        return None if shifted is None else shifted.encode("ascii")

    def _replaced(self, element: Element, action: Action, vr: str) -> bytes:
        codec = self._codec
        tag = element.tag
        if action is Action.EMPTY:
            return codec.header(tag, vr, 0)
        if action is Action.PSEUDONYM:
            return codec.element(tag, vr, self._context.pseudonym.encode("ascii"))
        if action is Action.UID or vr == "UI":
            uids = self._value(element).decode("latin-1").strip(" \0").split("\\") if element.items is None else [""]
            if action is Action.DUMMY and not any(uids):
                uids = [self._new_uid(tag)]
            return codec.element(tag, "UI", "\\".join([self._context.uids(uid) for uid in uids]).encode("ascii"))
        if action is Action.DUMMY and vr == "SQ":
            return dummy_sequence(tag, codec, self._context.uids(self._new_uid(tag)))
        if action is Action.DUMMY:
            return codec.element(tag, vr, dummy_value(vr, codec.little))
        raise Held(HoldReason.RULE_FAILED, f"no way to {action} {format_tag(tag)}")

    def _new_uid(self, tag: int) -> str:
        """Return something that is mapped to a UID of this instance's own: the dummy refers to nothing."""
        return f"{self._source.text(SOP_INSTANCE_UID)}/{tag:08X}"
