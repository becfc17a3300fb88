"""Wraps a step for a task runner: records its lineage, and lets no foreign exception's text out."""

import logging
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from dicomanon.crosswalk.lineage import Lineage
from dicomanon.crosswalk.rows import TaskEvent
from dicomanon.crosswalk.task_facts import TaskFacts
from dicomanon.errors import DicomanonError
from dicomanon.guard import no_values_escape
from dicomanon.openlineage.emitter import Emitter
from dicomanon.pipeline.acting import role_of
from dicomanon.pipeline.runtime import Runtime, open_runtime
from dicomanon.settings import Settings
from dicomanon.values import BatchId

log = logging.getLogger(__name__)

P = ParamSpec("P")
Counts = dict[str, int]
T = TypeVar("T")
C = TypeVar("C", bound=Mapping[str, int | None])
"""Counts by name; one that may not be told is ``None``."""

_UNSENT = "unsent"
"""Said by a task whose OpenLineage events could not all be sent; the loader fills them in."""


@dataclass(frozen=True, slots=True)
class TaskKey:
    """Which task instance and try did something: the coordinates of a lineage record."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1
    try_number: int = 1


def run_step(
    step: Callable[Concatenate[Runtime, P], C],
    key: TaskKey,
    batch_id: BatchId | None = None,
    *args: P.args,
    **kwargs: P.kwargs,
) -> C:
    """Run ``step`` on an open runtime, and say when it starts, ends or fails: to the crosswalk, and as OpenLineage.

    Of OpenLineage's states, START is when the task begins, RUNNING when everything that it needs is open.

    Raises
    ------
    Retriable, Fatal
        Whatever went wrong, as one of our own errors, whose text holds no value. That an OpenLineage event could not
        be sent is no reason.
    """
    said = partial(_event, key, batch_id)
    with no_values_escape():
        role = role_of(key.dag_id)
        settings = Settings.load()
        with closing(Emitter.of(settings)) as emitter:
            emitter.emit(said("started"))
            with ExitStack() as stack:
                try:
                    with no_values_escape():
                        runtime = stack.enter_context(open_runtime(role, settings))
                except DicomanonError as error:
                    emitter.emit(said("failed", error=error))
                    raise
                counts = _told(runtime.crosswalk.lineage, emitter, said, partial(step, runtime, *args, **kwargs))
    shown = (f"{name} {'few' if value is None else value}" for name, value in counts.items())
    log.info("%s: %s", key.task_id, ", ".join(shown))
    return counts


def look(question: Callable[[Runtime], T], dag_id: str) -> T:
    """Answer a question on an open runtime, as the role of a DAG; for what is asked so often that nobody records it.

    Raises
    ------
    Retriable, Fatal
        As :func:`run_step`.
    """
    with no_values_escape(), open_runtime(role_of(dag_id)) as runtime:
        return question(runtime)


def _told(lineage: Lineage, emitter: Emitter, said: Callable[..., TaskEvent], step: Callable[[], C]) -> C:
    """Carry out a step, and tell crosswalk and OpenLineage of it: the crosswalk first, which can fill in the other."""

    def record_lost() -> None:
        if emitter.lost:
            lineage.record_event(said(_UNSENT, {"openlineage_events": emitter.lost}))

    try:
        with no_values_escape():
            lineage.record_event(said("started"))
            emitter.emit(said("running"), _facts(lineage, said("running")))
            counts = step()
            done = said("succeeded", counts)
            lineage.record_event(done)
    except DicomanonError as error:
        failed = said("failed", error=error)
        emitter.emit(failed, _facts(lineage, failed))
        lineage.record_event(failed)
        record_lost()
        raise
    emitter.emit(done, _facts(lineage, done))
    record_lost()
    return counts


def _facts(lineage: Lineage, event: TaskEvent) -> TaskFacts:
    """Return what belongs to an event; nothing where the crosswalk cannot be asked, for the event is to go out."""
    try:
        return lineage.facts(event)
    except DicomanonError as error:
        log.warning("an OpenLineage event (%s) goes without its facts: %s", event.event, error)
        return TaskFacts()


def _event(
    key: TaskKey,
    batch_id: BatchId | None,
    event: str,
    counts: Mapping[str, int | None] | None = None,
    error: DicomanonError | None = None,
) -> TaskEvent:
    return TaskEvent(
        dag_id=key.dag_id,
        run_id=key.run_id,
        task_id=key.task_id,
        map_index=key.map_index,
        try_number=key.try_number,
        worker=f"{socket.gethostname()}:{os.getpid()}",
        batch_id=batch_id,
        event=event,
        counts={name: value for name, value in (counts or {}).items() if value is not None},
        error=type(error).__name__ if error else "",
    )
