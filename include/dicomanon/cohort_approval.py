"""The task of ``cohort_extraction`` that waits for a person: in nobody's slot, until somebody answers in Airflow."""

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import get_current_context

from dicomanon.cohort.parameters import APPROVAL_DAYS, APPROVAL_TASK_ID, APPROVE, APPROVE_VERSIONS, REFUSE
from dicomanon.dag_params import sealed_text
from dicomanon.dag_policy import task_key

SUBJECT = "A cohort request waits for an approval"
# Neither what it waits for nor whom it is about: Airflow shows this to whoever sees the run.
BODY = (
    "`dicomanon cohort show '{{ run_id }}'` tells what is asked, for which purpose, and why it waits. Whoever answers "
    "must be somebody else than who asked. Give a reason: it is sealed before Airflow stores it."
    "{% if (dag_run.conf or {}).get('standing') %}"
    f"\n\n**It is to stay open.** *{APPROVE_VERSIONS}* lets it be answered anew whenever more is stored that meets it, "
    "{% if dag_run.conf.get('standing_until') %}until {{ dag_run.conf['standing_until'] }}"
    "{% else %}until an admin ends it{% endif %}; "
    f"*{APPROVE}* is for what it leads to now, alone."
    "{% endif %}"
)


def asked() -> Any:
    """Return the request of the running task's run, sealed as Airflow has it."""
    from dicomanon.cohort.extract import CohortRequest

    run = get_current_context()["dag_run"]
    # Not the merged `params`: what was asked, with whatever does not exist, has to be seen as it was sent.
    return CohortRequest(run.dag_id, run.run_id, run.triggering_user_name or "unknown", run.conf or {})


class CohortApproval(HITLOperator):  # type: ignore[misc]
    """Waits if the request has to, enters the answer in the crosswalk, and decides nothing by itself."""

    def execute(self, context: Any) -> Any:
        """Ask the crosswalk whether the request waits; go on at once where it does not."""
        from dicomanon.cohort.approval import WAITS, weigh
        from dicomanon.pipeline.task import run_step

        request = asked()
        counts = run_step(lambda runtime: weigh(runtime, request), task_key())
        return super().execute(context) if counts[WAITS] else counts

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Enter the answer; what becomes of it is for the task that releases."""
        from dicomanon.cohort.approval import answer
        from dicomanon.errors import Fatal
        from dicomanon.pipeline.task import run_step

        if "error" in event:
            self.process_trigger_event_error(event)
        (chosen,), who = event["chosen_options"], event["responded_by_user"]
        if not who:
            raise Fatal("nobody answered")
        request, reason = asked(), (event["params_input"] or {}).get("reason")
        return run_step(
            lambda runtime: answer(
                runtime,
                request,
                approved=chosen != REFUSE,
                covers_versions=chosen == APPROVE_VERSIONS,
                by=who["name"],
                reason=reason,
            ),
            task_key(),
        )


def await_approval() -> CohortApproval:
    """Return the task, for the DAG that is being made."""
    return CohortApproval(
        task_id=APPROVAL_TASK_ID,
        subject=SUBJECT,
        body=BODY,
        options=[APPROVE, APPROVE_VERSIONS, REFUSE],
        params={"reason": sealed_text("Reason", "In words; kept sealed in the crosswalk.", section=None)},
        response_timeout=timedelta(days=APPROVAL_DAYS),
    )
