"""The page as a browser asks for it: what waits, pictures on demand, each one recorded, devices confirmed."""

import json
import re
from typing import Any

import cv2
import numpy as np
import pytest
from tests.command import dicomanon
from tests.proxy import Reply, proxy
from tests.review.conftest import HERE, NAME, WHY, Opening, Reviewer, banner, of_device
from tests.site import Run, Site, ct, encoded, study

from dicomanon.local_stack.ports import free_port
from dicomanon.review.looks import ACTION

PNG = b"\x89PNG"


def looks(site: Site) -> list[tuple[Any, ...]]:
    return site.rows(
        "SELECT actor, action, count, instance_id FROM crosswalk.access_event"
        " WHERE action = 'pixels.review' ORDER BY number"
    )


def words(svg: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", svg).split())


def shown(picture: bytes) -> Any:
    return cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)


class TestWhatWaits:
    def test_devices_and_reasons_with_counts_and_samples(self, waiting: Site, reviewing: Opening) -> None:
        reviewer = reviewing()
        text = reviewer.text("/")
        assert "SONO NINE" in text
        assert "unconfirmed; 6 instances of 3 studies, 6 waiting" in text
        assert "undecodable-pixels</a> 1 instances of 1 studies" in text
        # Four of the device, four of the same for their reason, one that cannot be decoded.
        assert len(reviewer.page("/").pictures) == 9
        assert looks(waiting) == [], "a list is no look"

    def test_samples_come_from_every_study_first(self, waiting: Site, reviewing: Opening) -> None:
        reviewer = reviewing()
        for path in reviewer.page(reviewer.device()).pictures[:3]:
            reviewer.client.get(path)
        rows = waiting.rows(
            "SELECT count(DISTINCT i.study_id) FROM crosswalk.access_event a JOIN crosswalk.instance i"
            " ON i.id = a.instance_id"
        )
        assert rows == [(3,)]

    def test_more_than_a_page_is_paged(self, site: Site, reviewing: Opening) -> None:
        site.load(*[of_device(study, 1, banner(64)) for study in range(15)])
        Run().complete()
        reviewer = reviewing()
        path = reviewer.device()
        first, second = reviewer.page(path), reviewer.page(f"{path}?page=2")
        assert (len(first.pictures), len(second.pictures)) == (12, 3)
        assert not set(first.pictures) & set(second.pictures)
        assert f"{path}?page=2" in first.links
        assert f"{path}?page=3" not in second.links

    def test_nothing_of_a_header_but_the_device_is_said(self, waiting: Site, reviewing: Opening) -> None:
        reviewer = reviewing()
        path = reviewer.device()
        pages = [reviewer.text("/"), reviewer.text(path), reviewer.text("/held/undecodable-pixels")]
        at = next(link for link in reviewer.page(path).links if "at=" in link)
        pages.append(reviewer.text(at))
        for page in pages:
            for secret in ("MRN-77", "Featherstone", "1.2.826.0.1.9"):
                assert secret.lower() not in page.lower()

    def test_what_people_type_into_devices_is_no_markup(self, site: Site, reviewing: Opening) -> None:
        site.load(of_device(1, 1, model="<script>alert(1)</script>"))
        Run().complete()
        text = reviewing().text("/").upper()
        assert "<SCRIPT>ALERT" not in text
        assert "&LT;SCRIPT&GT;ALERT" in text

    def test_a_site_where_nothing_waits(self, site: Site, reviewing: Opening) -> None:
        assert "No device waits" in reviewing().text("/")


