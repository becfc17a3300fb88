"""The tasks that the DAGs of removals share, and what both ask for."""

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, get_current_context, task

from dicomanon.dag_params import sealed_text
from dicomanon.dag_policy import task_key
from dicomanon.values import TICKET_PATTERN

SEALED = "Sealed"
DAYS_TO_APPROVE = timedelta(days=14)


def asked() -> Any:
    """Return what the running task's run asks for, sealed as Airflow has it."""
    from dicomanon.pipeline.removal.asking import RemovalRun

    run = get_current_context()["dag_run"]
    return RemovalRun(run.dag_id, run.run_id, run.triggering_user_name or "unknown", run.conf or {})


def why() -> dict[str, Param]:
    """Return the parameters that say why something is removed, for the end of a form."""
    return {
        "reason": sealed_text("Reason", "In words; kept sealed in the crosswalk.", section=SEALED),
        "ticket": Param(
            type="string", pattern=rf"^(?:{TICKET_PATTERN})$", title="Ticket",
            description="Where it is filed; kept in clear text, so nothing about a patient.",
        ),
    }  # fmt: skip


def carry_out() -> None:
    """Ask, wait for approval, mark in the crosswalk, end releases, tell holders, remove, confirm, certify."""

    @task
    def request() -> str:
        from dicomanon.pipeline.removal import tasks

        return tasks.request(task_key(), asked())

    @task.sensor(mode="reschedule", poke_interval=60, timeout=DAYS_TO_APPROVE.total_seconds())  # type: ignore[untyped-decorator]
    def approved(removal: str) -> bool:
        from dicomanon.pipeline.removal import tasks

        return tasks.is_approved(removal)

    def step(name: str, done: str, removal: Any, **settings: Any) -> Any:
        @task(task_id=name, **settings)  # type: ignore[untyped-decorator]
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
