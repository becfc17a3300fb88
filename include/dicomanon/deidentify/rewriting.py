"""Carries out the profile on every element of every nesting level, and copies what stays as it is encoded."""

import struct
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain

from dicomanon.deidentify.charset import CharacterSet
from dicomanon.deidentify.codec import Buffer, Codec
from dicomanon.deidentify.content_items import concept_of
from dicomanon.deidentify.content_references import (
    CONTENT_SEQUENCE,
    REFERENCED_CONTENT_ITEM_IDENTIFIER,
    ContentReferences,
    Position,
    content_references,
    position_of,
)
from dicomanon.deidentify.context import PatientContext
from dicomanon.deidentify.declared_safe import DeclaredSafe
from dicomanon.deidentify.header import SPECIFIC_CHARACTER_SET
from dicomanon.deidentify.outcome import ActionLog
from dicomanon.deidentify.pixels.pixel_data import pixel_data
from dicomanon.deidentify.private_blocks import PrivateBlocks
from dicomanon.deidentify.reader import Element, Unreadable, read_items
from dicomanon.deidentify.repetition import LONGEST, Memory, Pending
from dicomanon.deidentify.sequences import WrittenSequence
from dicomanon.deidentify.source import SourceInstance
from dicomanon.deidentify.values import ValueRewriter
from dicomanon.profile.actions import Action, AttributeRule, LevelRules
from dicomanon.profile.compiler import PIXEL_DATA, CompiledProfile
from dicomanon.profile.private_rules import NOT_SAFE

_ITEM = tuple[int, list[Element], LevelRules]
_KEPT_IF_OF_ITS_VR = frozenset({
    Action.KEEP, Action.KEEP_NUMBER, Action.SCRUB, Action.CLEAN, Action.CLEAN_DOCUMENT, Action.RECURSE,
    Action.CLEAN_CONTENT,
})  # fmt: skip


class _Level:
    """A data set that is being rewritten, the main one or one after the other the items of a sequence."""

    __slots__ = (
        "character_set", "chunks", "elements", "index", "inherited", "items", "private", "rules", "sequence", "written",
    )  # fmt: skip

    def __init__(self, sequence: Element | None, items: Iterator[_ITEM], inherited: CharacterSet, codec: Codec) -> None:
        self.sequence = sequence
        self.items = items
        self.inherited = inherited
        self.written = WrittenSequence(codec)

    def next_item(self, buffer: memoryview) -> bool:
        """Go to the next item; ``False`` if there is none."""
        following = next(self.items, None)
        if following is None:
            return False
        self.index, elements, self.rules = following
        self.elements: Iterator[Element] = iter(elements)
        self.chunks: list[tuple[int, Buffer]] = []
        self.private: PrivateBlocks | None = None
        self.character_set = self.inherited
        if elements and elements[0].tag <= SPECIFIC_CHARACTER_SET:
            for element in elements:
                if element.tag == SPECIFIC_CHARACTER_SET:
                    self.character_set = CharacterSet.of(bytes(buffer[element.value : element.end]))
        return True

    def finish(self) -> list[tuple[int, Buffer]]:
        """Return the encoded elements of the item, in order."""
        if self.private is not None:
            self.private.add_creators(self.chunks)
        return self.chunks


