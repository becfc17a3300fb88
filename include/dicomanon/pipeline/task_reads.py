"""Says in the audit trail that a task is about to use what identifies patients: one entry for each task and batch."""

from dicomanon.crosswalk.audit.events import AccessEvent, Subject, SubjectKind
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.values import BatchId

ACTOR = "pipeline"
"""Nobody in person; the lineage of the batch or run tells which tasks, tries and workers."""


def record_batch_read(crosswalk: Crosswalk, action: str, what: str, batch_id: BatchId, instances: int) -> None:
    """Record that a task reads what identifies the patients of some instances of a batch."""
    if instances:
        crosswalk.audit.record([AccessEvent(ACTOR, action, what, instances, Subject(SubjectKind.BATCH, str(batch_id)))])


def record_read(crosswalk: Crosswalk, action: str, what: str, studies: int, run: str = "") -> None:
    """Record that a task reads what identifies some studies."""
    if studies:
        subject = Subject(SubjectKind.RUN, run) if run else None
        crosswalk.audit.record([AccessEvent(ACTOR, action, what, studies, subject)])
