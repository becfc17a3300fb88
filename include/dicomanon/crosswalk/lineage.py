"""Leads from any research identifier to everything that was done about it, and keeps who did what."""

import json

from dicomanon.crosswalk import action_counts
from dicomanon.crosswalk.rows import TaskEvent
from dicomanon.crosswalk.session import Session
from dicomanon.crosswalk.task_facts import TaskFacts, task_facts
from dicomanon.crosswalk.trace import Trace, TracedEvent
from dicomanon.crosswalk.tracing import MOST_INSTANCES, trace


class Lineage:
    """Task events in, traces out."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def record_event(self, event: TaskEvent) -> None:
        """Append what a task did; ids, counts and error types only."""
        with self._session.transaction() as connection:
            connection.execute(
                "INSERT INTO crosswalk.task_event (dag_id, airflow_run_id, task_id, map_index, try_number, worker,"
                " batch_id, event, counts, error) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                (
                    event.dag_id,
                    event.run_id,
                    event.task_id,
                    event.map_index,
                    event.try_number,
                    event.worker,
                    event.batch_id,
                    event.event,
                    json.dumps(event.counts),
                    event.error,
                ),
            )

    def facts(self, event: TaskEvent) -> TaskFacts:
        """Return what is known by now of the batch or the release that a task worked on."""
        with self._session.transaction() as connection:
            return task_facts(connection, event)

    def events(self, dag_id: str, run_id: str) -> list[TracedEvent]:
        """Return what the tasks of one DAG run did, in the order in which they said so."""
        with self._session.transaction() as connection:
            rows = connection.execute(
                "SELECT task_id, map_index, try_number, worker, event, counts, error, recorded_at"
                " FROM crosswalk.task_event WHERE dag_id = %s AND airflow_run_id = %s ORDER BY id",
                (dag_id, run_id),
            ).fetchall()
        return [TracedEvent(*row) for row in rows]

    def actions(self, dag_id: str, run_id: str) -> dict[int, dict[str, int]]:
        """Return how many elements each action met in the objects of one DAG run, by batch number."""
        with self._session.transaction() as connection:
            return action_counts.by_batch(connection, dag_id, run_id)

    def trace(self, identifier: str, limit: int | None = MOST_INSTANCES) -> Trace | None:
        """Return everything about a research identifier; no PHI.

        Parameters
        ----------
        identifier
            Research SOP instance, series or study UID; pseudonym; either as a project sees it that has pseudonyms of
            its own; release (its id, or ``PROJECT/0001``); batch (its id, or ``batch/12``); DAG run (its id, or
            ``DAG/RUN``).
        limit
            Most instances that are shown; where there are more, the trace has a summary of all. ``None`` shows all,
            however many, in memory.

        Returns
        -------
        Trace or None
            ``None`` when the crosswalk knows no such identifier.
        """
        return trace(self._session, identifier, limit)
