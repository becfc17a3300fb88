"""What a row of PS3.15 Table E.1-1 comes to under the options of a profile, in one IOD.

Where several options in force have a cell in one row:

1. Dates and times: ``C`` of the modified-dates option goes before any ``K``. A date that must move is moved, also
   where another option (device identity) would keep it: one real date beside shifted ones gives the shift away.
   So does a shifted date whose real one can be looked up: published dates are treated as the Basic Profile says.
2. Otherwise ``K`` goes before ``C``: what one option lets stay as it is, another need not clean.
3. The Basic Profile's code stays the fallback for a value that an option's rule does not understand.
"""

from collections.abc import Mapping
from dataclasses import replace

from dicomanon.profile.actions import Action, AttributeRule, TextKind
from dicomanon.profile.decision import (
    BULK_VRS,
    DATE_VRS,
    NUMBER_BYTES,
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
    CLEAN_STRUCTURED_CONTENT,
    DEVICE_IDENTITY,
    FULL_DATES,
    INSTITUTION_IDENTITY,
    MODIFIED_DATES,
    PARAGRAPHS,
)
from dicomanon.profile.schema import Profile
from dicomanon.standard.confidentiality import ConfidentialityRow, published_dates, text_attributes
from dicomanon.standard.tables import parse_tag

PATIENT_NAME = parse_tag("0010,0010")
PATIENT_ID = parse_tag("0010,0020")
PATIENT_BIRTH_DATE = parse_tag("0010,0030")
ENCAPSULATED_DOCUMENT = parse_tag("0042,0011")
FIRST_DATA_SET_GROUP = 0x0008

BASIC_PARAGRAPH = "PS3.15 E.1.1, Table E.1-1"
BASIC_ACTIONS = {"X": Action.REMOVE, "Z": Action.EMPTY, "D": Action.DUMMY, "U": Action.UID, "K+recurse": Action.RECURSE}

IN_THIS_IOD = " in this IOD"
NOT_DEFINED_HERE = ", which does not define the attribute here"
"""What a decision says of the IOD that it was made for; it means nothing where no SOP class was named."""

_MEANING = {
    Action.REMOVE: "The Basic Profile removes it",
    Action.EMPTY: "The Basic Profile empties it",
    Action.DUMMY: "The Basic Profile replaces it by a dummy",
    Action.UID: "The Basic Profile replaces it by a UID of ours, the same one wherever it occurs",
    Action.RECURSE: "The IOD needs the sequence: it stays, and the profile is applied to its items",
}


def text_kind(tag: int) -> TextKind:
    """Return what words to expect in an attribute that the clean-descriptors option cleans."""
    row = text_attributes().get(tag)
    return TextKind.DESCRIPTION if row is None else TextKind(row.kind)


