"""What to say of a DAG run that has ended: which task failed and why, or what came of it, and where it is shown."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from dicomanon.cohort.parameters import COHORT_DAG_ID
from dicomanon.local_stack.config import StackConfig
from dicomanon.local_stack.dag_runs import DagRuns
from dicomanon.local_stack.stack import pipeline_environment

_MOST_FAILURES = 10
_SUMMARY = "summarise"
_FIRST = ("patients", "studies", "series", "instances", "bytes")


def ending(config: StackConfig, runs: DagRuns, dag_id: str, run_id: str, state: str, project: str) -> Iterator[str]:
    """Yield what a person who waited for a run wants to know.

    Parameters
    ----------
    state
        That the run ended in.
    project
        That a cohort was asked for, ``""`` for other runs.
    """
    page = f"{config.airflow_url}/dags/{quote(dag_id, safe='')}/runs/{quote(run_id, safe='')}"
    if state != "success":
        yield from _failures(runs, dag_id, run_id, page)
    elif dag_id == COHORT_DAG_ID:
        yield from _release(config, runs.result(dag_id, run_id, _SUMMARY), project)
    yield f"the run's page: {page}"


def _failures(runs: DagRuns, dag_id: str, run_id: str, page: str) -> Iterator[str]:
    failures = runs.failures(dag_id, run_id)
    for failure in failures[:_MOST_FAILURES]:
        mapped = failure.map_index >= 0
        yield (
            f"{failure.task_id}{f' [{failure.map_index}]' if mapped else ''} failed in try {failure.try_number}: "
            f"{failure.why or 'its log says no more'}"
        )
        task = f"{page}/tasks/{quote(failure.task_id, safe='')}"
        yield f"  its log: {task}/mapped/{failure.map_index}" if mapped else f"  its log: {task}"
    if len(failures) > _MOST_FAILURES:
        yield f"{len(failures) - _MOST_FAILURES} tasks more failed"


def _release(config: StackConfig, counts: dict[str, int], project: str) -> Iterator[str]:
    number = counts.pop("release", 0)
    if number:
        folder = Path(pipeline_environment(config)["DICOMANON_RELEASE_DIR"]) / project / f"{number:04d}"
        yield f"release {project}/{number:04d} in {folder}"
    elif counts.get("instances"):
        yield "no release: it was only counted"
    elif counts:
        yield "no release: nothing that is stored meets the criteria"
    if counts:
        # Airflow keeps them in an order of its own.
        told = [name for name in counts if counts[name] or name in _FIRST]
        names = sorted(told, key=lambda name: (_FIRST.index(name), "") if name in _FIRST else (len(_FIRST), name))
        yield ", ".join(f"{counts[name]} {name.replace('_', ' ')}" for name in names)
