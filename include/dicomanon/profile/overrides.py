"""An admin's exceptions: which attribute each one names, and the rule that it comes to."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from dicomanon.profile.actions import Action, AttributeRule
from dicomanon.profile.decision import (
    BULK_VRS,
    DATE_VRS,
    TEXT_VRS,
    Decision,
    Source,
    accepted_vrs,
    fixed_length,
    kept,
    written_vr,
)
from dicomanon.profile.other_rules import MARKERS, PIXEL_DATA, SPECIFIC_CHARACTER_SET
from dicomanon.profile.private_rules import PrivateRules
from dicomanon.profile.schema import Override, Place
from dicomanon.profile.table_rules import FIRST_DATA_SET_GROUP, PATIENT_ID, PATIENT_NAME, text_kind
from dicomanon.standard.confidentiality import CURVE_GROUPS, OVERLAY_GROUPS
from dicomanon.standard.dictionary import dictionary_vrs, is_single_valued, is_vr
from dicomanon.standard.iods import iod_actions, iod_by_sop_class
from dicomanon.standard.names import keyword_of, similar_keywords, similar_sop_classes, sop_class_keyword, tag_named
from dicomanon.standard.safe_private import PrivateKey, creator_key, published_private_vr, safe_private_rows
from dicomanon.standard.tables import format_tag, parse_tag, read_table

TIMEZONE_OFFSET = parse_tag("0008,0201")
_IDENTITY = frozenset({
    PATIENT_NAME, PATIENT_ID, SPECIFIC_CHARACTER_SET, *MARKERS, *PIXEL_DATA,
    *map(parse_tag, ("0008,0016", "0008,0018", "0020,000D", "0020,000E")),
})  # fmt: skip
"""What the system writes or stands on: an override of it would break the crosswalk or the picture."""

_REPLACING = {"remove": Action.REMOVE, "empty": Action.EMPTY, "dummy": Action.DUMMY}
_NOTHING_STAYS = frozenset({Action.REMOVE, Action.EMPTY, Action.DUMMY})


class Unplaceable(ValueError):
    """An override that names nothing, or nothing that may be named.

    Parameters
    ----------
    key
        Key of the override that is wrong.
    below
        Key in its value, where that has keys of its own.
    """

    def __init__(self, key: str, message: str, *below: str) -> None:
        super().__init__(message)
        self.keys = (key, *below)


@dataclass(frozen=True, slots=True)
class PlacedOverride:
    """An override with names resolved.

    Attributes
    ----------
    place
        Where in the profile it is written.
    path
        Sequences from the main data set down, ``None`` for anywhere.
    tag
        The public attribute, 0 for private ones.
    private
        Creator, group, and last byte (-1 for all), for private ones.
    vr
        VR of the attribute, ``""`` for a whole block.
    """

    override: Override
    place: Place
    path: tuple[int, ...] | None
    tag: int
    private: PrivateKey | None
    vr: str
    vm: str

    @property
    def applies_to(self) -> tuple[object, ...]:
        """Return what two overrides must not have in common."""
        return self.path, self.tag, self.private, self.override.sop_class, self.override.modality

    @property
    def specificity(self) -> tuple[int, ...]:
        """Return a number that grows with how special the case is."""
        return (
            0 if self.path is None else 1,
            self.override.sop_class is not None,
            self.override.modality is not None,
            self.private is None or self.private[2] >= 0,
        )


ANY_ELEMENT = -1


def override_name(override: Override) -> str:
    """Return which attribute an override is of, and where it holds; unlike its number, it outlives an edit."""
    private = override.private
    if private is not None:
        what = f"{private.creator} ({private.group.upper()},xx{(private.element or 'xx')[-2:].upper()})"
    else:
        tag = tag_named(override.keyword or override.tag or "")
        what = (keyword_of(tag) if tag is not None else "") or override.keyword or override.tag or ""
    parts = [f"{override.path} > {what}" if override.path else what]
    if override.sop_class:
        parts.append(f"in {sop_class_keyword(override.sop_class)}")
    if override.modality:
        parts.append(f"of modality {override.modality}")
    return " ".join(parts)


def _tag_named(name: str, key: str, which: str = "") -> int:
    tag = tag_named(name)
    if tag is None:
        close = similar_keywords(name)
        raise Unplaceable(key, f"{which}no such attribute" + (f"; did you mean {close[0]}?" if close else ""))
    return tag


def place_override(override: Override, place: Place) -> PlacedOverride:
    """Resolve the names of an override.

    Raises
    ------
    Unplaceable
        A name is unknown, or names what cannot be overridden.
    """
    if override.sop_class is not None and override.sop_class not in iod_by_sop_class():
        close = similar_sop_classes(override.sop_class)
        hint = f"; did you mean {close[0]}?" if close else ": give its UID, keyword or name"
        raise Unplaceable("sop_class", f"not a storage SOP class of our edition of PS3.3{hint}")
    if override.private is not None:
        return _place_private(override, place)
    key = "tag" if override.keyword is None else "keyword"
    tag = _tag_named(override.keyword or override.tag or "", key)
    group = tag >> 16
    vr = dictionary_vrs().get(tag)
    if group & 1:
        raise Unplaceable(key, "a private tag says nothing without its creator: use private")
    if tag in _IDENTITY:
        raise Unplaceable(key, "the system writes this attribute itself, or stands on it")
    if group < FIRST_DATA_SET_GROUP or not tag & 0xFFFF:
        raise Unplaceable(key, "this attribute does not belong into a data set")
    if group in CURVE_GROUPS or group in OVERLAY_GROUPS:
        raise Unplaceable(key, "curves and overlays go as a whole")
    if vr is None:
        raise Unplaceable(key, "the standard does not define this attribute")
    return PlacedOverride(override, place, _path(override, tag), tag, None, written_vr(vr), "")


def _place_private(override: Override, place: Place) -> PlacedOverride:
    selector = override.private
    assert selector is not None
    group = int(selector.group, 16)
    if not group & 1 or group < FIRST_DATA_SET_GROUP:
        raise Unplaceable("private", "a private group is odd, and above 0008")
    if selector.vr is not None and not is_vr(selector.vr):
        raise Unplaceable("private", "PS3.5 6.2 defines no such VR", "vr")
    number = ANY_ELEMENT if selector.element is None else int(selector.element[-2:], 16)
    vr, vm = published_private_vr(selector.creator, group, number) if number >= 0 else ("", "")
    if selector.vr is not None:
        vr, vm = selector.vr, vm if selector.vr == vr else ""
    key = (creator_key(selector.creator), group, number)
    return PlacedOverride(override, place, _path(override, None), 0, key, written_vr(vr) if vr else "", vm)


def _path(override: Override, tag: int | None) -> tuple[int, ...] | None:
    if override.path is None:
        return None
    names = [name.strip() for name in override.path.split(">")]
    if "" in names:
        raise Unplaceable("path", f"part {names.index('') + 1} of the path is empty")
    tags = [_tag_named(name, "path", f"part {part} of the path is ") for part, name in enumerate(names, 1)]
    if len(tags) > 1 and tags[-1] == tag:
        tags.pop()
    for part, sequence in enumerate(tags, 1):
        if dictionary_vrs().get(sequence) != "SQ":
            what = keyword_of(sequence) or format_tag(sequence)
            raise Unplaceable("path", f"part {part} of the path, {what}, is no sequence")
    return tuple(tags)


def misfit(  # noqa: PLR0911 - one line per case reads best
    placed: PlacedOverride, private: PrivateRules, *, shifts: bool, dummies: frozenset[int]
) -> str:
    """Return why an action does not fit what it is for, ``""`` if it does.

    Parameters
    ----------
    placed
        The override.
    private
        How private values of each VR are kept.
    shifts
        Whether the profile has the modified-dates option.
    dummies
        Sequences that we have a dummy for.
    """
    action, vr, tag = placed.override.action, placed.vr, placed.tag
    whole_block = placed.private is not None and placed.private[2] == ANY_ELEMENT
    limit = _limits().get((tag, action)) or _required(placed)
    if limit:
        return limit
    if action == "remove":
        return ""
    if whole_block:
        return (
            ""
            if action == "keep"
            else "all elements of a creator can be removed or kept, and nothing else; element names one"
        )
    if not vr:
        return "no dictionary knows this private attribute: give its vr"
    wanted = {
        "clean": (TEXT_VRS, "only text can be cleaned"),
        "scrub": (TEXT_VRS, "only text can be scrubbed"),
        "uid": ({"UI"}, "only a UID can be mapped"),
        "shift-date": (DATE_VRS, "only DA and DT can be shifted"),
        "keep-time": ({"TM", "SH"} if tag == TIMEZONE_OFFSET else {"TM"}, "only times of day can be kept as times"),
    }.get(action)
    if wanted is not None and vr not in wanted[0]:
        return f"{wanted[1]}; the attribute has VR {vr}"
    if action == "shift-date" and not shifts:
        return "dates are shifted only with the option retain-longitudinal-modified-dates"
    if action == "keep" and vr == "PN":
        return "no person's name is kept"
    if action == "dummy" and vr == "SQ" and tag not in dummies:
        return "there is no dummy for this sequence"
    if placed.private is not None and action in {"empty", "dummy"}:
        return "a private attribute is removed, kept or cleaned: nothing requires it"
    if placed.private is not None and action == "keep" and private.of_vr(vr, "", origin="").action is Action.REMOVE:
        what = f"private bytes of VR {vr}" if vr in BULK_VRS else f"private dates and times (VR {vr})"
        then = "nobody can read them" if vr in BULK_VRS else "the options keep no dates"
        return f"{what} are removed in any case, since {then}: leave the override out"
    return ""


@cache
def _limits() -> Mapping[tuple[int, str], str]:
    """Return why an action is refused for an attribute, whatever the profile."""
    return MappingProxyType({
        (parse_tag(row["tag"]), action): row["why"]
        for row in read_table("override_limits")
        for action in row["refused"].split("|")
    })  # fmt: skip


def _required(placed: PlacedOverride) -> str:
    """Return why an attribute that its one SOP class requires a value of cannot go."""
    override = placed.override
    if override.sop_class is None or placed.path is not None or override.action not in {"remove", "empty"}:
        return ""
    if iod_actions(override.sop_class).top.get(placed.tag) != "D":
        return ""
    return "this SOP class requires a value of it (Type 1): dummy replaces it"


def sequences_with_dummies() -> frozenset[int]:
    """Return the sequences that we have a dummy item for."""
    return frozenset(parse_tag(row["path"].split(">")[0]) for row in read_table("dummy_items"))


def overridden(placed: PlacedOverride, base: Decision, private: PrivateRules, number: int = ANY_ELEMENT) -> Decision:
    """Return the decision of an override.

    Parameters
    ----------
    placed
        The override.
    base
        What would be decided without it; where nothing of a value stays, so does its fallback.
    private
        How private values of each VR are kept.
    number
        Last byte of the private element that is asked for.
    """
    rule = _rule(placed, base, private, number)
    override = placed.override
    why = f"The profile's override of {override_name(override)} says {override.action}"
    return Decision(
        rule, Source.OVERRIDE, f"{why}: {override.reason}" if override.reason else f"{why}.", "PS3.15 E.1.1"
    )


def _rule(placed: PlacedOverride, base: Decision, private: PrivateRules, number: int) -> AttributeRule:
    action, vr, vm = placed.override.action, placed.vr, placed.vm
    origin = f"override of {override_name(placed.override)}: {action}"
    fallback = base.rule.action if base.rule.action in _NOTHING_STAYS else base.rule.fallback
    if placed.private is not None:
        fallback = Action.REMOVE
        if placed.private[2] == ANY_ELEMENT and action == "keep":
            creator, group, _ = placed.private
            row = safe_private_rows().get((creator, group, number))
            vr, vm = (row.vr, row.vm) if row else published_private_vr(creator, group, number)
    if action in _REPLACING:
        return AttributeRule(_REPLACING[action], vr or "UN", origin=origin)
    if action in {"clean", "scrub"}:
        kind = text_kind(placed.tag) if action == "clean" else kept("LO", fallback=fallback, origin="").text
        return AttributeRule(Action(action), vr, accepted_vrs(vr), fallback=fallback, text=kind, origin=origin)
    if action in {"uid", "shift-date", "keep-time"}:
        return AttributeRule(Action(action), vr, fallback=fallback, origin=origin)
    if placed.private is not None:
        return private.of_vr(vr, vm, origin=origin)
    length = fixed_length(vr, "1") if is_single_valued(placed.tag) else 0
    rule = kept(vr, fallback=fallback, origin=origin, length=length)
    if rule.action is Action.SCRUB or rule.action is fallback:
        # An admin who means what identifies to go says scrub.
        return AttributeRule(Action.KEEP, vr, accepted_vrs(vr), fallback=fallback, origin=origin)
    return rule