class TableRules:
    """Decides for the attributes that Table E.1-1 names.

    Parameters
    ----------
    profile
        Whose options are in force.
    """

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._options = frozenset(profile.options)

    def decide(self, tag: int, row: ConfidentialityRow, resolved: Mapping[int, str], *, nested: bool) -> Decision:
        """Return the decision for an attribute.

        Parameters
        ----------
        tag, row
            The attribute and its row.
        resolved
            What compound codes come to in the IOD, at this level.
        nested
            Whether it is in an item of a sequence.
        """
        vr = written_vr(row.vr)
        if tag >> 16 < FIRST_DATA_SET_GROUP:
            rule = AttributeRule(Action.REMOVE, vr, origin=f"E.1-1 {row.basic}, not in a data set")
            why = "Groups of messages, file meta information and directories do not belong into a data set."
            return Decision(rule, Source.TABLE, why, "PS3.10 7.1")
        if tag in {PATIENT_NAME, PATIENT_ID}:
            rule = AttributeRule(Action.PSEUDONYM, vr, origin=f"E.1-1 {row.basic}")
            why = "The patient's pseudonym is the replacement value: one patient, one pseudonym."
            return Decision(rule, Source.TABLE, why, BASIC_PARAGRAPH)
        basic = self._basic(tag, row, vr, resolved)
        if self._is_outside(tag, row, resolved, nested=nested):
            rule = AttributeRule(Action.REMOVE, vr, origin="outside the IOD")
            why = "The profile removes attributes outside their IOD, whatever the options say of them."
            return Decision(rule, Source.TABLE, why, "PS3.15 E.1.1")
        return self._by_option(tag, row, vr, basic) or self._of_ours(tag, vr, basic) or basic

    @staticmethod
    def _basic(tag: int, row: ConfidentialityRow, vr: str, resolved: Mapping[int, str]) -> Decision:
        # PS3.15 E.1.1: an attribute that the IOD does not define may be treated as X.
        compound = "/" in row.basic
        code = resolved.get(tag, "X" if compound else row.basic)
        action = BASIC_ACTIONS[code]
        if action is Action.UID and row.vr == "SQ":
            action = Action.RECURSE
        origin = f"E.1-1 {row.basic}" + (f", {code}{IN_THIS_IOD}" if code != row.basic else "")
        why = _MEANING[action]
        if compound:
            why += f": {row.basic} comes to {code}{IN_THIS_IOD}"
            why += "" if tag in resolved else NOT_DEFINED_HERE
        elif code != row.basic:
            why = f"The code is {row.basic}, but the IOD requires the attribute: {code} keeps the object conformant"
        accepted = accepted_vrs(vr) if action is Action.RECURSE else frozenset[str]()
        rule = AttributeRule(action, vr, accepted, origin=origin)
        return Decision(rule, Source.TABLE, f"{why}.", BASIC_PARAGRAPH)

    def _is_outside(self, tag: int, row: ConfidentialityRow, resolved: Mapping[int, str], *, nested: bool) -> bool:
        """Tell whether the profile wants the attribute gone for being outside its IOD, as far as we can know.

        The types we hold are those of compound codes; that of an attribute in a sequence that the Basic Profile
        removes is not among them, so in items only the table's own column decides.
        """
        if self._profile.outside_iod == "keep":
            return False
        return not row.in_composite_iod or (not nested and "/" in row.basic and tag not in resolved)

    def _by_option(self, tag: int, row: ConfidentialityRow, vr: str, basic: Decision) -> Decision | None:
        cells = {option: cell for option, cell in sorted(row.options.items()) if option in self._options}
        if cells.get(MODIFIED_DATES) == "C":
            return self._published(tag, basic) if tag in published_dates() else self._shifted(vr, basic)
        for cell, decide in (("K", self._kept), ("C", self._cleaned)):
            for option, value in cells.items():
                if value == cell:
                    return decide(tag, vr, option, basic)
        return None

    @staticmethod
    def _published(tag: int, basic: Decision) -> Decision:
        rule = replace(basic.rule, origin=f"option {MODIFIED_DATES} C, published")
        why = f"Not moved, for {published_dates()[tag]}: it would tell how many days the patient's dates move."
        return Decision(rule, Source.OPTION, why, PARAGRAPHS[MODIFIED_DATES], MODIFIED_DATES)

    @staticmethod
    def _shifted(vr: str, basic: Decision) -> Decision:
        fallback = basic.rule.action
        origin = f"option {MODIFIED_DATES} C"
        if vr in DATE_VRS:
            rule = AttributeRule(Action.SHIFT_DATE, vr, fallback=fallback, origin=origin)
            why = "Dates of a patient move by the same number of days, so that intervals stay."
        elif vr in BULK_VRS:
            rule = AttributeRule(fallback, vr, origin=f"{origin}, bytes")
            why = f"No date can be found and moved in bytes: {_lower(basic.why)}"
        else:
            rule = AttributeRule(Action.KEEP_TIME, vr, fallback=fallback, origin=origin)
            why = "A shift by whole days leaves times of day and offsets from UTC as they are."
        return Decision(rule, Source.OPTION, why, PARAGRAPHS[MODIFIED_DATES], MODIFIED_DATES)

    @staticmethod
    def _kept(tag: int, vr: str, option: str, basic: Decision) -> Decision:
        fallback = basic.rule.action
        origin = f"option {option} K"
        paragraph = PARAGRAPHS[option]
        if option == FULL_DATES and vr not in TEMPORAL_VRS and vr not in BULK_VRS:
            rule = AttributeRule(Action.KEEP_TIME, vr, fallback=fallback, origin=origin)
            why = "An offset from UTC stays if it is one."
            return Decision(rule, Source.OPTION, why, paragraph, option)
        if option == INSTITUTION_IDENTITY and vr in TEXT_VRS:
            # Scrubbing would take it out: the name of the institution is a known value of the study.
            rule = AttributeRule(Action.KEEP, vr, accepted_vrs(vr), fallback=fallback, origin=origin)
            return Decision(rule, Source.OPTION, "The option keeps it as it is.", paragraph, option)
        length = fixed_length(vr, "1") if vr in NUMBER_BYTES else 0
        # Serial numbers look like those of persons: only the patient's own are told from them.
        kind = TextKind.TERM if option == DEVICE_IDENTITY else None
        rule = kept(vr, fallback=fallback, origin=origin, length=length, text=kind)
        why = {
            Action.RECURSE: "The option keeps the sequence, and the profile is applied to its items.",
            Action.SCRUB: "The option keeps it; a known identifier of the patient inside goes all the same.",
            Action.CAP_AGE: "The option keeps ages, up to the profile's maximum.",
            Action.KEEP_UID: "The option keeps UIDs.",
            Action.KEEP_DATE: "The option keeps dates as they are.",
            Action.KEEP_TIME: "The option keeps times as they are.",
            Action.KEEP_NUMBER: "The option keeps it if it is a number.",
            Action.KEEP: "The option keeps it.",
        }.get(rule.action, f"Bytes that nobody can check are not kept: {_lower(basic.why)}")
        return Decision(rule, Source.OPTION, why, paragraph, option)

    @staticmethod
    def _cleaned(tag: int, vr: str, option: str, basic: Decision) -> Decision:
        fallback = basic.rule.action
        origin = f"option {option} C"
        accepted = accepted_vrs(vr)
        if vr == "SQ":
            content = option == CLEAN_STRUCTURED_CONTENT
            action = Action.CLEAN_CONTENT if content else Action.RECURSE
            rule = AttributeRule(action, vr, accepted, fallback=fallback, origin=origin)
            why = (
                "Content items are judged one by one, by concept name and value type (Table E.3.4-1)."
                if content
                else "The sequence stays, and the profile is applied to its items."
            )
        elif vr in TEXT_VRS:
            rule = AttributeRule(Action.CLEAN, vr, accepted, fallback=fallback, text=text_kind(tag), origin=origin)
            why = "What identifies goes from the text, what describes stays."
            if vr == "AE":
                why = "AE titles have names of institutions and persons in them: only harmless words stay."
        else:
            rule = AttributeRule(fallback, vr, origin=f"{origin}, bytes")
            why = f"Bytes that nobody can read cannot be cleaned: {_lower(basic.why)}"
        return Decision(rule, Source.OPTION, why, PARAGRAPHS[option], option)

    def _of_ours(self, tag: int, vr: str, basic: Decision) -> Decision | None:
        """Return what the table leaves to us: replacing by a value that is truly free of identifying information."""
        if tag == PATIENT_BIRTH_DATE and self._profile.birth_date == "shift":
            rule = AttributeRule(Action.SHIFT_DATE, vr, fallback=basic.rule.action, origin="birth_date: shift")
            why = "The profile moves the birth date like every date of the patient."
            return Decision(rule, Source.OURS, why, PARAGRAPHS[MODIFIED_DATES])
        if tag == ENCAPSULATED_DOCUMENT and CLEAN_DESCRIPTORS in self._options:
            rule = AttributeRule(
                Action.CLEAN_DOCUMENT,
                vr,
                accepted_vrs(vr),
                fallback=basic.rule.action,
                text=TextKind.DESCRIPTION,
                origin="E.1-1 D, by cleaning the document",
            )
            why = "The replacement is the document made anew from its cleaned text; if that fails, the object is held."
            return Decision(rule, Source.OURS, why, BASIC_PARAGRAPH, CLEAN_DESCRIPTORS)
        return None


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
