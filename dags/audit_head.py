"""
### Where the audit trail stands, signed.

**Purpose.** Follows the chain of the audit trail from the newest signed head, and signs where it stands now: a small
file in the site's folder of heads, and a line of this task's log. Copies that are kept where nobody who can write the
crosswalk can write are what later shows that the end of the trail was cut off, or that it was written anew.

**Owner.** Privacy office.

**On failure.** `the audit trail does not hold`: somebody changed it. Keep the database as it is, call the privacy
officer, and see the chapter "The audit trail" of the runbook. Nothing is signed until it is cleared up. If key or
folder are missing, the message names the setting.
"""

import os
from datetime import UTC, datetime

from airflow.sdk import dag, task

from dicomanon.dag_policy import default_args, task_key

SCHEDULE = os.environ.get("DICOMANON_AUDIT_SCHEDULE", "7 * * * *") or None


@dag(
    schedule=SCHEDULE,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["dicomanon", "audit"],
    default_args=default_args("privacy-office"),
)
def audit_head() -> None:
    """Verify what is new, and sign."""

    @task
    def sign() -> dict[str, int]:
        from dicomanon.pipeline.audit_head import sign_site_head
        from dicomanon.pipeline.task import run_step

        return run_step(sign_site_head, task_key())

    sign()


audit_head()
