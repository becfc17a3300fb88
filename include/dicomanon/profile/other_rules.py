"""What happens to public attributes that PS3.15 Table E.1-1 does not name."""

from dicomanon.profile.actions import Action, AttributeRule, TextKind
from dicomanon.profile.decision import (
    DATE_VRS,
    FREE_TEXT_VRS,
    NUMERIC_TEXT_VRS,
    TEMPORAL_VRS,
    TEXT_VRS,
    Decision,
    Source,
    accepted_vrs,
    fixed_length,
    kept,
    written_vr,
)
from dicomanon.profile.options import (
    CLEAN_DESCRIPTORS,
    FULL_DATES,
    MODIFIED_DATES,
    PARAGRAPHS,
    RETAIN_UIDS,
    SAFE_PRIVATE,
)
from dicomanon.profile.schema import Profile
from dicomanon.profile.table_rules import BASIC_ACTIONS, BASIC_PARAGRAPH, FIRST_DATA_SET_GROUP, text_kind
from dicomanon.standard.confidentiality import (
    CURVE_GROUPS,
    OVERLAY_GROUPS,
    descriptions_beyond_table,
    reasons_beyond_table,
    text_attributes,
)
from dicomanon.standard.dictionary import dictionary_vrs, is_single_valued, uid_roles
from dicomanon.standard.tables import parse_tag

SPECIFIC_CHARACTER_SET = parse_tag("0008,0005")
PRIVATE_CHARACTERISTICS = parse_tag("0008,0300")
PATIENT_IDENTITY_REMOVED = parse_tag("0012,0062")
DEIDENTIFICATION_METHOD = parse_tag("0012,0063")
DEIDENTIFICATION_METHOD_CODES = parse_tag("0012,0064")
LONGITUDINAL_INFORMATION_MODIFIED = parse_tag("0028,0303")
MARKERS = frozenset({
    PATIENT_IDENTITY_REMOVED,
    DEIDENTIFICATION_METHOD,
    DEIDENTIFICATION_METHOD_CODES,
    LONGITUDINAL_INFORMATION_MODIFIED,
})  # fmt: skip
PIXEL_DATA = frozenset({parse_tag("7FE0,0008"), parse_tag("7FE0,0009"), parse_tag("7FE0,0010")})

UNKNOWN = Decision(
    AttributeRule(Action.REMOVE, "UN", origin="unknown attribute"),
    Source.GENERAL,
    "No edition of the standard that we know defines it, so nobody knows what it holds.",
    "PS3.15 E.1.1",
)
GRAPHICS = Decision(
    AttributeRule(Action.REMOVE, "UN", origin="E.1-1 X (curves and overlays)"),
    Source.TABLE,
    "Overlays and curves are removed as a whole, also where their texts are to be cleaned: text is drawn in them.",
    f"{BASIC_PARAGRAPH}, rows 50xx and 60xx; {PARAGRAPHS['clean-graphics']}",
)
FORGOTTEN = frozenset({id(UNKNOWN), id(GRAPHICS)})
"""Decisions for any of billions of tags: remembering those would let hostile objects fill the memory."""

_CONFORMANCE = "PS3.15 E.1.1"


