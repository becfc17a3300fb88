"""Which attributes may be in a de-identified object: the validator's own reading of PS3.15 Table E.1-1."""

from collections.abc import Collection, Iterable, Mapping
from copy import copy
from functools import cache
from typing import Final

from dicomanon.errors import Fatal
from dicomanon.standard.confidentiality import (
    CURVE_GROUPS,
    OVERLAY_GROUPS,
    attributes_beyond_table,
    confidentiality_by_tag,
    confidentiality_rows,
    descriptions_beyond_table,
    method_codes,
    option_names,
    text_attributes,
)
from dicomanon.standard.dictionary import dictionary_vrs, uid_roles
from dicomanon.standard.safe_private import creator_key, safe_private_rows
from dicomanon.standard.tables import parse_tag, read_table
from dicomanon.validate.elements import Element, vr_of
from dicomanon.validate.known_values import identifying_attributes
from dicomanon.validate.overrides import Allowance, Effect

FULL_DATES: Final = "retain-longitudinal-full-dates"
MODIFIED_DATES: Final = "retain-longitudinal-modified-dates"
CLEAN_DESCRIPTORS: Final = "clean-descriptors"
CLEAN_GRAPHICS: Final = "clean-graphics"
CLEAN_CONTENT: Final = "clean-structured-content"
RETAIN_UIDS: Final = "retain-uids"
SAFE_PRIVATE: Final = "retain-safe-private"
PATIENT_CHARACTERISTICS: Final = "retain-patient-characteristics"
DEFACING: Final = "clean-recognizable-visual-features"
BY_OBJECT: Final = frozenset({"clean-pixel-data", DEFACING})
"""Options that an object claims only where its pixels were looked at."""
_CURVES = "50xx,xxxx"
_PRIVATE_CHARACTERISTICS: Final = parse_tag("0008,0300")
_UNFORMATTED_TEXT: Final = parse_tag("0070,0006")
_TEXT_VRS: Final = frozenset({"LO", "LT", "SH", "ST", "UC", "UT"})


