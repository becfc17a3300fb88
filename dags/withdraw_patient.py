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

from datetime import UTC, datetime

from airflow.sdk import Param, dag

from dicomanon.cohort.parameters import PSEUDONYM_PATTERN, WITHDRAW_DAG_ID
from dicomanon.dag_params import sealed_text
from dicomanon.dag_policy import default_args
from dicomanon.removal_dag import SEALED, carry_out, why


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
        **why(),
    },
)  # fmt: skip
def withdraw_patient() -> None:
    """Ask, wait for approval, mark in the crosswalk, end releases, tell holders, remove, confirm, certify."""
    carry_out()


withdraw_patient()
