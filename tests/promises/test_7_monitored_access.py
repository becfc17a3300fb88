"""Promise 7: nobody sees a held picture of whom the audit trail does not tell who, what and why, before they see it."""

from collections.abc import Iterator

import psycopg
import pytest
from starlette.testclient import TestClient
from tests.proxy import proxy
from tests.site import Run, Site, ct, encoded, study

from dicomanon.crosswalk.sealed import open_text
from dicomanon.pacs.query import ClinicalPacs
from dicomanon.profile import compile_profile, load_profile
from dicomanon.review.app import create_app
from dicomanon.review.door import Door
from dicomanon.review.looks import Looks
from dicomanon.review.pages import Samples
from dicomanon.settings import ClinicalSettings

PORT = 8765
WHY = "to see what the device of Mrs Thistlemantle writes"


@pytest.fixture
def waiting(site: Site) -> Site:
    """Two pictures wait for somebody to look at their device."""
    of = study("looked at")
    for number in (1, 2):
        dataset = ct(of, number)
        dataset.BurnedInAnnotation = "YES"
        site.load(encoded(dataset))
    Run().complete()
    assert set(site.states().values()) == {"held(unconfirmed-device)"}
    return site


@pytest.fixture
def asked(waiting: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every path that the clinical PACS is asked for."""
    with proxy(waiting.clinical, lambda reply: None) as between:
        monkeypatch.setenv("DICOMANON_CLINICAL__URL", between.url)
        yield between.paths


@pytest.fixture
def reviewer(waiting: Site, asked: list[str]) -> Iterator[TestClient]:
    with waiting.crosswalk() as crosswalk, ClinicalPacs(ClinicalSettings.load().clinical) as clinical:
        door = Door(PORT)
        looks = Looks(crosswalk, clinical, compile_profile(load_profile("research")), actor="reviewer", reason=WHY)
        app = create_app(crosswalk, looks, door, author="reviewer")
        with TestClient(app, base_url=f"http://127.0.0.1:{PORT}{door.root}") as client:
            client.get(door.address)
            yield client


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch, reviewer: TestClient) -> list[str]:
    """The address of each picture, small and large."""
    found: list[str] = []
    link = Samples.link

    def noting(samples: Samples, **query: object) -> str:
        large = link(samples, **query)
        found.extend((f"/thumbnails/{query['at']}", large[large.index("/held/") :]))
        return link(samples, **query)

    monkeypatch.setattr(Samples, "link", noting)
    reviewer.get("/held/unconfirmed-device")
    assert len(set(found)) == 4
    return list(found)


def trail(site: Site) -> list[tuple[str, str, int, str]]:
    return [
        (actor, action, instance, open_text(site.keyring, "access_event.reason", row, sealed))
        for row, actor, action, instance, sealed in site.rows(
            "SELECT id, actor, action, instance_id, reason_sealed FROM crosswalk.access_event"
            " WHERE action = 'pixels.review' ORDER BY number"
        )
    ]


def test_every_look_is_in_the_trail_with_who_what_and_why(
    waiting: Site, reviewer: TestClient, pictures: list[str]
) -> None:
    for path in pictures:
        assert reviewer.get(path).status_code == 200
    found = trail(waiting)
    assert {(actor, action, why) for actor, action, _, why in found} == {("reviewer", "pixels.review", WHY)}
    both = waiting.rows("SELECT id FROM crosswalk.instance ORDER BY id")
    assert sorted(instance for _, _, instance, _ in found) == sorted([row[0] for row in both] * 2)


def test_the_trail_has_it_before_the_pacs_is_asked(
    waiting: Site, reviewer: TestClient, pictures: list[str], asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    retrieve = ClinicalPacs.retrieve_instance
    known: list[int] = []

    def watching(pacs: ClinicalPacs, *uids: str, **bound: int) -> Iterator[bytes]:
        known.append(len(trail(waiting)))
        return retrieve(pacs, *uids, **bound)

    monkeypatch.setattr(ClinicalPacs, "retrieve_instance", watching)
    reviewer.get(pictures[0])
    reviewer.get(pictures[2])
    assert known == [1, 2]
    assert len(asked) == 2


def test_what_cannot_be_recorded_is_not_shown_and_not_asked_for(
    waiting: Site, reviewer: TestClient, pictures: list[str], asked: list[str]
) -> None:
    with psycopg.connect(waiting.dsn) as connection:
        connection.execute("ALTER TABLE crosswalk.access_event ADD CHECK (count < 1) NOT VALID")
    for path in pictures:
        answer = reviewer.get(path)
        assert "Not shown" in answer.text
        assert "data:image" not in answer.text
        assert not answer.content.startswith(b"\x89PNG")
    assert asked == []
    assert trail(waiting) == []


def test_the_trail_keeps_the_reason_to_itself(waiting: Site, reviewer: TestClient, pictures: list[str]) -> None:
    reviewer.get(pictures[0])
    rows = waiting.rows("SELECT t::text FROM crosswalk.access_event t")
    assert rows
    assert "Thistlemantle" not in str(rows)
