"""What all DAGs share: who retries what, and how a task names itself in the lineage."""

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule, get_current_context

if TYPE_CHECKING:
    from dicomanon.pipeline.task import TaskKey

RETRY_DELAY = timedelta(seconds=int(os.environ.get("DICOMANON_RETRY_SECONDS", "60")))

# The whole retry policy: what may pass by itself is tried again, what needs a person is not. The PACS client repeats
# single reads within a try; nothing else does.
RETRY_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(exception="dicomanon.errors.Retriable", action=RetryAction.RETRY, retry_delay=RETRY_DELAY),
        RetryRule(exception=["dicomanon.errors.Fatal", "dicomanon.errors.Held"], action=RetryAction.FAIL),
    ]
)


def default_args(owner: str) -> dict[str, Any]:
    """Return a DAG's ``default_args``."""
    return {"owner": owner, "retries": 2, "retry_delay": RETRY_DELAY, "retry_policy": RETRY_POLICY}


def task_key() -> "TaskKey":
    """Return the running task instance's coordinates for the lineage."""
    from dicomanon.pipeline.task import TaskKey

    ti = get_current_context()["ti"]
    map_index = -1 if ti.map_index is None else ti.map_index
    return TaskKey(ti.dag_id, ti.run_id, ti.task_id, map_index, ti.try_number)
