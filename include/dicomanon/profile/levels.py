"""The rules of one nesting level of one SOP class: worked out when first asked for, looked up ever after."""

from collections.abc import Iterable

from dicomanon.profile.actions import AttributeRule, LevelRules
from dicomanon.profile.content import ContentRules
from dicomanon.profile.decision import Decision
from dicomanon.profile.other_rules import FORGOTTEN, OtherRules
from dicomanon.profile.overrides import ANY_ELEMENT, PlacedOverride, overridden
from dicomanon.profile.private_rules import REMOVED, PrivateRules
from dicomanon.profile.table_rules import TableRules
from dicomanon.standard.confidentiality import confidentiality_by_tag
from dicomanon.standard.iods import IodActions
from dicomanon.standard.safe_private import PrivateKey, creator_key


class RuleBook:
    """What every level of a profile has in common.

    Parameters
    ----------
    table, other, private
        The three kinds of attributes.
    content
        Rules for content items, ``None`` if items have no rules of their own.
    """

    __slots__ = ("content", "other", "private", "table")

    def __init__(
        self, table: TableRules, other: OtherRules, private: PrivateRules, content: ContentRules | None
    ) -> None:
        self.table = table
        self.other = other
        self.private = private
        self.content = content


class Level(dict[int, AttributeRule]):
    """One level; indexing never fails, and remembers what it worked out.

    Parameters
    ----------
    book
        The rules.
    iod
        Of the SOP class.
    nested
        Rules for items of sequences that have none of their own; ``None`` for that level itself.
    overrides
        Those that hold on this level, the most specific last.
    in_item
        Whether the level is in a sequence at all.
    """

    __slots__ = ("_book", "_children", "_in_item", "_iod", "_nested", "_private", "_public")

    def __init__(
        self,
        book: RuleBook,
        iod: IodActions,
        nested: "Level | None",
        overrides: Iterable[PlacedOverride],
        *,
        in_item: bool,
    ) -> None:
        super().__init__()
        self._book = book
        self._iod = iod
        self._nested = nested
        self._in_item = in_item
        self._children: dict[int, Level] = {}
        self._public: dict[int, PlacedOverride] = {}
        self._private: dict[PrivateKey, PlacedOverride] = {}
        self.add(overrides)

    def add(self, overrides: Iterable[PlacedOverride]) -> None:
        """Put overrides on top of those that are there; only while the levels are being built."""
        for placed in overrides:
            if placed.private is None:
                self._public[placed.tag] = placed
            else:
                self._private[placed.private] = placed

    def child(self, tag: int, overrides: Iterable[PlacedOverride]) -> "Level":
        """Return the level inside a sequence that has rules of its own; made if there is none yet."""
        if tag not in self._children:
            nested = self if self._nested is None else self._nested
            self._children[tag] = Level(self._book, self._iod, nested, overrides, in_item=True)
        return self._children[tag]

    def __missing__(self, tag: int) -> AttributeRule:
        decision = self.decide(tag)
        if id(decision) not in FORGOTTEN and not tag >> 16 & 1:
            self[tag] = decision.rule
        return decision.rule

    def decide(self, tag: int) -> Decision:
        """Return the decision for a public attribute; that of a private one is to remove it."""
        base = self.decide_without_overrides(tag)
        placed = self._public.get(tag)
        return overridden(placed, base, self._book.private) if placed is not None else base

    def decide_without_overrides(self, tag: int) -> Decision:
        """Return what options and tables say."""
        if tag >> 16 & 1:
            return REMOVED
        row = confidentiality_by_tag().get(tag)
        if row is None:
            return self._book.other.decide(tag, nested=self._in_item)
        resolved = self._iod.nested if self._in_item else self._iod.top
        return self._book.table.decide(tag, row, resolved, nested=self._in_item)

    def inside(self, tag: int) -> "Level":
        """Return the rules for the items of a sequence of this level."""
        # A level is a mapping, and false as long as nothing was asked of it.
        child = self._children.get(tag)
        if child is not None:
            return child
        return self if self._nested is None else self._nested

    def private(self, creator: str, tag: int) -> AttributeRule:
        """Return the rule of a private attribute."""
        if not self._private:
            return self._book.private.decide(creator, tag).rule
        return self.decide_private(creator, tag).rule

    def decide_private(self, creator: str, tag: int) -> Decision:
        """Return the decision for a private attribute."""
        base = self._book.private.decide(creator, tag)
        if not self._private or not creator:
            return base
        key, group, number = creator_key(creator), tag >> 16, tag & 0xFF
        placed = self._private.get((key, group, number)) or self._private.get((key, group, ANY_ELEMENT))
        return overridden(placed, base, self._book.private, number) if placed is not None else base

    def item(self, concept: tuple[str, str], value_type: str) -> LevelRules | None:
        """Return the rules for one content item of this level, ``None`` if the item goes (PS3.15 E.3.4)."""
        if self._book.content is None:
            return self
        return self._book.content.item(self, concept, value_type)
