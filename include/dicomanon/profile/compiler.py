"""Turns a profile into one rule per attribute for each SOP class, once, so that the engine only looks up."""

from functools import cache
from threading import Lock

from dicomanon.errors import Held
from dicomanon.profile.actions import AttributeRule
from dicomanon.profile.content import ContentRules
from dicomanon.profile.levels import Level, RuleBook
from dicomanon.profile.options import (
    CLEAN_DESCRIPTORS,
    CLEAN_GRAPHICS,
    CLEAN_PIXEL_DATA,
    CLEAN_STRUCTURED_CONTENT,
    FULL_DATES,
    MODIFIED_DATES,
    NOT_CLAIMED,
    SAFE_PRIVATE,
)
from dicomanon.profile.other_rules import (
    DEIDENTIFICATION_METHOD,
    DEIDENTIFICATION_METHOD_CODES,
    LONGITUDINAL_INFORMATION_MODIFIED,
    PATIENT_IDENTITY_REMOVED,
    PIXEL_DATA,
    OtherRules,
)
from dicomanon.profile.overrides import PlacedOverride, place_override
from dicomanon.profile.private_rules import REMOVED, PrivateRules
from dicomanon.profile.schema import Override, Profile
from dicomanon.profile.table_rules import PATIENT_ID, PATIENT_NAME, TableRules
from dicomanon.reasons import HoldReason
from dicomanon.standard.confidentiality import MethodCode, method_codes
from dicomanon.standard.iods import iod_actions

__all__ = [
    "CLEAN_DESCRIPTORS",
    "CLEAN_GRAPHICS",
    "CLEAN_PIXEL_DATA",
    "CLEAN_STRUCTURED_CONTENT",
    "DEIDENTIFICATION_METHOD",
    "DEIDENTIFICATION_METHOD_CODES",
    "FULL_DATES",
    "LONGITUDINAL_INFORMATION_MODIFIED",
    "MODIFIED_DATES",
    "PATIENT_ID",
    "PATIENT_IDENTITY_REMOVED",
    "PATIENT_NAME",
    "PIXEL_DATA",
    "SAFE_PRIVATE",
    "CompiledProfile",
    "compile_profile",
]

_TEXTS_OF_GRAPHICS = Override.model_construct(
    keyword="UnformattedTextValue",
    path="GraphicAnnotationSequence > TextObjectSequence",
    action="clean",
    reason="the clean-graphics option cleans the texts of annotations (PS3.15 E.3.3)",
)


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
    overrides
        Those of the profile with their names resolved, the most specific last.
    recognizable_visual_features, defaces
        As in the profile, and whether that is to take faces out.
    modifies_dates, keeps_dates
        Whether dates are shifted, or kept, rather than removed.
    """

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.version = profile.version
        self.recognizable_visual_features = profile.recognizable_visual_features
        self.defaces = profile.defaces
        self.modifies_dates = MODIFIED_DATES in profile.options
        self.keeps_dates = FULL_DATES in profile.options
        self.method_codes = _method_codes(profile)
        options = frozenset(profile.options)
        self._options = options
        shifts_birth_date = profile.birth_date == "shift"
        self._book = RuleBook(
            TableRules(profile),
            OtherRules(profile),
            PrivateRules(profile),
            ContentRules(options, maximum_age=profile.maximum_age, shift_birth_date=shifts_birth_date),
        )
        placed = [place_override(override, ("overrides", at)) for at, override in enumerate(profile.overrides)]
        self.overrides = sorted(placed, key=lambda one: one.specificity)
        if CLEAN_GRAPHICS in options and CLEAN_DESCRIPTORS not in options:
            self.overrides.insert(0, place_override(_TEXTS_OF_GRAPHICS, ("options", CLEAN_GRAPHICS)))
        self._modalities = {override.modality for override in profile.overrides if override.modality}
        self._levels: dict[tuple[str, str], Level] = {}
        self._lock = Lock()

    def has(self, option: str) -> bool:
        """Tell whether an option is in force."""
        return option in self._options

    def waits_for_devices(self, *, by_default: bool) -> bool:
        """Tell whether pictures wait until somebody has looked at their device.

        Parameters
        ----------
        by_default
            Whether they do where the profile leaves it open: in DAGs, and not in the command for folders.
        """
        choice = self.profile.unconfirmed_devices
        return by_default if choice is None else choice == "wait"

    def declared_safe(self, vr: str) -> AttributeRule:
        """Return the rule of a private attribute that the object's own (0008,0300) declares safe (PS3.15 E.3.10).

        Parameters
        ----------
        vr
            As it is encoded; of ``UN`` nobody knows what it holds, and it goes.
        """
        if not self.profile.trust_block_identifying_information:
            return REMOVED.rule
        return self._book.private.of_vr(vr, "", origin="declared safe in (0008,0300)")

    def actions_for(self, sop_class_uid: str, modality: str = "") -> Level:
        """Return the rules of the main data set of a SOP class.

        Parameters
        ----------
        sop_class_uid
            (0008,0016).
        modality
            (0008,0060); matters where an override names one.

        Raises
        ------
        Held
            ``UNKNOWN_SOP_CLASS``: without an IOD no compound code of Table E.1-1 can be resolved.
        """
        key = sop_class_uid, modality if modality in self._modalities else ""
        level = self._levels.get(key)
        if level is not None:
            return level
        with self._lock:
            if key not in self._levels:
                self._levels[key] = self._build(*key)
            return self._levels[key]

    def _build(self, sop_class_uid: str, modality: str) -> Level:
        try:
            iod = iod_actions(sop_class_uid)
        except KeyError:
            raise Held(HoldReason.UNKNOWN_SOP_CLASS) from None
        here = [
            placed
            for placed in self.overrides
            if placed.override.sop_class in {None, sop_class_uid} and placed.override.modality in {None, modality}
        ]
        anywhere = [placed for placed in here if placed.path is None]
        nested = Level(self._book, iod, None, anywhere, in_item=True)
        root = Level(self._book, iod, nested, anywhere, in_item=False)
        for placed in here:
            if placed.path is not None:
                self._descend(root, placed.path, anywhere).add([placed])
        return root

    @staticmethod
    def _descend(root: Level, path: tuple[int, ...], anywhere: list[PlacedOverride]) -> Level:
        level = root
        for tag in path:
            level = level.child(tag, anywhere)
        return level


def _method_codes(profile: Profile) -> tuple[MethodCode, ...]:
    codes = method_codes()
    claimed = [codes[option] for option in profile.options if option not in NOT_CLAIMED]
    return codes[""], *sorted(claimed, key=lambda code: code.value)


@cache
def compile_profile(profile: Profile) -> CompiledProfile:
    """Compile a profile; the same profile is compiled once per process."""
    return CompiledProfile(profile)
