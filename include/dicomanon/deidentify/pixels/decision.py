"""Decides from class, header and device what must be done about text in the pixels (PS3.15 E.3.1).

Nothing in a header proves that pixels are clean. The decision says how to find out: mask what a rule knows, read by
OCR, have a person look. Burned In Annotation (0028,0301) of NO proves nothing: several IODs allow no other value.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from pydicom.uid import MPEGTransferSyntaxes

from dicomanon.deidentify.pixels.device_rules import boxes, holds, rules_of_device
from dicomanon.deidentify.pixels.facts import MANUFACTURER, MODALITY, ROWS, HeaderFacts
from dicomanon.deidentify.pixels.regions import Region
from dicomanon.deidentify.pixels.ultrasound import UltrasoundRegion
from dicomanon.deidentify.source import SourceInstance
from dicomanon.devices import Confirmation, ConfirmedDevices, DeviceDecision, DeviceKey
from dicomanon.errors import Held
from dicomanon.profile.compiler import CLEAN_DESCRIPTORS, CLEAN_PIXEL_DATA, PIXEL_DATA, CompiledProfile
from dicomanon.profile.table_rules import ENCAPSULATED_DOCUMENT
from dicomanon.reasons import HoldReason
from dicomanon.standard.burned_in import DOCUMENT, DeviceRule, HeaderSignal, header_signals, sop_class_risks
from dicomanon.standard.iods import iod_by_sop_class

DEVICE_RULE = "device-rule"
DEVICE_OTHERWISE = "device-otherwise"
"""A device of the rules, in a size, software version or kind of picture that they do not know."""
CAPTURE = "capture"
"""A secondary capture, screenshot or digitized picture that nothing is known of."""
UNKNOWN_DEVICE = "unknown-device"
NOT_CLEANED = "pixels-not-cleaned"
"""The profile does not have the option to change pixels."""
_HELD_CLASSES = frozenset({"audio", "video"})
_SECONDARY_CAPTURE = "secondary-capture-image"
_DOSE_IOD = "rt-dose"
_INDEX_IODS = frozenset({"basic-directory", "inventory"})


class PixelPath(StrEnum):
    """What must be done."""

    NOTHING = "nothing"
    """There are no pixels."""
    CLEAN = "clean"
    """Clean by class: no signal speaks for text."""
    MASK = "mask"
    """Mask by rule, and read the rest."""
    READ = "read"
    """Check by OCR."""
    HOLD = "hold"
    """A person must look: no method vouches for it."""


class Risk(StrEnum):
    """How likely text is."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class PixelDecision:
    """What must be done about the pixels of an object, and why.

    Attributes
    ----------
    path
        What must be done.
    risk
        How likely text is.
    reasons
        Codes: risks of SOP classes, names of header signals and of device rules; never a value of the object.
    regions
        To be masked; with ``MASK`` only.
    ultrasound_regions
        Where the device says that image data are, as far as that is plausible; information only.
    flagged_as
        Why a person should look first: ``DEVICE_OTHERWISE``, ``CAPTURE`` or ``UNKNOWN_DEVICE``; ``""`` if none has to.
    device
        What device, and which of its pictures.
    """

    path: PixelPath
    risk: Risk
    reasons: tuple[str, ...]
    device: DeviceKey
    regions: tuple[Region, ...] = ()
    ultrasound_regions: tuple[UltrasoundRegion, ...] = ()
    flagged_as: str = ""

    @property
    def flagged(self) -> bool:
        """Whether a person should look first."""
        return bool(self.flagged_as)


def decide(source: SourceInstance, profile: CompiledProfile, devices: ConfirmedDevices) -> PixelDecision:
    """Return what must be done about the pixels of an object.

    Documents pass if the profile cleans them; the cleaning holds those that nobody can read.

    Parameters
    ----------
    source
        The object; of its pixels nothing is looked at.
    profile
        Without Clean Pixel Data nothing is masked, and what would have to be is held.
    devices
        What the site has confirmed.

    Raises
    ------
    Held
        ``UNKNOWN_SOP_CLASS``, ``UNREADABLE``, ``DIRECTORY`` or ``ENCAPSULATED_DOCUMENT``: it is no object whose pixels
        matter.
    """
    _require_content(source, profile)
    return decide_from_facts(HeaderFacts.of(source), devices, may_mask=profile.has(CLEAN_PIXEL_DATA))


def _require_content(source: SourceInstance, profile: CompiledProfile) -> None:
    risk = sop_class_risks().get(source.sop_class_uid)
    if risk is None:
        raise Held(HoldReason.UNKNOWN_SOP_CLASS)
    if iod_by_sop_class().get(source.sop_class_uid) in _INDEX_IODS:
        raise Held(HoldReason.DIRECTORY, "an index of other objects")
    if risk.risk == DOCUMENT and not profile.has(CLEAN_DESCRIPTORS):
        raise Held(HoldReason.ENCAPSULATED_DOCUMENT, "SOP class of risk document")
    if risk.risk == DOCUMENT and source.element(ENCAPSULATED_DOCUMENT) is None:
        raise Held(HoldReason.UNREADABLE, "document without its content")
    if risk.has_pixel_data:
        _require_pixel_data(source)


