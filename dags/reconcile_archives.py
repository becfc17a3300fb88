"""
### Both archives, the ledger and the crosswalk against each other.

**Purpose.** Finds what the clinical PACS has and the ledger does not, what is gone from it, what was stored and is
missing in the research PACS, what is there and is not known, and what differs. Each difference is a row with its cause
and what to do: `dicomanon archives list`. Nothing is removed.

**Owner.** Data engineering.

**On failure.** Red when something that was stored is missing (or, where the site asks for that, when anything differs
that does not pass by itself). The log of `check` ends with the list of causes. Trigger the DAG again when that is
mended; what has gone is marked.
"""

import os
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Param, dag, task

from dicomanon.dag_policy import default_args, task_key


@dag(
    schedule=os.environ.get("DICOMANON_ARCHIVES_SCHEDULE", "0 1 * * *") or None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["dicomanon", "archives"],
    default_args=default_args("data-engineering"),
    params={
        "minutes": Param(
            None,
            type=["null", "integer"],
            minimum=0,
            title="Minutes",
            description="How long instances are compared one by one. Empty: the site's setting.",
        ),
        "digests": Param(
            0,
            type="integer",
            minimum=0,
            maximum=100000,
            title="Digests",
            description="How many stored instances are read whole, to compare their digests.",
        ),
    },
)
def reconcile_archives() -> None:
    """Check in one task, which goes on where the last one stopped."""

    @task(pool="clinical_pacs")
    def check(params: dict[str, Any] | None = None) -> dict[str, int]:
        from dicomanon.pipeline.archives.task import reconcile_archives

        given = params or {}
        return reconcile_archives(task_key(), minutes=given["minutes"], digests=given["digests"])

    check()


reconcile_archives()
