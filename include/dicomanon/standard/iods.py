"""What PS3.3 says of a SOP class: is it known, and what does a compound code of Table E.1-1 come to in its IOD."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from dicomanon.standard.tables import parse_tag, read_table

MANY = "MANY"


@dataclass(frozen=True, slots=True)
class IodActions:
    """Resolved Basic Profile codes of one IOD, by tag, for the main data set and for every sequence below it."""

    top: Mapping[int, str]
    nested: Mapping[int, str]


@cache
def iod_by_sop_class() -> Mapping[str, str]:
    """Return the IOD of every storage SOP class of our edition of PS3.3."""
    return MappingProxyType({row["sop_class_uid"]: row["iod"] for row in read_table("sop_class_iod")})


@cache
def _compound_actions() -> dict[tuple[str, str], dict[int, str]]:
    actions: dict[tuple[str, str], dict[int, str]] = {}
    for row in read_table("ps3_3_types_for_e1_1"):
        key = (row["sop_class_uid"], row["level"])
        actions.setdefault(key, {})[parse_tag(row["tag"])] = row["resolved_action"]
    return actions


@cache
def _type_conflicts() -> dict[tuple[str, str], dict[int, str]]:
    """Plain X or Z where an IOD wants Type 1 or 2: a dummy, or nothing inside, keeps the object conformant.

    Conditional types stay removed (the condition is not met in what we release), and so do rows that hold for
    nearly every SOP class, which are conditional on facts that the Basic Profile removes as well.
    """
    required = {"1": "D", "2": "Z"}
    conflicts: dict[tuple[str, str], dict[int, str]] = {}
    for row in read_table("ps3_3_type_conflicts_with_basic_profile"):
        action = required.get(row["ps3_3_type"])
        if action is None or row["sop_class_uids"] == MANY or "x" in row["tag"]:
            continue
        for sop_class_uid in row["sop_class_uids"].split(";"):
            conflicts.setdefault((sop_class_uid, row["level"]), {})[parse_tag(row["tag"])] = action
    return conflicts


@cache
def iod_actions(sop_class_uid: str) -> IodActions:
    """Return what codes with a choice come to for a SOP class.

    A tag with a compound code that is in neither mapping is not defined by the IOD.

    Raises
    ------
    KeyError
        The SOP class is not in our edition of PS3.3.
    """
    if sop_class_uid not in iod_by_sop_class():
        raise KeyError("SOP class")
    levels = []
    for level in ("top", "nested"):
        key = (sop_class_uid, level)
        levels.append(MappingProxyType({**_compound_actions().get(key, {}), **_type_conflicts().get(key, {})}))
    return IodActions(top=levels[0], nested=levels[1])


@cache
def tags_resolved_per_iod() -> frozenset[int]:
    """Return the attributes whose Basic Profile code depends on the IOD."""
    return frozenset(
        tag for actions in (_compound_actions(), _type_conflicts()) for level in actions.values() for tag in level
    )
