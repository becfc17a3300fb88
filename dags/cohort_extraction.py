"""
### A cohort for a project, from the studies in the research PACS.

**Purpose.** Finds the studies that meet a request's criteria, which may be identifying, and releases them to a project:
a manifest of research identifiers (Parquet and CSV), with tables by study, patient or series, and `release.json`;
with an archive or NIfTI images, where asked for. One that is kept open is answered anew by `standing_cohorts`.
A study must meet everything that you fill in; in a list, any entry will do. *Only count* tells how many there are, and
how many are left at each criterion, without a release. Counts of few patients are not told, others are rounded.

**What you type is sealed.** Identifiers, names, dates, ages and words are encrypted before Airflow stores or logs them;
only the worker that resolves the request can open them. What you see of them later in the run's configuration is the
sealed form, which can be used again as it is. Choices and numbers stay in clear text.

**What waits.** Requests by what identifies people, those that lead to few patients, and those that differ by few from
an earlier one of the project wait in `await_approval` for somebody else than the requester, as the project's terms say.

**What is missing here** the clinical PACS is asked for if you say so, by the next runs of `ingest_studies`; the request
waits in `await_studies`, in no slot, until what was found went through, or until the site's time is over. What cannot
be released looks like what was not found.

**What comes of it.** The log of `summarise` ends with the address of the release; all that your projects were given is
at `/dicomanon/releases` of this Airflow.

**Owner.** Research informatics.

**On failure.** `validate_request` says what to correct, without repeating it. Anything else: trigger again; a release
that was made stays, and a new one gets the next number.
"""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowSkipException

from dicomanon.cohort.parameters import COHORT_DAG_ID
from dicomanon.cohort_approval import asked, await_approval
from dicomanon.cohort_form import cohort_params
from dicomanon.dag_policy import RETRY_DELAY, default_args, task_key

AT_ONCE = 4
"""Requests that are resolved at once."""
WAITING_OR_NOT = 100
"""Requests at once that wait or are resolved: the one that waits for weeks must not stop others."""
LONGEST_WAIT = timedelta(days=8)
"""More than a site can choose; the crosswalk says when the waiting is over."""

log = logging.getLogger(COHORT_DAG_ID)


def step(function: Any) -> dict[str, int | None]:
    """Run a step on the open crosswalk, recorded in the lineage."""
    from dicomanon.pipeline.task import run_step

    request = asked()
    return run_step(lambda runtime: function(runtime, request), task_key())


@dag(
    dag_id=COHORT_DAG_ID,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=WAITING_OR_NOT,
    # Requests come from people and programs with a login, by the trigger; not from other DAGs, backfills or assets.
    allowed_run_types=["manual"],
    access_control={"Researcher": {"can_read", "can_edit"}},
    doc_md=__doc__,
    tags=["dicomanon", "cohort"],
    default_args=default_args("research-informatics"),
    params=cohort_params(),
)
def cohort_extraction() -> None:
    """Check the request, wait where it has to be approved, answer it, and show the counts."""

    @task
    def validate_request() -> dict[str, int | None]:
        from dicomanon.cohort.extract import check_request

        return step(check_request)

    @task
    def request_missing() -> dict[str, int | None]:
        """Have the clinical PACS asked; skipped where the request does not want that."""
        from dicomanon.cohort.pulling import request_missing

        counts = step(request_missing)
        if not counts["entries"]:
            raise AirflowSkipException
        return counts

    @task.sensor(poke_interval=5 * RETRY_DELAY, timeout=LONGEST_WAIT, mode="reschedule")
    def await_studies() -> bool:
        """Ask now and then; in between nothing is occupied."""
        from dicomanon.cohort.pulling import is_over
        from dicomanon.pipeline.task import look

        request = asked()
        return look(lambda runtime: is_over(runtime, request), request.dag_id)

    # A request that has nothing pulled goes on past skipped tasks; after a failed one, none does.
    @task(trigger_rule="none_failed", max_active_tis_per_dag=AT_ONCE)
    def resolve_and_release() -> dict[str, int | None]:
        from dicomanon.cohort.extract import extract

        return step(extract)

    @task(pool="research_pacs")
    def write_files() -> dict[str, int | None]:
        from dicomanon.cohort.delivering import deliver

        if not (counts := step(deliver)):
            raise AirflowSkipException("no files were asked for, or nothing was released")
        return counts

    # `write_files` is skipped where nothing is to be written.
    @task(trigger_rule="none_failed", show_return_value_in_logs=False)
    def summarise(released: dict[str, int | None], files: dict[str, int | None] | None = None) -> dict[str, int | None]:
        """Show the counts, and where the release is."""
        from dicomanon.cohort.summary import summary
        from dicomanon.web.links import release_address

        counts = released | (files or {})
        for line in summary(counts):
            log.info(line)
        if counts["release"]:
            log.info("Release %d: %s", counts["release"], release_address(asked().run_id))
        return counts

    released, files = resolve_and_release(), write_files()
    validate_request() >> await_approval() >> request_missing() >> await_studies() >> released >> files
    summarise(released, files)


cohort_extraction()
