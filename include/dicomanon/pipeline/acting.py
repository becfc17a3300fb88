"""Whom the tasks of each DAG act as in the crosswalk."""

from types import MappingProxyType

from dicomanon.cohort.parameters import COHORT_DAG_ID, RECALL_DAG_ID, STANDING_DAG_ID, WITHDRAW_DAG_ID
from dicomanon.crosswalk.roles.role import Role
from dicomanon.errors import Fatal

_ROLES = MappingProxyType(
    {
        "ingest_studies": Role.INGEST,
        COHORT_DAG_ID: Role.COHORT,
        STANDING_DAG_ID: Role.COHORT,
        WITHDRAW_DAG_ID: Role.REMOVAL,
        RECALL_DAG_ID: Role.REMOVAL,
        "audit_head": Role.AUDITOR,
        "lineage_load": Role.INGEST,  # it makes up for events of batches that never arrived
        "reconcile_archives": Role.INGEST,  # it asks both PACS for what the ledger has
        "backup_crosswalk": Role.AUDITOR,  # it says what it did; the copy is read as `backup`, by its own connection
    }
)


def role_of(dag_id: str) -> Role:
    """Return the role that has what the DAG's steps need, and no more.

    Raises
    ------
    Fatal
        Nobody said so for this DAG: no rights are guessed.
    """
    try:
        return _ROLES[dag_id]
    except KeyError:
        raise Fatal("this DAG has no role in the crosswalk: name one in pipeline/acting.py") from None
