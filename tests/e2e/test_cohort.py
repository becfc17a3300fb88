"""A researcher asks by identifiers over Airflow's REST API and gets a manifest; no identifier stays anywhere."""

import json
from pathlib import Path

import pandas as pd
import pytest
from tests.e2e.conftest import Sample
from tests.e2e.world import INGEST, Snapshot, World

from dicomanon.cohort.project_file import ProjectFile
from dicomanon.crosswalk.roles.role import Role
from dicomanon.local_stack import airflow
from dicomanon.local_stack.dag_runs import DagRuns
from dicomanon.pipeline.runtime import open_runtime
from dicomanon.sample.leaks import LeakScanner

COHORT = "cohort_extraction"
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


def test_a_researcher_sees_neither_ingest_nor_its_runs(world: World, released: tuple[str, Path]) -> None:
    with airflow.client(world.config, "researcher") as api:
        assert api.get(f"/dags/{INGEST}").status_code == 403
        assert api.post(f"/dags/{INGEST}/dagRuns", json={"logical_date": None}).status_code == 403
        assert {dag["dag_id"] for dag in api.get("/dags").json()["dags"]} == {COHORT}
