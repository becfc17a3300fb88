"""What a trace says of removals: research objects as they were, why they went, and when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from dicomanon.crosswalk.session import Connection

FIND_FORMER = {
    "instance": "SELECT DISTINCT instance_id FROM crosswalk.former_object WHERE research_sop_uid = %(identifier)s",
    "series": "SELECT DISTINCT instance_id FROM crosswalk.former_object WHERE research_series_uid = %(identifier)s",
    "study": "SELECT DISTINCT instance_id FROM crosswalk.former_object WHERE research_study_uid = %(identifier)s",
}
"""By research UIDs that nothing has any more: instances whose objects had them."""


@dataclass(frozen=True, slots=True)
class TracedRemoval:
    """A research object that was removed; its reason in words stays sealed.

    ``gone_at`` is when the research PACS was first seen without it, ``None`` while it was not.
    """

    instance_id: int
    removal_id: UUID
    kind: str
    ticket: str
    requested_by: str
    pseudonym: str
    research_study_uid: str
    research_series_uid: str
    research_sop_uid: str
    output_digest: str
    profile_version: str
    code_version: str
    marked_at: datetime
    gone_at: datetime | None


def removals_of(connection: Connection, instance_ids: Sequence[int]) -> tuple[TracedRemoval, ...]:
    """Return what was removed of the instances, in order."""
    rows = connection.execute(
        "SELECT f.instance_id, f.removal_id, r.kind, r.ticket, r.requested_by, f.pseudonym, f.research_study_uid,"
        " f.research_series_uid, f.research_sop_uid, encode(f.output_digest, 'hex'), e.profile_version,"
        " e.code_version, f.marked_at, (SELECT min(recorded_at) FROM crosswalk.removal_receipt t"
        " WHERE t.removal_id = f.removal_id AND t.instance_id = f.instance_id AND t.gone)"
        " FROM crosswalk.former_object f JOIN crosswalk.removal r ON r.id = f.removal_id"
        " JOIN crosswalk.recipe e ON e.id = f.recipe_id"
        " WHERE f.instance_id = ANY(%s) ORDER BY f.marked_at, f.instance_id",
        (list(instance_ids),),
    ).fetchall()
    return tuple(TracedRemoval(*row) for row in rows)