class TestPictures:
    def test_a_thumbnail_comes_and_is_recorded(self, waiting: Site, reviewing: Opening) -> None:
        reviewer = reviewing()
        answer = reviewer.client.get(reviewer.page(reviewer.device()).pictures[0])
        assert answer.content.startswith(PNG)
        assert answer.headers["cache-control"] == "no-store"
        ((actor, action, count, instance),) = looks(waiting)
        assert (actor, action, count) == ("reviewer", ACTION, 1)
        ((state, reason),) = waiting.rows("SELECT state::text, reason FROM crosswalk.instance WHERE id = %s", instance)
        assert (state, reason) == ("held", "unconfirmed-device")
        ((row, sealed),) = waiting.rows(
            "SELECT id, reason_sealed FROM crosswalk.access_event WHERE action = 'pixels.review'"
        )
        assert WHY.encode() not in bytes(sealed)
        assert waiting.access_reasons()[row] == WHY

    def test_large_with_the_text_outlined_and_what_is_decided(self, waiting: Site, reviewing: Opening) -> None:
        reviewer = reviewing()
        path = reviewer.device()
        link = next(link for link in reviewer.page(path).links if "at=" in link)
        text = reviewer.text(link)
        assert "texts in this frame: 1 identifying" in text
        assert "risk high: " in text
        assert "data:image/png;base64," in text
        assert NAME not in text
        assert len(looks(waiting)) == 1, "one picture, one look"

    def test_frames_are_counted_as_people_do(self, site: Site, reviewing: Opening) -> None:
        site.load(of_device(1, 1, [banner(64), banner(64, "")]))
        Run().complete()
        reviewer = reviewing()
        link = next(link for link in reviewer.page(reviewer.device()).links if "at=" in link)
        assert "64x64 pixels, 2 frames" in reviewer.text(link)
        assert f"{link}&frame=2" in reviewer.page(link).links
        assert "texts in this frame: none found" in reviewer.text(f"{link}&frame=2")
        assert "no such frame" in reviewer.text(f"{link}&frame=3")
        assert reviewer.client.get(f"{link}&frame=0").status_code == 400
        assert len(looks(site)) == 4, "each frame is a look, also one that is not there"

    def test_the_next_frame_is_not_sent_for_again(self, site: Site, reviewing: Opening) -> None:
        site.load(of_device(1, 1, [banner(64), banner(64)]))
        Run().complete()
        with proxy(site.clinical, lambda reply: None) as between:
            reviewer = reviewing(url=between.url)
            link = next(link for link in reviewer.page(reviewer.device()).links if "at=" in link)
            reviewer.text(link)
            reviewer.text(f"{link}&frame=2")
            assert len(between.paths) == 1
        assert len(looks(site)) == 2

    def test_boxes_that_were_confirmed_are_drawn(self, waiting: Site, reviewing: Opening) -> None:
        reviewer = reviewing()
        path = reviewer.device()
        thumbnail = reviewer.page(path).pictures[0]
        reviewer.confirm(path, decision="mask", boxes="8,60,100,40", reason="banner")
        # As where a batch was at work meanwhile, and held what somebody has confirmed since.
        held = "UPDATE crosswalk.instance SET state = 'held', reason = 'unconfirmed-device' WHERE state = 'discovered'"
        assert len(waiting.rows(f"{held} RETURNING id")) == 6
        picture = shown(reviewer.client.get(thumbnail).content)
        blue = picture[60, 8:108]
        assert (blue[:, 0] > blue[:, 2] + 100).mean() > 0.9


