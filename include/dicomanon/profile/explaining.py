"""Tells what a profile does with one attribute, which rule decides, and where the standard says so."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dicomanon.profile.actions import Action, AttributeRule, TextKind
from dicomanon.profile.compiler import CompiledProfile, compile_profile
from dicomanon.profile.decision import Decision, Source
from dicomanon.profile.effects import effect
from dicomanon.profile.levels import Level
from dicomanon.profile.overrides import ANY_ELEMENT, override_name
from dicomanon.profile.schema import Profile
from dicomanon.profile.table_rules import IN_THIS_IOD, NOT_DEFINED_HERE
from dicomanon.standard.confidentiality import CURVE_GROUPS, OVERLAY_GROUPS, PRIVATE_ROW, confidentiality_rows
from dicomanon.standard.confidentiality import confidentiality_by_tag as rows_by_tag
from dicomanon.standard.dictionary import dictionary_vrs, name_of
from dicomanon.standard.iods import iod_by_sop_class
from dicomanon.standard.names import keyword_of
from dicomanon.standard.safe_private import creator_key, published_private_vr, safe_private_rows

_FIRST_BLOCK, _LAST_BLOCK = 0x10, 0xFF
_OF_CREATORS = Decision(
    AttributeRule(Action.KEEP, "LO", fallback=Action.REMOVE, origin="stays with what it reserves"),
    Source.GENERAL,
    "It is the private creator of a block: it stays where an element of its block stays, and goes where none does.",
    "PS3.5 7.8.1, PS3.15 E.3.10",
)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What happens to one attribute.

    Attributes
    ----------
    tag, creator
        The attribute; ``creator`` only for a private one.
    keyword, name, vr
        As the standard or the creator's dictionary has them, ``""`` if nobody does.
    action, fallback, text
        What the engine is told: what to do, what to do with a value of another form, what words to expect.
    effect
        The same in words.
    source, option
        Which kind of rule decides; the option, if one does.
    basic, cells
        Code of the Basic Profile in the attribute's row of Table E.1-1, ``""`` if it has none; and the row's option
        cells, as (option, ``K`` or ``C``), whether in force or not.
    rule
        The rule's short name, as the engine's log has it.
    why
        A sentence.
    paragraph
        Of the standard.
    by_sop_class
        Where no SOP class was asked for: how many SOP classes come to each action, the most first.
    elsewhere
        Overrides of the attribute that do not hold for what was asked, and would for a modality, a path or a SOP class.
    """

    tag: int
    creator: str
    keyword: str
    name: str
    vr: str
    action: Action
    fallback: Action
    text: TextKind
    effect: str
    source: Source
    option: str
    basic: str
    cells: tuple[tuple[str, str], ...]
    rule: str
    why: str
    paragraph: str
    by_sop_class: tuple[tuple[Action, int], ...] = ()
    elsewhere: tuple[str, ...] = ()


def explain(
    profile: Profile,
    tag: int,
    sop_class_uid: str | None = None,
    modality: str = "",
    path: Sequence[int] = (),
    creator: str = "",
) -> Explanation:
    """Explain an attribute.

    Parameters
    ----------
    profile
        Whose rules.
    tag
        The attribute; of a private one group and last byte count.
    sop_class_uid
        Compound codes depend on it. ``None`` gives what most SOP classes come to, and how many come to what.
    modality
        Matters where an override names one.
    path
        Tags of the sequences around it, from the main data set.
    creator
        Private creator.

    Raises
    ------
    Held
        ``UNKNOWN_SOP_CLASS``.
    """
    if is_private_creator(tag):
        return _explanation(_OF_CREATORS, tag, creator)
    compiled = compile_profile(profile)
    elsewhere = _elsewhere(compiled, tag, sop_class_uid, modality, path, creator)
    if sop_class_uid is not None:
        decision = _decision(compiled, tag, sop_class_uid, modality, path, creator)
        return replace(_explanation(decision, tag, creator), elsewhere=elsewhere)
    decisions = [_decision(compiled, tag, uid, modality, path, creator) for uid in iod_by_sop_class()]
    actions = Counter(decision.rule.action for decision in decisions).most_common()
    usual = next(decision for decision in decisions if decision.rule.action is actions[0][0])
    found = _explanation(usual, tag, creator, tuple(actions))
    # Nobody named an IOD that a sentence could speak of.
    counted = f" in {actions[0][1]} of {len(decisions)} SOP classes"
    why = found.why.replace(NOT_DEFINED_HERE, "").replace(IN_THIS_IOD, counted)
    return replace(found, why=why, rule=found.rule.replace(IN_THIS_IOD, counted), elsewhere=elsewhere)


