"""Triggers DAG runs through Airflow's REST API and follows them to their end."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from dicomanon.errors import Fatal, Retriable

FINISHED = {"success", "failed"}
# The value comes first, so that the last verb is the schema's and not one that the value holds.
_REFUSED_PARAMETER = re.compile(r"Invalid input for param (\w+):.* ((?:is|does|has) .*)$")
SETTLED_TASKS = {"success", "failed", "skipped", "upstream_failed", "removed"}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a DAG run is; ``running`` names the tasks at work."""

    state: str
    done: int
    total: int
    running: tuple[str, ...]


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


def _explanation(answer: httpx.Response) -> str:
    """Return what Airflow says, in one line and without the value that it quotes where it refuses a parameter."""
    try:
        detail = str(answer.json().get("detail", ""))
    except ValueError:
        return "no explanation"
    said = detail.partition("\n")[0]
    parameter = _REFUSED_PARAMETER.match(said)
    return f"the parameter {parameter[1]} {parameter[2]}" if parameter else said[:500]
