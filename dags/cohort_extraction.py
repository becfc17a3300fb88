"""
### A cohort for a project, from the studies in the research PACS.

**Purpose.** Finds the studies that meet a request's criteria, which may be identifying, and releases them to a project:
a manifest of research identifiers (Parquet and CSV), with tables by study and by patient, and `release.json`.

**What you type is sealed.** Patient IDs, accession numbers, dates and description words are encrypted before Airflow
stores or logs them; only the worker that resolves the request can open them. What you see of them later in the run's
configuration is the sealed form, which can be used again as it is.

**Owner.** Research informatics.

**On failure.** `validate_request` says what to correct, without repeating it. Anything else: trigger again; a release
that was made stays, and a new one gets the next number.
"""

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Param, dag, get_current_context, task

from dicomanon.cohort.parameters import COHORT_DAG_ID, MODALITY_PATTERN, PROJECT_PATTERN
from dicomanon.dag_params import sealed_list, sealed_text
from dicomanon.dag_policy import default_args, task_key


def request() -> Any:
    """Return the running task's request, sealed as Airflow has it."""
    from dicomanon.cohort.extract import CohortRequest

    run = get_current_context()["dag_run"]
    # Not the merged `params`: what was asked, with whatever does not exist, has to be seen as it was sent.
    return CohortRequest(run.dag_id, run.run_id, run.triggering_user_name or "unknown", run.conf or {})


def step(function: Any) -> dict[str, int]:
    """Run a step on the open crosswalk, recorded in the lineage."""
    from dicomanon.pipeline.task import run_step

    asked = request()
    return run_step(lambda runtime: function(runtime, asked), task_key())


@dag(
    dag_id=COHORT_DAG_ID,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=4,
    # Requests come from people and programs with a login, by the trigger; not from other DAGs, backfills or assets.
    allowed_run_types=["manual"],
    access_control={"Researcher": {"can_read", "can_edit"}},
    doc_md=__doc__,
    tags=["dicomanon", "cohort"],
    default_args=default_args("research-informatics"),
    params={
        "project": Param(
            type="string", pattern=rf"^(?:{PROJECT_PATTERN})$", title="Project",
            description="Name or number of the project; kept in clear text, so nothing about a patient.",
        ),
        "modality": Param(
            None, type=["null", "array"], items={"type": "string", "pattern": rf"^(?:{MODALITY_PATTERN})$"},
            examples=["CT", "MR", "PT", "CR", "DX", "MG", "US", "XA", "NM", "RTSTRUCT", "SR"],
            title="Modalities", description="Series of these modalities; none chosen means all.",
        ),
        "group_by": Param(
            "patient", type="string", enum=["patient", "study"], title="Group by",
            description="Tables beside the manifest: by patient and study, or by study.",
        ),
        "patient_ids": sealed_list("Patient IDs", "One per line; `ID^^^ISSUER` where another site issued it."),
        "accession_numbers": sealed_list("Accession numbers", "One per line."),
        "study_date_from": sealed_text("Study date from", "Real study date, YYYY-MM-DD, that day included."),
        "study_date_to": sealed_text("Study date to", "Real study date, YYYY-MM-DD, that day included."),
        "description_words": sealed_list(
            "Description words", "One per line; all must occur in the study's or its series' description."
        ),
    },
)  # fmt: skip
def cohort_extraction() -> None:
    """Check the request, answer it in one task that holds what is identifying, and show the counts."""

    @task
    def validate_request() -> dict[str, int]:
        from dicomanon.cohort.extract import check_request

        return step(check_request)

    @task
    def resolve_and_release() -> dict[str, int]:
        from dicomanon.cohort.extract import extract

        return step(extract)

    @task
    def summarise(counts: dict[str, int]) -> dict[str, int]:
        """Show the counts: they are all that leaves the release folder."""
        for name, count in counts.items():
            print(f"{name.replace('_', ' '):32}{count:>14,}")
        return counts

    released = resolve_and_release()
    validate_request() >> released
    summarise(released)


cohort_extraction()
