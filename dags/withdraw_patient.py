"""
### A patient withdraws consent.

**Purpose.** Everything of the patient is removed from the research PACS, releases that have it end and are replaced,
their holders are told, and the patient is never taken up again. A signed certificate says what was done. This cannot
be undone.

**What you type is sealed.** The reason and the Patient ID are encrypted before Airflow stores or
logs them. A pseudonym is no identifier and is kept as it is.

**Approval.** A login of Airflow asks; accounts of the operating system decide. The run waits until as many of them as
the site demands have said `dicomanon removal approve`; the log of `request` has the id.

**Owner.** Data protection.

**On failure.** Clear the red task: every step may be repeated, and leaves what is done. `remove_objects` is red while
the research PACS still shows an object; where it deletes nothing for us, `dicomanon removal show ID --objects` lists
what a person has to remove.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Param, dag, get_current_context, task

from dicomanon.cohort.parameters import PSEUDONYM_PATTERN, WITHDRAW_DAG_ID
from dicomanon.dag_params import sealed_text
from dicomanon.dag_policy import default_args, task_key
from dicomanon.values import TICKET_PATTERN

SEALED = "Sealed"
DAYS_TO_APPROVE = timedelta(days=14)


def asked() -> Any:
    """Return what the running task's run asks for, sealed as Airflow has it."""
    from dicomanon.pipeline.removal.asking import RemovalRun

    run = get_current_context()["dag_run"]
    return RemovalRun(run.dag_id, run.run_id, run.triggering_user_name or "unknown", run.conf or {})


@dag(
    dag_id=WITHDRAW_DAG_ID,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=16,
    allowed_run_types=["manual"],
    doc_md=__doc__,
    tags=["dicomanon", "removal"],
    default_args=default_args("data-protection"),
    params={
        "pseudonym": Param(
            None, type=["null", "string"], pattern=rf"^(?:{PSEUDONYM_PATTERN})$", title="Pseudonym",
            description="Of the patient who withdraws; or the Patient ID below.",
        ),
        "patient_id": sealed_text("Patient ID", "`ID`, or `ID^^^ISSUER`; instead of a pseudonym.", section=SEALED),
        "reason": sealed_text("Reason", "In words; kept sealed in the crosswalk.", section=SEALED),
        "ticket": Param(
            type="string", pattern=rf"^(?:{TICKET_PATTERN})$", title="Ticket",
            description="Where it is filed; kept in clear text, so nothing about a patient.",
        ),
    },
)  # fmt: skip
def withdraw_patient() -> None:
    """Ask, wait for approval, mark in the crosswalk, end releases, tell holders, remove, confirm, certify."""

    @task
    def request() -> str:
        from dicomanon.pipeline.removal import tasks

        return tasks.request(task_key(), asked())

    @task.sensor(mode="reschedule", poke_interval=60, timeout=DAYS_TO_APPROVE.total_seconds())
    def approved(removal: str) -> bool:
        from dicomanon.pipeline.removal import tasks

        return tasks.is_approved(removal)

    def step(name: str, done: str, removal: Any, **settings: Any) -> Any:
        @task(task_id=name, **settings)
        def work(removal: str) -> dict[str, int]:
            from dicomanon.pipeline.removal import tasks

            return tasks.do(task_key(), done, removal)

        return work(removal)

    removal = request()
    marked = step("mark", "marked", removal)
    replaced = step("replace_releases", "replaced", removal)
    notified = step("notify", "notified", removal)
    removed = step("remove_objects", "removed", removal, pool="research_pacs")
    approved(removal) >> marked >> [replaced, removed]
    replaced >> notified
    [notified, removed] >> step("certify", "certified", removal)


withdraw_patient()
