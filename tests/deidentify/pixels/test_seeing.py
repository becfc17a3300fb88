"""Real text, really read."""

import numpy as np
import pytest
from pydicom.uid import JPEGBaseline8Bit, JPEGLSLossless
from tests.deidentify.builders import Instance, Leaf
from tests.deidentify.pixels.pictures import Pixels, instance, slice_of_body, with_text

from dicomanon.deidentify import Seen, look, look_together, parse
from dicomanon.deidentify.pixels.decision import PixelPath
from dicomanon.deidentify.pixels.regions import Box
from dicomanon.devices import ConfirmedDevices
from dicomanon.errors import Held
from dicomanon.profile import CompiledProfile
from dicomanon.reasons import HoldReason

DIGITAL_X_RAY = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.1", "Modality": "DX"}
NAME = "Featherstone, Wilhelmina"
NOBODY = ConfirmedDevices()


def seen_in(raw: bytes, profile: CompiledProfile) -> Seen:
    return look(parse(raw), profile, NOBODY)


def where(before: Pixels, after: Pixels) -> Box:
    """Return the box of all pixels that two pictures differ in."""
    rows, columns = np.nonzero(before != after)[:2]
    return Box(int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)


def covers(seen: Seen, box: Box, frame: int = 0) -> bool:
    canvas = np.zeros((1024, 1024), bool)
    for region in seen.regions:
        if region.holds_for(frame):
            canvas[region.box.top : region.box.bottom, region.box.left : region.box.right] = True
    return bool(canvas[box.top : box.bottom, box.left : box.right].all())


@pytest.mark.parametrize("text", [NAME, "WILHELMINA FEATHERSTONE", "Dr Okonkwo-Baines", "DOB 07.11.1956"])
@pytest.mark.parametrize("syntax", [None, JPEGLSLossless])
def test_identifying_text_on_a_slice_is_found(text: str, syntax: str | None, research: CompiledProfile) -> None:
    clean = slice_of_body()
    drawn = with_text(clean, text)
    raw = instance(drawn, syntax=syntax) if syntax else instance(drawn)
    seen = seen_in(raw, research)
    assert covers(seen, where(clean, drawn))
    assert sum(region.box.width * region.box.height for region in seen.regions) < clean.size / 6


@pytest.mark.parametrize("text", ["5.2 cm", "MI 1.2", "120 kVp", "L", "LYMPH NODE", "Depth 12.0"])
def test_what_describes_stays(text: str, research: CompiledProfile) -> None:
    assert not seen_in(instance(with_text(slice_of_body(), text), **DIGITAL_X_RAY), research).regions


def test_picture_without_text_stays_as_it_is(research: CompiledProfile) -> None:
    assert not seen_in(instance(slice_of_body()), research).regions
    assert not seen_in(instance(slice_of_body(), **DIGITAL_X_RAY), research).regions


def test_dark_text_on_light_is_found(research: CompiledProfile) -> None:
    clean = np.clip(slice_of_body().astype(np.int32) + 3000, 0, 4095).astype(np.uint16)
    drawn = with_text(clean, NAME, value=0)
    assert covers(seen_in(instance(drawn, bits=12), research), where(clean, drawn))


def test_text_that_stands_on_its_side_is_found(research: CompiledProfile) -> None:
    clean = slice_of_body()
    drawn = np.ascontiguousarray(np.rot90(with_text(clean, NAME)))
    assert covers(seen_in(instance(drawn), research), where(np.rot90(clean), drawn))


def test_coloured_text_in_a_lossy_picture_is_found(research: CompiledProfile) -> None:
    grey = np.clip(slice_of_body() // 8 + 128, 0, 200).astype(np.uint8)
    clean = np.stack([grey] * 3, axis=-1)
    drawn = clean.copy()
    drawn[..., :2] = with_text(clean, NAME, value=255)[..., :2]
    raw = instance(drawn, photometric="YBR_FULL_422", syntax=JPEGBaseline8Bit)
    assert covers(seen_in(raw, research), where(clean, drawn))


def test_text_of_one_frame_is_found_in_its_group(research: CompiledProfile) -> None:
    clean = [slice_of_body(seed) for seed in range(6)]
    frames = [*clean[:4], with_text(clean[4], NAME), clean[5]]
    assert covers(seen_in(instance(frames), research), where(clean[4], frames[4]), frame=4)


def test_letters_that_one_frame_hides_are_covered_there_as_well(research: CompiledProfile) -> None:
    clean = [slice_of_body(seed) for seed in range(2)]
    drawn = [with_text(each, NAME) for each in clean]
    whole = where(clean[0], drawn[0])
    first_letters = np.s_[:, whole.left : whole.left + 30]
    drawn[1][first_letters] = clean[1][first_letters]
    assert covers(seen_in(instance(drawn), research), whole, frame=1)


def test_nothing_is_seen_where_there_are_no_pixels(research: CompiledProfile) -> None:
    histograms = (Leaf(0x00080060, "CS", "RTDOSE"),)
    raw = Instance(extra=histograms, sop_class="1.2.840.10008.5.1.4.1.1.481.2", pixels=None).raw()
    assert look(parse(raw), research, NOBODY).decision.path is PixelPath.NOTHING


class TestTogether:
    @staticmethod
    def seen(pictures: list[Pixels], profile: CompiledProfile) -> list[Seen | Held]:
        sources = [parse(instance(picture, InstanceNumber=at)) for at, picture in enumerate(pictures)]
        return look_together(sources, profile, NOBODY)

    def test_text_that_stands_still_goes_from_every_slice(self, research: CompiledProfile) -> None:
        clean = [slice_of_body(seed) for seed in range(14)]
        drawn = [with_text(each, NAME) for each in clean]
        for before, after, seen in zip(clean, drawn, self.seen(drawn, research), strict=True):
            assert isinstance(seen, Seen)
            assert covers(seen, where(before, after))

    def test_slices_without_the_text_stay_as_they_are(self, research: CompiledProfile) -> None:
        clean = [slice_of_body(seed) for seed in range(14)]
        drawn = [with_text(each, NAME) if at == 5 else each for at, each in enumerate(clean)]
        found = self.seen(drawn, research)
        assert isinstance(found[5], Seen)
        assert covers(found[5], where(clean[5], drawn[5]))
        assert [bool(seen.regions) for seen in found if isinstance(seen, Seen)].count(True) == 1

    def test_one_that_cannot_be_decoded_is_held_and_the_others_are_not(self, research: CompiledProfile) -> None:
        sources = [parse(instance(slice_of_body(seed, 64), syntax=JPEGLSLossless)) for seed in range(13)]
        broken = bytearray(instance(slice_of_body(99, 64), syntax=JPEGLSLossless))
        start = bytes(broken).index(b"\xff\xd8\xff") + 40
        broken[start : start + 200] = bytes(200)
        found = look_together([*sources, parse(broken)], research, NOBODY)
        assert isinstance(found[-1], Held)
        assert found[-1].reason is HoldReason.UNDECODABLE
        assert all(isinstance(each, Seen) for each in found[:-1])
