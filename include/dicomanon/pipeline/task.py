"""Wraps a step for a task runner: records its lineage, and lets no foreign exception's text out."""

import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Concatenate, ParamSpec

from dicomanon.crosswalk.rows import TaskEvent
from dicomanon.errors import DicomanonError
from dicomanon.guard import no_values_escape
from dicomanon.pipeline.runtime import Runtime, open_runtime
from dicomanon.values import BatchId

log = logging.getLogger(__name__)

P = ParamSpec("P")
Counts = dict[str, int]


@dataclass(frozen=True, slots=True)
class TaskKey:
    """Which task instance and try did something: the coordinates of a lineage record."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1
    try_number: int = 1


def run_step(
    step: Callable[Concatenate[Runtime, P], Counts],
    key: TaskKey,
    batch_id: BatchId | None = None,
    *args: P.args,
    **kwargs: P.kwargs,
) -> Counts:
    """Run ``step`` on an open runtime, with an event in the crosswalk when it starts, ends or fails.

    Raises
    ------
    Retriable, Fatal
        Whatever went wrong, as one of our own errors, whose text holds no value.
    """
    with no_values_escape(), open_runtime() as runtime:
        _record(runtime, key, batch_id, "started", {})
        try:
            with no_values_escape():
                counts = step(runtime, *args, **kwargs)
        except DicomanonError as error:
            _record(runtime, key, batch_id, "failed", {}, error=type(error).__name__)
            raise
        _record(runtime, key, batch_id, "succeeded", counts)
    log.info("%s: %s", key.task_id, ", ".join(f"{name} {value}" for name, value in counts.items()))
    return counts


def _record(
    runtime: Runtime, key: TaskKey, batch_id: BatchId | None, event: str, counts: Counts, error: str = ""
) -> None:
    runtime.crosswalk.lineage.record_event(
        TaskEvent(
            dag_id=key.dag_id,
            run_id=key.run_id,
            task_id=key.task_id,
            map_index=key.map_index,
            try_number=key.try_number,
            worker=f"{socket.gethostname()}:{os.getpid()}",
            batch_id=batch_id,
            event=event,
            counts=counts,
            error=error,
        )
    )
