"""Keeps references between content items right when items between them are removed (PS3.3 C.17.3.2.5).

Referenced Content Item Identifier (0040,DB73) counts items from the root: 1, 3, 2 is the second child of the third.
Removing an item moves those behind it, and a reference that stays as it was would point at another finding.
"""

import re
import struct
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from dicomanon.deidentify.content_items import concept_of
from dicomanon.deidentify.reader import Element, innermost_first
from dicomanon.profile.actions import Action, LevelRules

CONTENT_SEQUENCE = 0x0040A730
REFERENCED_CONTENT_ITEM_IDENTIFIER = 0x0040DB73
_NUMBER_BYTES = 4

Position: TypeAlias = tuple[int, ...]
"""Of a content item, from the root, which is ``(1,)``."""


class ContentReferences:
    """Positions before and after the removal of content items.

    Attributes
    ----------
    removed
        Positions in the source of items that go, a reference to an item that goes being one of them; items below them
        are not listed.
    """

    __slots__ = ("_gaps", "removed")

    def __init__(self, removed: frozenset[Position]) -> None:
        self.removed = removed
        self._gaps: dict[Position, list[int]] = {}
        for position in sorted(removed):
            self._gaps.setdefault(position[:-1], []).append(position[-1])

    def moved(self, position: Position) -> Position | None:
        """Return where an item of the source is in the result, ``None`` if it is not in it."""
        if not position:
            return None
        after = [position[0]]
        for depth in range(1, len(position)):
            gaps = self._gaps.get(position[:depth], [])
            index = bisect_left(gaps, position[depth])
            if index < len(gaps) and gaps[index] == position[depth]:
                return None
            after.append(position[depth] - index)
        return tuple(after)


def content_references(
    elements: Sequence[Element], rules: LevelRules, buffer: memoryview, *, little: bool
) -> ContentReferences | None:
    """Return the positions of a report's items, ``None`` if no item refers to another by its position.

    Parameters
    ----------
    elements
        Of the main data set.
    rules
        Of the main data set.
    buffer
        What the elements are positions of.
    little
        Whether the transfer syntax has the little end first.
    """
    if rules[CONTENT_SEQUENCE].action is not Action.CLEAN_CONTENT or not _may_refer(elements, buffer, little=little):
        return None
    removed: set[Position] = set()
    references: dict[Position, Position] = {}
    levels: list[Iterator[tuple[Position, Sequence[Element], LevelRules | None]]] = [iter([((1,), elements, rules)])]
    for position, item, level in innermost_first(levels):
        if level is None:
            removed.add(position)
            continue
        for element in item:
            if element.tag == REFERENCED_CONTENT_ITEM_IDENTIFIER:
                references[position] = position_of(element, buffer, little=little)
            elif element.tag == CONTENT_SEQUENCE and element.items:
                levels.append(_children(position, element.items, level.inside(CONTENT_SEQUENCE), buffer))
    if not references:
        return None
    by_rules = ContentReferences(frozenset(removed))
    dangling = {position for position, target in references.items() if by_rules.moved(target) is None}
    return ContentReferences(frozenset(removed | dangling)) if dangling else by_rules


def _children(
    position: Position, items: Sequence[Sequence[Element]], inside: LevelRules, buffer: memoryview
) -> Iterator[tuple[Position, Sequence[Element], LevelRules | None]]:
    for index, child in enumerate(items, 1):
        yield (*position, index), child, inside.item(*concept_of(child, buffer))


def _may_refer(elements: Sequence[Element], buffer: memoryview, *, little: bool) -> bool:
    """Tell whether the bytes of a reference's tag are anywhere in the content: few reports have one."""
    group, number = REFERENCED_CONTENT_ITEM_IDENTIFIER >> 16, REFERENCED_CONTENT_ITEM_IDENTIFIER & 0xFFFF
    tag = re.compile(re.escape(struct.pack(f"{'<' if little else '>'}HH", group, number)))
    return any(
        element.tag == CONTENT_SEQUENCE and tag.search(buffer, element.value, element.end) for element in elements
    )


def position_of(element: Element, buffer: memoryview, *, little: bool) -> Position:
    """Return the position that a reference gives, empty if its value is none."""
    length = element.end - element.value
    if element.items is not None or not length or length % _NUMBER_BYTES:
        return ()
    return struct.unpack(f"{'<' if little else '>'}{length // _NUMBER_BYTES}L", buffer[element.value : element.end])
