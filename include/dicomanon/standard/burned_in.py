"""Where text in the pixels is to be expected: by SOP class, by header, by device."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from dicomanon.standard.tables import parse_tag, read_table

DOCUMENT = "document"
"""Risk class of encapsulated documents."""


@dataclass(frozen=True, slots=True)
class SopClassRisk:
    """Risk of one SOP class: ``high``, ``medium``, ``low``, ``no-pixels``, ``document`` and others."""

    risk: str
    has_pixel_data: bool


@dataclass(frozen=True, slots=True)
class HeaderSignal:
    """A header fact that makes burned-in text likely; ``values`` are upper case."""

    signal: str
    tag: int
    test: str
    values: tuple[str, ...]
    only_modality: frozenset[str]
    except_modality: frozenset[str]
    only_manufacturer: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeviceRule:
    """A published device rule: what it matches has text in its pictures. Patterns are upper case, ``|`` split.

    A pattern matches anywhere in the value, ``^`` binds it to the start and ``=`` to the whole value.
    """

    modality: tuple[str, ...]
    manufacturer: tuple[str, ...]
    model: tuple[str, ...]
    rows: frozenset[int]
    columns: frozenset[int]


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
    """Return the header facts of high risk."""
    return tuple(
        HeaderSignal(
            signal=row["signal"],
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
    """Return the published device rules that name a device and no header fact beyond software versions.

    Software versions are ignored: an update must not turn a known risk into a pass. Rules with other conditions
    describe screen captures and reports, which the header signals find on any device.
    """
    rules = {
        DeviceRule(
            modality=_alternatives(row["modality"]),
            manufacturer=_alternatives(row["manufacturer_contains"]),
            model=_alternatives(row["model_contains"]),
            rows=frozenset(map(int, _alternatives(row["rows"]))),
            columns=frozenset(map(int, _alternatives(row["columns"]))),
        )
        for row in read_table("burned_in_regions")
        if (row["manufacturer_contains"] or row["model_contains"])
        and ";" not in row["other_condition"]
        and (not row["other_condition"] or row["other_condition"].startswith("software_versions="))
    }
    return tuple(sorted(rules, key=repr))
