"""OpenLineage events in the crosswalk: each once, however often it is brought."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from dicomanon.crosswalk.rows import TaskEvent
from dicomanon.crosswalk.session import Session


@dataclass(frozen=True, slots=True)
class OpenLineageRow:
    """One event; ``event`` is the whole of it."""

    run_uuid: UUID
    event_type: str
    event_time: datetime
    job_namespace: str
    job_name: str
    event: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RecordedTaskEvent:
    """A task event as the crosswalk has it."""

    id: int
    event: TaskEvent
    recorded_at: datetime


class OpenLineageEvents:
    """What was loaded, and what is still to be looked for."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, rows: Sequence[OpenLineageRow], origin: Literal["emitted", "rebuilt"]) -> int:
        """Append events that are not there yet; return how many were."""
        with self._session.transaction() as connection:
            return connection.execute(
                "INSERT INTO crosswalk.openlineage_event"
                " (run_uuid, event_type, event_time, job_namespace, job_name, origin, event)"
                " SELECT run_uuid, event_type, event_time, job_namespace, job_name, %s, event::jsonb"
                " FROM unnest(%s::uuid[], %s::text[], %s::timestamptz[], %s::text[], %s::text[], %s::text[])"
                " AS new (run_uuid, event_type, event_time, job_namespace, job_name, event)"
                # In one order everywhere, so that two loaders never wait for each other in a circle.
                " ORDER BY run_uuid, event_type, event_time ON CONFLICT DO NOTHING",
                (
                    origin,
                    [row.run_uuid for row in rows],
                    [row.event_type for row in rows],
                    [row.event_time for row in rows],
                    [row.job_namespace for row in rows],
                    [row.job_name for row in rows],
                    [json.dumps(row.event) for row in rows],
                ),
            ).rowcount

    def unlooked(self, *, older_than: timedelta, limit: int) -> list[RecordedTaskEvent]:
        """Return the next task events for which nobody has looked yet, the oldest first."""
        with self._session.transaction() as connection:
            rows = connection.execute(
                "SELECT id, dag_id, airflow_run_id, task_id, map_index, try_number, worker, batch_id, event, counts,"
                " error, recorded_at FROM crosswalk.task_event"
                " WHERE id > (SELECT task_event_id FROM crosswalk.openlineage_progress)"
                " AND recorded_at < clock_timestamp() - %s ORDER BY id LIMIT %s",
                (older_than, limit),
            ).fetchall()
        return [RecordedTaskEvent(row[0], TaskEvent(*row[1:11]), row[11]) for row in rows]

    def looked(self, task_event_id: int) -> None:
        """Remember that nothing is missing up to this task event."""
        with self._session.transaction() as connection:
            connection.execute(
                "UPDATE crosswalk.openlineage_progress SET task_event_id = greatest(task_event_id, %s)",
                (task_event_id,),
            )

    def known(self, run_uuids: Sequence[UUID]) -> set[tuple[UUID, str]]:
        """Return which types of events there are of these runs."""
        with self._session.transaction() as connection:
            rows = connection.execute(
                "SELECT DISTINCT run_uuid, event_type FROM crosswalk.openlineage_event WHERE run_uuid = ANY(%s)",
                (list(run_uuids),),
            ).fetchall()
        return {(row[0], row[1]) for row in rows}
