"""Devices as pictures name them, and what a site has confirmed of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from dicomanon.values import MASK

SHOWN_FROM = 2
"""Values of Image Type before this one tell how a picture was made, not what a device shows (PS3.3 C.7.6.1.1.2)."""

ConfirmedBox = tuple[int, int, int, int]
"""Left, top, width and height in pixels, origin at the top left."""


class DeviceDecision(StrEnum):
    """What a person who looked at a device's pictures says of them."""

    CLEAN = "clean"
    """No text in a place of its own: OCR reads each picture, and goes on alone."""
    MASK = "mask"
    """Text in these boxes: they are masked, OCR reads the rest."""
    HOLD = "hold"
    """Nothing helps: a person must look at every picture."""


@dataclass(frozen=True, slots=True, repr=False)
class DeviceKey:
    """What makes pictures look alike: device, software, SOP class, size and kind; text in one case and spacing.

    People type into devices: no value is printed.

    Attributes
    ----------
    modality, manufacturer, model, software_versions, sop_class_uid
        (0008,0060), (0008,0070), (0008,1090), (0018,1020), (0008,0016).
    rows, columns
        (0028,0010), (0028,0011); 0 if absent.
    image_type
        (0008,0008) from its third value on.
    """

    modality: str
    manufacturer: str
    model: str
    software_versions: str
    sop_class_uid: str
    rows: int
    columns: int
    image_type: str

    @classmethod
    def of(
        cls,
        *,
        modality: str,
        manufacturer: str,
        model: str,
        software_versions: str,
        sop_class_uid: str,
        rows: int | None,
        columns: int | None,
        image_type: str,
    ) -> "DeviceKey":
        """Return the key of values as an object has them."""
        return cls(
            modality=_normalized(modality),
            manufacturer=_normalized(manufacturer),
            model=_normalized(model),
            software_versions=_normalized(software_versions),
            sop_class_uid=sop_class_uid,
            rows=rows or 0,
            columns=columns or 0,
            image_type=_normalized("\\".join(image_type.split("\\")[SHOWN_FROM:])),
        )

    def __repr__(self) -> str:
        return f"DeviceKey({MASK})"

    def to_json(self) -> str:
        """Return the key as text, the same for the same key; to be sealed."""
        return json.dumps({name: getattr(self, name) for name in self.__slots__}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "DeviceKey":
        """Read what :meth:`to_json` wrote."""
        values: dict[str, Any] = json.loads(text)
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What was confirmed of a device."""

    decision: DeviceDecision
    boxes: tuple[ConfirmedBox, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class ConfirmedDevices:
    """Confirmations by device, as they stood when a batch began; never changes."""

    by_key: Mapping[DeviceKey, Confirmation] = field(default_factory=lambda: MappingProxyType({}))

    def get(self, key: DeviceKey) -> Confirmation | None:
        """Return what was confirmed of a device."""
        return self.by_key.get(key)

    def __repr__(self) -> str:
        return f"ConfirmedDevices({len(self.by_key)})"


def _normalized(text: str) -> str:
    """Return a text in upper case, with single blanks and none around the values."""
    return "\\".join(" ".join(value.split()) for value in text.upper().split("\\"))