class Rewriter:
    """Rewrites one instance.

    Attributes
    ----------
    at
        Tag of the element in work, for reports of what went wrong; a number, never a value.
    counts
        Elements by action.
    """

    def __init__(
        self, source: SourceInstance, profile: CompiledProfile, context: PatientContext, log: ActionLog | None = None
    ) -> None:
        self.at = 0
        self.counts: Counter[Action] = Counter()
        self._source = source
        self._buffer = source.file.buffer
        self._codec = source.file.codec
        self._rules = profile.actions_for(source.sop_class_uid, source.facts.modality)
        self._profile = profile
        self._declared_safe = DeclaredSafe(source) if profile.profile.trust_block_identifying_information else None
        self._values = ValueRewriter(source, profile, context)
        self._log = log
        self._references: ContentReferences | None = None
        self._pending: Pending | None = None
        self._levels: list[_Level] = []
        self._handlers: dict[Action, Callable[[Element, AttributeRule, CharacterSet], Buffer | None]] = {
            Action.KEEP: self._values.kept,
            Action.KEEP_NUMBER: self._values.kept_number,
            Action.KEEP_DATE: self._values.kept_date,
            Action.KEEP_TIME: self._values.kept_time,
            Action.KEEP_UID: self._values.kept_uid,
            Action.CAP_AGE: self._values.capped_age,
            Action.SCRUB: self._values.text,
            Action.CLEAN: self._values.text,
            Action.CLEAN_DOCUMENT: self._values.document,
            Action.SHIFT_DATE: self._values.shifted_date,
        }

    def rewrite(self) -> list[tuple[int, Buffer]]:
        """Return what is left of the main data set as (tag, encoded element or piece of it), in order.

        Raises
        ------
        Held
            ``RULE_FAILED``: an element cannot be treated as its rule demands.
        """
        elements = self._source.file.elements
        if self._source.element(CONTENT_SEQUENCE) is not None:
            self._references = content_references(elements, self._rules, self._buffer, little=self._codec.little)
        root = _Level(None, iter([(0, elements, self._rules)]), self._source.character_set, self._codec)
        root.next_item(self._buffer)
        if self._log is None and self._references is None and self._declared_safe is None:
            memory = self._values.memory()
            if memory is not None:
                root.elements = self._unknown(root.elements, root.chunks, memory)
        try:
            return self._rewrite(root)
        finally:
            # What is left undone of a level that was given up refers to this rewriter: without this the bytes of the
            # object would stay in memory until the garbage collector comes by.
            self._levels.clear()

    def _rewrite(self, root: _Level) -> list[tuple[int, Buffer]]:
        levels = self._levels
        levels.append(root)
        while True:
            level = levels[-1]
            if self._goes_in(level):
                continue
            if level is root:
                return root.finish()
            # The item is done: go on with the next one, or close the sequence.
            level.written.add_item([chunk for _, chunk in level.finish()])
            if not level.next_item(self._buffer):
                levels.pop()
                assert level.sequence is not None
                tag = level.sequence.tag
                levels[-1].chunks.extend([(tag, piece) for piece in level.written.encoded(tag)])

    def _goes_in(self, level: _Level) -> bool:
        """Rewrite the elements of a level up to the next sequence to look into; ``False`` at the end."""
        for element in level.elements:
            tag = element.tag
            self.at = tag
            if tag >> 16 & 1:
                self._private(element, level)
            else:
                self._apply(element, level.rules[tag], level)
            if self._levels[-1] is not level:
                return True
        return False

    def _unknown(
        self, elements: Iterator[Element], chunks: list[tuple[int, Buffer]], memory: Memory
    ) -> Iterator[Element]:
        """Yield what has to be rewritten of the main data set; the rest comes to what the same bytes came to before."""
        buffer, recall = self._buffer, memory.recall
        done: list[Action] = []
        for element in elements:
            tag, _, start, _, _, stop, _ = element
            # What a private element is depends on its creator, and what pixels come to on their size.
            if start < 0 or stop - start > LONGEST or tag >> 16 & 1 or tag in PIXEL_DATA:
                yield element
                continue
            key = buffer[start:stop].tobytes()
            before = recall(key)
            if before is not None:
                chunks += before.chunks
                done += before.actions
                continue
            self._pending = pending = Pending(key, len(chunks))
            self._values.wrote_own_uid = False
            yield element
            # Whoever asks for the next one is done with this one, and with all that is in it.
            self._pending = None
            if not self._values.wrote_own_uid:
                memory.remember(pending, chunks[pending.first_chunk :])
        self.counts.update(done)

    def _private(self, element: Element, level: _Level) -> None:
        if level.private is None:
            level.private = PrivateBlocks(self._codec)
        blocks = level.private
        if blocks.is_creator(element.tag):
            blocks.reserve(element.tag, bytes(self._buffer[element.value : element.end]))
            return
        creator = blocks.creator(element.tag)
        rule = level.rules.private(creator, element.tag)
        safe = self._declared_safe
        if rule is NOT_SAFE.rule and safe is not None and safe.covers(creator, element.tag):
            rule = self._profile.declared_safe(element.vr)
        if rule.action is Action.REMOVE:
            self._note(element.tag, Action.REMOVE, rule.origin)
            return
        if rule.vr == "SQ" and element.items is None and element.vr in {"SQ", "UN"}:
            element = self._with_items(element)
        written = len(level.chunks)
        self._apply(element, rule, level)
        if len(level.chunks) > written or self._levels[-1] is not level:
            blocks.keep(element.tag)

    def _with_items(self, element: Element) -> Element:
        """Look into a private sequence; the reader does not, for what its creator means by it is seldom needed."""
        try:
            items = read_items(self._buffer, element, self._codec)
        except Unreadable:
            return element
        return element._replace(vr="SQ", items=items, start=-1)

    def _apply(self, element: Element, rule: AttributeRule, level: _Level) -> None:
        action = rule.action
        if action in _KEPT_IF_OF_ITS_VR and (
            element.vr not in rule.accepted or (rule.length and element.end - element.value not in {0, rule.length})
        ):
            # The tag says one thing, the VR or the length another: anything may be in there.
            self._note(element.tag, Action.REMOVE, "not of its VR")
            return
        if action is Action.RECURSE or action is Action.CLEAN_CONTENT:
            self._sequence(element, rule, level)
            return
        if element.tag in PIXEL_DATA and action is Action.KEEP:
            self._note(element.tag, action, rule.origin)
            level.chunks.extend((element.tag, piece) for piece in pixel_data(self._source, element))
            return
        if element.tag == REFERENCED_CONTENT_ITEM_IDENTIFIER and self._reference(element, level):
            self._note(element.tag, action, rule.origin)
            return
        handler = self._handlers.get(action)
        if handler is not None:
            chunk = handler(element, rule, level.character_set)
            if chunk is not None:
                self._note(element.tag, action, rule.origin)
                level.chunks.append((element.tag, chunk))
                return
            action = rule.fallback
        self._replace(element, action, rule, level)

    def _replace(self, element: Element, action: Action, rule: AttributeRule, level: _Level) -> None:
        self._note(element.tag, action, rule.origin)
        if action is not Action.REMOVE:
            level.chunks.append((element.tag, self._values.replaced(element, action, rule.vr)))

    def _sequence(self, element: Element, rule: AttributeRule, level: _Level) -> None:
        if element.items is None:
            self._note(element.tag, Action.REMOVE, "not a sequence")
            return
        if not element.items:
            self._note(element.tag, rule.action, rule.origin)
            level.chunks.append((element.tag, self._codec.header(element.tag, "SQ", 0)))
            return
        inside = level.rules.inside(element.tag)
        items: Iterator[_ITEM] = ((index, item, inside) for index, item in enumerate(element.items))
        if rule.action is Action.CLEAN_CONTENT:
            items = self._content(element, inside)
        first = next(items, None)
        if first is None:
            self._replace(element, rule.fallback, rule, level)
            return
        self._note(element.tag, rule.action, rule.origin)
        below = _Level(element, chain([first], items), level.character_set, self._codec)
        below.next_item(self._buffer)
        self._levels.append(below)

    def _content(self, element: Element, inside: LevelRules) -> Iterator[_ITEM]:
        """Yield the content items that stay, each with the rules for its concept (PS3.15 section E.3.4)."""
        position = self._position()
        dangling = self._references.removed if self._references and element.tag == CONTENT_SEQUENCE else ()
        for index, item in enumerate(element.items or ()):
            rules = inside.item(*concept_of(item, self._buffer))
            if rules is None or (dangling and (*position, index + 1) in dangling):
                self._note(element.tag, Action.REMOVE, "content item", index)
            else:
                yield index, item, rules

    def _position(self) -> Position:
        """Return where the item in work is in the content tree (PS3.3 C.17.3.2.5)."""
        return (1, *(level.index + 1 for level in self._levels[1:]))

    def _reference(self, element: Element, level: _Level) -> bool:
        """Write a reference to another content item; ``False`` if all items stay where they are."""
        if self._references is None:
            return False
        target = self._references.moved(position_of(element, self._buffer, little=self._codec.little)) or ()
        order = "<" if self._codec.little else ">"
        value = struct.pack(f"{order}{len(target)}L", *target)
        level.chunks.append((element.tag, self._codec.element(element.tag, "UL", value)))
        return True

    def _note(self, tag: int, action: Action, origin: str, item: int | None = None) -> None:
        self.counts[action] += 1
        if self._pending is not None:
            self._pending.actions.append(action)
        if self._log is not None:
            path: list[int] = []
            for inner in self._levels[1:]:
                assert inner.sequence is not None
                path += (inner.sequence.tag, inner.index)
            self._log.add((*path, tag, *([] if item is None else [item])), action, origin)
