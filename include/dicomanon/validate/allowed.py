"""Which attributes may be in a de-identified object: the validator's own reading of PS3.15 Table E.1-1."""

from collections.abc import Collection
from functools import cache
from typing import Final

from dicomanon.errors import Fatal
from dicomanon.standard.confidentiality import (
    CURVE_GROUPS,
    OVERLAY_GROUPS,
    attributes_beyond_table,
    confidentiality_by_tag,
    confidentiality_rows,
    method_codes,
    option_names,
)
from dicomanon.standard.dictionary import dictionary_vrs
from dicomanon.standard.tables import parse_tag, read_table
from dicomanon.validate.elements import vr_of

FULL_DATES: Final = "retain-longitudinal-full-dates"
MODIFIED_DATES: Final = "retain-longitudinal-modified-dates"
_NOT_CHECKED: Final = frozenset({"retain-safe-private"})
"""Options whose result this room cannot judge yet: refused, so that nothing passes unchecked."""
_CURVES = "50xx,xxxx"


class AllowedAttributes:
    """What a profile's options let stay, by tag.

    Attributes
    ----------
    options
        The option names.
    kept
        Tags that an option keeps as they are (K): an original value there is no finding.
    codes
        CID 7050 code values that the object must carry, no more and no fewer.
    longitudinal
        The value that Longitudinal Temporal Information Modified must have (PS3.15 section E.3.6).
    """

    def __init__(self, options: frozenset[str]) -> None:
        unknown = sorted((options - set(option_names())) | (options & _NOT_CHECKED))
        if unknown:
            raise Fatal(f"validation cannot check these options: {', '.join(unknown)}")
        self.options = options
        kept: set[int] = set()
        absent: dict[int, str] = {}
        for tag, row in confidentiality_by_tag().items():
            cells = {row.options[option] for option in options & row.options.keys()}
            if "K" in cells:
                kept.add(tag)
            elif row.basic == "X" and not cells:
                absent[tag] = row.vr
        for tag, code in attributes_beyond_table().items():
            if code == "X":
                absent[tag] = ""
        self.kept = frozenset(kept)
        self._absent = frozenset(absent)
        self._overlay_absent, self._curves_allowed = self._repeating_groups(options)
        self._conflicts = _types_required()
        codes = method_codes()
        self.codes = frozenset(codes[option].value for option in ("", *options))
        if FULL_DATES in options:
            self.longitudinal = "UNMODIFIED"
        else:
            self.longitudinal = "MODIFIED" if MODIFIED_DATES in options else "REMOVED"

    @staticmethod
    def _repeating_groups(options: frozenset[str]) -> tuple[frozenset[int], bool]:
        overlay, curves = set(), False
        for row in confidentiality_rows():
            removed = row.basic == "X" and not options & row.options.keys()
            if row.tag.startswith("60xx,") and removed:
                overlay.add(int(row.tag.removeprefix("60xx,"), 16))
            elif row.tag == _CURVES:
                curves = not removed
        return frozenset(overlay), curves

    @classmethod
    def for_options(cls, options: Collection[str]) -> "AllowedAttributes":
        """Return what the options let stay; one object per set of options and process.

        Raises
        ------
        Fatal
            An option is unknown, or its result cannot be checked.
        """
        return _for_options(frozenset(options))

    def verdict(self, tag: int, sop_class_uid: str, *, nested: bool) -> str | None:
        """Return the id of the rule that an attribute breaks by being there, or None.

        Parameters
        ----------
        tag
            The attribute; group 0002 is not judged here.
        sop_class_uid
            Its IOD may require an attribute that the table removes; a dummy is then allowed.
        nested
            Whether it is in a sequence item.
        """
        group, number = tag >> 16, tag & 0xFFFF
        if group & 1:
            return "private-attribute"
        if tag in self._absent:
            required = (sop_class_uid, tag, "nested" if nested else "top") in self._conflicts
            return None if required else "attribute-not-allowed"
        if group in OVERLAY_GROUPS and number in self._overlay_absent:
            return "attribute-not-allowed"
        if group in CURVE_GROUPS and not self._curves_allowed:
            return "attribute-not-allowed"
        if tag in dictionary_vrs() or ((group in OVERLAY_GROUPS or group in CURVE_GROUPS) and vr_of(tag) != "UN"):
            return None
        return "attribute-unknown"


@cache
def _for_options(options: frozenset[str]) -> AllowedAttributes:
    return AllowedAttributes(options)


@cache
def _types_required() -> frozenset[tuple[str, int, str]]:
    """Attributes of code X that an IOD wants as Type 1 or 2: conformance needs a dummy (PS3.15 section E.1.1)."""
    return frozenset(
        (sop_class_uid, parse_tag(row["tag"]), row["level"])
        for row in read_table("ps3_3_type_conflicts_with_basic_profile")
        if "x" not in row["tag"] and row["ps3_3_type"] in ("1", "2")
        for sop_class_uid in row["sop_class_uids"].split(";")
    )
