"""What is held for its pixels, for a person to look at; no source UID comes out before the look is in the trail."""

from collections.abc import Sequence
from typing import Any, LiteralString
from uuid import UUID

from dicomanon.crosswalk.access_events import record_access_event
from dicomanon.crosswalk.rows import HeldCount, HeldInstance, HeldSource
from dicomanon.crosswalk.sealed import open_phi
from dicomanon.crosswalk.session import Session
from dicomanon.errors import Fatal
from dicomanon.reasons import OF_PIXELS, HoldReason

_OF_PIXELS = sorted(OF_PIXELS)
_COLUMNS: LiteralString = " SELECT i.id, i.reason, i.detail, i.state_changed_at, i.research_sop_uid"

# One of each study before a second of any; within a study in an order that has nothing to do with how it was made.
_SAMPLED: LiteralString = (
    " FROM (SELECT id, row_number() OVER (PARTITION BY study_id ORDER BY md5(id::text)) AS turn, study_id FROM held"
    " ORDER BY turn, study_id LIMIT %(limit)s OFFSET %(offset)s) AS sample"
    " JOIN crosswalk.instance i ON i.id = sample.id"
    " ORDER BY sample.turn, sample.study_id"
)
_OF_REASON: LiteralString = (
    "WITH held AS (SELECT id, study_id FROM crosswalk.instance WHERE state = 'held' AND reason = %(reason)s)"
)
_OF_DEVICE: LiteralString = (
    "WITH held AS (SELECT i.id, i.study_id FROM crosswalk.device_sighting s"
    " JOIN crosswalk.instance i ON i.id = s.instance_id"
    " WHERE s.device_id = %(device)s AND i.state = 'held' AND i.reason = ANY(%(reasons)s))"
)


class Quarantine:
    """Instances that are held for a reason that concerns their pixels, see :data:`~dicomanon.reasons.OF_PIXELS`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def counts(self) -> dict[HoldReason, HeldCount]:
        """Return how much is held for each of the reasons; those that nothing is held for are left out."""
        with self._session.transaction() as connection:
            rows = connection.execute(
                "SELECT reason, count(*), count(DISTINCT study_id) FROM crosswalk.instance"
                " WHERE state = 'held' AND reason = ANY(%s) GROUP BY reason ORDER BY 2 DESC, reason",
                (_OF_PIXELS,),
            ).fetchall()
        return {HoldReason(reason): HeldCount(instances, studies) for reason, instances, studies in rows}

    def of_reason(self, reason: HoldReason, *, limit: int, offset: int = 0) -> list[HeldInstance]:
        """Return a page of what is held for a reason, evenly over studies."""
        return self._page(_OF_REASON, {"reason": reason.value if reason in OF_PIXELS else ""}, limit, offset)

    def of_device(self, device_id: UUID, *, limit: int, offset: int = 0) -> list[HeldInstance]:
        """Return a page of what is held of a device's pictures, evenly over studies."""
        return self._page(_OF_DEVICE, {"device": device_id, "reasons": _OF_PIXELS}, limit, offset)

    def look(self, instance_id: int, *, actor: str, action: str, reason: str) -> HeldSource | None:
        """Say that somebody looks at an instance, and only then what it is called in the clinical PACS.

        The access event is committed before this returns.

        Parameters
        ----------
        actor, action, reason
            Who does what, and why; the reason is sealed.

        Returns
        -------
        HeldSource or None
            ``None`` if the instance is not held for its pixels, or not any more.

        Raises
        ------
        Fatal
            Actor, action or reason is empty.
        Retriable
            It cannot be recorded now.
        """
        keys = self._session.keys
        with self._session.transaction() as connection:
            found = connection.execute(
                _COLUMNS + " FROM crosswalk.instance i WHERE i.id = %s AND i.state = 'held' AND i.reason = ANY(%s)",
                (instance_id, _OF_PIXELS),
            ).fetchone()
            if found is None:
                return None
            event = record_access_event(connection, keys.site, actor, action, reason, count=1, instance_id=instance_id)
        # The database gives source UIDs out for an event that is committed, and for no other.
        with self._session.transaction() as connection:
            row = connection.execute(
                "SELECT sop_uid_sealed, series_id, series_uid_sealed, study_id, study_uid_sealed, key_wrapped"
                " FROM crosswalk.held_source(%s)",
                (event,),
            ).fetchone()
        if row is None:
            return None
        sop_sealed, series_id, series_sealed, study_id, study_sealed, wrapped = row
        key = keys.of("study", study_id, wrapped)
        return HeldSource(
            instance=_instance(found),
            study_uid=open_phi(key, "study.uid", study_id, study_sealed),
            series_uid=open_phi(key, "series.uid", series_id, series_sealed),
            sop_uid=open_phi(key, "instance.uid", instance_id, sop_sealed),
        )

    def _page(self, held: LiteralString, values: dict[str, object], limit: int, offset: int) -> list[HeldInstance]:
        if limit < 1 or offset < 0:
            raise Fatal("a page has at least one entry, and begins at 0 or later")
        with self._session.transaction() as connection:
            rows = connection.execute(
                held + _COLUMNS + _SAMPLED, {**values, "limit": limit, "offset": offset}
            ).fetchall()
        return [_instance(row) for row in rows]


def _instance(row: Sequence[Any]) -> HeldInstance:
    number, reason, detail, since, research_uid = row
    return HeldInstance(number, HoldReason(reason), detail, since, research_uid or "")
