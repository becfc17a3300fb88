"""How jobs, runs and data sets are called in OpenLineage: the same names for the same things, whoever makes the event.

A DAG run's id may be typed by the person who triggers it, and people type names and numbers. It is repeated only in
the form in which Airflow makes it; a run is otherwise known by its UUID alone.
"""

import json
import re
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from dicomanon.crosswalk.rows import TaskEvent

_RUNS: Final = UUID("0b3d5f0e-6c2a-5f7e-9d0c-1f6a3c52a7d4")
"""Root of our run UUIDs (RFC 9562, version 5): never to be changed, or a run would be two."""

_GENERATED: Final = re.compile(
    r"(?:manual|scheduled|backfill|asset_triggered)__(?P<time>\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?\+00:00)"
    r"(?:_[A-Za-z0-9]{8})?"
)


def task_run_uuid(event: TaskEvent) -> UUID:
    """Return the run of one try of a task instance."""
    return _uuid(event.dag_id, event.run_id, event.task_id, event.map_index, event.try_number)


def dag_run_uuid(dag_id: str, run_id: str) -> UUID:
    """Return the run that is the parent of a DAG run's tasks."""
    return _uuid(dag_id, run_id)


def task_job(event: TaskEvent) -> str:
    """Return the job that a task is: all its runs share it."""
    return f"{event.dag_id}.{event.task_id}"


def generated_run_id(run_id: str) -> str | None:
    """Return a DAG run's id if it is one that Airflow makes, ``None`` where a person may have typed it."""
    return run_id if _GENERATED.fullmatch(run_id) else None


def nominal_time(run_id: str) -> datetime | None:
    """Return the time that a run is for, which Airflow puts into the ids that it makes."""
    generated = _GENERATED.fullmatch(run_id)
    if not generated:
        return None
    try:
        return datetime.fromisoformat(generated["time"])
    except ValueError:
        return None


def _uuid(*coordinates: str | int) -> UUID:
    return uuid5(_RUNS, json.dumps(coordinates, separators=(",", ":")))
