"""Every DAG file: parses fast and light, says what it is for, and promises what an operator counts on."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
DAG_FILES = sorted((REPOSITORY / "dags").glob("*.py"))
HEAVY = ("great_expectations", "pandas", "numpy", "pydicom", "psycopg", "dicomweb_client", "pyarrow")

# In a process of its own, where nothing but Airflow has been imported before the file is.
PROBE = """
import importlib.util, json, sys
import airflow.sdk
from airflow.sdk import DAG
before = set(sys.modules)
spec = importlib.util.spec_from_file_location("probed", sys.argv[1])
module = importlib.util.module_from_spec(spec)
dags = []
original = DAG.__exit__
def note(self, *rest):
    dags.append(self)
    return original(self, *rest)
DAG.__exit__ = note
spec.loader.exec_module(module)
print(json.dumps({
    "modules": sorted({name.split(".")[0] for name in set(sys.modules) - before}),
    "dags": [{
        "dag_id": dag.dag_id, "doc_md": dag.doc_md, "catchup": dag.catchup, "tags": sorted(dag.tags),
        "max_active_runs": dag.max_active_runs, "owner": dag.owner, "start_date": str(dag.start_date),
        "schedule": str(dag.schedule),
        "tasks": {task.task_id: {
            "retries": task.retries, "pool": task.pool, "policy": type(task.retry_policy).__name__,
            "trigger_rule": task.trigger_rule.value, "name_template": task.map_index_template,
            "downstream": sorted(task.downstream_task_ids), "mode": getattr(task, "mode", ""),
            "outlets": str(task.outlets),
        } for task in dag.tasks},
    } for dag in dags],
}))
"""


def probe(file: Path, home: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(file)],
        capture_output=True, text=True, check=False, timeout=120,
        env={"AIRFLOW_HOME": str(home), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY / "include")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return {"file": file, **json.loads(done.stdout.splitlines()[-1])}


@pytest.fixture(scope="module", params=DAG_FILES, ids=lambda path: path.stem)
def probed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return probe(request.param, tmp_path_factory.mktemp("airflow"))


def test_the_file_holds_one_dag_of_its_own_name(probed: dict[str, Any]) -> None:
    assert [dag["dag_id"] for dag in probed["dags"]] == [probed["file"].stem]


def test_parsing_imports_nothing_heavy(probed: dict[str, Any]) -> None:
    assert not set(HEAVY) & set(probed["modules"])


def test_the_page_says_purpose_owner_and_what_to_do_on_failure(probed: dict[str, Any]) -> None:
    (dag,) = probed["dags"]
    for heading in ("**Purpose.**", "**Owner.**", "**On failure.**"):
        assert heading in dag["doc_md"]
    assert "dicomanon" in dag["tags"]


def test_no_catchup_and_an_aware_start(probed: dict[str, Any]) -> None:
    (dag,) = probed["dags"]
    assert dag["catchup"] is False
    assert dag["start_date"].endswith("+00:00")


def test_every_task_retries_by_the_kind_of_error(probed: dict[str, Any]) -> None:
    (dag,) = probed["dags"]
    for task in dag["tasks"].values():
        assert task["retries"] >= 1
        assert task["policy"] == "ExceptionRetryPolicy"


@pytest.fixture(scope="module")
def ingest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    (dag,) = probe(REPOSITORY / "dags" / "ingest_studies.py", tmp_path_factory.mktemp("airflow"))["dags"]
    return dag


def test_ingest_has_one_run_pools_for_both_pacs_and_names_for_its_batches(ingest: dict[str, Any]) -> None:
    assert ingest["max_active_runs"] == 1
    tasks = ingest["tasks"]
    assert tasks["discover"]["pool"] == tasks["batch.pull_and_anonymize"]["pool"] == "clinical_pacs"
    assert tasks["batch.store"]["pool"] == "research_pacs"
    assert all(task["name_template"] for name, task in tasks.items() if name.startswith("batch."))


def test_ingest_ends_in_a_task_that_is_red_when_anything_is(ingest: dict[str, Any]) -> None:
    leaves = [name for name, task in ingest["tasks"].items() if not task["downstream"]]
    assert leaves == ["announce"]
    assert ingest["tasks"]["announce"]["trigger_rule"] == "none_failed"
    assert ingest["tasks"]["reconcile"]["trigger_rule"] == "all_done"


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    (dag,) = probe(REPOSITORY / "dags" / "cohort_extraction.py", tmp_path_factory.mktemp("airflow"))["dags"]
    return dag


def test_a_cohort_is_approved_before_anything_is_pulled_for_it_and_pulled_before_it_is_released(
    cohort: dict[str, Any],
) -> None:
    order = ["validate_request", "await_approval", "request_missing", "await_studies", "resolve_and_release"]
    tasks = cohort["tasks"]
    assert [tasks[name]["downstream"] for name in order] == [
        *([name] for name in order[1:]),
        ["summarise", "write_files"],
    ]
    # Past skipped tasks, and never past a failed one.
    assert tasks["resolve_and_release"]["trigger_rule"] == "none_failed"
    assert {tasks[name]["trigger_rule"] for name in order[:-1]} == {"all_success"}


def test_a_cohort_request_that_waits_holds_no_slot_and_stops_no_other(cohort: dict[str, Any]) -> None:
    assert cohort["tasks"]["await_studies"]["mode"] == "reschedule"
    assert cohort["max_active_runs"] >= 100


def test_standing_requests_are_looked_at_whenever_studies_were_stored_one_run_at_a_time(
    ingest: dict[str, Any], tmp_path: Path
) -> None:
    (dag,) = probe(REPOSITORY / "dags" / "standing_cohorts.py", tmp_path)["dags"]
    assert "x-dicomanon://research/studies" in dag["schedule"]
    assert "x-dicomanon://research/studies" in ingest["tasks"]["announce"]["outlets"]
    assert dag["max_active_runs"] == 1
    tasks = dag["tasks"]
    assert (tasks["write_files"]["pool"], tasks["write_files"]["trigger_rule"]) == ("research_pacs", "all_done")
    # Red when either is.
    assert [name for name, task in tasks.items() if not task["downstream"]] == ["summarise"]
    assert tasks["evaluate"]["downstream"] == ["summarise", "write_files"]
    assert tasks["summarise"]["trigger_rule"] == "all_success"


def test_a_cohort_without_files_is_summarised_too(tmp_path: Path) -> None:
    (dag,) = probe(REPOSITORY / "dags" / "cohort_extraction.py", tmp_path)["dags"]
    tasks = dag["tasks"]
    assert tasks["resolve_and_release"]["downstream"] == ["summarise", "write_files"]
    assert tasks["write_files"]["pool"] == "research_pacs"
    assert (tasks["write_files"]["downstream"], tasks["summarise"]["trigger_rule"]) == (["summarise"], "none_failed")
