"""What ``dicomanon trigger --wait`` says at the end, from what Airflow's REST API answers."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from dicomanon.local_stack.config import StackConfig
from dicomanon.local_stack.dag_runs import DagRuns
from dicomanon.local_stack.run_ending import ending

SECRET = "Quillfeather"
PAGE = "http://127.0.0.1:8080/dags/cohort_extraction/runs/manual__1%2B0"
Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StackConfig:
    monkeypatch.setenv("DICOMANON_STATE_DIR", str(tmp_path))
    # On the port of the page, whatever the environment of the tests asks for.
    made = StackConfig()
    return made.model_copy(update={"ports": made.ports.model_copy(update={"airflow": 8080})})


def said(config: StackConfig, state: str, answer: Answer) -> list[str]:
    with httpx.Client(transport=httpx.MockTransport(answer), base_url="http://airflow/api/v2") as api:
        return list(ending(config, DagRuns(api), "cohort_extraction", "manual__1+0", state, "lung"))


def failing(error: dict[str, str] | None, *, map_index: int = -1, tasks: int = 1) -> Answer:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/logs/2"):
            assert request.url.params["map_index"] == str(map_index)
            lines = [{"event": f"seen {SECRET}"}, {"event": "Task failed with exception", "error_detail": [error]}]
            return httpx.Response(200, json={"content": lines if error else [f"killed {SECRET}"]})
        assert request.url.params["state"] == "failed"
        task = {"task_id": "resolve_and_release", "map_index": map_index, "try_number": 2}
        return httpx.Response(200, json={"task_instances": [task] * tasks})

    return answer


def test_failed_task_is_named_with_the_text_of_our_own_error_and_its_log(config: StackConfig) -> None:
    why = "the parameters name no criterion: give one"
    assert said(config, "failed", failing({"exc_type": "Fatal", "exc_value": why})) == [
        f"resolve_and_release failed in try 2: {why}",
        f"  its log: {PAGE}/tasks/resolve_and_release",
        f"the run's page: {PAGE}",
    ]


def test_text_of_a_foreign_error_is_not_shown(config: StackConfig) -> None:
    lines = said(config, "failed", failing({"exc_type": "ValueError", "exc_value": SECRET}, map_index=3))
    assert lines[0] == "resolve_and_release [3] failed in try 2: ValueError"
    assert lines[1].endswith("/tasks/resolve_and_release/mapped/3")
    assert SECRET not in " ".join(lines)


def test_task_that_was_killed_has_its_log_named(config: StackConfig) -> None:
    lines = said(config, "failed", failing(None))
    assert lines[0] == "resolve_and_release failed in try 2: its log says no more"
    assert SECRET not in " ".join(lines)


def test_many_failures_are_counted(config: StackConfig) -> None:
    lines = said(config, "failed", failing({"exc_type": "Fatal", "exc_value": "full"}, tasks=12))
    assert lines[-2] == "2 tasks more failed"


def test_log_that_this_login_may_not_read_is_still_named(config: StackConfig) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if "/logs/" in request.url.path:
            return httpx.Response(403)
        return failing(None)(request)

    assert said(config, "failed", answer)[1].startswith("  its log: ")


def test_release_is_named_with_its_folder_and_counts(config: StackConfig, tmp_path: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path.endswith("/taskInstances/summarise/xcomEntries/return_value")
        return httpx.Response(
            200, json={"value": {"bytes": 9, "unmatched_patient_ids": 1, "patients": 2, "release": 7}}
        )

    assert said(config, "success", answer) == [
        f"release lung/0007 in {tmp_path / 'releases' / 'lung' / '0007'}",
        "2 patients, 9 bytes, 1 unmatched patient ids",
        f"the run's page: {PAGE}",
    ]


def test_no_release_is_said_where_nothing_was_found(config: StackConfig) -> None:
    lines = said(config, "success", lambda _: httpx.Response(200, json={"value": '{"patients": 0, "release": 0}'}))
    assert lines[0] == "no release: nothing that is stored meets the criteria"


def test_what_was_only_counted_is_said_to_be_no_release(config: StackConfig) -> None:
    counts = {"studies_after_01_stored": 3, "studies_after_00_identified": 4, "unmatched_patient_ids": 0,
              "instances": 8, "release": 0}  # fmt: skip
    assert said(config, "success", lambda _: httpx.Response(200, json={"value": counts}))[:2] == [
        "no release: it was only counted",
        "8 instances, 4 studies after 00 identified, 3 studies after 01 stored",
    ]


def test_page_is_named_where_the_counts_cannot_be_had(config: StackConfig) -> None:
    assert said(config, "success", lambda _: httpx.Response(404)) == [f"the run's page: {PAGE}"]