class TestWhatCannotBeShown:
    def test_the_pacs_draws_what_we_cannot(self, waiting: Site, reviewing: Opening) -> None:
        reviewer = reviewing()
        page = reviewer.page("/held/undecodable-pixels")
        assert reviewer.client.get(page.pictures[0]).content.startswith(PNG)
        text = reviewer.text(next(link for link in page.links if "at=" in link))
        assert "The clinical PACS drew this; we cannot (undecodable-pixels: bits stored, high bit" in text
        assert "No text was looked for in it" in text
        assert "texts in this frame" not in text

    def test_words_where_the_pacs_cannot_either(self, waiting: Site, reviewing: Opening) -> None:
        def refuse(reply: Reply) -> None:
            if reply.path.endswith("/rendered"):
                reply.fail(406)

        with proxy(waiting.clinical, refuse) as between:
            reviewer = reviewing(url=between.url)
            page = reviewer.page("/held/undecodable-pixels")
            text = reviewer.text(next(link for link in page.links if "at=" in link))
            assert "No picture: we cannot draw it (undecodable-pixels: " in text
            assert "the clinical PACS renders no picture of it" in text
            small = reviewer.client.get(page.pictures[0])
        assert small.headers["content-type"].startswith("image/svg+xml")
        assert "No picture" in words(small.text)

    def test_a_page_of_the_pacs_is_no_picture(self, waiting: Site, reviewing: Opening) -> None:
        def other(reply: Reply) -> None:
            if reply.path.endswith("/rendered"):
                reply.body = b"<script>alert(1)</script>"

        with proxy(waiting.clinical, other) as between:
            reviewer = reviewing(url=between.url)
            page = reviewer.page("/held/undecodable-pixels")
            text = reviewer.text(next(link for link in page.links if "at=" in link))
        assert "no picture that can be shown" in text
        assert "alert(1)" not in text

    def test_a_pacs_that_is_down_is_said(self, waiting: Site, reviewing: Opening) -> None:
        reviewer = reviewing(url=f"http://127.0.0.1:{free_port()}/dicom-web")
        page = reviewer.page(reviewer.device())
        text = reviewer.text(next(link for link in page.links if "at=" in link))
        assert "No picture now: the clinical PACS (WADO-RS) cannot be reached" in text
        assert "data:image" not in text
        assert "No picture now" in words(reviewer.client.get(page.pictures[0]).text)

    def test_what_the_pacs_has_lost_is_said(self, waiting: Site, reviewing: Opening) -> None:
        reviewer = reviewing()
        page = reviewer.page("/held/undecodable-pixels")
        waiting.remove("1.2.826.0.1.9.7.1.1")
        text = reviewer.text(next(link for link in page.links if "at=" in link))
        assert "does not have it any more" in text

    def test_too_large_an_object_is_not_taken_into_memory(
        self, waiting: Site, reviewing: Opening, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("dicomanon.review.looks._MOST_BYTES", 1 << 10)
        reviewer = reviewing()
        page = reviewer.page(reviewer.device())
        text = reviewer.text(next(link for link in page.links if "at=" in link))
        assert "sends more than 0 MB" in text
        assert "The clinical PACS drew this" in text

    def test_a_defect_tells_its_place_and_no_value(
        self, waiting: Site, reviewing: Opening, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def trip(*_: object, **__: object) -> None:
            raise ValueError(NAME)

        reviewer = reviewing()
        page = reviewer.page(reviewer.device())
        monkeypatch.setattr("dicomanon.review.looks.picture_of", trip)
        text = reviewer.text(next(link for link in page.links if "at=" in link))
        assert "ValueError in looks.py:" in text
        assert NAME not in text
        monkeypatch.setattr("dicomanon.review.pages.Pages.first_page", trip)
        answer = reviewer.client.get("/")
        assert (answer.status_code, NAME in answer.text) == (500, False)
        assert "a defect, please report it" in answer.text


class TestOnlyWhatIsHeld:
    @pytest.fixture
    def with_stored(self, waiting: Site) -> Site:
        waiting.ingest(encoded(ct(study("stored"))))
        assert "stored" in waiting.states().values()
        return waiting

    def test_no_guess_leads_to_an_instance(self, with_stored: Site, reviewing: Opening) -> None:
        reviewer = reviewing()
        reviewer.page("/")
        stored = with_stored.rows("SELECT id, research_sop_uid FROM crosswalk.instance WHERE state = 'stored'")
        guesses = [study("stored").uid, *(str(value) for row in stored for value in row), "1", "2", "3"]
        for guess in guesses:
            assert reviewer.client.get(f"/thumbnails/{guess}").status_code == 404
            assert reviewer.client.get(f"/held/undecodable-pixels?at={guess}").status_code == 404
        assert looks(with_stored) == []

    def test_what_is_not_held_any_more_is_not_shown(self, waiting: Site, reviewing: Opening) -> None:
        reviewer = reviewing()
        path = reviewer.device()
        pictures = reviewer.page(path).pictures
        assert reviewer.client.get(pictures[0]).content.startswith(PNG)
        reviewer.confirm(path, decision="clean", reason="looked at them")
        for picture in pictures:
            assert "not held any more" in words(reviewer.client.get(picture).text)
        assert len(looks(waiting)) == 1

    def test_reasons_that_do_not_concern_pixels_are_not_offered(self, waiting: Site, reviewing: Opening) -> None:
        reviewer = reviewing()
        for reason in ("residual-phi", "identity-conflict", "nothing"):
            assert reviewer.client.get(f"/held/{reason}").status_code == 404


class TestConfirming:
    def test_as_the_command_does(self, waiting: Site, reviewing: Opening) -> None:
        reviewer = reviewing()
        path = reviewer.device()
        done = reviewer.confirm(path, decision="mask", boxes="0,0,128,24\r\n 1, 2, 3, 4 \r\n", reason="banner")
        assert "6 instances are queued again: the next run takes them up, with all checks" in done.text
        by_page = confirmations()
        command("confirm", path.rpartition("/")[2], "--as", "mask", "--box", "0,0,128,24", "--box", "1,2,3,4",
                "--reason", "banner")  # fmt: skip
        first, second = (confirmation for confirmation in confirmations())
        assert by_page == [first]
        for one in (first, second):
            assert one.pop("confirmed_at")
        assert first.pop("confirmed_by") == "reviewer"
        assert second.pop("confirmed_by")
        assert first == second == {"decision": "mask", "boxes": [[0, 0, 128, 24], [1, 2, 3, 4]], "reason": "banner"}
        assert "queued again" not in reviewer.text(path), "said once"

    def test_hold_queues_nothing(self, waiting: Site, reviewing: Opening) -> None:
        reviewer = reviewing()
        done = reviewer.confirm(reviewer.device(), decision="hold", reason="names all over")
        assert "6 instances stay held" in done.text

    @pytest.mark.parametrize(
        ("fields", "told"),
        [
            ({"decision": "mask", "boxes": "", "reason": "x"}, "boxes go with mask"),
            ({"decision": "clean", "boxes": "1,2,3,4", "reason": "x"}, "boxes go with mask"),
            ({"decision": "mask", "boxes": "1,2,3", "reason": "x"}, "left, top, width and height in pixels"),
            ({"decision": "mask", "boxes": "0,0,129,9", "reason": "x"}, "goes beyond the pictures of this device"),
            ({"decision": "clean", "reason": " "}, "say why"),
            ({"decision": "perhaps", "reason": "x"}, "choose clean, mask or hold"),
            ({"reason": "x"}, "choose clean, mask or hold"),
        ],
        ids=str,
    )
    def test_refused_without_leaving_anything_and_what_was_typed_stays(
        self, waiting: Site, reviewing: Opening, fields: dict[str, str], told: str
    ) -> None:
        reviewer = reviewing()
        done = reviewer.confirm(reviewer.device(), **fields)
        assert done.status_code == 400
        assert "Not confirmed: " in done.text
        assert told in done.text
        assert fields.get("boxes", "") in done.text
        assert confirmations() == []
        assert len(waiting.states()) == 7

    def test_a_form_that_is_too_large_is_not_read(self, waiting: Site, reviewing: Opening) -> None:
        reviewer = reviewing()
        assert reviewer.confirm(reviewer.device(), boxes="1" * 100_000).status_code == 413


class TestTheDoor:
    PATHS = ("/", "/held/undecodable-pixels", "/thumbnails/x", "/static/review.js", "/nothing")

    @pytest.fixture
    def reviewer(self, waiting: Site, reviewing: Opening) -> Reviewer:
        return reviewing()

    @pytest.mark.parametrize("path", PATHS)
    def test_nothing_without_the_cookie(self, reviewer: Reviewer, path: str) -> None:
        reviewer.client.cookies.clear()
        answer = reviewer.client.get(path)
        assert answer.status_code == 403
        assert "SONO" not in answer.text

    def test_the_address_opens_once(self, reviewer: Reviewer) -> None:
        for token in ("spent", "", "guess"):
            answer = reviewer.client.get(f"/enter?token={token}")
            assert answer.status_code == 403
            assert "set-cookie" not in answer.headers

    @pytest.mark.parametrize("path", PATHS)
    def test_nothing_under_another_name(self, reviewer: Reviewer, path: str) -> None:
        assert reviewer.client.get(path, headers={"Host": "attacker.example"}).status_code == 403

    def test_no_form_from_elsewhere(self, waiting: Site, reviewer: Reviewer) -> None:
        path = reviewer.device()
        proof = reviewer.page(path).fields["proof"]
        fields = {"decision": "clean", "reason": "x", "proof": proof}
        for headers in ({}, {"Origin": "http://attacker.example"}, {"Origin": "null"}):
            assert reviewer.client.post(f"{path}/confirm", data=fields, headers=headers).status_code == 403
        without = {**fields, "proof": "guess"}
        answer = reviewer.client.post(f"{path}/confirm", data=without, headers={"Origin": HERE})
        assert answer.status_code == 403
        assert confirmations() == []

    def test_what_every_answer_tells_the_browser(self, reviewer: Reviewer) -> None:
        for path in self.PATHS:
            headers = reviewer.client.get(path).headers
            assert headers["cache-control"] == "no-store"
            assert "default-src 'none'" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cross-origin-resource-policy"] == "same-origin"
        for part in ("review.js", "review.css"):
            assert "http" not in reviewer.text(f"/static/{part}")

    def test_the_cookie_goes_to_no_other_server_of_this_machine(self, reviewer: Reviewer) -> None:
        (cookie,) = reviewer.client.cookies.jar
        assert cookie.path == reviewer.door.root
        assert len(cookie.path) > 16
        assert "HttpOnly" in cookie._rest  # type: ignore[attr-defined]
        assert cookie._rest["SameSite"] == "strict"  # type: ignore[attr-defined]

    def test_the_path_is_told_to_nobody_who_does_not_know_it(self, reviewer: Reviewer) -> None:
        reviewer.client.cookies.clear()
        for path in (HERE, f"{HERE}/", f"{HERE}/enter?token=x", f"{HERE}/static/review.js", "/"):
            answer = reviewer.client.get(path)
            assert answer.status_code == 403
            assert reviewer.door.root not in answer.text + str(answer.headers)


def command(*arguments: str) -> str:
    done = dicomanon("pixels", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def confirmations() -> list[dict[str, Any]]:
    (device,) = json.loads(command("devices", "--json"))
    found: list[dict[str, Any]] = device["confirmations"]
    return found
