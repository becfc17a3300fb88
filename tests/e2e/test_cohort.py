"""A researcher asks by identifiers over Airflow's REST API and gets a manifest; no identifier stays anywhere."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from tests.e2e.conftest import Sample
from tests.e2e.world import INGEST, Snapshot, World

from dicomanon.cohort.project_file import ProjectFile
from dicomanon.crosswalk.roles.role import Role
from dicomanon.local_stack import airflow
from dicomanon.local_stack.dag_runs import DagRuns
from dicomanon.local_stack.processes import wait_until
from dicomanon.pipeline.runtime import open_runtime
from dicomanon.sample.leaks import LeakScanner

COHORT, STANDING = "cohort_extraction", "standing_cohorts"
PROJECT = """
project = "lung-screening"
title = "Lung screening"
lead = "Ada"
ethics_number = "EK 1"
ethics_expires = 9999-12-31
retention_days = 365
minimum_patients = 2
approval_for = []
"""


@pytest.fixture(scope="module")
def released(world: World, after_second: Snapshot, sample_wave_2: Sample) -> tuple[str, Path]:
    """A request for the first sample patient; returns the run and the release folder."""
    patient = sample_wave_2[1].studies[0]
    with open_runtime(Role.ADMIN) as runtime:
        projects, why = runtime.crosswalk.projects, {"actor": "ada", "reason": "decided"}
        projects.set("lung-screening", ProjectFile.parse(PROJECT).terms(), **why)
        projects.add_requester("lung-screening", "researcher", **why)
    with airflow.client(world.config, "researcher") as api:
        runs = DagRuns(api)
        runs.wait_until_known(COHORT)
        run_id = runs.trigger(
            COHORT,
            {
                "project": "lung-screening",
                "patient_ids": [f"{patient.patient_id}^^^{patient.issuer}", "NOBODY-0000"],
                "study_date_from": "2020-01-01",
                "group_by": "study",
                "output": "archive",
                "standing": True,
            },
        )
        state = runs.wait(COHORT, run_id, seconds=120)
        assert state == "success"
    return run_id, world.folder / "releases" / "lung-screening" / "0001"


def test_the_manifest_holds_the_patient_s_stored_instances_and_no_others(
    world: World, released: tuple[str, Path], after_second: Snapshot, sample_wave_2: Sample
) -> None:
    wanted = sample_wave_2[1].studies[0]
    studies = [
        study
        for study in sample_wave_2[1].studies
        if (study.patient_id, study.issuer) == (wanted.patient_id, wanted.issuer)
    ]
    manifest = pd.read_parquet(released[1] / "manifest.parquet")
    assert len(manifest) == sum(study.expected_stored for study in studies)
    assert set(manifest["pseudonym"]) == {after_second.pseudonyms[wanted.study_uid]}
    assert set(manifest["SOPInstanceUID"]) <= set(after_second.digests)
    assert len(pd.read_csv(released[1] / "manifest.csv")) == len(manifest)


def test_the_run_s_page_shows_counts_and_the_position_of_what_was_not_found(
    world: World, released: tuple[str, Path]
) -> None:
    with airflow.client(world.config, "researcher") as api:
        entry = api.get(f"/dags/{COHORT}/dagRuns/{released[0]}/taskInstances/summarise/xcomEntries/return_value")
        counts = entry.raise_for_status().json()["value"]
    counts = json.loads(counts) if isinstance(counts, str) else counts
    assert (counts["unmatched_patient_ids"], counts["release"]) == (1, 1)


def test_the_researcher_takes_the_release_from_airflow_and_others_do_not(
    world: World, released: tuple[str, Path]
) -> None:
    run_id, folder = released
    pages = f"{world.config.airflow_url}/dicomanon/releases"
    with airflow.client(world.config, "researcher") as api:
        links = api.get(f"/dags/{COHORT}/dagRuns/{run_id}/taskInstances/summarise/links").json()["extra_links"]
        (listed,) = api.get(f"{pages}.json").raise_for_status().json()
        assert (listed["project"], listed["number"], listed["requester"]) == ("lung-screening", 1, "researcher")
        found = api.get(world.config.airflow_url + links["Release"])
        assert found.headers["location"].endswith("/dicomanon/releases/lung-screening/1")
        taken = api.get(f"{pages}/lung-screening/1/manifest.parquet")
        assert taken.content == (folder / "manifest.parquet").read_bytes()
    with airflow.client(world.config, "engineer") as api:
        assert api.get(f"{pages}.json").json() == []
        assert api.get(f"{pages}/lung-screening/1/manifest.parquet").status_code == 404


def test_the_objects_are_archived_beside_the_release(released: tuple[str, Path]) -> None:
    _, release = released
    lines = (release.parents[1] / ".archive" / release.parent.name / release.name / "SHA256SUMS").read_text()
    manifest = pd.read_parquet(release / "manifest.parquet")
    assert len(lines.splitlines()) == manifest["StudyInstanceUID"].nunique()


def test_what_stays_open_is_looked_at_whenever_studies_were_stored(world: World, released: tuple[str, Path]) -> None:
    with airflow.client(world.config, "engineer") as api:
        runs = DagRuns(api)
        runs.wait_until_known(STANDING)
        run_id = runs.trigger(STANDING, {})
        assert runs.wait(STANDING, run_id, seconds=120) == "success"
        result = api.get(f"/dags/{STANDING}/dagRuns/{run_id}/taskInstances/evaluate/xcomEntries/return_value").json()
        assert result["value"] == {"standing": 1, "versions": 0, "paused": 0, "ended": 0}
        kinds = {run["run_type"] for run in api.get(f"/dags/{STANDING}/dagRuns").json()["dag_runs"]}
    assert "asset_triggered" in kinds


def test_the_trace_leads_forward_to_the_release(world: World, released: tuple[str, Path]) -> None:
    uid = pd.read_parquet(released[1] / "manifest.parquet")["SOPInstanceUID"][0]
    with open_runtime(Role.AUDITOR) as runtime:
        found = runtime.crosswalk.lineage.trace(uid)
    assert found is not None
    assert [(release.project, release.number) for release in found.releases] == [("lung-screening", 1)]


def test_no_identifier_of_the_request_stays_outside_the_crosswalk(
    world: World, released: tuple[str, Path], planted: LeakScanner, tmp_path: Path
) -> None:
    world.dump("airflow", tmp_path)
    asked = LeakScanner(["NOBODY-0000"])
    for folder in (tmp_path, world.folder / "logs", world.folder / "releases", world.folder / "airflow"):
        assert not asked.scan_path(folder)
        assert not planted.scan_path(folder)


@pytest.fixture(scope="module")
def waiting(world: World) -> str:
    """A request of a project that needs approvals; it waits."""
    with open_runtime(Role.ADMIN) as runtime:
        projects, why = runtime.crosswalk.projects, {"actor": "ada", "reason": "decided"}
        strict = PROJECT.replace('"lung-screening"', '"strict"').replace("approval_for = []", "")
        projects.set("strict", ProjectFile.parse(strict).terms(), **why)
        projects.add_requester("strict", "researcher", **why)
    with airflow.client(world.config, "researcher") as api:
        DagRuns(api).wait_until_known(COHORT)
        run_id = DagRuns(api).trigger(COHORT, {"project": "strict", "patient_ids": ["NOBODY-0001"]})
        _until(lambda: _task(api, run_id, "await_approval")["state"] == "awaiting_input")
    return run_id


def _task(api: httpx.Client, run_id: str, task_id: str) -> dict[str, Any]:
    return dict(api.get(f"/dags/{COHORT}/dagRuns/{run_id}/taskInstances/{task_id}").raise_for_status().json())


def _until(met: Callable[[], bool]) -> None:
    assert wait_until(met, seconds=120, interval=0.5)


def _answer(api: httpx.Client, run_id: str, chosen: str, reason: str) -> httpx.Response:
    body = {"chosen_options": [chosen], "params_input": {"reason": reason}}
    return api.patch(f"/dags/{COHORT}/dagRuns/{run_id}/taskInstances/await_approval/-1/hitlDetails", json=body)


def _has_gone_on(api: httpx.Client, run_id: str) -> bool:
    """Tell whether the request was answered; who answers at once may be asked again, before the worker has ended."""
    if _task(api, run_id, "await_approval")["state"] == "awaiting_input":
        _answer(api, run_id, "Approve", "seen REASON-CANARY")
    return _task(api, run_id, "resolve_and_release")["state"] in {"success", "failed"}


def test_a_request_waits_in_no_slot_until_somebody_else_answers(world: World, waiting: str, tmp_path: Path) -> None:
    with airflow.client(world.config, "researcher") as api:
        assert _answer(api, waiting, "Approve", "mine").status_code == 403
        assert _task(api, waiting, "await_approval")["state"] == "awaiting_input"
    with airflow.client(world.config, "engineer") as api:
        assert _answer(api, waiting, "REASON-CANARY", "r").status_code == 400
        assert _answer(api, waiting, "Approve", "seen REASON-CANARY").status_code == 200
        _until(lambda: _has_gone_on(api, waiting))
        assert _task(api, waiting, "resolve_and_release")["state"] == "success"
    with open_runtime(Role.ADMIN) as runtime:
        found, _, reason = runtime.crosswalk.requests.look(f"{COHORT}/{waiting}", actor="ada")
    assert (found.decision, found.decided_by, found.requester) == ("approved", "engineer", "researcher")
    assert reason is not None
    assert reason.reveal() == "seen REASON-CANARY"
    world.dump("airflow", tmp_path)
    canary = LeakScanner(["REASON-CANARY", "NOBODY-0001"])
    for folder in (tmp_path, world.folder / "logs", world.folder / "airflow"):
        assert not canary.scan_path(folder)


def test_a_task_that_was_marked_as_done_is_no_approval(world: World, waiting: str) -> None:
    with airflow.client(world.config, "admin") as api:
        run_id = DagRuns(api).trigger(COHORT, {"project": "strict", "patient_ids": ["NOBODY-0002"]})
        # The admin is no member of the project: asked by one, below.
        _until(lambda: _task(api, run_id, "validate_request")["state"] == "failed")
    with airflow.client(world.config, "researcher") as api:
        run_id = DagRuns(api).trigger(COHORT, {"project": "strict", "patient_ids": ["NOBODY-0002"]})
        _until(lambda: _task(api, run_id, "await_approval")["state"] == "awaiting_input")
    with airflow.client(world.config, "admin") as api:
        task = f"/dags/{COHORT}/dagRuns/{run_id}/taskInstances/await_approval"
        api.patch(task, json={"new_state": "success"}).raise_for_status()
        _until(lambda: _task(api, run_id, "resolve_and_release")["state"] == "failed")


def test_a_request_waits_in_no_slot_for_what_it_has_pulled(
    world: World, released: tuple[str, Path], sample_wave_2: Sample
) -> None:
    patient = sample_wave_2[1].studies[0]
    asked = {"project": "lung-screening", "patient_ids": [f"{patient.patient_id}^^^{patient.issuer}", "NOBODY-0003"]}
    with airflow.client(world.config, "researcher") as api:
        assert {_task(api, released[0], name)["state"] for name in ("request_missing", "await_studies")} == {"skipped"}
        run_id = DagRuns(api).trigger(COHORT, asked | {"pull_missing": True})
        _until(lambda: _task(api, run_id, "await_studies")["state"] == "up_for_reschedule")
    assert world.ingest() == "success"
    assert world.finish(run_id, COHORT) == "success"
    with airflow.client(world.config, "researcher") as api:
        entry = api.get(f"/dags/{COHORT}/dagRuns/{run_id}/taskInstances/summarise/xcomEntries/return_value")
    counts = entry.raise_for_status().json()["value"]
    counts = json.loads(counts) if isinstance(counts, str) else counts
    assert (counts["pull_identifiers"], counts["unmatched_patient_ids"]) == (2, 1)
    assert not LeakScanner(["NOBODY-0003"]).scan_path(world.folder / "logs")


def test_a_researcher_sees_neither_ingest_nor_its_runs(world: World, released: tuple[str, Path]) -> None:
    with airflow.client(world.config, "researcher") as api:
        assert api.get(f"/dags/{INGEST}").status_code == 403
        assert api.post(f"/dags/{INGEST}/dagRuns", json={"logical_date": None}).status_code == 403
        assert {dag["dag_id"] for dag in api.get("/dags").json()["dags"]} == {COHORT}
