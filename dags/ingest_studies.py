"""
### New studies of the clinical PACS, de-identified, into the research PACS.

**Purpose.** Finds studies that are new or have grown (QIDO-RS), streams them (WADO-RS), de-identifies them by the
site's profile, checks them for residual PHI, stores them (STOW-RS) and keeps the crosswalk. Ends with a balance: per
study, what the clinical PACS has is stored, held or filtered, and the research PACS shows just what was stored.

**Owner.** Data engineering.

**On failure.** A red batch touches no other batch. Trigger the DAG again: what is settled stays as it is, what is not
is planned anew. `reconcile` prints which study does not balance. No task log holds PHI.
"""

import os
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Param, dag, get_current_context, task, task_group

from dicomanon.dag_assets import RESEARCH_STUDIES
from dicomanon.dag_policy import default_args, task_key

SCHEDULE = os.environ.get("DICOMANON_INGEST_SCHEDULE", "*/15 * * * *") or None

PARAMS = {
    "study_date_from": Param(
        None,
        type=["null", "string"],
        format="date",
        title="Study date from",
        description="Leave empty for everything that the clinical PACS has.",
    ),
    "study_date_to": Param(None, type=["null", "string"], format="date", title="Study date to"),
    "quiet_minutes": Param(
        None,
        type=["null", "integer"],
        minimum=0,
        maximum=10080,
        title="Quiet period in minutes",
        description="A study is taken up when its count has stood still for this long. Empty: the site's setting.",
    ),
}


def named(batch: dict[str, int]) -> dict[str, int]:
    """Give the mapped task instance a name that people can read."""
    get_current_context()["batch_name"] = f"batch {batch['number']}: {batch['instances']} instances"  # type: ignore[typeddict-unknown-key]
    return batch


@dag(
    schedule=SCHEDULE,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["dicomanon", "ingest"],
    default_args=default_args("data-engineering"),
    params=PARAMS,
)  # fmt: skip
def ingest_studies() -> None:
    """Find, plan, carry out in batches, balance."""

    @task(pool="clinical_pacs")
    def discover(params: dict[str, Any] | None = None) -> dict[str, int]:
        from dicomanon.pipeline import ingest

        given = params or {}
        ingest.refuse_unknown(get_current_context()["dag_run"].conf or {}, PARAMS)
        return ingest.discover(task_key(), given["study_date_from"], given["study_date_to"], given["quiet_minutes"])

    @task
    def plan_batches() -> list[dict[str, int]]:
        from dicomanon.pipeline import ingest

        return ingest.plan_batches(task_key())

    @task_group
    def batch(batch: dict[str, int]) -> None:
        @task(pool="clinical_pacs", map_index_template="{{ batch_name }}")
        def pull_and_anonymize(batch: dict[str, int]) -> dict[str, int]:
            from dicomanon.pipeline import ingest

            ti = get_current_context()["ti"]
            return ingest.pull_and_anonymize(task_key(), named(batch), last_try=ti.try_number > ti.max_tries)

        @task(map_index_template="{{ batch_name }}")
        def validate(batch: dict[str, int]) -> dict[str, int]:
            from dicomanon.pipeline import ingest

            return ingest.validate(task_key(), named(batch))

        @task(pool="research_pacs", map_index_template="{{ batch_name }}")
        def store(batch: dict[str, int]) -> dict[str, int]:
            from dicomanon.pipeline import ingest

            return ingest.store(task_key(), named(batch))

        @task(map_index_template="{{ batch_name }}")
        def update_crosswalk(batch: dict[str, int]) -> dict[str, int]:
            from dicomanon.pipeline import ingest

            return ingest.update_crosswalk(task_key(), named(batch))

        pull_and_anonymize(batch) >> validate(batch) >> store(batch) >> update_crosswalk(batch)

    @task(trigger_rule="all_done")
    def reconcile() -> dict[str, int]:
        from dicomanon.pipeline import ingest

        return ingest.reconcile(task_key())

    # `reconcile` runs whatever happened, so it alone would paint a run green in which `discover` failed.
    @task(trigger_rule="none_failed", outlets=[RESEARCH_STUDIES])
    def announce() -> None:
        """Tell whoever waits for new research studies; red whenever something before it is."""

    planned = plan_batches()
    batches = batch.expand(batch=planned)
    found = discover()
    balance = reconcile()
    found >> planned >> batches >> balance
    [found, planned, batches, balance] >> announce()


ingest_studies()