def is_private_creator(tag: int) -> bool:
    """Tell whether an element reserves a block of private elements (PS3.5 section 7.8.1)."""
    return bool(tag >> 16 & 1) and _FIRST_BLOCK <= tag & 0xFFFF <= _LAST_BLOCK


def level_at(compiled: CompiledProfile, sop_class_uid: str, modality: str, path: Sequence[int]) -> Level:
    """Return the rules of a level."""
    level = compiled.actions_for(sop_class_uid, modality)
    for sequence in path:
        level = level.inside(sequence)
    return level


def _decision(
    compiled: CompiledProfile, tag: int, sop_class_uid: str, modality: str, path: Sequence[int], creator: str
) -> Decision:
    level = level_at(compiled, sop_class_uid, modality, path)
    return level.decide_private(creator, tag) if tag >> 16 & 1 else level.decide(tag)


def _elsewhere(
    compiled: CompiledProfile, tag: int, sop_class_uid: str | None, modality: str, path: Sequence[int], creator: str
) -> tuple[str, ...]:
    key = creator_key(creator), tag >> 16, tag & 0xFF
    names = []
    for placed in compiled.overrides:
        override = placed.override
        about = placed.tag == tag if placed.private is None else placed.private in {key, (*key[:2], ANY_ELEMENT)}
        narrowed = (
            placed.path not in {None, tuple(path)}
            or override.modality not in {None, modality}
            or (override.sop_class is not None and sop_class_uid is None)
        )
        if about and narrowed and (sop_class_uid is None or override.sop_class in {None, sop_class_uid}):
            names.append(f"{override_name(override)}: {override.action}")
    return tuple(names)


def _explanation(
    decision: Decision, tag: int, creator: str, by_sop_class: tuple[tuple[Action, int], ...] = ()
) -> Explanation:
    rule = decision.rule
    keyword, name, vr = _identity(tag, creator)
    basic, cells = _row(tag)
    return Explanation(
        tag=tag,
        creator=creator,
        keyword=keyword,
        name=name,
        vr=vr,
        action=rule.action,
        fallback=rule.fallback,
        text=rule.text,
        effect="stays with what it reserves, and is removed without" if is_private_creator(tag) else effect(rule),
        source=decision.source,
        option=decision.option,
        basic=basic,
        cells=cells,
        rule=rule.origin,
        why=decision.why,
        paragraph=decision.paragraph,
        by_sop_class=by_sop_class,
    )


def _identity(tag: int, creator: str) -> tuple[str, str, str]:
    if not tag >> 16 & 1:
        return keyword_of(tag), name_of(tag), dictionary_vrs().get(tag, "")
    row = safe_private_rows().get((creator_key(creator), tag >> 16, tag & 0xFF))
    return "", row.meaning if row else "", published_private_vr(creator, tag >> 16, tag & 0xFF)[0]


def _row(tag: int) -> tuple[str, tuple[tuple[str, str], ...]]:
    row = rows_by_tag().get(tag)
    if row is None:
        group, number = tag >> 16, tag & 0xFFFF
        patterns = {PRIVATE_ROW: group & 1, "50xx,xxxx": group in CURVE_GROUPS}
        patterns |= {f"60xx,{last:04X}": group in OVERLAY_GROUPS and number == last for last in (0x3000, 0x4000)}
        row = next((one for one in confidentiality_rows() if patterns.get(one.tag)), None)
    return (row.basic, tuple(row.options.items())) if row else ("", ())
