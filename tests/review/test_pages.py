"""Pages: nothing that comes in is markup, every reason has its advice, and no part is fetched from elsewhere."""

import re
from datetime import UTC, datetime
from importlib import resources
from uuid import uuid4

import pytest

from dicomanon.crosswalk.rows import DeviceConfirmation, HeldCount, HeldInstance, SeenDevice
from dicomanon.devices import Confirmation, DeviceDecision, DeviceKey
from dicomanon.pipeline.pixel_picture import FramePicture
from dicomanon.profile import CompiledProfile, compile_profile, load_profile
from dicomanon.reasons import OF_PIXELS, HoldReason
from dicomanon.review import pages
from dicomanon.review.looks import Look
from dicomanon.values import Phi

NOW = datetime(2026, 3, 1, tzinfo=UTC)
BAD = "<img src=x onerror=alert(1)>\"'&"
PAGES = pages.Pages("/room")
HELD = HeldInstance(7, HoldReason.UNCONFIRMED_DEVICE, "class-high", NOW, "2.25.7")


@pytest.fixture(scope="module")
def profile() -> CompiledProfile:
    return compile_profile(load_profile("research"))


def device() -> SeenDevice:
    key = DeviceKey(BAD, BAD, BAD, BAD, "1.2.840.10008.5.1.4.1.1.6.1", 600, 800, BAD)
    said = DeviceConfirmation(Confirmation(DeviceDecision.MASK, ((1, 2, 3, 4),)), BAD, NOW, Phi(BAD))
    return SeenDevice(uuid4(), key, NOW, 3, 2, 1, (said,))


def samples() -> pages.Samples:
    return pages.Samples("/room/devices/x", [pages.Sample("handle", HELD)], page=2, more=True)


def every_page() -> list[str]:
    stage = pages.Stage("handle", 2, True, Look(FramePicture(b"png", 1, 2, 3), BAD, HELD), [BAD])
    told = pages.Told([BAD], wrong=True)
    seen = device()
    row = pages.DeviceRow(str(seen.id), pages.device_text(seen), samples())
    reason = pages.ReasonRow(HoldReason.BURNED_IN_RISK, HeldCount(2, 1), samples())
    return [
        PAGES.first_page([row], [row], [reason], page=2, more=True),
        PAGES.device_page(seen, samples(), stage, pages.Form(BAD, BAD, BAD), proof="proof", told=told),
        PAGES.reason_page(HoldReason.UNDECODABLE, HeldCount(1, 1), samples(), stage),
        PAGES.message_page(BAD),
        PAGES.words_picture(BAD),
        PAGES.entered_page(),
    ]


def test_nothing_that_comes_in_is_markup() -> None:
    for page in every_page():
        assert "<img src=x" not in page
        assert "onerror=alert(1)>" not in page


def test_no_script_or_style_stands_in_a_page_and_nothing_comes_from_elsewhere() -> None:
    for page in every_page():
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=\"|<script(?! src=\"/room/static/)", page)
        assert set(re.findall(r"(?:src|href|action)=\"([a-z]+:[^\";]*)", page)) <= {"data:,", "data:image/png"}


def test_every_address_is_below_the_root() -> None:
    for page in every_page():
        found = re.findall(r"(?:src|href|action)=\"(/[^\"]*)", page)
        assert all(path.startswith("/room/") for path in found)


def test_every_reason_of_pixels_has_its_advice() -> None:
    assert set(pages.ADVICE) == OF_PIXELS


def test_what_was_typed_stays() -> None:
    page = PAGES.device_page(device(), samples(), None, pages.Form("hold", "1,2,3,4", "names"), proof="proof")
    assert re.search(r'value="hold" required checked', page)
    assert "1,2,3,4</textarea>" in page
    assert 'value="names"' in page


def test_facts_are_codes_and_counts(profile: CompiledProfile) -> None:
    by_pacs = Look(FramePicture(b"", 10, 20, 0), "drawn", HELD, by_pacs=True)
    assert pages.facts_of(by_pacs, profile) == [
        "held(unconfirmed-device): class-high",
        "research UID 2.25.7",
        "10x20 pixels",
    ]
    assert pages.facts_of(Look(None, "down", HELD), profile) == pages.facts_of(by_pacs, profile)[:2]
    assert pages.facts_of(Look(None, "gone"), profile) == []
    ours = Look(FramePicture(b"", 10, 20, 5), instance=HELD)
    assert pages.facts_of(ours, profile)[2:] == ["10x20 pixels, 5 frames", "texts in this frame: none found"]


def test_the_script_makes_no_markup_of_texts() -> None:
    script = resources.files("dicomanon.review").joinpath("static", "review.js").read_text()
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("):
        assert way not in script
