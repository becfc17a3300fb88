"""A frame as a person is shown it: in any encoding, with what is known and what is found outlined."""

from typing import Any

import cv2
import numpy as np
import pytest
from tests.deidentify.pixels.pictures import instance, slice_of_body, with_text

from dicomanon.deidentify import parse
from dicomanon.deidentify.pixels.decision import decide
from dicomanon.deidentify.pixels.judging import TextClass
from dicomanon.deidentify.pixels.regions import Box
from dicomanon.devices import Confirmation, ConfirmedDevices, DeviceDecision
from dicomanon.errors import Held
from dicomanon.pipeline.pixel_picture import drawn, picture_of, redrawn
from dicomanon.profile import CompiledProfile, compile_profile, load_profile
from dicomanon.reasons import HoldReason

NAME = "Featherstone, Wilhelmina"
NOBODY = ConfirmedDevices()


@pytest.fixture(scope="module")
def profile() -> CompiledProfile:
    return compile_profile(load_profile("research"))


def shown(png: bytes) -> Any:
    assert png.startswith(b"\x89PNG")
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR).astype(int)


def share(picture: Any, channel: int) -> float:
    """Return how much of a picture is of one colour: blue, green, red."""
    others = [each for each in range(3) if each != channel]
    return float((picture[..., channel] > picture[..., others].max(axis=-1) + 60).mean())


class TestPictureOf:
    def test_outlines_text_that_identifies(self, profile: CompiledProfile) -> None:
        found = picture_of(instance(with_text(slice_of_body(), NAME)), profile, NOBODY)
        assert (found.rows, found.columns, found.frames) == (256, 256, 1)
        assert [text.text_class for text in found.texts] == [TextClass.IDENTIFYING]
        assert found.decision is not None
        assert share(shown(found.png), 2) > 0.003

    def test_says_nothing_of_what_it_reads(self, profile: CompiledProfile) -> None:
        found = picture_of(instance(with_text(slice_of_body(), NAME)), profile, NOBODY)
        assert "featherstone" not in repr(found).lower()

    def test_outlines_what_somebody_confirmed(self, profile: CompiledProfile) -> None:
        raw = instance(slice_of_body(), BurnedInAnnotation="YES")
        key = decide(parse(raw), profile, NOBODY).device
        devices = ConfirmedDevices({key: Confirmation(DeviceDecision.MASK, ((10, 200, 100, 40),))})
        picture = shown(picture_of(raw, profile, devices).png)
        assert (picture[200, 10:110, 0] > picture[200, 10:110, 2] + 60).all()
        assert share(shown(picture_of(raw, profile, NOBODY).png), 0) == 0

    def test_shows_what_is_held_whatever_is_decided(self, profile: CompiledProfile) -> None:
        raw = instance(slice_of_body(), BurnedInAnnotation="YES")
        key = decide(parse(raw), profile, NOBODY).device
        devices = ConfirmedDevices({key: Confirmation(DeviceDecision.HOLD)})
        assert shown(picture_of(raw, profile, devices).png).shape == (256, 256, 3)

    def test_frame_by_frame(self, profile: CompiledProfile) -> None:
        raw = instance([slice_of_body(size=64), with_text(slice_of_body(size=64), "X")])
        first, second = (picture_of(raw, profile, NOBODY, frame=frame) for frame in (0, 1))
        assert first.frames == 2
        assert first.png != second.png
        with pytest.raises(Held, match="no such frame"):
            picture_of(raw, profile, NOBODY, frame=2)

    def test_small_where_it_must_be_and_outlines_can_still_be_seen(self, profile: CompiledProfile) -> None:
        raw = instance(with_text(slice_of_body(size=512), NAME))
        found = picture_of(raw, profile, NOBODY, longest_side=100)
        assert shown(found.png).shape == (100, 100, 3)
        assert (found.rows, found.columns) == (512, 512)
        assert share(shown(found.png), 2) > 0.003

    def test_with_more_contrast(self, profile: CompiledProfile) -> None:
        raw = instance(slice_of_body(size=64))
        assert picture_of(raw, profile, NOBODY).png != picture_of(raw, profile, NOBODY, contrast=True).png

    def test_held_where_there_is_nothing_to_show(self, profile: CompiledProfile) -> None:
        with pytest.raises(Held) as caught:
            picture_of(instance(slice_of_body(size=64), HighBit=3), profile, NOBODY)
        assert caught.value.reason is HoldReason.UNDECODABLE
        with pytest.raises(Held) as caught:
            picture_of(b"not DICOM", profile, NOBODY)
        assert caught.value.reason is HoldReason.UNREADABLE


class TestDrawn:
    @pytest.mark.parametrize(
        "frame",
        [
            np.zeros((20, 30), np.int16),
            np.full((20, 30), 7, np.uint8),
            np.zeros((20, 30), np.float32),
            np.zeros((20, 30, 3), np.uint8),
        ],
        ids=["signed", "one value", "floats", "colours"],
    )
    def test_any_frame_is_shown(self, frame: Any) -> None:
        assert shown(drawn(frame, (), [Box(2, 3, 8, 9)])).shape == (20, 30, 3)


class TestRedrawn:
    def test_takes_over_a_jpeg(self) -> None:
        encoded = bytes(cv2.imencode(".jpg", np.zeros((40, 60, 3), np.uint8))[1])
        found = redrawn(encoded, longest_side=30)
        assert shown(found.png).shape == (20, 30, 3)
        assert (found.rows, found.columns, found.frames, found.texts, found.decision) == (40, 60, 0, (), None)

    @pytest.mark.parametrize("other", [b"", b"<html>", b"\xff\xd8\xff"])
    def test_held_where_it_is_no_picture(self, other: bytes) -> None:
        with pytest.raises(Held):
            redrawn(other)
