"""Events come into the crosswalk once each; what never arrived is made anew, and what is damaged is kept."""

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.openlineage.official import events_in, faults
from tests.site import Run, Site, judge_by_counts, slices, study
from typer.testing import CliRunner

from dicomanon.cli import app
from dicomanon.errors import Retriable
from dicomanon.openlineage import loading
from dicomanon.openlineage.emitter import event_files
from dicomanon.openlineage.loading import Loaded
from dicomanon.pipeline import validate
from dicomanon.pipeline.lineage_load import load_events
from dicomanon.pipeline.task import TaskKey
from dicomanon.settings import Settings

RUN = "scheduled__2026-11-26T05:15:00+00:00"


@pytest.fixture(autouse=True)
def quick_verdicts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validate, "run_checkpoint", judge_by_counts)
    monkeypatch.setattr(loading, "_ARRIVED", loading.timedelta(0))


def load(site: Site) -> Loaded:
    with site.crosswalk() as crosswalk:
        return loading.load(crosswalk, Settings.load())


def kept(site: Site, origin: str = "emitted") -> list[dict[str, Any]]:
    rows = site.rows("SELECT event FROM crosswalk.openlineage_event WHERE origin = %s ORDER BY id", origin)
    return [row[0] for row in rows]


def by_run(events: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(event["run"]["runId"], event["eventType"]): event for event in events}


@pytest.fixture
def ran(site: Site) -> Site:
    site.begin(_of_one_study)
    return site


def _of_one_study(site: Site) -> None:
    site.load(*slices(study("one")))
    Run(RUN).complete()


def test_all_events_are_kept_as_they_were_sent(ran: Site) -> None:
    sent = events_in(ran.folder / "openlineage")
    assert load(ran) == Loaded(lines=21, loaded=21)
    assert by_run(kept(ran)) == by_run(sent)
    assert load(ran) == Loaded()


def test_loading_again_after_a_crash_doubles_nothing(ran: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(Exception):
        pass

    def kill(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr("dicomanon.openlineage.files.EventFiles.mark_loaded", kill)
        with pytest.raises(Killed):
            load(ran)
    assert load(ran) == Loaded(lines=21, loaded=0)
    assert len(kept(ran)) == 21


def test_what_never_arrived_is_made_of_our_own_events(ran: Site) -> None:
    sent = by_run(events_in(ran.folder / "openlineage"))
    for file in (ran.folder / "openlineage").glob("*.jsonl"):
        file.unlink()
    assert load(ran) == Loaded(rebuilt=14)
    made = by_run(kept(ran, "rebuilt"))
    assert made.keys() == {key for key in sent if key[1] != "RUNNING"}, "which is told to nobody else"
    assert [fault for event in made.values() for fault in faults(event)] == []
    for key, event in made.items():
        assert event["job"] == sent[key]["job"]
        assert event["run"]["facets"]["parent"] == sent[key]["run"]["facets"]["parent"]
        if key[1] == "COMPLETE":
            assert event["outputs"] == sent[key]["outputs"]
            assert event["run"]["facets"].get("dicomanon_counts") == sent[key]["run"]["facets"].get("dicomanon_counts")
    assert load(ran) == Loaded()


def test_only_what_is_missing_is_made(ran: Site) -> None:
    active = ran.folder / "openlineage" / "events.jsonl"
    lines = active.read_text().splitlines(keepends=True)
    active.write_text("".join(line for line in lines if json.loads(line)["job"]["name"] != "ingest_studies.discover"))
    assert load(ran) == Loaded(lines=18, loaded=18, rebuilt=2)


def test_a_fresh_event_is_waited_for(ran: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_ARRIVED", loading.timedelta(minutes=5))
    for file in (ran.folder / "openlineage").glob("*.jsonl"):
        file.unlink()
    assert load(ran) == Loaded()


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b'{"eventType": "START"}',
        b'{"eventType": "START", "eventTime": "2026-11-26T05:00:00", "run": {"runId": '
        b'"0b3d5f0e-6c2a-5f7e-9d0c-1f6a3c52a7d4"}, "job": {"namespace": "a", "name": "no time zone"}}',
        b'{"eventType": "START", "eventTime": "2026-11-26T05:00:00Z", "run": {"runId": '
        b'"0b3d5f0e-6c2a-5f7e-9d0c-1f6a3c52a7d4"}, "job": {"namespace": "a", "name": "\\u0000"}}',
        b"x" * 5_000_000,
    ],
    ids=["broken off", "list", "text", "bytes", "little", "no time zone", "null", "long"],
)
def test_a_damaged_line_is_kept_and_holds_up_no_other(site: Site, line: bytes) -> None:
    files = event_files(Settings.load())
    files.append(line)
    Run(RUN).discover()
    done = load(site)
    assert (done.loaded, done.rebuilt) == (3, 0)
    assert done.damaged >= 1
    assert (site.folder / "openlineage" / "damaged.jsonl").read_bytes().replace(b"\n", b"") == line
    assert load(site) == Loaded()


def test_one_loader_at_a_time(ran: Site) -> None:
    with event_files(Settings.load()).one_loader() as mine:
        assert mine
        with pytest.raises(Retriable, match="another process"):
            load(ran)
    assert load(ran).loaded == 21


def test_what_is_kept_is_never_changed(ran: Site) -> None:
    load(ran)
    with psycopg.connect(ran.dsn) as connection, pytest.raises(psycopg.errors.RestrictViolation):
        connection.execute("UPDATE crosswalk.openlineage_event SET event = '{}'")
    assert len(kept(ran)) == 21


def test_the_command_says_what_came_of_it(ran: Site) -> None:
    done = CliRunner().invoke(app, ["lineage", "load"])
    assert (done.exit_code, done.stdout.strip()) == (0, "21 lines, 21 loaded, 0 damaged, 0 rebuilt")
    event_files(Settings.load()).append(b"{")
    done = CliRunner().invoke(app, ["lineage", "load"])
    assert (done.exit_code, done.stdout.strip()) == (1, "1 lines, 0 loaded, 1 damaged, 0 rebuilt")


def test_the_command_draws_a_trace(ran: Site, tmp_path: Path) -> None:
    (uid, *_) = ran.research_objects()
    done = CliRunner().invoke(app, ["trace", uid, "--graph", str(tmp_path / "trace.svg")])
    assert (done.exit_code, done.stdout.splitlines()[0]) == (0, f"instance {uid}")
    assert uid in (tmp_path / "trace.svg").read_text()
    done = CliRunner().invoke(app, ["trace", RUN, "--limit", "1", "--json"])
    assert json.loads(done.stdout)["summary"]["states"] == {"stored": 3}
    done = CliRunner().invoke(app, ["trace", RUN, "--limit", "1", "--full", "--json"])
    assert json.loads(done.stdout)["summary"] is None


def test_the_dags_task_loads_and_counts(ran: Site) -> None:
    counts = load_events(TaskKey("lineage_load", "scheduled__2026-11-26T06:07:00+00:00", "load_events"))
    assert counts["loaded"] == 21 + 2, "its own START and RUNNING were there already"
    assert counts["damaged"] == 0
