"""What happens to private attributes (PS3.15 section E.3.10 and Table E.3.10-1)."""

from dicomanon.profile.actions import Action, AttributeRule
from dicomanon.profile.decision import (
    BULK_VRS,
    DATE_VRS,
    NUMBER_BYTES,
    TEMPORAL_VRS,
    Decision,
    Source,
    fixed_length,
    kept,
)
from dicomanon.profile.options import FULL_DATES, MODIFIED_DATES, PARAGRAPHS, RETAIN_UIDS, SAFE_PRIVATE
from dicomanon.profile.schema import Profile
from dicomanon.standard.safe_private import creator_key, safe_private_rows

_PARAGRAPH = PARAGRAPHS[SAFE_PRIVATE]
_TABLE = f"{_PARAGRAPH}, Table E.3.10-1"

REMOVED = Decision(
    AttributeRule(Action.REMOVE, "UN", origin="E.1-1 X (private)"),
    Source.TABLE,
    "Private attributes are removed, unless an option or an override names them.",
    "PS3.15 E.1.1, Table E.1-1, last row",
)
NOT_SAFE = Decision(
    AttributeRule(Action.REMOVE, "UN", origin=f"option {SAFE_PRIVATE} C, not in E.3.10-1"),
    Source.OPTION,
    "The option keeps what Table E.3.10-1 lists, and this attribute is not in it.",
    _TABLE,
    SAFE_PRIVATE,
)

_SAME_WIDTH = {"US": "SS", "SS": "US", "UL": "SL", "SL": "UL", "UV": "SV", "SV": "UV"}


class PrivateRules:
    """Decides for private attributes.

    Parameters
    ----------
    profile
        Whose options are in force.
    """

    def __init__(self, profile: Profile) -> None:
        self._options = frozenset(profile.options)
        self._decided: dict[tuple[str, int, int], Decision] = {}

    def decide(self, creator: str, tag: int) -> Decision:
        """Return the decision for a private attribute by its creator, group and last byte."""
        if SAFE_PRIVATE not in self._options:
            return REMOVED
        key = creator_key(creator), tag >> 16, tag & 0xFF
        if key not in safe_private_rows():
            return NOT_SAFE
        decision = self._decided.get(key)
        if decision is None:
            decision = self._decided[key] = self._safe(key)
        return decision

    def _safe(self, key: tuple[str, int, int]) -> Decision:
        row = safe_private_rows()[key]
        if row.withheld:
            rule = AttributeRule(Action.REMOVE, "UN", origin="E.3.10-1, withheld by our table")
            why = f"Table E.3.10-1 calls it safe, but: {row.withheld}."
            return Decision(rule, Source.OURS, why, _TABLE, SAFE_PRIVATE)
        rule = self.of_vr(row.vr, row.vm, origin=f"E.3.10-1 {row.creator}")
        why = "Table E.3.10-1 calls it safe" + {
            Action.RECURSE: "; the profile is applied to its items.",
            Action.SCRUB: "; a known identifier of the patient inside goes all the same.",
            Action.UID: ", but a UID in it would lead back to the original: it is mapped like all others.",
            Action.KEEP_NUMBER: "; it stays if it is a number.",
        }.get(rule.action, ".")
        return Decision(rule, Source.SAFE_PRIVATE, why, _TABLE, SAFE_PRIVATE)

    def of_vr(self, vr: str, vm: str, *, origin: str) -> AttributeRule:
        """Return the rule for a private attribute that is to stay, by what its VR can hold.

        Parameters
        ----------
        vr, vm
            As its creator defines them.
        origin
            For explanations.
        """
        if vr in TEMPORAL_VRS:
            return AttributeRule(self._temporal(vr), vr, origin=origin)
        if vr == "UI" and RETAIN_UIDS not in self._options:
            return AttributeRule(Action.UID, vr, origin=origin)
        if vr == "PN" or vr in BULK_VRS or not vr.isalpha():
            return AttributeRule(Action.REMOVE, "UN", origin=origin)
        # Every byte of a number is a valid number: the VR that comes is all that tells one from text.
        accepted = frozenset({vr, _SAME_WIDTH.get(vr, vr), "UN"}) if vr in NUMBER_BYTES else None
        return kept(vr, fallback=Action.REMOVE, origin=origin, accepted=accepted, length=fixed_length(vr, vm))

    def _temporal(self, vr: str) -> Action:
        if MODIFIED_DATES in self._options:
            return Action.SHIFT_DATE if vr in DATE_VRS else Action.KEEP_TIME
        if FULL_DATES in self._options:
            return Action.KEEP_DATE if vr in DATE_VRS else Action.KEEP_TIME
        return Action.REMOVE
