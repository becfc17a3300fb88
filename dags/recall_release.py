"""
### A release is taken back.

**Purpose.** A leak is found in a release, or in some objects of it: they are removed from the research PACS and held as
`recalled`; every release that has any of them ends and is replaced by one without them; holders are told. A signed
certificate says what was done.

**What you type is sealed.** The reason is encrypted before Airflow stores or logs it. Research UIDs are no identifiers.

**Approval.** A login of Airflow asks; accounts of the operating system decide. The run waits until as many of them as
the site demands have said `dicomanon removal approve`; the log of `request` has the id.

**Owner.** Data protection.

**On failure.** Clear the red task: every step may be repeated, and leaves what is done. `remove_objects` is red while
the research PACS still shows an object; where it deletes nothing for us, `dicomanon removal show ID --objects` lists
what a person has to remove.
"""

from datetime import UTC, datetime

from airflow.sdk import Param, dag

from dicomanon.cohort.parameters import PROJECT_PATTERN, RECALL_DAG_ID, RESEARCH_UID_PATTERN
from dicomanon.dag_policy import default_args
from dicomanon.removal_dag import carry_out, why


@dag(
    dag_id=RECALL_DAG_ID,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=16,
    allowed_run_types=["manual"],
    doc_md=__doc__,
    tags=["dicomanon", "removal"],
    default_args=default_args("data-protection"),
    params={
        "release": Param(
            type="string", pattern=rf"^(?:{PROJECT_PATTERN}/[0-9]{{1,9}})$", title="Release",
            description="PROJECT/NUMBER, such as lung-ai/0001.",
        ),
        "instances": Param(
            None, type=["null", "array"], items={"type": "string", "pattern": rf"^(?:{RESEARCH_UID_PATTERN})$"},
            title="Objects", description="Research SOP Instance UIDs, one per line; none means the whole release.",
        ),
        **why(),
    },
)  # fmt: skip
def recall_release() -> None:
    """Ask, wait for approval, mark in the crosswalk, end releases, tell holders, remove, confirm, certify."""
    carry_out()


recall_release()
