"""Compares two profiles in terms of what they do with attributes."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from dicomanon.profile.actions import AttributeRule
from dicomanon.profile.compiler import CompiledProfile, compile_profile
from dicomanon.profile.effects import effect
from dicomanon.profile.options import PARAGRAPHS
from dicomanon.profile.overrides import ANY_ELEMENT, PlacedOverride, override_name
from dicomanon.profile.schema import Profile
from dicomanon.standard.confidentiality import confidentiality_rows
from dicomanon.standard.dictionary import dictionary_vrs
from dicomanon.standard.iods import iod_by_sop_class, tags_resolved_per_iod
from dicomanon.standard.names import keyword_of
from dicomanon.standard.safe_private import safe_private_rows
from dicomanon.standard.tables import format_tag

_SWITCHES = (
    "maximum_age",
    "birth_date",
    "trust_block_identifying_information",
    "outside_iod",
    "unconfirmed_devices",
    "recognizable_visual_features",
)

_Context = tuple[str, str, bool]
"""SOP class, modality, and whether in an item of a sequence."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that two profiles do otherwise.

    Attributes
    ----------
    kind
        ``option``, ``switch``, ``override`` or ``attribute``.
    subject
        Name of the option or switch, the override, or the attribute as ``(GGGG,EEEE) Keyword``.
    first, second
        What each profile says: ``yes`` or ``no``, a value, or the action.
    effect
        What that means, in words.
    """

    kind: str
    subject: str
    first: str
    second: str
    effect: str


def compare(first: Profile, second: Profile) -> list[Difference]:
    """Return what two profiles do otherwise: options, switches, overrides, then attributes in order of tags.

    Attributes are compared over all SOP classes, in the main data set and in items; where the treatment differs
    between SOP classes, the most frequent stands for it.
    """
    return [
        *_options(first, second),
        *_switches(first, second),
        *_overrides(first, second),
        *_attributes(compile_profile(first), compile_profile(second)),
        *_private(compile_profile(first), compile_profile(second)),
    ]


def _options(first: Profile, second: Profile) -> Iterator[Difference]:
    for option in sorted({*first.options} ^ {*second.options}):
        here, there = ("yes", "no") if option in first.options else ("no", "yes")
        rows = sum(option in row.options for row in confidentiality_rows())
        text = f"{PARAGRAPHS[option]}" + (f", {rows} rows of Table E.1-1" if rows else "")
        yield Difference("option", option, here, there, text)


def _switches(first: Profile, second: Profile) -> Iterator[Difference]:
    meanings = {
        "maximum_age": "ages above it become it",
        "birth_date": "whether the birth date is moved or goes",
        "trust_block_identifying_information": "whether an object may declare private attributes safe",
        "outside_iod": "what happens to attributes outside their IOD",
        "unconfirmed_devices": "what happens to pictures with text from devices that nobody has confirmed",
        "recognizable_visual_features": "what happens to volumes that may show a face",
    }
    for switch in _SWITCHES:
        here, there = getattr(first, switch), getattr(second, switch)
        if here != there:
            yield Difference("switch", switch, _said(here), _said(there), meanings[switch])


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def _overrides(first: Profile, second: Profile) -> Iterator[Difference]:
    here = {override_name(override): override for override in first.overrides}
    there = {override_name(override): override for override in second.overrides}
    for selector in dict.fromkeys([*here, *there]):
        actions = [str(side[selector].action) if selector in side else "none" for side in (here, there)]
        if actions[0] != actions[1]:
            reason = (there.get(selector) or here[selector]).reason
            yield Difference("override", selector, actions[0], actions[1], reason or "no reason given")


def _attributes(first: CompiledProfile, second: CompiledProfile) -> Iterator[Difference]:
    everywhere, anywhere = _contexts(first, second)
    tags = {*dictionary_vrs(), *(placed.tag for side in (first, second) for placed in side.overrides if placed.tag)}
    for tag in sorted(tags):
        contexts = everywhere if tag in tags_resolved_per_iod() else anywhere
        rules = [[_rule(compiled, tag, *context) for context in contexts] for compiled in (first, second)]
        here, there = _most_telling(*rules)
        if effect(here) != effect(there):
            yield _difference(f"{format_tag(tag)} {keyword_of(tag)}".rstrip(), here, there)


def _contexts(first: CompiledProfile, second: CompiledProfile) -> tuple[list[_Context], list[_Context]]:
    """Return all SOP classes, and the few that tell all that differs for an attribute without a compound code."""
    usual = next(iter(iod_by_sop_class()))
    named = {
        (placed.override.sop_class or usual, placed.override.modality or "")
        for side in (first, second)
        for placed in side.overrides
    }
    few = sorted({(usual, ""), *named})
    every = sorted({*((uid, "") for uid in iod_by_sop_class()), *few})
    both = [[(*one, nested) for one in some for nested in (False, True)] for some in (every, few)]
    return both[0], both[1]


def _rule(compiled: CompiledProfile, tag: int, sop_class_uid: str, modality: str, nested: bool) -> AttributeRule:
    root = compiled.actions_for(sop_class_uid, modality)
    return root.inside(0)[tag] if nested else root[tag]


def _most_telling(first: list[AttributeRule], second: list[AttributeRule]) -> tuple[AttributeRule, AttributeRule]:
    """Return the pair of rules that differs most often, or any if none differs."""
    effects = [(effect(here), effect(there)) for here, there in zip(first, second, strict=True)]
    counts = Counter(pair for pair in effects if pair[0] != pair[1])
    if not counts:
        return first[0], second[0]
    index = effects.index(counts.most_common(1)[0][0])
    return first[index], second[index]


def _private(first: CompiledProfile, second: CompiledProfile) -> Iterator[Difference]:
    sop_class = next(iter(iod_by_sop_class()))
    levels = [compiled.actions_for(sop_class) for compiled in (first, second)]
    spelled = {key: row.creator for key, row in safe_private_rows().items()}
    for placed in [*first.overrides, *second.overrides]:
        if placed.private is not None and placed.private[2] != ANY_ELEMENT:
            spelled.setdefault(placed.private, _creator(placed))
    for (key, group, number), creator in sorted(spelled.items()):
        here, there = (level.private(key, group << 16 | 0x1000 | number) for level in levels)
        if effect(here) != effect(there):
            yield _difference(f"({group:04X},xx{number:02X}) {creator}", here, there)


def _creator(placed: PlacedOverride) -> str:
    assert placed.override.private is not None
    return placed.override.private.creator


def _difference(subject: str, here: AttributeRule, there: AttributeRule) -> Difference:
    text = f"first: it {effect(here)}. Second: it {effect(there)}."
    return Difference("attribute", subject, str(here.action), str(there.action), text)