class AllowedAttributes:
    """What a profile lets stay, by tag.

    Attributes
    ----------
    options
        The option names.
    codes
        CID 7050 code values that every object must carry; it may have those of ``BY_OBJECT`` that are in force, too.
    longitudinal
        The values that Longitudinal Temporal Information Modified may have (PS3.15 section E.3.6).
    maximum_age
        The highest age in years that may show, None if any.
    trusts_blocks
        Whether (0008,0300) of an object says which private attributes may stay (PS3.15 section E.3.10).
    cleaned
        Tags of texts that are cleaned rather than removed: dates in them are shifted, words stay.
    """

    def __init__(
        self,
        options: frozenset[str],
        overrides: frozenset[Allowance] = frozenset(),
        maximum_age: int | None = None,
        *,
        trusts_blocks: bool = False,
    ) -> None:
        unknown = sorted(options - set(option_names()))
        if unknown:
            raise Fatal(f"validation cannot check these options: {', '.join(unknown)}")
        self.options = options
        self.maximum_age = maximum_age
        self.trusts_blocks = trusts_blocks
        self._kept, absent = _by_tag(options)
        # What tells which private attributes may stay has to stay with them.
        self._absent = absent - {_PRIVATE_CHARACTERISTICS} if trusts_blocks else absent
        self._overlay_absent, self._curves_allowed = _repeating_groups(options)
        self.cleaned = _cleaned(options) | {
            override.tag for override in overrides if override.tag is not None and override.effect is Effect.CLEANED
        }
        # The narrowest first, and of two as narrow the stricter one.
        stricter_last = sorted(overrides, key=lambda one: (one.narrowness, one.effect is Effect.REMOVED))
        self._overrides = stricter_last[::-1]
        self._here: dict[tuple[str, str], AllowedHere] = {}
        codes = method_codes()
        self.codes = frozenset(codes[option].value for option in ("", *(options - BY_OBJECT)))
        # What was modified or removed before stays so, whatever we do to what is left.
        if FULL_DATES in options:
            self.longitudinal = frozenset({"UNMODIFIED", "MODIFIED", "REMOVED"})
        else:
            self.longitudinal = frozenset({"MODIFIED", "REMOVED"} if MODIFIED_DATES in options else {"REMOVED"})

    @classmethod
    def for_options(
        cls,
        options: Collection[str],
        overrides: Iterable[Allowance] = (),
        *,
        maximum_age: int | None = None,
        trusts_blocks: bool = False,
    ) -> "AllowedAttributes":
        """Return what a profile lets stay; one object per set of arguments and process.

        Parameters
        ----------
        options
            Names of its options, as in ``confidentiality_options.csv``.
        overrides
            What its overrides change.
        maximum_age, trusts_blocks
            As the attributes of this class.

        Raises
        ------
        Fatal
            An option is unknown.
        """
        return _for_options(frozenset(options), frozenset(overrides), maximum_age, trusts_blocks)

    def here(self, sop_class_uid: str, modality: str = "") -> "AllowedHere":
        """Return what may be in objects of a SOP class and modality: their IOD and overrides decide as well."""
        key = (sop_class_uid, modality)
        here = self._here.get(key)
        if here is None:
            overrides = [
                override
                for override in self._overrides
                if override.sop_class_uid in {"", sop_class_uid} and override.modality in {"", modality}
            ]
            here = self._here[key] = AllowedHere(self, sop_class_uid, overrides)
        return here

    def verdict_by_table(self, tag: int, sop_class_uid: str, *, nested: bool) -> str | None:
        """Return the rule that a public attribute breaks by being there, overrides left aside."""
        group, number = tag >> 16, tag & 0xFFFF
        if tag in self._absent:
            required = (sop_class_uid, tag, "nested" if nested else "top") in _types_required()
            return None if required else "attribute-not-allowed"
        if group in OVERLAY_GROUPS and number in self._overlay_absent:
            return "attribute-not-allowed"
        if group in CURVE_GROUPS and not self._curves_allowed:
            return "attribute-not-allowed"
        if tag in dictionary_vrs() or ((group in OVERLAY_GROUPS or group in CURVE_GROUPS) and vr_of(tag) != "UN"):
            return None
        return "attribute-unknown"

    def keeps_by_table(self, tag: int) -> bool:
        """Whether an option keeps an attribute (K) whose values are gathered as known, so that they are found there."""
        return tag in self._kept


class AllowedHere:
    """What may be in an object of one SOP class and modality."""

    def __init__(self, allowed: AllowedAttributes, sop_class_uid: str, overrides: list[Allowance]) -> None:
        self._allowed = allowed
        self._sop_class_uid = sop_class_uid
        self._kept_here: frozenset[Element] = frozenset()
        self._by_tag: dict[int, list[Allowance]] = {}
        self._by_group: dict[int, list[Allowance]] = {}
        for override in overrides:
            if override.tag is not None:
                self._by_tag.setdefault(override.tag, []).append(override)
            else:
                self._by_group.setdefault(override.group, []).append(override)
        self._safe = safe_private() if SAFE_PRIVATE in allowed.options else {}

    def verdict(self, element: Element) -> str | None:
        """Return the id of the rule that a public attribute breaks by being there, or None."""
        override = self._override(element)
        if override is not None:
            return "attribute-not-allowed" if override.effect is Effect.REMOVED else None
        return self._allowed.verdict_by_table(element.tag, self._sop_class_uid, nested=bool(element.path))

    def keeping(self, elements: frozenset[Element]) -> "AllowedHere":
        """Return the same for an object in which these values, too, are no secrets."""
        here = copy(self)
        here._kept_here |= elements
        return here

    def keeps(self, element: Element) -> bool:
        """Whether an original value there is no finding."""
        if element in self._kept_here:
            return True
        override = self._override(element)
        if override is not None:
            return override.effect is Effect.KEPT
        if element.vr == "UI" and RETAIN_UIDS in self._allowed.options:
            # References hold only if those that the table leaves out stay with those that it names.
            return not uid_roles().get(element.tag, "").startswith("organisation")
        return self._allowed.keeps_by_table(element.tag)

    def private_vr(self, creator: str, element: Element) -> str | None:
        """Return the VR that a private attribute must have to stay, ``""`` for any; None where it must not stay."""
        byte = element.tag & 0xFF
        for override in self._by_group.get(element.tag >> 16, ()):
            named = creator_key(override.creator) == creator_key(creator) and override.byte in {None, byte}
            if named and override.is_about(element.path):
                return None if override.effect is Effect.REMOVED else self._safe_vr(creator, element.tag) or ""
        return self._safe_vr(creator, element.tag)

    def may_create(self, creator: str, group: int) -> bool:
        """Whether a private creator is one that the table or an override names, in a group that they name."""
        key = creator_key(creator)
        if (key, group) in self._safe:
            return True
        return any(creator_key(override.creator) == key for override in self._by_group.get(group, ()))

    def _safe_vr(self, creator: str, tag: int) -> str | None:
        return self._safe.get((creator_key(creator), tag >> 16), {}).get(tag & 0xFF)

    def _override(self, element: Element) -> Allowance | None:
        for override in self._by_tag.get(element.tag, ()):
            if override.is_about(element.path):
                return override
        return None


