"""What a check is told and what it answers; a finding holds rule ids, tags and counts, never a value."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dicomanon.reasons import HoldReason
from dicomanon.validate.suite import HOLDING, RULES

MAX_PLACES = 5


@dataclass(frozen=True, slots=True)
class Expected:
    """What the crosswalk says the object must be.

    Parameters
    ----------
    output_digest
        SHA-256 of the bytes that de-identification made; None leaves the digest unchecked.
    date_shift_days
        The patient's shift, where the caller has it: an original date that equals another original date of the
        same study plus the shift is then taken for a shifted one and not for a leak.
    """

    pseudonym: str
    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class_uid: str
    output_digest: bytes | None
    profile_version: str
    date_shift_days: int | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Findings:
    """The answer for one object.

    Parameters
    ----------
    counts
        Findings per rule id; a rule without finding is absent.
    places
        Up to five places per rule id, as tag paths such as ``0040,A730/0040,A160``.
    """

    counts: Mapping[str, int]
    places: Mapping[str, tuple[str, ...]]

    @property
    def passed(self) -> bool:
        """Whether the instance may go on: no finding of a rule that holds."""
        return not self._broken

    @property
    def _broken(self) -> list[str]:
        return [rule for rule in self.counts if rule in HOLDING]

    @property
    def reason(self) -> HoldReason | None:
        """Why the instance is held: residual PHI before nonconformance; None when it passed."""
        reasons = {RULES[rule].reason for rule in self._broken}
        if not reasons:
            return None
        return HoldReason.RESIDUAL_PHI if HoldReason.RESIDUAL_PHI in reasons else HoldReason.NONCONFORMANT

    @property
    def detail(self) -> str:
        """Which rules hold the instance, in words, and at which places; empty when it passed."""
        return "; ".join(
            f"{RULES[rule].title} ({rule}): not so at {', '.join(self.places[rule])}" for rule in self._broken
        )


class FindingsBuilder:
    """Collects findings during one check."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._places: dict[str, list[str]] = {}

    def add(self, rule: str, place: str, count: int = 1) -> None:
        """Count a finding of ``rule``; an unknown rule id is a defect of ours."""
        if rule not in RULES:
            raise KeyError(rule)
        self._counts[rule] = self._counts.get(rule, 0) + count
        places = self._places.setdefault(rule, [])
        if len(places) < MAX_PLACES and place not in places:
            places.append(place)

    def build(self) -> Findings:
        """Return the findings so far."""
        places = {rule: tuple(found) for rule, found in self._places.items()}
        return Findings(dict(self._counts), places)
