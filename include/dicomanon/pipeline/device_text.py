"""Says of a device what people may see of it: what it calls itself, how much waits for it, and what was said of it."""

from dataclasses import dataclass

from dicomanon.crosswalk.rows import SeenDevice
from dicomanon.pipeline.device_confirmation import short_id
from dicomanon.standard.names import sop_class_keyword


@dataclass(frozen=True, slots=True)
class DeviceText:
    """A device in words; people type into devices, and into reasons."""

    short_id: str
    title: str
    kind: str
    counts: str
    said: tuple[str, ...]

    def lines(self) -> list[str]:
        """Return it as the command prints it."""
        return [f"{self.short_id}  {self.title}", *(f"  {line}" for line in (self.kind, self.counts, *self.said))]


def device_text(device: SeenDevice) -> DeviceText:
    """Return a device in words."""
    key = device.key
    what = " / ".join(part or "-" for part in (key.manufacturer, key.model, key.software_versions))
    said = []
    for one in device.confirmations:
        boxes = "".join(f" {','.join(map(str, box))}" for box in one.said.boxes)
        said.append(
            f"{one.said.decision}{boxes} by {one.author} on {one.confirmed_at:%Y-%m-%d %H:%M}: {one.reason.reveal()}"
        )
    return DeviceText(
        short_id(device),
        f"{key.modality or '-'}  {what}",
        f"{key.rows}x{key.columns} {sop_class_keyword(key.sop_class_uid)} {key.image_type}".rstrip(),
        f"{device.state}; {device.instances} instances of {device.studies} studies, {device.waiting} waiting;"
        f" first seen {device.first_seen_at:%Y-%m-%d}",
        tuple(said),
    )
