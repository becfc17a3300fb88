"""A person with a browser: draws a box and confirms, types numbers instead, has no scripts, has a narrow window."""

import os
import re
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from tests.review.conftest import Served
from tests.site import Site

PATIENCE = 60_000
"""Milliseconds: the text reader takes a second or more for a picture, on a machine with other work."""
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 800}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium")
    assert path, "install it with deploy/system-packages.sh test"
    arguments = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


def entered(context: BrowserContext, served: Served) -> Page:
    """Open the printed address and the page of the device that waits."""
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto(served.address)
    page.wait_for_url(served.home + "/")
    page.get_by_role("heading", name="SONO NINE").get_by_role("link").click()
    page.wait_for_url(re.compile(r"/devices/"))
    return page


def boxes(site: Site) -> list[tuple[str, list[list[int]]]]:
    return [
        (decision, found)
        for decision, found in site.rows("SELECT decision, boxes FROM crosswalk.device_confirmation ORDER BY number")
    ]


def test_draws_a_box_and_confirms(waiting: Site, served: Served, chromium: Browser) -> None:
    with chromium.new_context(viewport=WIDE) as context:  # type: ignore[arg-type]
        faults: list[str] = []
        context.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        context.on("weberror", lambda error: faults.append(str(error.error)))
        page = entered(context, served)
        assert "token" not in page.url
        page.locator(".samples a").first.click()
        shown = page.locator("#picture img")
        shown.wait_for()
        whole = page.locator("#picture").bounding_box()
        assert whole is not None
        scale = whole["width"] / 128
        page.mouse.move(whole["x"] + 4 * scale, whole["y"] + 2 * scale)
        page.mouse.down()
        page.mouse.move(whole["x"] + 100 * scale, whole["y"] + 24 * scale, steps=4)
        expect(page.locator("#numbers")).to_have_text("4,2,96,22")
        page.mouse.up()
        expect(page.get_by_label(re.compile("^Boxes"))).to_have_value("4,2,96,22")
        expect(page.locator("input[value='mask']")).to_be_checked()
        # The box stays while the next picture is looked at.
        page.locator(".samples a").nth(1).click()
        expect(page.locator(".samples a").nth(1)).to_have_attribute("aria-current", "true", timeout=PATIENCE)
        expect(page.locator(".box")).to_have_count(1)
        page.get_by_label(re.compile("^Why")).fill("banner in all that I saw")
        # Something is wrong first: what was looked at and typed stays.
        page.get_by_label(re.compile("^Boxes")).fill("0,0,999,9")
        page.get_by_role("button", name="Confirm the device").click()
        expect(page.get_by_role("status").first).to_contain_text("goes beyond the pictures")
        expect(page.locator(".samples a").nth(1)).to_have_attribute("aria-current", "true")
        expect(shown).to_be_visible()
        page.get_by_label(re.compile("^Boxes")).fill("4,2,96,22")
        page.get_by_role("button", name="Confirm the device").click()
        expect(page.get_by_role("status").first).to_contain_text("6 instances are queued again")
        assert [fault for fault in faults if "400" not in fault] == []
    assert boxes(waiting) == [("mask", [[4, 2, 96, 22]])]
    assert set(waiting.states().values()) == {"discovered", "held(undecodable-pixels)"}


def test_by_keyboard_alone(waiting: Site, served: Served, chromium: Browser) -> None:
    with chromium.new_context(viewport=WIDE, color_scheme="dark") as context:  # type: ignore[arg-type]
        page = entered(context, served)
        page.locator(".samples a").first.focus()
        page.keyboard.press("Enter")
        page.locator("#picture img").wait_for()
        page.get_by_label(re.compile("^Boxes")).focus()
        page.keyboard.type("0,0,128,24")
        expect(page.locator(".box")).to_have_count(1)
        page.keyboard.press("Enter")
        page.keyboard.type("1,2")
        expect(page.locator("#wrong-boxes")).to_contain_text("Line 2: four numbers")
        page.get_by_role("button", name="Remove the last box").press("Enter")
        expect(page.locator("#wrong-boxes")).to_be_empty()
        page.locator("input[value='mask']").press("Space")
        page.get_by_label(re.compile("^Why")).focus()
        page.keyboard.type("banner")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").first).to_contain_text("is confirmed: mask")
    assert boxes(waiting) == [("mask", [[0, 0, 128, 24]])]


def test_without_scripts(waiting: Site, served: Served, chromium: Browser) -> None:
    with chromium.new_context(viewport=WIDE, java_script_enabled=False) as context:  # type: ignore[arg-type]
        page = entered(context, served)
        page.locator(".samples a").first.click()
        page.locator("#picture img").wait_for()
        expect(page.get_by_role("button", name="Remove the last box")).to_be_hidden()
        page.locator("input[value='hold']").check()
        page.get_by_label(re.compile("^Why")).fill("names all over")
        page.get_by_role("button", name="Confirm the device").click()
        expect(page.get_by_role("status").first).to_contain_text("6 instances stay held")
    assert boxes(waiting) == [("hold", [])]


def test_in_a_narrow_window(waiting: Site, served: Served, chromium: Browser) -> None:
    with chromium.new_context(viewport=NARROW) as context:  # type: ignore[arg-type]
        page = entered(context, served)
        page.locator(".samples a").first.click()
        page.locator("#picture img").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.goto(f"{served.home}/")
        # Nothing is fetched, and nothing recorded, before somebody opens the pictures.
        seen = waiting.rows("SELECT count(*) FROM crosswalk.access_event")
        page.wait_for_timeout(500)
        assert waiting.rows("SELECT count(*) FROM crosswalk.access_event") == seen
        page.get_by_text("See 1 of them").click()
        expect(page.locator("details[open] img")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_another_browser_is_not_let_in(served: Served, chromium: Browser) -> None:
    with chromium.new_context() as context, chromium.new_context() as other:
        entered(context, served)
        page = other.new_page()
        page.goto(served.address)
        expect(page.locator(".wrong")).to_contain_text("has been opened before")
        page.goto(f"{served.home}/")
        expect(page.locator("body")).to_contain_text("Refused: this browser has not opened the address")