class OtherRules:
    """Decides for known attributes without a row in Table E.1-1.

    Parameters
    ----------
    profile
        Whose options are in force.
    """

    def __init__(self, profile: Profile) -> None:
        self._options = frozenset(profile.options)
        self._trusts_declarations = profile.trust_block_identifying_information

    def decide(self, tag: int, *, nested: bool) -> Decision:  # noqa: PLR0911 - one line per case reads best
        """Return the decision for an attribute that is not private."""
        group = tag >> 16
        if group in CURVE_GROUPS or group in OVERLAY_GROUPS:
            return GRAPHICS
        vr = dictionary_vrs().get(tag)
        if vr is None or vr == "UN" or group < FIRST_DATA_SET_GROUP or not tag & 0xFFFF:
            return UNKNOWN
        if tag in MARKERS:
            rule = AttributeRule(Action.REMOVE, vr, origin="written anew")
            why = "It says what was done to the object, and is written anew."
            return Decision(rule, Source.SYSTEM, why, _CONFORMANCE)
        written = written_vr(vr)
        if tag == PRIVATE_CHARACTERISTICS and self._trusts_declarations:
            rule = AttributeRule(Action.RECURSE, vr, accepted_vrs(vr), origin="trust_block_identifying_information")
            why = "It says which private attributes are kept on the word of the object itself."
            return Decision(rule, Source.OURS, why, PARAGRAPHS[SAFE_PRIVATE])
        if tag in reasons_beyond_table():
            return self._beyond(tag, written)
        if vr == "UI":
            return self._uid(tag)
        if vr in TEMPORAL_VRS:
            return self._temporal(vr)
        if vr in TEXT_VRS and tag != SPECIFIC_CHARACTER_SET:
            return self._text(tag, vr)
        if tag in PIXEL_DATA and nested:
            rule = AttributeRule(Action.REMOVE, vr, origin="nested pixel data")
            return Decision(rule, Source.GENERAL, "Pictures within pictures are not looked at.", _CONFORMANCE)
        return self._plain(tag, written)

    def _beyond(self, tag: int, vr: str) -> Decision:
        row = reasons_beyond_table()[tag]
        action = BASIC_ACTIONS[row.code]
        described = tag in descriptions_beyond_table()
        if described and CLEAN_DESCRIPTORS in self._options and vr in TEXT_VRS:
            return self._clean(tag, vr, action, f"Not in Table E.1-1, but {row.why}: cleaned like its twins there.")
        rule = AttributeRule(action, vr, origin=f"{row.code}, although not in E.1-1")
        return Decision(rule, Source.OURS, f"Not in Table E.1-1, but: {row.why}.", _CONFORMANCE)

    def _uid(self, tag: int) -> Decision:
        role = uid_roles().get(tag, "")
        if RETAIN_UIDS in self._options and not role.startswith("organisation"):
            rule = AttributeRule(Action.KEEP_UID, "UI", fallback=Action.UID, origin=f"option {RETAIN_UIDS}")
            why = "Not in Table E.1-1; kept with the UIDs there, so that references hold."
            return Decision(rule, Source.OURS, why, PARAGRAPHS[RETAIN_UIDS], RETAIN_UIDS)
        rule = AttributeRule(Action.UID, "UI", origin="UID not in E.1-1")
        why = "Not in Table E.1-1; replaced like the UIDs there. Registered UIDs name kinds of things and stay."
        return Decision(rule, Source.OURS if role else Source.GENERAL, why, _CONFORMANCE)

    def _temporal(self, vr: str) -> Decision:
        origin = "date or time not in E.1-1"
        why = "Not in Table E.1-1; treated like the dates and times there."
        if MODIFIED_DATES in self._options:
            action = Action.SHIFT_DATE if vr in DATE_VRS else Action.KEEP_TIME
            option = MODIFIED_DATES
        elif FULL_DATES in self._options:
            action = Action.KEEP_DATE if vr in DATE_VRS else Action.KEEP_TIME
            option = FULL_DATES
        else:
            return Decision(AttributeRule(Action.EMPTY, vr, origin=origin), Source.GENERAL, why, _CONFORMANCE)
        rule = AttributeRule(action, vr, fallback=Action.EMPTY, origin=origin)
        return Decision(rule, Source.GENERAL, why, PARAGRAPHS[option], option)

    def _text(self, tag: int, vr: str) -> Decision:
        row = text_attributes().get(tag)
        fallback = BASIC_ACTIONS[row.fallback] if row and row.fallback else Action.DUMMY
        if row is not None and row.kind == TextKind.LABEL and CLEAN_DESCRIPTORS in self._options:
            return self._clean(tag, vr, fallback, f"Not in Table E.1-1, but people type into it: {row.why}.")
        if row is not None and row.kind == TextKind.CODE:
            rule = AttributeRule(
                Action.CLEAN, vr, accepted_vrs(vr), fallback=fallback, text=TextKind.CODE, origin="text of a code"
            )
            return Decision(rule, Source.OURS, f"Not in Table E.1-1, but: {row.why}.", _CONFORMANCE)
        kind = TextKind.TERM if row is not None and row.kind == TextKind.TERM else None
        origin = "text not in E.1-1" if vr in FREE_TEXT_VRS else "not in E.1-1"
        rule = kept(vr, fallback=fallback, origin=origin, text=kind)
        why = "Not in Table E.1-1: it stays, but for what is known to identify the patient."
        return Decision(rule, Source.GENERAL, why, _CONFORMANCE)

    @staticmethod
    def _clean(tag: int, vr: str, fallback: Action, why: str) -> Decision:
        rule = AttributeRule(
            Action.CLEAN,
            vr,
            accepted_vrs(vr),
            fallback=fallback,
            text=text_kind(tag),
            origin=f"option {CLEAN_DESCRIPTORS}, although not in E.1-1",
        )
        return Decision(rule, Source.OURS, why, PARAGRAPHS[CLEAN_DESCRIPTORS], CLEAN_DESCRIPTORS)

    @staticmethod
    def _plain(tag: int, vr: str) -> Decision:
        if vr == "PN":
            rule = AttributeRule(Action.EMPTY, vr, origin="person's name not in E.1-1")
            return Decision(rule, Source.GENERAL, "No person's name is kept.", _CONFORMANCE)
        if vr == "SQ":
            rule = AttributeRule(Action.RECURSE, vr, accepted_vrs(vr), origin="not in E.1-1")
            why = "Not in Table E.1-1: the sequence stays, and the profile is applied to its items."
            return Decision(rule, Source.GENERAL, why, "PS3.15 E.1.1")
        rule = AttributeRule(
            Action.KEEP_NUMBER if vr in NUMERIC_TEXT_VRS else Action.KEEP,
            vr,
            accepted_vrs(vr),
            length=fixed_length(vr, "1") if is_single_valued(tag) else 0,
            fallback=Action.EMPTY,
            origin="not in E.1-1",
        )
        return Decision(rule, Source.GENERAL, "Not in Table E.1-1: it stays.", _CONFORMANCE)
