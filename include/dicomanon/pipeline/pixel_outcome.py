"""Says for people what a decision about pixels comes to under a profile, in a run and in the folder command."""

from dataclasses import dataclass

from dicomanon.deidentify.pixels.decision import PixelDecision, PixelPath, Risk
from dicomanon.profile.compiler import CLEAN_PIXEL_DATA, CompiledProfile
from dicomanon.reasons import HoldReason


@dataclass(frozen=True, slots=True)
class PixelOutcome:
    """What becomes of the pixels; ``reason`` where the object is held for them wherever it is."""

    text: str
    reason: HoldReason | None = None


def outcome_of(decision: PixelDecision, profile: CompiledProfile) -> PixelOutcome:
    """Return what follows from a decision."""
    cleaned = profile.has(CLEAN_PIXEL_DATA)
    if decision.path is PixelPath.NOTHING:
        return PixelOutcome("there are none to look at")
    if decision.path is PixelPath.HOLD or (decision.risk is Risk.HIGH and not cleaned):
        return PixelOutcome("held: text is likely in them, and nothing may take it out", HoldReason.BURNED_IN_RISK)
    if decision.flagged and profile.waits_for_devices(by_default=False):
        return PixelOutcome(
            "held until somebody has looked at the device: `dicomanon pixels devices`", HoldReason.UNCONFIRMED_DEVICE
        )
    if not cleaned:
        return PixelOutcome("they stay as they are, and nothing is claimed of them")
    text = "they are read, and text that identifies is made black"
    if decision.flagged and profile.waits_for_devices(by_default=True):
        text += "; in a run of a DAG first held until somebody has looked at the device"
    return PixelOutcome(text)
