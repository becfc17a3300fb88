"""
### OpenLineage events of all tasks, into the crosswalk.

**Purpose.** Reads the files of events that tasks leave behind, and keeps each event beside the crosswalk's own. What a
task could not send is made again of what the crosswalk knows, so that the record has no gaps.

**Owner.** Data engineering.

**On failure.** Nothing is lost and no image waits for it: files stay where they are, and the next run reads them. The
message says what is wrong with the folder or the database.
"""

import os
from datetime import UTC, datetime

from airflow.sdk import dag, task

from dicomanon.dag_policy import default_args, task_key

SCHEDULE = os.environ.get("DICOMANON_LINEAGE_SCHEDULE", "7 * * * *") or None


@dag(
    schedule=SCHEDULE,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["dicomanon", "lineage"],
    default_args=default_args("data-engineering"),
)
def lineage_load() -> None:
    """Load what waits."""

    @task
    def load_events() -> dict[str, int]:
        from dicomanon.pipeline import lineage_load

        return lineage_load.load_events(task_key())

    load_events()


lineage_load()