def _require_pixel_data(source: SourceInstance) -> None:
    """Find images cut off between two elements, which are well-formed but for the missing end.

    RT Dose may hold histograms alone (PS3.3 C.8.8.3): it has no pixel data only if it has no rows either.
    """
    if any(source.element(tag) for tag in PIXEL_DATA):
        return
    if source.element(ROWS) or iod_by_sop_class().get(source.sop_class_uid) != _DOSE_IOD:
        raise Held(HoldReason.UNREADABLE, "image without pixel data")


def decide_from_facts(facts: HeaderFacts, devices: ConfirmedDevices, *, may_mask: bool = True) -> PixelDecision:
    """Return the decision that follows from the facts of a header."""
    device, signals, known, rules = _evidence(facts)
    of_class = sop_class_risks().get(facts.sop_class_uid)
    risk_of_class = of_class.risk if of_class else "unknown"
    if facts.transfer_syntax in MPEGTransferSyntaxes:
        risk_of_class = "video"
    reasons = [f"class-{risk_of_class}"]
    if risk_of_class in _HELD_CLASSES:
        return PixelDecision(PixelPath.HOLD, Risk.HIGH, tuple(reasons), device)
    if of_class and not of_class.has_pixel_data:
        return PixelDecision(PixelPath.NOTHING, Risk.LOW, tuple(reasons), device)
    reasons += [signal.signal for signal in signals] + [f"{DEVICE_RULE} {rule.name}" for rule in rules]
    if known and not rules:
        reasons.append(DEVICE_OTHERWISE)
    risk = _risk(risk_of_class, signals, known)
    # What was confirmed of a device's screenshots is not about its other pictures.
    confirmed = devices.get(device) if risk is Risk.HIGH else None
    if confirmed:
        reasons.append(f"confirmed-{confirmed.decision}")
    regions = _regions(facts, rules, confirmed)
    if regions and not may_mask:
        reasons.append(NOT_CLEANED)
    path = _path(risk, signals, confirmed, masks=bool(regions), may_mask=may_mask)
    return PixelDecision(
        path,
        risk,
        tuple(reasons),
        device,
        regions if path is PixelPath.MASK else (),
        facts.ultrasound_regions,
        _why_flagged(facts, signals, known) if (path, risk, confirmed) == (PixelPath.READ, Risk.HIGH, None) else "",
    )


@lru_cache(maxsize=64)
def _evidence(
    facts: HeaderFacts,
) -> tuple[DeviceKey, tuple[HeaderSignal, ...], tuple[DeviceRule, ...], tuple[DeviceRule, ...]]:
    """Return the device, the signals of a header, the rules for the device, and those that hold; once for a series."""
    known = rules_of_device(facts)
    return facts.device, tuple(_signals(facts)), known, tuple([rule for rule in known if holds(rule, facts)])


def _risk(of_class: str, signals: tuple[HeaderSignal, ...], known: tuple[DeviceRule, ...]) -> Risk:
    risks = {of_class, *(signal.risk for signal in signals)}
    if known or risks & {"high", "hold", "unknown"}:
        return Risk.HIGH
    return Risk.LOW if risks == {"low"} else Risk.MEDIUM


def _path(
    risk: Risk, signals: tuple[HeaderSignal, ...], confirmed: Confirmation | None, *, masks: bool, may_mask: bool
) -> PixelPath:
    if any(signal.risk == "hold" for signal in signals):
        return PixelPath.HOLD
    if confirmed and confirmed.decision is DeviceDecision.HOLD:
        return PixelPath.HOLD
    if masks:
        return PixelPath.MASK if may_mask else PixelPath.HOLD
    return PixelPath.CLEAN if risk is Risk.LOW else PixelPath.READ


def _regions(facts: HeaderFacts, rules: tuple[DeviceRule, ...], confirmed: Confirmation | None) -> tuple[Region, ...]:
    areas = {area for rule in rules for area in rule.areas} | set(confirmed.boxes if confirmed else ())
    return tuple(Region(box) for box in sorted(boxes(areas, facts.rows or 0, facts.columns or 0)))


def _why_flagged(facts: HeaderFacts, signals: tuple[HeaderSignal, ...], known: tuple[DeviceRule, ...]) -> str:
    if known:
        return DEVICE_OTHERWISE
    iod = iod_by_sop_class().get(facts.sop_class_uid, "")
    captured = iod.endswith(_SECONDARY_CAPTURE) or any(signal.captured for signal in signals)
    return CAPTURE if captured else UNKNOWN_DEVICE


def _signals(facts: HeaderFacts) -> Iterator[HeaderSignal]:
    modality, manufacturer = facts.text(MODALITY), facts.text(MANUFACTURER)
    for signal in header_signals():
        if modality in signal.except_modality or (signal.only_modality and modality not in signal.only_modality):
            continue
        if signal.only_manufacturer and not any(name in manufacturer for name in signal.only_manufacturer):
            continue
        if _shows(signal, facts.text(signal.tag)):
            yield signal


def _shows(signal: HeaderSignal, value: str) -> bool:
    if signal.test == "present":
        return bool(value)
    if signal.test == "absent":
        return not value.strip("\\ ")
    if not value:
        return False
    if signal.test == "equals":
        return any(part.strip() in signal.values for part in value.split("\\"))
    if signal.test == "contains":
        return any(wanted in value for wanted in signal.values)
    raise ValueError("unknown test in the table of header signals")
