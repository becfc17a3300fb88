"""Turns a profile into one action per attribute for each SOP class, once, so that the engine only looks up."""

from collections.abc import Mapping
from functools import cache
from threading import Lock

from dicomanon.errors import Held
from dicomanon.profile.actions import Action, AttributeRule
from dicomanon.profile.schema import Profile
from dicomanon.reasons import HoldReason
from dicomanon.standard.confidentiality import (
    ConfidentialityRow,
    MethodCode,
    attributes_beyond_table,
    confidentiality_by_tag,
    descriptions_beyond_table,
    method_codes,
)
from dicomanon.standard.dictionary import dictionary_vrs, is_single_valued
from dicomanon.standard.iods import IodActions, iod_actions
from dicomanon.standard.tables import parse_tag

MODIFIED_DATES = "retain-longitudinal-modified-dates"

PATIENT_NAME = parse_tag("0010,0010")
PATIENT_ID = parse_tag("0010,0020")
PATIENT_IDENTITY_REMOVED = parse_tag("0012,0062")
DEIDENTIFICATION_METHOD = parse_tag("0012,0063")
DEIDENTIFICATION_METHOD_CODES = parse_tag("0012,0064")
LONGITUDINAL_INFORMATION_MODIFIED = parse_tag("0028,0303")
_MARKERS = frozenset(
    {
        PATIENT_IDENTITY_REMOVED,
        DEIDENTIFICATION_METHOD,
        DEIDENTIFICATION_METHOD_CODES,
        LONGITUDINAL_INFORMATION_MODIFIED,
    }
)
PIXEL_DATA = frozenset({parse_tag("7FE0,0008"), parse_tag("7FE0,0009"), parse_tag("7FE0,0010")})
_FIRST_IMAGE_GROUP = 0x0008

_TEXT = frozenset({"AE", "AS", "CS", "DS", "IS", "LO", "LT", "SH", "ST", "UC", "UR", "UT", "UN"})
_BINARY = frozenset({
    "AT", "FD", "FL", "OB", "OD", "OF", "OL", "OV", "OW", "SL", "SS", "SV", "UL", "US", "UV", "UN",
    "OB or OW", "US or OW", "US or SS", "US or SS or OW",
})  # fmt: skip
_TEMPORAL = frozenset({"DA", "DT", "TM"})
_LENGTHS = {"AT": 4, "FD": 8, "FL": 4, "SL": 4, "SS": 2, "SV": 8, "UL": 4, "US": 2, "UV": 8}
_SIMPLE_CODES = {"X": Action.REMOVE, "Z": Action.EMPTY, "D": Action.DUMMY, "U": Action.UID, "K+recurse": Action.RECURSE}

_REMOVE_UNKNOWN = AttributeRule(Action.REMOVE, "UN", origin="unknown attribute")
_REMOVE_PRIVATE = AttributeRule(Action.REMOVE, "UN", origin="E.1-1 X (private)")


def _accepted_vrs(vr: str) -> frozenset[str]:
    if vr in _TEXT and vr != "UN":
        return _TEXT
    if vr == "SQ":
        return frozenset({"SQ"})
    return _BINARY


def _written_vr(vr: str) -> str:
    return vr.replace("/", " or ").split(" or ", maxsplit=1)[0] or "UN"


