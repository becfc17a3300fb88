"""Parameters of DAGs that may identify a patient: what Airflow is given to check, and never sees in clear."""

from airflow.sdk import Param

from dicomanon.cohort.parameters import SEALED_SCHEMA_PATTERN

SECTION = "Criteria (sealed)"


def sealed_text(title: str, description: str, *, section: str | None = SECTION) -> Param:
    """Return a parameter of one line that Airflow stores only in its sealed form.

    The form does not check patterns and so takes clear text, the api-server seals it, and then Airflow checks: should
    a run come in by a way that nobody sealed, Airflow refuses it before it is stored.
    """
    return Param(
        None,
        type=["null", "string"],
        pattern=SEALED_SCHEMA_PATTERN,
        title=title,
        description=description,
        section=section,
    )


def sealed_list(title: str, description: str, *, section: str = SECTION) -> Param:
    """Return a parameter of one entry per line that Airflow stores only in its sealed form."""
    return Param(
        None,
        type=["null", "array"],
        items={"type": "string", "pattern": SEALED_SCHEMA_PATTERN},
        title=title,
        description=description,
        section=section,
    )
