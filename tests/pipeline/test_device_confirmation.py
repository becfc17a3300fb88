"""What a person says of a device is taken down in one way, by the command and by the page."""

import pytest

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.devices import DeviceDecision, DeviceKey
from dicomanon.errors import Fatal
from dicomanon.pipeline.device_confirmation import box_of, confirm_device, device_named
from dicomanon.pipeline.device_text import device_text


def key(model: str) -> DeviceKey:
    return DeviceKey.of(
        modality="US", manufacturer="Acme", model=model, software_versions="1", sop_class_uid="1.2", rows=10,
        columns=20, image_type="",
    )  # fmt: skip


@pytest.mark.parametrize("text", ["0,0,20,5", " 0 , 0,20 ,5 "])
def test_a_box_is_four_numbers(text: str) -> None:
    assert box_of(text) == (0, 0, 20, 5)


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,4,5", "1,2,3,-4", "1,2,3,x", "1 2 3 4", "1.0,2,3,4"])
def test_anything_else_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="left, top, width and height in pixels"):
        box_of(text)


def test_a_device_is_named_by_its_first_digits(crosswalk: Crosswalk) -> None:
    crosswalk.devices.observe([key("One"), key("Two")])
    seen = crosswalk.devices.all()
    assert device_named(seen, str(seen[0].id)) == seen[0]
    assert device_named(seen, str(seen[0].id)[:30].upper()) == seen[0]
    for wanted in ("", "zz"):
        with pytest.raises(Fatal, match="no such device was seen"):
            device_named(seen, wanted)


def test_confirmed_and_told(crosswalk: Crosswalk) -> None:
    crosswalk.devices.observe([key("One")])
    (seen,) = crosswalk.devices.all()
    done = confirm_device(crosswalk, str(seen.id), DeviceDecision.MASK, [(0, 0, 20, 5)], author="me", reason="a banner")
    assert done.lines()[0].endswith("is confirmed: mask")
    assert "0 instances are queued again" in done.lines()[1]
    (now,) = crosswalk.devices.all()
    assert "mask 0,0,20,5 by me on " in device_text(now).lines()[-1]
    assert device_text(now).lines()[-1].endswith(": a banner")
