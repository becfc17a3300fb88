"""What happens to a content item, by its concept name and value type (PS3.15 section E.3.4, Table E.3.4-1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from dicomanon.profile.actions import Action, AttributeRule, LevelRules, TextKind
from dicomanon.profile.options import DEVICE_IDENTITY, INSTITUTION_IDENTITY
from dicomanon.standard.content_items import ContentItemRow, content_item_rows, current_concept
from dicomanon.standard.content_items import technical_text_concepts as technical_concepts
from dicomanon.standard.tables import parse_tag

CLEAN_DESCRIPTORS = "clean-descriptors"
MODIFIED_DATES = "retain-longitudinal-modified-dates"
PATIENT_CHARACTERISTICS = "retain-patient-characteristics"

TEXT_VALUE = parse_tag("0040,A160")
UNFORMATTED_TEXT_VALUE = parse_tag("0070,0006")
MEASURED_VALUE_SEQUENCE = parse_tag("0040,A300")
NUMERIC_VALUE = parse_tag("0040,A30A")
CONTENT_SEQUENCES = tuple(map(parse_tag, ("0040,A730", "0040,0612")))
"""Sequences whose items are content items wherever they are; the second is within Specimen Preparation Sequence."""
_OTHER_NUMBERS = tuple(map(parse_tag, ("0040,A161", "0040,A162", "0040,A163")))

_VALUES: Mapping[str, tuple[int, str]] = MappingProxyType({
    "TEXT": (TEXT_VALUE, "UT"),
    "PNAME": (parse_tag("0040,A123"), "PN"),
    "UIDREF": (parse_tag("0040,A124"), "UI"),
    "DATE": (parse_tag("0040,A121"), "DA"),
    "TIME": (parse_tag("0040,A122"), "TM"),
    "DATETIME": (parse_tag("0040,A120"), "DT"),
})  # fmt: skip
"""The attribute that holds the value, by value type (PS3.3 Table C.17.3-7), where a rule can replace it as a whole."""
_TEMPORAL = frozenset({"DATE", "TIME", "DATETIME"})
_TEXT_VRS = frozenset({"LO", "LT", "SH", "ST", "UC", "UT", "UN"})
_IDENTIFYING = frozenset({"TEXT", "PNAME", "NUM", "CODE", "UIDREF"})
_LEAVES = frozenset({"", *_IDENTIFYING, *_TEMPORAL})
_OVERRIDE = "override "
"""How the origin of a rule begins that an admin wrote."""
_REMEMBERED = 4096
"""Concepts whose rules are kept: more than any template has, and few enough that no object fills the memory."""
_LONGEST_CODE = 128
"""Longer ones are no codes of a table, and are not to fill the memory either."""

Rules = Mapping[int, AttributeRule]


@dataclass(frozen=True, slots=True)
class ContentDecision:
    """What happens to a content item.

    Attributes
    ----------
    rules
        Rules for the attributes of the item that differ from the ordinary ones, ``None`` if the item is removed.
    measured
        The same for the items of Measured Value Sequence (0040,A300).
    origin
        Cell of Table E.3.4-1, or our own rule.
    """

    rules: Rules | None
    origin: str
    measured: Rules | None = None


class _Overlay:
    """Ordinary rules of a level, with a few of its own on top."""

    __slots__ = ("_nested", "_rules")

    def __init__(self, nested: LevelRules, rules: Rules) -> None:
        self._nested = nested
        self._rules = rules

    def __getitem__(self, tag: int) -> AttributeRule:
        rule = self._rules.get(tag)
        if rule is None:
            return self._nested[tag]
        ordinary = self._nested[tag]
        if ordinary.origin.startswith(_OVERRIDE) and (not rule.origin.startswith("E.3.4-1") or _is_strict(ordinary)):
            # An admin's rule for all texts goes before ours, but names no concept: the table's rows stay in force.
            return ordinary
        return rule

    def inside(self, tag: int) -> LevelRules:
        return self._nested.inside(tag)

    def private(self, creator: str, tag: int) -> AttributeRule:
        return self._nested.private(creator, tag)

    def item(self, concept: tuple[str, str], value_type: str) -> LevelRules | None:
        return self._nested.item(concept, value_type)


class ContentLevel(_Overlay):
    """The rules for one content item: those of its concept over those of every item of a sequence.

    Parameters
    ----------
    nested
        The ordinary rules; what they say of a sequence inside the item stays in force.
    decision
        What Table E.3.4-1 adds.
    """

    __slots__ = ("_measured",)

    def __init__(self, nested: LevelRules, decision: ContentDecision) -> None:
        super().__init__(nested, decision.rules or {})
        self._measured = decision.measured

    def inside(self, tag: int) -> LevelRules:
        """Return the rules for the items of a sequence of this content item."""
        inside = self._nested.inside(tag)
        return _Overlay(inside, self._measured) if self._measured and tag == MEASURED_VALUE_SEQUENCE else inside


class ContentRules:
    """Table E.3.4-1 under the options of one profile; safe to share between threads.

    Where the table has no row for a concept, the value type decides: text is cleaned (a dummy without the
    clean-descriptors option, for what a text says nobody knows), and every other value has an attribute of its own
    with a rule in Table E.1-1: Person Name, UID, Date, Time, DateTime, Referenced SOP Sequence, Code Meaning.
    A row of an identifier holds for every value type in which its value can be written.

    Parameters
    ----------
    options
        Names of the options in force.
    maximum_age
        Subject ages above it become it, in the unit that the item has.
    shift_birth_date
        Whether birth dates move with the other dates rather than go.
    """

    def __init__(
        self, options: frozenset[str], *, maximum_age: int | None = None, shift_birth_date: bool = False
    ) -> None:
        self._options = options
        self._caps_ages = maximum_age is not None
        self._shifts_birth_date = shift_birth_date and MODIFIED_DATES in options
        clean = AttributeRule(
            Action.CLEAN if CLEAN_DESCRIPTORS in options else Action.DUMMY,
            "UT",
            _TEXT_VRS,
            fallback=Action.DUMMY,
            text=TextKind.DESCRIPTION,
            origin="text of a content item",
        )
        self._base: dict[int, AttributeRule] = {TEXT_VALUE: clean} | {
            tag: AttributeRule(
                Action.CLEAN_CONTENT, "SQ", frozenset({"SQ"}), origin="option clean-structured-content C"
            )
            for tag in CONTENT_SEQUENCES
        }
        self._decide = lru_cache(_REMEMBERED)(self._decision)

    def item(self, nested: LevelRules, concept: tuple[str, str], value_type: str) -> LevelRules | None:
        """Return the rules for a content item, ``None`` if the item is removed.

        Parameters
        ----------
        nested
            The ordinary rules of the sequence that holds the item.
        concept
            Code value and coding scheme designator of the concept name, empty if absent.
        value_type
            (0040,A040), ``""`` if absent, as in waveform annotations.
        """
        decision = self.decision(concept, value_type)
        return None if decision.rules is None else ContentLevel(nested, decision)

    def decision(self, concept: tuple[str, str], value_type: str) -> ContentDecision:
        """Return what happens to a content item and why, for explanations."""
        if max(len(concept[0]), len(concept[1]), len(value_type)) > _LONGEST_CODE:
            concept, value_type = ("", ""), value_type[:_LONGEST_CODE]
        return self._decide(concept, value_type)

    def _decision(self, concept: tuple[str, str], value_type: str) -> ContentDecision:
        value_type = value_type.strip().upper()
        current = current_concept(*concept)
        rows = content_item_rows().get(current, ())
        row = next((row for row in rows if row.value_type == value_type), None)
        if row is None and value_type in _LEAVES:
            # A person's name written as text, or a number written as a code, identifies no less.
            row = next((row for row in rows if _is_identifier(row) or not value_type), None)
        if row is not None:
            return self._by_row(row, value_type)
        if value_type in {"TEXT", ""} and current in technical_concepts():
            return self._with_value("TEXT", Action.SCRUB, "text that equipment writes", TextKind.TECHNICAL)
        return ContentDecision(self._base, "not in E.3.4-1: by value type")

    def _by_row(self, row: ContentItemRow, value_type: str) -> ContentDecision:
        """Retaining goes before cleaning, and cleaning before the Basic Profile, as in Table E.1-1."""
        for cell in "KC":
            for option, value in row.options.items():
                if value == cell and option in self._options:
                    return self._by_option(row, value_type, cell, option)
        if self._shifts_birth_date and row.is_birth_date:
            return self._by_option(row, value_type, "C", MODIFIED_DATES)
        origin = f"{row.table} {row.basic}"
        # X/D: whether the template requires the item is not known here, and a dummy never hurts.
        if row.basic == "X" or value_type in {"NUM", "CODE"}:
            return ContentDecision(None, origin)
        return self._with_value(value_type or "TEXT", Action.DUMMY, origin)

    def _by_option(  # noqa: PLR0911 - one line per case reads best
        self, row: ContentItemRow, value_type: str, cell: str, option: str
    ) -> ContentDecision:
        origin = f"{row.table} {row.basic}, option {option} {cell}"
        value_type = value_type or row.value_type
        if value_type == "UIDREF":
            return self._with_value(value_type, Action.KEEP_UID, origin)
        if value_type in _TEMPORAL and row.value_type in _TEMPORAL:
            moved = Action.KEEP_DATE if cell == "K" else Action.SHIFT_DATE
            return self._with_value(value_type, Action.KEEP_TIME if value_type == "TIME" else moved, origin)
        if value_type == "TEXT":
            if cell == "C":
                return self._with_value(value_type, Action.CLEAN, origin, TextKind.DESCRIPTION)
            # As in Table E.1-1: what is kept names nobody, but the institution would be taken for a known value.
            kind = TextKind.TERM if option == DEVICE_IDENTITY else TextKind.TECHNICAL
            action = Action.KEEP if option == INSTITUTION_IDENTITY else Action.SCRUB
            return self._with_value(value_type, action, origin, kind)
        if value_type == "NUM" and option == PATIENT_CHARACTERISTICS and self._caps_ages and row.is_age:
            return ContentDecision(self._base, origin, MappingProxyType(_capped(origin)))
        if value_type in {"PNAME", *_TEMPORAL}:
            return self._with_value(value_type, Action.DUMMY, origin)
        return ContentDecision(self._base, origin)

    def _with_value(
        self, value_type: str, action: Action, origin: str, text: TextKind = TextKind.TECHNICAL
    ) -> ContentDecision:
        if value_type not in _VALUES:
            # References to objects: their UIDs are mapped, or kept, by the ordinary rules; so is a dummy's.
            return ContentDecision(self._base, origin)
        tag, vr = _VALUES[value_type]
        if action is Action.DUMMY and vr == "UI":
            # A mapped UID is a dummy to which references still lead.
            action = Action.UID
        accepted = _TEXT_VRS if vr == "UT" else frozenset({vr, "UN"})
        rule = AttributeRule(action, vr, accepted, fallback=Action.DUMMY, text=text, origin=origin)
        rules = {**self._base, tag: rule}
        if tag == TEXT_VALUE and action is Action.DUMMY:
            # Waveform annotations have their text elsewhere (PS3.3 section C.10.10).
            rules[UNFORMATTED_TEXT_VALUE] = AttributeRule(action, "ST", origin=origin)
        return ContentDecision(MappingProxyType(rules), origin)


def _is_strict(rule: AttributeRule) -> bool:
    return rule.action in {Action.REMOVE, Action.EMPTY, Action.DUMMY}


def _is_identifier(row: ContentItemRow) -> bool:
    """Tell whether what a row names identifies in any value type, unlike findings and times of events."""
    return "C" not in row.options.values() and (row.value_type in _IDENTIFYING or not row.options)


def _capped(origin: str) -> dict[int, AttributeRule]:
    numbers = {tag: AttributeRule(Action.REMOVE, "FD", origin=origin) for tag in _OTHER_NUMBERS}
    capped = AttributeRule(Action.CAP_AGE, "DS", frozenset({"DS", "UN"}), fallback=Action.REMOVE, origin=origin)
    return {**numbers, NUMERIC_VALUE: capped}
