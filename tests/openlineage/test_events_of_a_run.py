"""The events of a real run: in OpenLineage's form, telling what was done, and no PHI."""

import json
from collections import Counter
from typing import Any

import pytest
from tests.openlineage.official import OWN, events_in, facets_of, faults
from tests.site import DAG, Run, Site, judge_by_counts, person, slices, study

from dicomanon.errors import Fatal
from dicomanon.openlineage.naming import dag_run_uuid
from dicomanon.pipeline import validate
from dicomanon.pipeline.task import TaskKey, run_step
from dicomanon.sample.leaks import LeakScanner

GENERATED = "manual__2026-11-26T05:22:30.123456+00:00_aB3dE6gH"
TYPED = "QUILLFEATHER^ROSA 7731"


@pytest.fixture(autouse=True)
def quick_verdicts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validate, "run_checkpoint", judge_by_counts)


@pytest.fixture
def events(site: Site) -> list[dict[str, Any]]:
    site.begin(_of_two_studies)
    return events_in(site.folder / "openlineage")


def _of_two_studies(site: Site) -> None:
    site.load(*slices(study("one")), *slices(study("two", person(2))))
    Run(GENERATED).complete()


def named(events: list[dict[str, Any]], job: str, kind: str = "COMPLETE") -> dict[str, Any]:
    (found,) = [one for one in events if one["job"]["name"] == f"{DAG}.{job}" and one["eventType"] == kind]
    return found


def test_every_event_has_the_official_form(events: list[dict[str, Any]]) -> None:
    assert len(events) == 7 * 3
    assert [fault for event in events for fault in faults(event)] == []
    used = {facet["_schemaURL"] for event in events for _, facet in facets_of(event)}
    assert used >= OWN, "each of our own schemas was met"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda event: event.pop("eventTime"),
        lambda event: event.update(eventTime="2026-11-26T05:22:30"),
        lambda event: event.update(eventType="STARTED"),
        lambda event: event["run"].update(runId="manual__1"),
        lambda event: event["job"].update(sourceCode="secret"),
        lambda event: event["run"]["facets"]["parent"].pop("run"),
        lambda event: event["run"]["facets"]["dicomanon_counts"]["counts"].update(stored="6"),
        lambda event: event["run"]["facets"]["dicomanon_batch"].pop("number"),
        lambda event: event["run"]["facets"].update(airflow={"conf": {}}),
        lambda event: event["outputs"][0]["outputFacets"]["outputStatistics"].update(rowCount="6"),
    ],
)
def test_the_check_sees_what_is_not_in_that_form(events: list[dict[str, Any]], spoil: Any) -> None:
    event = named(events, "batch.store")
    spoil(event)
    assert len(faults(event)) >= 1


def test_each_run_starts_runs_and_ends_once(events: list[dict[str, Any]]) -> None:
    states: dict[str, list[str]] = {}
    for event in events:
        states.setdefault(event["run"]["runId"], []).append(event["eventType"])
    assert set(map(tuple, states.values())) == {("START", "RUNNING", "COMPLETE")}
    parents = {event["run"]["facets"]["parent"]["run"]["runId"] for event in events}
    assert parents == {str(dag_run_uuid(DAG, GENERATED))}
    nominal = {event["run"]["facets"]["nominalTime"]["nominalStartTime"] for event in events}
    assert nominal == {"2026-11-26T05:22:30.123456+00:00"}


def test_data_sets_join_the_tasks_from_the_clinical_to_the_research_pacs(events: list[dict[str, Any]]) -> None:
    def sets(job: str, side: str) -> set[str]:
        return {f"{one['namespace']} {one['name']}" for one in named(events, job)[side]}

    batch = named(events, "batch.store")["run"]["facets"]["dicomanon_batch"]["batchId"]
    assert f"dicomweb://clinical batch/{batch}" in sets("batch.pull_and_anonymize", "inputs")
    staged = {f"dicomanon://staging batch/{batch}"}
    assert sets("batch.pull_and_anonymize", "outputs") == sets("batch.validate", "inputs") == staged
    assert staged < sets("batch.store", "inputs")
    assert sets("batch.store", "outputs") == {f"dicomweb://research batch/{batch}"}


def test_what_was_stored_and_by_which_rules_is_told(site: Site, events: list[dict[str, Any]]) -> None:
    store = named(events, "batch.store")
    size = sum(map(len, site.research_objects().values()))
    statistics = store["outputs"][0]["outputFacets"]["outputStatistics"]
    assert (statistics["rowCount"], statistics["size"]) == (6, size)
    facets = store["run"]["facets"]
    assert facets["dicomanon_counts"]["counts"] == {"instances": 6, "stored": 6, "refused": 0}
    assert facets["dicomanon_batch"]["states"] == {"stored": 6}
    assert [one.partition("@")[0] for one in facets["dicomanon_versions"]["profileVersions"]] == ["research"]


def test_every_rule_of_validation_is_an_assertion(events: list[dict[str, Any]]) -> None:
    event = named(events, "batch.validate")
    assertions = event["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert {one["assertion"] for one in assertions} >= {"known-text", "known-date", "digest"}
    assert Counter(one["success"] for one in assertions)[False] == 0
    assert event["run"]["facets"]["dicomanon_verdicts"]["passed"] == 6


def test_no_event_and_no_file_of_them_holds_phi(site: Site) -> None:
    objects = slices(study("one", person(1)))
    site.load(*objects)
    run = Run(TYPED)
    run.complete()
    with pytest.raises(Fatal):
        run_step(_fails, TaskKey(DAG, TYPED, "discover"))
    planted = study("one", person(1))
    words = (TYPED, "QUILLFEATHER", person(1).name, person(1).patient_id, planted.uid)
    scanner = LeakScanner(tuple(str(word) for word in words))
    texts = [file.read_text() for file in (site.folder / "openlineage").rglob("*") if file.is_file()]
    assert sum(text.count("\n") for text in texts) >= 24
    assert [hit for text in texts for hit in scanner.scan_text(text)] == []
    events = events_in(site.folder / "openlineage")
    assert all("nominalTime" not in event["run"]["facets"] for event in events)
    assert [fault for event in events for fault in faults(event)] == []
    assert str(site.folder) not in json.dumps(events)
    assert site.clinical.dicom_web_url not in json.dumps(events)


def _fails(_: object) -> dict[str, int]:
    raise RuntimeError(TYPED)


def test_a_failed_task_tells_the_kind_of_its_error(site: Site) -> None:
    with pytest.raises(Fatal):
        run_step(_fails, TaskKey(DAG, GENERATED, "discover"))
    events = events_in(site.folder / "openlineage")
    assert [event["eventType"] for event in events] == ["START", "RUNNING", "FAIL"]
    assert events[-1]["run"]["facets"]["errorMessage"]["message"] == "Fatal"


def test_a_task_that_cannot_open_the_crosswalk_is_told_all_the_same(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DICOMANON_KEYRING_FILE", str(site.folder / "none.json"))
    with pytest.raises(Fatal):
        run_step(lambda _: {}, TaskKey(DAG, GENERATED, "discover"))
    assert [event["eventType"] for event in events_in(site.folder / "openlineage")] == ["START", "FAIL"]
    assert site.rows("SELECT count(*) FROM crosswalk.task_event") == [(0,)]


def test_nothing_is_written_where_nobody_wants_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICOMANON_OPENLINEAGE__TRANSPORT", "none")
    assert run_step(lambda _: {"instances": 1}, TaskKey(DAG, GENERATED, "discover")) == {"instances": 1}
    assert not (site.folder / "openlineage").exists()
