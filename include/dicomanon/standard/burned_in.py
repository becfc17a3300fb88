"""Where text in the pixels is to be expected: by SOP class, by header, by device."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from dicomanon.standard.names import tag_named
from dicomanon.standard.tables import parse_tag, read_table

DOCUMENT = "document"
"""Risk class of encapsulated documents."""
Area = tuple[int, int, int | None, int | None]
"""Left, top, width and height in pixels; ``None`` reaches to the edge of the image."""


@dataclass(frozen=True, slots=True)
class SopClassRisk:
    """Risk of one SOP class: ``high``, ``medium``, ``low``, ``no-pixels``, ``document``, ``video`` and others."""

    risk: str
    has_pixel_data: bool


@dataclass(frozen=True, slots=True)
class HeaderSignal:
    """A header fact that makes burned-in text likely; ``values`` are upper case.

    ``risk`` is ``high`` or ``medium``, or ``hold`` where nothing but a person will do. ``captured`` tells whether it is
    about where a picture was made that no modality acquired.
    """

    signal: str
    risk: str
    captured: bool
    tag: int
    test: str
    values: tuple[str, ...]
    only_modality: frozenset[str]
    except_modality: frozenset[str]
    only_manufacturer: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeviceCondition:
    """What a device rule asks of an attribute.

    ``matches`` and ``excludes`` have patterns: any of them fits, or none. ``present`` asks for a value.
    """

    tag: int
    test: str
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeviceRule:
    """A published device rule: where a device writes text. Patterns are upper case.

    A pattern fits anywhere in the value; ``^`` binds it to the start and ``=`` to the whole value. Where nothing is
    listed, anything fits.

    Attributes
    ----------
    name
        Ours, the same for ever.
    modality, manufacturer, model, pictures
        Which device, and which of its pictures.
    software_versions, rows, columns, iods, limits
        For which of them the areas are known. A picture of the device beyond these limits has text somewhere else.
    areas
        Where.
    """

    name: str
    modality: frozenset[str]
    manufacturer: tuple[str, ...]
    model: tuple[str, ...]
    pictures: tuple[DeviceCondition, ...]
    software_versions: tuple[str, ...]
    rows: frozenset[int]
    columns: frozenset[int]
    iods: tuple[str, ...]
    limits: tuple[DeviceCondition, ...]
    areas: tuple[Area, ...]


def fits(pattern: str, value: str) -> bool:
    """Tell whether a pattern of a device rule fits a value in upper case."""
    if pattern.startswith("^"):
        return value.startswith(pattern[1:])
    if pattern.startswith("="):
        return value == pattern[1:]
    return pattern in value


@cache
def sop_class_risks() -> Mapping[str, SopClassRisk]:
    """Return the risk of every storage SOP class of our edition."""
    return MappingProxyType(
        {
            row["sop_class_uid"]: SopClassRisk(row["risk_class"], row["has_pixel_data"] == "Y")
            for row in read_table("burned_in_risk_sop_classes")
        }
    )


def _alternatives(cell: str) -> tuple[str, ...]:
    return tuple(part.strip().upper() for part in cell.split("|") if part.strip())


@cache
def header_signals() -> tuple[HeaderSignal, ...]:
    """Return the header facts that speak for burned-in text."""
    return tuple(
        HeaderSignal(
            signal=row["signal"],
            risk=row["risk"],
            captured=row["captured"] == "Y",
            tag=parse_tag(row["attribute"]),
            test=row["test"],
            values=_alternatives(row["values"]),
            only_modality=frozenset(_alternatives(row["only_modality"])),
            except_modality=frozenset(_alternatives(row["except_modality"])),
            only_manufacturer=_alternatives(row["only_manufacturer"]),
        )
        for row in read_table("burned_in_header_signals")
    )


@cache
def device_rules() -> tuple[DeviceRule, ...]:
    """Return the published device rules; rows of one name are one rule with several areas."""
    areas: dict[str, list[Area]] = {}
    rows: dict[str, dict[str, str]] = {}
    for row in read_table("device_rules"):
        rows[row["rule"]] = row
        areas.setdefault(row["rule"], []).append(
            (int(row["left"]), int(row["top"]), _length(row["width"]), _length(row["height"]))
        )
    return tuple(_device_rule(row, tuple(areas[name])) for name, row in rows.items())


def _length(cell: str) -> int | None:
    return int(cell) if cell else None


def _device_rule(row: Mapping[str, str], areas: tuple[Area, ...]) -> DeviceRule:
    conditions = [_condition(part) for part in row["conditions"].split("; ") if part]
    return DeviceRule(
        name=row["rule"],
        modality=frozenset(_alternatives(row["modality"])),
        manufacturer=_alternatives(row["manufacturer"]),
        model=_alternatives(row["model"]),
        pictures=tuple(each for each in conditions if each.test == "matches"),
        software_versions=_alternatives(row["software_versions"]),
        rows=frozenset(map(int, _alternatives(row["rows"]))),
        columns=frozenset(map(int, _alternatives(row["columns"]))),
        # Names of IODs are ours and in lower case.
        iods=tuple(part for part in row["iod"].split("|") if part),
        limits=tuple(each for each in conditions if each.test != "matches"),
        areas=areas,
    )


def _condition(text: str) -> DeviceCondition:
    """Read ``attribute test patterns``; the attribute is a keyword, or a tag where it is private."""
    attribute, test, *patterns = text.split(" ", 2)
    tag = tag_named(attribute)
    if tag is None or test not in {"matches", "excludes", "present"}:
        raise ValueError("a condition of the table of device rules cannot be read")
    return DeviceCondition(tag, test, _alternatives("".join(patterns)))
