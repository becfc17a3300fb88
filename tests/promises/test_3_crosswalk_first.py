"""Promise 3: the row is committed before the object leaves the worker, and no research object is without its row."""

import hashlib
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from tests.site import Ingested, Run, Site, slices, study

from dicomanon.errors import Fatal
from dicomanon.pacs.store import ResearchPacs, StoreObject
from dicomanon.pipeline import pull
from dicomanon.pipeline.staging import Staging

STUDY = study("crosswalk first")

# Deferred: refused when the transaction commits, not before, as a full disk or a lost replica would.
REFUSE_COMMITS = """
CREATE FUNCTION crosswalk.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON crosswalk.instance
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION crosswalk.refuse();
"""
ACCEPT_COMMITS = "DROP TRIGGER refuse ON crosswalk.instance; DROP FUNCTION crosswalk.refuse();"


def test_every_object_gets_its_name_after_its_row_is_committed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = slices(STUDY, range(1, 8))
    publish, published = Staging.publish, []

    def watching(staging: Staging, uid: Any) -> None:
        # Seen from a second connection: only what is committed.
        rows = site.rows("SELECT state::text, output_digest FROM crosswalk.instance WHERE research_sop_uid = %s", uid)
        (waiting,) = staging.folder.glob(f"{uid}*.part")
        assert rows == [("deidentified", hashlib.sha256(waiting.read_bytes()).digest())]
        published.append(uid)
        publish(staging, uid)

    monkeypatch.setattr(pull, "ROWS_AT_ONCE", 2)
    monkeypatch.setattr(Staging, "publish", watching)
    site.ingest(*sources)
    assert len(published) == len(sources)


def test_every_object_is_sent_after_its_verdict_is_committed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = slices(STUDY)
    send, sent = ResearchPacs._send, []

    def watching(pacs: ResearchPacs, group: Sequence[StoreObject]) -> Any:
        for one in group:
            digest = hashlib.sha256(one.path.read_bytes()).digest()
            assert site.rows(
                "SELECT i.state::text, v.passed FROM crosswalk.instance i"
                " JOIN crosswalk.verdict v ON v.instance_id = i.id"
                " WHERE i.research_sop_uid = %s AND i.output_digest = %s AND v.output_digest = %s",
                one.sop_uid,
                digest,
                digest,
            ) == [("validated", True)]
            sent.append(one.sop_uid)
        return send(pacs, group)

    monkeypatch.setattr(ResearchPacs, "_send", watching)
    site.ingest(*sources)
    assert len(sent) == len(sources)


def test_every_object_of_the_research_pacs_has_its_row(ingested: Ingested) -> None:
    rows = dict(
        ingested.site.rows(
            "SELECT research_sop_uid, encode(output_digest, 'hex') FROM crosswalk.instance WHERE state = 'stored'"
        )
    )
    assert rows == {uid: hashlib.sha256(data).hexdigest() for uid, data in ingested.research.items()}


def test_nothing_leaves_the_worker_when_the_crosswalk_refuses_to_commit(site: Site) -> None:
    sources = slices(STUDY)
    site.load(*sources)
    run = Run()
    run.discover()
    (batch,) = run.plan()
    with psycopg.connect(site.dsn) as connection:
        connection.execute(REFUSE_COMMITS)
    with pytest.raises(Fatal):
        run.pull(batch)
    assert set(site.states().values()) == {"discovered"}
    assert not [name for name in site.staged_files() if name.endswith(".dcm")], "an object was published without a row"
    run.validate(batch)
    run.store(batch)
    assert site.research_objects() == {}
    with psycopg.connect(site.dsn) as connection:
        connection.execute(ACCEPT_COMMITS)
    Run(run.name).complete()
    site.assert_settled(*sources)


def test_nothing_is_stored_when_the_crosswalk_refuses_the_verdicts(site: Site) -> None:
    sources = slices(STUDY)
    site.load(*sources)
    run = Run()
    (batch,) = run.pulled()
    with psycopg.connect(site.dsn) as connection:
        connection.execute(REFUSE_COMMITS)
    with pytest.raises(Fatal):
        run.validate(batch)
    assert run.store(batch)["stored"] == 0
    assert site.research_objects() == {}
    with psycopg.connect(site.dsn) as connection:
        connection.execute(ACCEPT_COMMITS)
    Run(run.name).complete()
    site.assert_settled(*sources)
