"""The main job on the real stack: ingest, late instances and a re-send, nothing new, a killed worker, no leak."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.e2e.world import INGEST, Snapshot, World, snapshot

from dicomanon.crosswalk.roles.role import Role
from dicomanon.local_stack import airflow
from dicomanon.local_stack.dag_runs import DagRuns
from dicomanon.pipeline.runtime import open_runtime
from dicomanon.sample.bulk import write_ct_studies
from dicomanon.sample.corpus import SampleManifest
from dicomanon.sample.leaks import LeakScanner

Sample = tuple[Path, SampleManifest]


def assert_as_the_manifest_says(found: Snapshot, manifest: SampleManifest) -> None:
    for study in manifest.studies:
        account = found.accounts[study.study_uid]
        assert account.balanced
        assert account.observed == study.instances
        assert account.stored == study.expected_stored, account.held
        assert sum(account.held.values()) == study.expected_held, account.held
        assert len(found.research[str(account.research_study_uid)]) == study.expected_stored


def test_every_instance_is_stored_or_held_as_expected(after_first: Snapshot, sample_wave_1: Sample) -> None:
    assert_as_the_manifest_says(after_first, sample_wave_1[1])


def test_late_instances_join_their_study_and_a_resend_changes_nothing(
    after_first: Snapshot, after_second: Snapshot, sample_wave_2: Sample
) -> None:
    assert_as_the_manifest_says(after_second, sample_wave_2[1])
    assert after_first.digests.items() <= after_second.digests.items()
    assert after_first.pseudonyms.items() <= after_second.pseudonyms.items()


def test_a_patient_keeps_one_pseudonym_across_studies(
    world: World, after_second: Snapshot, sample_wave_2: Sample
) -> None:
    by_patient: dict[tuple[str, str], set[str]] = {}
    for study in sample_wave_2[1].studies:
        by_patient.setdefault((study.issuer, study.patient_id), set()).add(after_second.pseudonyms[study.study_uid])
    assert all(len(pseudonyms) == 1 for pseudonyms in by_patient.values())
    assert len({next(iter(pseudonyms)) for pseudonyms in by_patient.values()}) == len(by_patient)


def test_a_run_with_nothing_new_is_green_and_changes_nothing(world: World, after_second: Snapshot) -> None:
    assert world.ingest() == "success"
    assert snapshot(world) == after_second


def test_an_unknown_parameter_is_refused_and_nothing_is_done(world: World, after_second: Snapshot) -> None:
    with airflow.client(world.config, "engineer") as api:
        run_id = DagRuns(api).trigger(INGEST, {"quiet_minuts": 0})
    assert world.finish(run_id) == "failed"
    assert snapshot(world) == after_second


def test_lineage_leads_from_an_object_to_its_tasks(world: World, after_second: Snapshot) -> None:
    uid = next(iter(after_second.digests))
    with open_runtime(Role.AUDITOR) as runtime:
        found = runtime.crosswalk.lineage.trace(uid)
    assert found is not None
    tasks = {event.task_id for batch in found.batches for event in batch.events if event.event == "succeeded"}
    assert {f"batch.{step}" for step in ("pull_and_anonymize", "validate", "store")} <= tasks


def test_no_planted_string_is_found_outside_the_clinical_zone(
    world: World, after_second: Snapshot, planted: LeakScanner, tmp_path: Path
) -> None:
    world.dump("airflow", tmp_path)
    world.dump("crosswalk", tmp_path)
    scanned = [
        tmp_path,
        *(entry for entry in world.folder.iterdir() if entry.name != "pacs"),
        world.folder / "pacs/research",
    ]
    assert {"airflow", "crosswalk"} == {path.stem for path in tmp_path.iterdir()}
    assert {"logs", "staging", "data-docs", "postgres"} <= {path.name for path in scanned}
    leaks = [leak for path in scanned for leak in planted.scan_path(path)]
    assert not leaks, leaks[:10]


def test_the_scanner_would_have_found_them(world: World, after_second: Snapshot, planted: LeakScanner) -> None:
    assert planted.scan_path(world.folder / "pacs/clinical"), "the clinical PACS holds every planted string"


@pytest.fixture
def many_instances(world: World, after_second: Snapshot, tmp_path: Path) -> Iterator[int]:
    write_ct_studies(tmp_path, studies=2, slices=120, seed=77)
    world.load(tmp_path)
    yield 240


def test_killed_worker_then_a_rerun_ends_as_if_undisturbed(world: World, many_instances: int) -> None:
    run_id = world.start_ingest()
    killed = kill_a_worker(world, run_id)
    assert killed, "no pull_and_anonymize was caught at work"
    world.finish(run_id)
    assert world.ingest() == "success"
    accounts = world.accounts()
    assert all(account.balanced for account in accounts.values())
    research = world.research()
    new = [account for account in accounts.values() if account.observed == many_instances // 2]
    assert [account.stored for account in new] == [many_instances // 2] * 2
    assert all(len(research[str(account.research_study_uid)]) == account.stored for account in new)
    assert not any((world.folder / "staging").iterdir()), "staging is empty when everything is stored"


def kill_a_worker(world: World, run_id: str) -> bool:
    """Kill the process of the first pull task that is at work, once it has committed some rows."""
    deadline = time.monotonic() + 120
    with airflow.client(world.config, "engineer") as api, open_runtime(Role.AUDITOR) as runtime:
        while time.monotonic() < deadline:
            tasks = api.get(f"/dags/{INGEST}/dagRuns/{run_id}/taskInstances").json()["task_instances"]
            for task in tasks:
                if task["task_id"] == "batch.pull_and_anonymize" and task["state"] == "running" and task["pid"]:
                    started = any(
                        event.event == "started" and event.task_id == task["task_id"]
                        for event in runtime.crosswalk.lineage.events(INGEST, run_id)
                    )
                    if started and psutil.pid_exists(task["pid"]):
                        time.sleep(0.5)
                        os.kill(task["pid"], signal.SIGKILL)
                        return True
            time.sleep(0.1)
    return False