def _by_tag(options: frozenset[str]) -> tuple[frozenset[int], frozenset[int]]:
    """Return the tags that options keep as they are, and those that must not be there."""
    kept: set[int] = set()
    absent: set[int] = set()
    for tag, row in confidentiality_by_tag().items():
        cells = {row.options[option] for option in options & row.options.keys()}
        if "K" in cells and row.options.get(MODIFIED_DATES if MODIFIED_DATES in options else "") != "C":
            kept.add(tag)
        elif row.basic == "X" and not cells:
            absent.add(tag)
    absent.update(tag for tag, code in attributes_beyond_table().items() if code == "X")
    if CLEAN_DESCRIPTORS not in options:
        absent.update(tag for tag, code in descriptions_beyond_table().items() if code == "X")
    # Characteristics of patients are not gathered: a known value in them is a finding like elsewhere.
    return frozenset(kept & identifying_attributes().keys()), frozenset(absent)


def _repeating_groups(options: frozenset[str]) -> tuple[frozenset[int], bool]:
    overlay, curves = set(), False
    for row in confidentiality_rows():
        removed = row.basic == "X" and not options & row.options.keys()
        if row.tag.startswith("60xx,") and removed:
            overlay.add(int(row.tag.removeprefix("60xx,"), 16))
        elif row.tag == _CURVES:
            curves = not removed
    return frozenset(overlay), curves


def _cleaned(options: frozenset[str]) -> frozenset[int]:
    cleaned = {
        tag
        for tag, row in confidentiality_by_tag().items()
        if row.vr in _TEXT_VRS and any(row.options[option] == "C" for option in options & row.options.keys())
    }
    if CLEAN_DESCRIPTORS in options:
        cleaned |= descriptions_beyond_table().keys()
    if CLEAN_GRAPHICS in options:
        cleaned.add(_UNFORMATTED_TEXT)
    cleaned.update(tag for tag, row in text_attributes().items() if row.kind == "code")
    return frozenset(cleaned)


@cache
def _for_options(
    options: frozenset[str], overrides: frozenset[Allowance], maximum_age: int | None, trusts_blocks: bool
) -> AllowedAttributes:
    return AllowedAttributes(options, overrides, maximum_age, trusts_blocks=trusts_blocks)


@cache
def safe_private() -> Mapping[tuple[str, int], Mapping[int, str]]:
    """Return PS3.15 Table E.3.10-1: by private creator and group, the VR of each last byte (``""`` if untold).

    What we withhold although the table lists it is left out.
    """
    safe: dict[tuple[str, int], dict[int, str]] = {}
    for (creator, group, number), row in safe_private_rows().items():
        if not row.withheld:
            safe.setdefault((creator, group), {})[number] = row.vr
    return safe


@cache
def _types_required() -> frozenset[tuple[str, int, str]]:
    """Attributes of code X that an IOD wants as Type 1 or 2: conformance needs a dummy (PS3.15 section E.1.1)."""
    return frozenset(
        (sop_class_uid, parse_tag(row["tag"]), row["level"])
        for row in read_table("ps3_3_type_conflicts_with_basic_profile")
        if "x" not in row["tag"] and row["ps3_3_type"] in ("1", "2")
        for sop_class_uid in row["sop_class_uids"].split(";")
    )
