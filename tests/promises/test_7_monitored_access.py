"""Promise 7: nobody sees what identifies a patient of which the audit trail does not tell who, what and why before."""

from collections.abc import Iterator

import psycopg
import pytest
from starlette.testclient import TestClient
from tests.proxy import proxy
from tests.site import Ingested, Run, Site, ct, encoded, study

from dicomanon.crosswalk.audit.dicom_message import dicom_message
from dicomanon.crosswalk.audit.fhir import audit_event
from dicomanon.crosswalk.audit.reported import reported
from dicomanon.crosswalk.audit.trail import Wanted
from dicomanon.crosswalk.mapping import Mapping
from dicomanon.errors import Fatal
from dicomanon.pacs.query import ClinicalPacs
from dicomanon.profile import compile_profile, load_profile
from dicomanon.review.app import create_app
from dicomanon.review.door import Door
from dicomanon.review.looks import Looks
from dicomanon.review.pages import Samples
from dicomanon.sample.leaks import LeakScanner
from dicomanon.settings import ClinicalSettings

PORT = 8765
WHY = "to see what the device of Mrs Thistlemantle writes"


@pytest.fixture
def waiting(site: Site) -> Site:
    """Two pictures wait for somebody to look at their device."""
    site.begin(_held)
    return site


def _held(site: Site) -> None:
    of = study("looked at")
    for number in (1, 2):
        dataset = ct(of, number)
        dataset.BurnedInAnnotation = "YES"
        site.load(encoded(dataset))
    Run().complete()
    assert set(site.states().values()) == {"held(unconfirmed-device)"}


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
    reasons = site.access_reasons()
    return [
        (actor, action, instance, reasons[row])
        for row, actor, action, instance in site.rows(
            "SELECT id, actor, action, instance_id FROM crosswalk.access_event"
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


class TestWholeRun:
    """What a run reads and what people then do: an entry each, in a chain that holds."""

    def test_each_task_that_reads_of_patients_says_so_for_its_batch(self, site: Site) -> None:
        of = study("audited")
        site.load(encoded(ct(of)))
        Run().complete()
        entries = site.rows("SELECT actor, action, subject_kind, count FROM crosswalk.access_event ORDER BY number")
        assert entries == [
            ("pipeline", "task.discover", "", 1),
            ("pipeline", "task.pull", "batch", 1),
            ("pipeline", "task.validate", "batch", 1),
            ("pipeline", "task.reconcile", "run", 1),
        ]
        ((batch,),) = site.rows("SELECT subject FROM crosswalk.access_event WHERE action = 'task.pull'")
        assert site.rows("SELECT count(*) FROM crosswalk.batch WHERE id = %s", batch) == [(1,)]

    def test_nothing_is_read_where_it_cannot_be_recorded(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        site.load(encoded(ct(study("unrecorded"))))
        run = Run()
        batches = run.pulled()
        with psycopg.connect(site.dsn) as connection:
            connection.execute("ALTER TABLE crosswalk.access_event ADD CHECK (action <> 'task.validate')")
        read: list[object] = []
        monkeypatch.setattr(Mapping, "known_values", lambda *given: read.append(given))
        with pytest.raises(Fatal):
            run.validate(batches[0])
        assert read == []

    def test_the_chain_holds_and_its_export_names_no_patient(self, ingested: Ingested) -> None:
        with ingested.site.crosswalk() as crosswalk:
            checked = crosswalk.audit.verify()
            assert checked.fault is None
            assert checked.entries > 0
            found = list(reported(crosswalk.audit, crosswalk.audit.entries(Wanted())))
        messages = "\n".join(
            [*(dicom_message(one, "x") for one in found), *(str(audit_event(one, "x")) for one in found)]
        )
        assert LeakScanner(ingested.planted).scan_text(messages) == []
        assert not any(uid in messages for uid in ingested.sources)

    def test_what_was_done_with_a_patient_is_found_by_the_pseudonym(self, waiting: Site, reviewer: TestClient) -> None:
        with waiting.crosswalk() as crosswalk:
            ((pseudonym,),) = waiting.rows("SELECT pseudonym FROM crosswalk.patient")
            about = crosswalk.audit.newest(Wanted(about=pseudonym), 10)
        assert "task.pull" in {entry.action for entry in about}
