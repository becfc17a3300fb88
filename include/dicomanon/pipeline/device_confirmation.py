"""Takes down what a person says of a device, in the same way wherever it is said."""

from collections.abc import Iterable
from dataclasses import dataclass

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.rows import SeenDevice
from dicomanon.devices import ConfirmedBox, DeviceDecision
from dicomanon.errors import Fatal

SHORT_ID = 8
"""Digits of an ID that people are shown."""
_BOX_NUMBERS = 4
BOX_FORM = "left, top, width and height in pixels, as in 0,0,1024,60"


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What was said, and what came of it; ``lines`` tell it."""

    device: SeenDevice
    decision: DeviceDecision
    queued: int

    def lines(self) -> list[str]:
        """Return it in words."""
        return [
            f"{short_id(self.device)} is confirmed: {self.decision}",
            f"  {self.device.waiting} instances stay held"
            if self.decision is DeviceDecision.HOLD
            else f"  {self.queued} instances are queued again: the next run takes them up, with all checks",
        ]


def short_id(device: SeenDevice) -> str:
    """Return the ID as people are shown it."""
    return str(device.id)[:SHORT_ID]


def box_of(text: str) -> ConfirmedBox:
    """Read a box as people type it.

    Raises
    ------
    ValueError
        It is not :data:`BOX_FORM`.
    """
    numbers = [part.strip() for part in text.split(",")]
    if len(numbers) != _BOX_NUMBERS or not all(number.isdecimal() for number in numbers):
        raise ValueError(BOX_FORM)
    left, top, width, height = map(int, numbers)
    return left, top, width, height


def device_named(seen: Iterable[SeenDevice], wanted: str) -> SeenDevice:
    """Return the one device whose ID is ``wanted``, or begins so.

    Raises
    ------
    Fatal
        There is none, or more than one.
    """
    found = [device for device in seen if wanted and str(device.id).startswith(wanted.lower())]
    if len(found) != 1:
        told = "several devices begin so: give more digits" if found else "no such device was seen"
        raise Fatal(f"{told}; `dicomanon pixels devices` names them")
    return found[0]


def confirm_device(
    crosswalk: Crosswalk,
    device: str,
    decision: DeviceDecision,
    boxes: Iterable[ConfirmedBox],
    *,
    author: str,
    reason: str,
) -> Confirmed:
    """Say what becomes of a device's pictures, and queue those again that wait for it.

    Raises
    ------
    Fatal
        As :func:`device_named` and :meth:`dicomanon.crosswalk.devices.Devices.confirm`.
    """
    found = device_named(crosswalk.devices.all(), device)
    queued = crosswalk.devices.confirm(found.id, decision, list(boxes), author=author, reason=reason)
    return Confirmed(found, decision, queued)
