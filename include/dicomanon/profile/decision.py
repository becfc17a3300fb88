"""What is decided for one attribute, which rule decided it, and how a value of each VR is kept."""

from dataclasses import dataclass
from enum import StrEnum

from dicomanon.profile.actions import Action, AttributeRule, TextKind

FREE_TEXT_VRS = frozenset({"LO", "LT", "SH", "ST", "UC", "UT"})
"""VRs in which people and equipment write words."""
TEXT_VRS = FREE_TEXT_VRS | {"AE", "CS", "UR"}
"""VRs whose values can be cleaned as text."""
DATE_VRS = frozenset({"DA", "DT"})
TEMPORAL_VRS = DATE_VRS | {"TM"}
NUMERIC_TEXT_VRS = frozenset({"DS", "IS"})
BULK_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
NUMBER_BYTES = {"AT": 4, "FD": 8, "FL": 4, "SL": 4, "SS": 2, "SV": 8, "UL": 4, "US": 2, "UV": 8}

_ACCEPTED_TEXT = frozenset({*TEXT_VRS, *NUMERIC_TEXT_VRS, "AS", "UN"})
_ACCEPTED_BINARY = frozenset({
    *NUMBER_BYTES, *BULK_VRS, "OB or OW", "US or OW", "US or SS", "US or SS or OW",
})  # fmt: skip
_ACCEPTED_SEQUENCE = frozenset({"SQ"})


class Source(StrEnum):
    """Which kind of rule decided."""

    TABLE = "PS3.15 Table E.1-1"
    OPTION = "option"
    OVERRIDE = "override"
    SAFE_PRIVATE = "PS3.15 Table E.3.10-1"
    OURS = "our table"
    GENERAL = "general rule"
    SYSTEM = "written anew"


@dataclass(frozen=True, slots=True)
class Decision:
    """A rule and where it comes from.

    Attributes
    ----------
    rule
        What the engine gets.
    source
        Which kind of rule decided.
    why
        One sentence.
    paragraph
        Of the standard, ``""`` if it says nothing.
    option
        The option that decided, ``""`` if none did.
    """

    rule: AttributeRule
    source: Source
    why: str
    paragraph: str
    option: str = ""


def written_vr(vr: str) -> str:
    """Return the VR that a new value is written with, of ``OB/OW`` and ``US or SS`` the first."""
    return vr.replace("/", " or ").split(" or ", maxsplit=1)[0] or "UN"


def accepted_vrs(vr: str) -> frozenset[str]:
    """Return the VRs in which a value of this VR may come and still be what its tag says."""
    if vr == "SQ":
        return _ACCEPTED_SEQUENCE
    return _ACCEPTED_TEXT if vr in _ACCEPTED_TEXT and vr != "UN" else _ACCEPTED_BINARY


def fixed_length(vr: str, vm: str) -> int:
    """Return the length in bytes of a value of this VR and multiplicity, 0 if it may vary."""
    return NUMBER_BYTES.get(vr, 0) * int(vm) if vm.isdigit() else 0


def kept(
    vr: str,
    *,
    fallback: Action,
    origin: str,
    accepted: frozenset[str] | None = None,
    length: int = 0,
    text: TextKind | None = None,
) -> AttributeRule:
    """Return the rule that keeps a value of a VR as PS3.15 means it by K, and nothing else under its tag.

    Text stays but for what identifies the patient; dates, times, UIDs, ages and numbers stay if they are such.
    Bytes of no known structure are treated as the Basic Profile does.
    """
    vr = written_vr(vr)
    if vr in BULK_VRS:
        return AttributeRule(fallback, vr, origin=origin)
    if vr in TEXT_VRS:
        action = Action.SCRUB
    else:
        action = {
            "SQ": Action.RECURSE, "UI": Action.KEEP_UID, "AS": Action.CAP_AGE, "DA": Action.KEEP_DATE,
            "DT": Action.KEEP_DATE, "TM": Action.KEEP_TIME, "DS": Action.KEEP_NUMBER, "IS": Action.KEEP_NUMBER,
        }.get(vr, Action.KEEP)  # fmt: skip
    return AttributeRule(
        action,
        vr,
        accepted_vrs(vr) if accepted is None else accepted,
        length=length,
        fallback=fallback,
        text=text or (TextKind.TERM if vr == "CS" else TextKind.TECHNICAL),
        origin=origin,
    )
