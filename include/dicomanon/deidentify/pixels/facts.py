"""What a header says that bears on text in the pixels: all that the decision stands on, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType

from dicomanon.deidentify.excerpts import elements_of, once_per_series
from dicomanon.deidentify.header import SOP_CLASS_UID, Header
from dicomanon.deidentify.pixels.ultrasound import (
    SEQUENCE_OF_ULTRASOUND_REGIONS,
    UltrasoundRegion,
    ultrasound_regions,
)
from dicomanon.devices import DeviceKey
from dicomanon.standard.burned_in import device_rules, header_signals
from dicomanon.values import MASK

IMAGE_TYPE = 0x00080008
MODALITY = 0x00080060
MANUFACTURER = 0x00080070
MODEL = 0x00081090
SOFTWARE_VERSIONS = 0x00181020
ROWS = 0x00280010
COLUMNS = 0x00280011
DEVICE_TAGS = frozenset({IMAGE_TYPE, MODALITY, MANUFACTURER, MODEL, SOFTWARE_VERSIONS})
HAS_ITEMS = "items"
"""Stands for a sequence that is not empty."""


@dataclass(frozen=True, slots=True, repr=False)
class HeaderFacts:
    """Facts of one header; they may hold what people typed and do not print.

    Attributes
    ----------
    sop_class_uid, transfer_syntax, rows, columns
        Of the object; the last two ``None`` if absent.
    texts
        Values in upper case, by tag, of the attributes that a rule asks for and that have one.
    ultrasound_regions
        Plausible ones.
    """

    sop_class_uid: str
    transfer_syntax: str = ""
    rows: int | None = None
    columns: int | None = None
    texts: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))
    ultrasound_regions: tuple[UltrasoundRegion, ...] = ()

    @staticmethod
    def of(source: Header) -> "HeaderFacts":
        """Collect the facts of an object."""
        return _facts(source)

    def __hash__(self) -> int:
        return hash((self.sop_class_uid, self.rows, self.columns, frozenset(self.texts.items())))

    def __repr__(self) -> str:
        return f"HeaderFacts({MASK})"

    def text(self, tag: int) -> str:
        """Return a value in upper case, ``""`` if there is none."""
        return self.sop_class_uid if tag == SOP_CLASS_UID else self.texts.get(tag, "")

    @property
    def device(self) -> DeviceKey:
        """What device, and which of its pictures."""
        return DeviceKey.of(
            modality=self.text(MODALITY),
            manufacturer=self.text(MANUFACTURER),
            model=self.text(MODEL),
            software_versions=self.text(SOFTWARE_VERSIONS),
            sop_class_uid=self.sop_class_uid,
            rows=self.rows,
            columns=self.columns,
            image_type=self.text(IMAGE_TYPE),
        )


@cache
def asked_tags() -> frozenset[int]:
    """Return the attributes that a signal or a device rule asks for."""
    conditions = [condition for rule in device_rules() for condition in (*rule.pictures, *rule.limits)]
    return frozenset(
        {*DEVICE_TAGS, *(signal.tag for signal in header_signals()), *(condition.tag for condition in conditions)}
        - {SOP_CLASS_UID}
    )


@once_per_series(elements_of(lambda: {*asked_tags(), ROWS, COLUMNS, SEQUENCE_OF_ULTRASOUND_REGIONS}))
def _facts(source: Header) -> HeaderFacts:
    rows, columns = source.number(ROWS), source.number(COLUMNS)
    return HeaderFacts(
        sop_class_uid=source.sop_class_uid,
        transfer_syntax=source.transfer_syntax,
        rows=rows,
        columns=columns,
        texts=MappingProxyType({tag: text for tag in asked_tags() if (text := _text(source, tag))}),
        ultrasound_regions=ultrasound_regions(source, rows or 0, columns or 0),
    )


def _text(source: Header, tag: int) -> str:
    element = source.element(tag)
    if element is not None and element.items is not None:
        return HAS_ITEMS if element.items else ""
    return source.text(tag).upper()
