"""Decides from class, header and device whether an instance may be released without a look at its pixels or text.

Nothing in a header proves that pixels are clean; this finds what is known to be unclean (PS3.15 E.3.1).
"""

from functools import lru_cache

from dicomanon.deidentify.source import SourceInstance
from dicomanon.errors import Held
from dicomanon.profile.compiler import CLEAN_DESCRIPTORS, PIXEL_DATA, CompiledProfile
from dicomanon.profile.table_rules import ENCAPSULATED_DOCUMENT
from dicomanon.reasons import HoldReason
from dicomanon.standard.burned_in import (
    DOCUMENT,
    DeviceRule,
    HeaderSignal,
    device_rules,
    header_signals,
    sop_class_risks,
)
from dicomanon.standard.iods import iod_by_sop_class

_MODALITY = 0x00080060
_MANUFACTURER = 0x00080070
_MODEL = 0x00081090
_ROWS = 0x00280010
_COLUMNS = 0x00280011
_DOSE_IOD = "rt-dose"
_INDEX_IODS = frozenset({"basic-directory", "inventory"})
_HELD_RISKS = {
    "high": HoldReason.BURNED_IN_RISK,
    "audio": HoldReason.BURNED_IN_RISK,
    DOCUMENT: HoldReason.ENCAPSULATED_DOCUMENT,
}


def require_releasable(source: SourceInstance, profile: CompiledProfile) -> None:
    """Check that no known risk speaks against releasing the instance.

    Documents pass if the profile cleans them; the cleaning holds those that nobody can read.

    Raises
    ------
    Held
        ``UNKNOWN_SOP_CLASS``, ``UNREADABLE``, ``DIRECTORY``, ``ENCAPSULATED_DOCUMENT``, or ``BURNED_IN_RISK`` with the
        name of the signal in the detail.
    """
    sop_class = source.sop_class_uid
    risk = sop_class_risks().get(sop_class)
    if risk is None:
        raise Held(HoldReason.UNKNOWN_SOP_CLASS)
    if iod_by_sop_class().get(sop_class) in _INDEX_IODS:
        raise Held(HoldReason.DIRECTORY, "an index of other objects")
    if risk.risk in _HELD_RISKS and not (risk.risk == DOCUMENT and profile.has(CLEAN_DESCRIPTORS)):
        raise Held(_HELD_RISKS[risk.risk], f"SOP class of risk {risk.risk}")
    if risk.risk == DOCUMENT and source.element(ENCAPSULATED_DOCUMENT) is None:
        raise Held(HoldReason.UNREADABLE, "document without its content")
    if not risk.has_pixel_data:
        return
    _check_pixel_data(source)
    _check_header(source)
    _check_device(source)


def _check_pixel_data(source: SourceInstance) -> None:
    """Find images cut off between two elements, which are well-formed but for the missing end.

    RT Dose may hold histograms alone (PS3.3 C.8.8.3): it has no pixel data only if it has no rows either.
    """
    if any(source.element(tag) for tag in PIXEL_DATA):
        return
    if source.element(_ROWS) or iod_by_sop_class().get(source.sop_class_uid) != _DOSE_IOD:
        raise Held(HoldReason.UNREADABLE, "image without pixel data")


def _check_header(source: SourceInstance) -> None:
    modality = source.text(_MODALITY).upper()
    manufacturer = source.text(_MANUFACTURER).upper()
    for signal in header_signals():
        if modality in signal.except_modality or (signal.only_modality and modality not in signal.only_modality):
            continue
        if signal.only_manufacturer and not any(name in manufacturer for name in signal.only_manufacturer):
            continue
        if _shows(signal, source.text(signal.tag).upper()):
            raise Held(HoldReason.BURNED_IN_RISK, f"header signal {signal.signal}")


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


def _check_device(source: SourceInstance) -> None:
    device = (source.text(_MODALITY).upper(), source.text(_MANUFACTURER).upper(), source.text(_MODEL).upper())
    if _has_device_rule(device, (source.number(_ROWS), source.number(_COLUMNS))):
        raise Held(HoldReason.BURNED_IN_RISK, "device with a published region of burned-in text")


@lru_cache(maxsize=1024)
def _has_device_rule(device: tuple[str, str, str], size: tuple[int | None, int | None]) -> bool:
    return any(_is_device(rule, device, size) for rule in device_rules())


def _is_device(rule: DeviceRule, device: tuple[str, str, str], size: tuple[int | None, int | None]) -> bool:
    return (
        (not rule.rows or size[0] in rule.rows)
        and (not rule.columns or size[1] in rule.columns)
        and all(
            not patterns or any(_matches(pattern, value) for pattern in patterns)
            for patterns, value in zip((rule.modality, rule.manufacturer, rule.model), device, strict=True)
        )
    )


def _matches(pattern: str, value: str) -> bool:
    if pattern.startswith("^"):
        return value.startswith(pattern[1:])
    if pattern.startswith("="):
        return value == pattern[1:]
    return pattern in value
