"""Finds the published device rules that a header meets."""

from collections.abc import Iterable
from functools import lru_cache

from dicomanon.deidentify.pixels.facts import MANUFACTURER, MODALITY, MODEL, SOFTWARE_VERSIONS, HeaderFacts
from dicomanon.deidentify.pixels.regions import Box
from dicomanon.standard.burned_in import Area, DeviceCondition, DeviceRule, device_rules, fits
from dicomanon.standard.iods import iod_by_sop_class


def rules_of_device(facts: HeaderFacts) -> tuple[DeviceRule, ...]:
    """Return the rules about this kind of picture of this device, whether their areas are known to hold or not."""
    device = (facts.text(MODALITY), facts.text(MANUFACTURER), facts.text(MODEL))
    return tuple(rule for rule in _rules(*device) if all(_is_met(each, facts) for each in rule.pictures))


def holds(rule: DeviceRule, facts: HeaderFacts) -> bool:
    """Tell whether the areas of a rule of the device hold: for its software, its size and what else limits the rule."""
    versions = facts.text(SOFTWARE_VERSIONS).split("\\")
    iod = iod_by_sop_class().get(facts.sop_class_uid, "")
    return (
        (not rule.rows or facts.rows in rule.rows)
        and (not rule.columns or facts.columns in rule.columns)
        and (not rule.iods or _any_fits(rule.iods, [iod]))
        and (not rule.software_versions or _any_fits(rule.software_versions, versions))
        and all(_is_met(each, facts) for each in rule.limits)
    )


def boxes(areas: Iterable[Area], rows: int, columns: int) -> frozenset[Box]:
    """Return areas as boxes, each as far as it lies inside of the image."""
    whole = (
        Box(left, top, columns if width is None else left + width, rows if height is None else top + height)
        for left, top, width, height in areas
    )
    return frozenset(box for each in whole if (box := each.clipped(rows, columns)))


@lru_cache(maxsize=1024)
def _rules(modality: str, manufacturer: str, model: str) -> tuple[DeviceRule, ...]:
    return tuple(
        rule
        for rule in device_rules()
        if (not rule.modality or modality in rule.modality)
        and (not rule.manufacturer or _any_fits(rule.manufacturer, [manufacturer]))
        and (not rule.model or _any_fits(rule.model, [model]))
    )


def _any_fits(patterns: Iterable[str], values: Iterable[str]) -> bool:
    return any(fits(pattern, value.strip()) for value in values for pattern in patterns)


def _is_met(condition: DeviceCondition, facts: HeaderFacts) -> bool:
    value = facts.text(condition.tag)
    if condition.test == "present":
        return bool(value)
    return _any_fits(condition.patterns, [value]) == (condition.test == "matches")
