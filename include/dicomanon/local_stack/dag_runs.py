"""Triggers DAG runs through Airflow's REST API and follows them to their end."""

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from dicomanon.errors import Fatal, Held, Retriable

FINISHED = {"success", "failed"}
# The value comes first, so that the last verb is the schema's and not one that the value holds.
_REFUSED_PARAMETER = re.compile(r"Invalid input for param (\w+):.* ((?:is|does|has) .*)$")
_OURS = frozenset(kind.__name__ for kind in (Retriable, Held, Fatal))
SETTLED_TASKS = {"success", "failed", "skipped", "upstream_failed", "removed"}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a DAG run is; ``running`` names the tasks at work."""

    state: str
    done: int
    total: int
    running: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TaskFailure:
    """A task that failed, and why: the text of our own errors, which holds no value, of others the type alone."""

    task_id: str
    map_index: int
    try_number: int
    why: str


@dataclass(frozen=True, slots=True)
class DagRuns:
    """DAG runs as one login of Airflow sees them; ``api`` is a client of ``/api/v2``."""

    api: httpx.Client

    def wait_until_known(self, dag_id: str, *, seconds: float = 60) -> None:
        """Wait until the dag-processor has read the DAG, and let it be scheduled.

        Raises
        ------
        Fatal
            It was not read in time; the import errors' count says whether a DAG file is broken.
        """
        deadline = time.monotonic() + seconds
        while self.api.get(f"/dags/{dag_id}").status_code != httpx.codes.OK:
            if time.monotonic() > deadline:
                errors = self.api.get("/importErrors").json().get("total_entries", 0)
                raise Fatal(f"Airflow does not know the DAG {dag_id} after {seconds:.0f} s ({errors} import errors)")
            time.sleep(0.5)

    def trigger(self, dag_id: str, conf: dict[str, Any]) -> str:
        """Start a run and return its id.

        Raises
        ------
        Fatal
            Airflow refused: the answer's own explanation is given, which tells of parameters by name.
        """
        answer = self.api.post(f"/dags/{dag_id}/dagRuns", json={"logical_date": None, "conf": conf})
        if answer.status_code != httpx.codes.OK:
            raise Fatal(f"Airflow refused to start {dag_id} (HTTP {answer.status_code}): {_explanation(answer)}")
        run_id: str = answer.json()["dag_run_id"]
        return run_id

    def follow(self, dag_id: str, run_id: str, *, interval: float = 0.5) -> Iterator[Progress]:
        """Yield the run's progress until it has ended."""
        while True:
            progress = self.progress(dag_id, run_id)
            yield progress
            if progress.state in FINISHED:
                return
            time.sleep(interval)

    def wait(self, dag_id: str, run_id: str, *, seconds: float, each: Callable[[Progress], None] | None = None) -> str:
        """Wait for the end of a run and return its state.

        Raises
        ------
        Retriable
            It has not ended in time.
        """
        deadline = time.monotonic() + seconds
        for progress in self.follow(dag_id, run_id):
            if each:
                each(progress)
            if progress.state in FINISHED:
                return progress.state
            if time.monotonic() > deadline:
                break
        raise Retriable(f"the run of {dag_id} has not ended after {seconds:.0f} s: look at it in Airflow")

    def progress(self, dag_id: str, run_id: str) -> Progress:
        """Return how far the run is now."""
        run = self.api.get(f"/dags/{dag_id}/dagRuns/{run_id}").raise_for_status().json()
        tasks = self.api.get(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", params={"limit": 1000})
        instances = tasks.raise_for_status().json()["task_instances"]
        return Progress(
            state=run["state"],
            done=sum(instance["state"] in SETTLED_TASKS for instance in instances),
            total=len(instances),
            running=tuple(sorted({instance["task_id"] for instance in instances if instance["state"] == "running"})),
        )

    def failures(self, dag_id: str, run_id: str) -> list[TaskFailure]:
        """Return the tasks that failed themselves, not those that failed with them, in the order that they ended."""
        where = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        found = self.api.get(where, params={"state": "failed", "limit": 1000, "order_by": "end_date"})
        return [
            TaskFailure(
                task["task_id"],
                task["map_index"],
                task["try_number"],
                self._why(f"{where}/{task['task_id']}/logs/{task['try_number']}", task["map_index"]),
            )
            for task in found.raise_for_status().json()["task_instances"]
        ]

    def result(self, dag_id: str, run_id: str, task_id: str) -> dict[str, int]:
        """Return the counts that a task ended with, none if they cannot be had."""
        entry = self.api.get(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/return_value")
        value = entry.json()["value"] if entry.status_code == httpx.codes.OK else {}
        return dict(json.loads(value) if isinstance(value, str) else value)

    def _why(self, log: str, map_index: int) -> str:
        answer = self.api.get(
            log, params={"map_index": map_index, "full_content": True}, headers={"Accept": "application/json"}
        )
        lines = answer.json()["content"] if answer.status_code == httpx.codes.OK else []
        # Text where the server has no structured log, such as that of a worker that was killed.
        errors = [line["error_detail"] for line in lines if isinstance(line, dict) and line.get("error_detail")]
        if not errors:
            return ""
        last = errors[-1][0]
        return str(last["exc_value"] if last["exc_type"] in _OURS else last["exc_type"])


def _explanation(answer: httpx.Response) -> str:
    """Return what Airflow says, in one line and without the value that it quotes where it refuses a parameter."""
    try:
        detail = str(answer.json().get("detail", ""))
    except ValueError:
        return "no explanation"
    said = detail.partition("\n")[0]
    parameter = _REFUSED_PARAMETER.match(said)
    return f"the parameter {parameter[1]} {parameter[2]}" if parameter else said[:500]