class _Level(dict[int, AttributeRule]):
    """Rules of one level of a SOP class; those outside Table E.1-1 are worked out when first met."""

    def __init__(self, profile: Profile, actions: Mapping[int, str], *, nested: bool) -> None:
        super().__init__()
        self._shifts = MODIFIED_DATES in profile.options
        self._nested = nested
        for tag, row in confidentiality_by_tag().items():
            self[tag] = self._table_rule(tag, row, actions)

    def __missing__(self, tag: int) -> AttributeRule:
        rule = self._rule_beyond_table(tag)
        if rule is not _REMOVE_PRIVATE and rule is not _REMOVE_UNKNOWN:
            # The others are billions of possible tags: remembering them would let hostile objects fill the memory.
            self[tag] = rule
        return rule

    def _table_rule(self, tag: int, row: ConfidentialityRow, actions: Mapping[int, str]) -> AttributeRule:
        vr = _written_vr(row.vr)
        if tag >> 16 < _FIRST_IMAGE_GROUP:
            # Groups of messages, file meta information and directories do not belong into a data set (PS3.10 7.1).
            return AttributeRule(Action.REMOVE, vr, origin=f"E.1-1 {row.basic}, not in a data set")
        if tag in {PATIENT_NAME, PATIENT_ID}:
            return AttributeRule(Action.PSEUDONYM, vr, origin=f"E.1-1 {row.basic}")
        # PS3.15 E.1.1: an attribute that the IOD does not define may be treated as X.
        code = actions.get(tag, "X" if "/" in row.basic else row.basic)
        basic = _SIMPLE_CODES[code]
        if basic is Action.UID and row.vr == "SQ":
            basic = Action.RECURSE
        origin = f"E.1-1 {row.basic}" + (f", {code} in this IOD" if code != row.basic else "")
        if basic is Action.RECURSE:
            return AttributeRule(basic, vr, _accepted_vrs(vr), origin=origin)
        if self._shifts and row.options.get(MODIFIED_DATES) == "C":
            retained = {
                "DA": Action.SHIFT_DATE,
                "DT": Action.SHIFT_DATE,
                "TM": Action.KEEP_TIME,
                "SH": Action.KEEP_TIME,
            }
            if row.vr in retained:
                return AttributeRule(retained[row.vr], vr, fallback=basic, origin=f"option {MODIFIED_DATES} C")
        return AttributeRule(basic, vr, origin=origin)

    def _rule_beyond_table(self, tag: int) -> AttributeRule:  # noqa: PLR0911 - one line per case reads best
        group = tag >> 16
        if group & 1:
            return _REMOVE_PRIVATE
        vr = dictionary_vrs().get(tag)
        # Curves and overlays are repeating groups and not in the lookup: whatever they hold goes (50xx, 60xx: X).
        if vr is None or group < _FIRST_IMAGE_GROUP or not tag & 0xFFFF:
            return _REMOVE_UNKNOWN
        if tag in _MARKERS:
            return AttributeRule(Action.REMOVE, vr, origin="written anew")
        beyond = attributes_beyond_table().get(tag) or descriptions_beyond_table().get(tag)
        if beyond is not None:
            return AttributeRule(_SIMPLE_CODES[beyond], vr, origin=f"{beyond}, although not in E.1-1")
        if vr == "SQ":
            return AttributeRule(Action.RECURSE, vr, _accepted_vrs(vr), origin="not in E.1-1")
        if vr == "UI":
            return AttributeRule(Action.UID, vr, origin="not in E.1-1")
        if vr == "PN":
            return AttributeRule(Action.EMPTY, vr, origin="person's name not in E.1-1")
        if vr in _TEMPORAL:
            shift = Action.KEEP_TIME if vr == "TM" else Action.SHIFT_DATE
            action = shift if self._shifts else Action.EMPTY
            return AttributeRule(action, vr, fallback=Action.EMPTY, origin="date or time not in E.1-1")
        if tag in PIXEL_DATA and self._nested:
            return AttributeRule(Action.REMOVE, vr, origin="nested pixel data")
        written = _written_vr(vr)
        action = Action.KEEP_NUMBER if vr in {"DS", "IS"} else Action.KEEP
        return AttributeRule(
            action,
            written,
            _accepted_vrs(written),
            length=_LENGTHS.get(written, 0) if is_single_valued(tag) else 0,
            fallback=Action.EMPTY,
            origin="not in E.1-1",
        )


class SopClassActions:
    """The rules of one profile for one SOP class.

    Attributes
    ----------
    top
        Rule of each attribute of the main data set; indexing never fails.
    nested
        The same for items of sequences, at any depth.
    """

    __slots__ = ("nested", "top")

    def __init__(self, profile: Profile, iod: IodActions) -> None:
        self.top: Mapping[int, AttributeRule] = _Level(profile, iod.top, nested=False)
        self.nested: Mapping[int, AttributeRule] = _Level(profile, iod.nested, nested=True)


class CompiledProfile:
    """A profile, ready for the engine; safe to share between threads.

    Attributes
    ----------
    profile
        What was compiled.
    version
        As :attr:`Profile.version`.
    method_codes
        CID 7050 codes of what is carried out, the Basic Profile first.
    modifies_dates
        Whether dates are shifted rather than removed.
    """

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.version = profile.version
        self.modifies_dates = MODIFIED_DATES in profile.options
        codes = method_codes()
        self.method_codes: tuple[MethodCode, ...] = (
            codes[""],
            *sorted((codes[option] for option in profile.options), key=lambda code: code.value),
        )
        self._actions: dict[str, SopClassActions] = {}
        self._lock = Lock()

    def actions_for(self, sop_class_uid: str) -> SopClassActions:
        """Return the rules for a SOP class.

        Raises
        ------
        Held
            ``UNKNOWN_SOP_CLASS``: without an IOD no compound code of Table E.1-1 can be resolved.
        """
        actions = self._actions.get(sop_class_uid)
        if actions is not None:
            return actions
        with self._lock:
            if sop_class_uid not in self._actions:
                try:
                    iod = iod_actions(sop_class_uid)
                except KeyError:
                    raise Held(HoldReason.UNKNOWN_SOP_CLASS) from None
                self._actions[sop_class_uid] = SopClassActions(self.profile, iod)
            return self._actions[sop_class_uid]


@cache
def compile_profile(profile: Profile) -> CompiledProfile:
    """Compile a profile; the same profile is compiled once per process."""
    return CompiledProfile(profile)
