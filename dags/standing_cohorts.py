"""
### Next versions of the cohort requests that stay open.

**Purpose.** When studies were stored, every request that stands is answered anew, under the terms that hold now. One
that leads to more is released as its next version, with what changed; people who are new are told of only when they are
enough. One whose terms do not hold any more is paused, with the reason: `dicomanon cohort standing list`.

**Owner.** Research informatics.

**On failure.** The log names the requests that failed, and why; all others are done. Trigger the DAG again: what was
released is not released twice.
"""

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import dag, task

from dicomanon.cohort.parameters import STANDING_DAG_ID
from dicomanon.dag_assets import RESEARCH_STUDIES
from dicomanon.dag_policy import default_args, task_key


def step(function: Any) -> dict[str, int]:
    """Run a step on the open crosswalk, recorded in the lineage."""
    from dicomanon.pipeline.task import run_step

    return run_step(function, task_key())


@dag(
    dag_id=STANDING_DAG_ID,
    schedule=[RESEARCH_STUDIES],
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["dicomanon", "cohort"],
    default_args=default_args("research-informatics"),
)
def standing_cohorts() -> None:
    """Make the versions, write the files that they were asked for with, tell whether both went well."""

    @task
    def evaluate() -> dict[str, int]:
        from dicomanon.cohort.standing import evaluate_standing

        return step(evaluate_standing)

    # Whoever's request failed, the others' versions are there.
    @task(pool="research_pacs", trigger_rule="all_done")
    def write_files() -> dict[str, int]:
        from dicomanon.cohort.delivering import deliver_standing

        return step(deliver_standing)

    # `write_files` runs whatever happened, so it alone would paint a run green in which `evaluate` failed.
    @task
    def summarise(versions: dict[str, int], files: dict[str, int]) -> None:
        for name, count in (versions | {"releases_with_files": files["releases"]}).items():
            print(f"{name.replace('_', ' '):32}{count:>17,}")

    versions, files = evaluate(), write_files()
    versions >> files
    summarise(versions, files)


standing_cohorts()
