"""Finds what contradicts itself in a profile of the right form."""

from dicomanon.profile.actions import Action
from dicomanon.profile.decision import Decision
from dicomanon.profile.levels import Level, RuleBook
from dicomanon.profile.options import FULL_DATES, MODIFIED_DATES, PATIENT_CHARACTERISTICS, SAFE_PRIVATE
from dicomanon.profile.other_rules import OtherRules
from dicomanon.profile.overrides import (
    PlacedOverride,
    Unplaceable,
    misfit,
    overridden,
    place_override,
    sequences_with_dummies,
)
from dicomanon.profile.private_rules import PrivateRules
from dicomanon.profile.schema import Override, Place, Profile, place_name
from dicomanon.profile.table_rules import TableRules
from dicomanon.standard.dictionary import modalities
from dicomanon.standard.iods import iod_actions, iod_by_sop_class
from dicomanon.standard.safe_private import similar_creator

Problem = tuple[Place, str]

ANY_KEYWORD = "StudyDate"
"""Stands in for a name that is wrong, so that what is beside it can be looked at too."""

_RETAINED = {
    Action.REMOVE: 0, Action.EMPTY: 0, Action.DUMMY: 0, Action.PSEUDONYM: 0,
    Action.UID: 1,
    Action.CLEAN: 2, Action.CLEAN_CONTENT: 2, Action.CLEAN_DOCUMENT: 2, Action.SHIFT_DATE: 2,
    Action.SCRUB: 3, Action.KEEP_TIME: 3, Action.CAP_AGE: 3, Action.RECURSE: 3,
    Action.KEEP_NUMBER: 4, Action.KEEP_DATE: 4, Action.KEEP_UID: 4, Action.KEEP: 4,
}  # fmt: skip
"""How much of a value an action lets out."""


def contradictions(profile: Profile) -> list[Problem]:
    """Return what is wrong with a profile, and where."""
    problems = _of_options(profile)
    placed = []
    for index, override in enumerate(profile.overrides):
        place: Place = ("overrides", index)
        wrong = misplacements(override, place)
        problems += wrong
        if not wrong:
            placed.append(place_override(override, place))
    return problems + _of_overrides(profile, placed)


def misplacements(override: Override, place: Place) -> list[Problem]:
    """Return all that an override names and that there is not, or may not be named."""
    problems: list[Problem] = []
    while True:
        try:
            place_override(override, place)
        except Unplaceable as error:
            problems.append(((*place, *error.keys), str(error)))
            if error.keys == ("private",):
                return problems
            override = override.model_copy(update=_without(override, error.keys))
        else:
            return problems


def _without(override: Override, keys: tuple[str, ...]) -> dict[str, object]:
    """Return what to change so that the rest of an override can be looked at."""
    if keys[0] in {"keyword", "tag"}:
        return {"tag": None, "keyword": ANY_KEYWORD}
    if override.private is not None and keys[0] == "private":
        return {"private": override.private.model_copy(update={keys[-1]: None})}
    return {keys[0]: None}


def hints(profile: Profile) -> list[Problem]:
    """Return what may be meant otherwise in a profile that can be used, and where."""
    found: list[Problem] = []
    for index, override in enumerate(profile.overrides):
        similar = similar_creator(override.private.creator) if override.private is not None else ""
        if similar:
            place: Place = ("overrides", index, "private", "creator")
            found.append((place, f"no dictionary knows this private creator; did you mean {similar}?"))
        if override.modality is not None and override.modality not in modalities():
            found.append((
                ("overrides", index, "modality"),
                "no defined term of PS3.16 CID 33: it holds only for objects whose Modality is just this",
            ))  # fmt: skip
    return found


def _of_options(profile: Profile) -> list[Problem]:
    options = profile.options
    problems: list[Problem] = []
    if FULL_DATES in options and MODIFIED_DATES in options:
        problems.append((("options",), f"{FULL_DATES} and {MODIFIED_DATES} contradict each other"))
    if profile.birth_date == "shift" and MODIFIED_DATES not in options:
        problems.append((("birth_date",), f"shift needs the option {MODIFIED_DATES}"))
    if profile.maximum_age != Profile.model_fields["maximum_age"].default and PATIENT_CHARACTERISTICS not in options:
        problems.append((("maximum_age",), f"without the option {PATIENT_CHARACTERISTICS} no age is kept"))
    if profile.trust_block_identifying_information and SAFE_PRIVATE not in options:
        place = ("trust_block_identifying_information",)
        problems.append((place, f"without the option {SAFE_PRIVATE} no private attribute is kept"))
    return problems


def _of_overrides(profile: Profile, placed: list[PlacedOverride]) -> list[Problem]:
    private = PrivateRules(profile)
    book = RuleBook(TableRules(profile), OtherRules(profile), private, None)
    dummies = sequences_with_dummies()
    first: dict[tuple[object, ...], PlacedOverride] = {}
    problems: list[Problem] = []
    for one in placed:
        earlier = first.setdefault(one.applies_to, one)
        if earlier is not one:
            problems.append((one.place, f"{place_name(earlier.place)} is about the same"))
            continue
        problem = misfit(one, private, shifts=MODIFIED_DATES in profile.options, dummies=dummies)
        if problem:
            problems.append(((*one.place, "action"), problem))
            continue
        levels = _levels(one, book)
        if not one.override.reason and any(_weakens(one, level, private) for level in levels):
            problems.append((one.place, "it keeps more than the options do: a reason is needed"))
        if one.path and not _reached(one.path, levels[-1], placed):
            problems.append(((*one.place, "path"), "a sequence of the path is removed, so the override does nothing"))
    return problems


def _levels(placed: PlacedOverride, book: RuleBook) -> list[Level]:
    """Return the levels to judge an override by; compound codes differ between IODs in how nothing is kept."""
    sop_class = placed.override.sop_class or next(iter(iod_by_sop_class()))
    iod = iod_actions(sop_class)
    nested = Level(book, iod, None, (), in_item=True)
    return [nested] if placed.path else [Level(book, iod, nested, (), in_item=False), nested]


def _weakens(placed: PlacedOverride, level: Level, private: PrivateRules) -> bool:
    if placed.private is None:
        base: Decision = level.decide_without_overrides(placed.tag)
        return _RETAINED[overridden(placed, base, private).rule.action] > _RETAINED[base.rule.action]
    creator, group, number = placed.private
    base = private.decide(creator, group << 16 | max(number, 0))
    if number < 0:
        return placed.override.action == "keep"
    return _RETAINED[overridden(placed, base, private, number).rule.action] > _RETAINED[base.rule.action]


def _reached(path: tuple[int, ...], level: Level, placed: list[PlacedOverride]) -> bool:
    kept = {one.tag for one in placed if one.override.action == "keep" and one.vr == "SQ"}
    entered = {Action.RECURSE, Action.CLEAN_CONTENT}
    return all(tag in kept or level.decide_without_overrides(tag).rule.action in entered for tag in path)
