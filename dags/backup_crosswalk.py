"""
### An encrypted copy of the crosswalk, proven by restoring it.

**Purpose.** Dumps the crosswalk as it is at one moment, encrypted before it meets a disk; restores it into a server of
its own and counts every table; removes backups that are older than the newest verified ones, of which the site keeps a
number. The keyring and the backup key are in no backup.

**Owner.** Data engineering.

**On failure.** The newest verified backup stays whatever happens. Set right what the red task says, then trigger the
DAG again. A backup that was not found whole is kept, and is listed as not verified by `dicomanon backup list`.
"""

import os
from datetime import UTC, datetime

from airflow.sdk import dag, task

from dicomanon.dag_policy import default_args, task_key


@dag(
    schedule=os.environ.get("DICOMANON_BACKUP_SCHEDULE", "30 0 * * *") or None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["dicomanon", "backup"],
    default_args=default_args("data-engineering"),
)
def backup_crosswalk() -> None:
    """Make one, verify it, let old ones go."""

    @task
    def back_up() -> dict[str, int]:
        from dicomanon.backup.task import back_up

        return back_up(task_key())

    back_up()


backup_crosswalk()
