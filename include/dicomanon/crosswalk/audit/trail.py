"""The trail as one object: append, read, follow the chain."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from dicomanon.crosswalk.access_events import record_access_events
from dicomanon.crosswalk.audit.chain import Checked, Head, genesis, stands, verify
from dicomanon.crosswalk.audit.events import AccessEvent, Entry
from dicomanon.crosswalk.sealed import open_phi
from dicomanon.crosswalk.session import Connection, Session
from dicomanon.errors import Fatal
from dicomanon.values import Phi

_ROWS_AT_ONCE = 5000

_COLUMNS: LiteralString = (
    "SELECT e.number, e.id, e.recorded_at, e.actor, e.action, e.reason_sealed, e.count, e.instance_id, e.subject_kind,"
    " e.subject, e.database_login, e.hash FROM crosswalk.access_event e"
)
_AFTER: LiteralString = _COLUMNS + " WHERE e.number > %(after)s"
_IN_ORDER: LiteralString = " ORDER BY e.number NULLS FIRST, e.id"
# Of a patient, with whom was merged with them, a study, a series or an instance also what was done with a batch or a
# release that it is in.
_ABOUT: LiteralString = """
WITH person AS (
    SELECT p.id, p.pseudonym FROM crosswalk.patient named
        JOIN crosswalk.patient p ON p.survivor_id = named.survivor_id WHERE named.pseudonym = %(about)s
), touched AS (
    SELECT i.id, i.batch_id FROM person p JOIN crosswalk.study st ON st.patient_id = p.id
        JOIN crosswalk.instance i ON i.study_id = st.id
    UNION SELECT i.id, i.batch_id FROM crosswalk.study st JOIN crosswalk.instance i ON i.study_id = st.id
        WHERE st.research_study_uid = %(about)s
    UNION SELECT i.id, i.batch_id FROM crosswalk.series se JOIN crosswalk.instance i ON i.series_id = se.id
        WHERE se.research_series_uid = %(about)s
    UNION SELECT i.id, i.batch_id FROM crosswalk.instance i WHERE i.research_sop_uid = %(about)s
)
"""
_IS_ABOUT: LiteralString = (
    " (e.subject = %(about)s OR e.subject IN (SELECT pseudonym FROM person)"
    " OR e.instance_id IN (SELECT id FROM touched)"
    " OR (e.subject_kind = 'batch' AND e.subject IN (SELECT batch_id::text FROM touched))"
    " OR (e.subject_kind = 'release' AND e.subject IN (SELECT r.release_id::text FROM crosswalk.release_instance r"
    " JOIN touched t ON t.id = r.instance_id)))"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries: those that meet everything that is given.

    Attributes
    ----------
    since, until
        Times of recording; the first is included, the second is not.
    about
        A pseudonym, a research UID, or the id of a batch, release, device or profile.
    """

    since: datetime | None = None
    until: datetime | None = None
    actor: str | None = None
    action: str | None = None
    about: str | None = None


class Audit:
    """Entries are only ever added; the database numbers and chains them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def record(self, events: Sequence[AccessEvent]) -> list[UUID]:
        """Append events, all or none, committed before this returns.

        Raises
        ------
        Fatal
            Actor, action or reason of one is empty.
        Retriable
            They cannot be recorded now.
        """
        with self._session.transaction() as connection:
            return record_access_events(connection, self._session.keys.site, events)

    def chain(self) -> UUID:
        """Return the name of this trail."""
        with self._session.transaction() as connection:
            return name_of_chain(connection)

    def newest(self, wanted: Wanted, limit: int) -> list[Entry]:
        """Return the newest entries, in the order of the trail."""
        if limit < 1:
            raise Fatal("at least one entry is asked for")
        query, values = _query(wanted)
        with self._session.transaction() as connection:
            rows = connection.execute(
                query + " ORDER BY e.number DESC LIMIT %(limit)s", {**values, "limit": limit}
            ).fetchall()
        return [Entry(*row) for row in reversed(rows)]

    def entries(self, wanted: Wanted) -> Iterator[Entry]:
        """Yield entries in the order of the trail, as it stands now, a page of them in memory at a time."""
        query, values = _query(wanted)
        with self._session.transaction() as connection:
            yield from _streamed(connection, query + " ORDER BY e.number", values)

    def reason(self, entry: Entry) -> Phi[str]:
        """Open why somebody said they did it; people type names and numbers into reasons.

        The gateway seals nothing: what was read by a token was read for the reason that the token was made for.
        """
        if not entry.reason_sealed:
            return self._reason_of_token(entry)
        return open_phi(self._session.keys.site, "access_event.reason", entry.id, entry.reason_sealed)

    def _reason_of_token(self, entry: Entry) -> Phi[str]:
        with self._session.transaction() as connection:
            row = connection.execute(
                "SELECT t.id, t.reason_sealed FROM crosswalk.gateway_use u"
                " JOIN crosswalk.gateway_token t ON t.id = u.token_id WHERE u.event_id = %s",
                (entry.id,),
            ).fetchone()
        return Phi("") if row is None else open_phi(self._session.keys.site, "gateway_token.reason", *row)

    def research_uids(self, instance_ids: Sequence[int]) -> dict[int, str]:
        """Return the research SOP Instance UIDs of instances that have one, by their ids."""
        with self._session.transaction() as connection:
            rows = connection.execute(
                "SELECT id, research_sop_uid FROM crosswalk.instance WHERE id = ANY(%s) AND research_sop_uid <> ''",
                (list(instance_ids),),
            ).fetchall()
        return dict(rows)

    def verify(self, heads: Sequence[Head] = (), *, start: Head | None = None) -> Checked:
        """Follow the chain as the rows are now; see :func:`~dicomanon.crosswalk.audit.chain.verify`.

        Parameters
        ----------
        heads
            Kept elsewhere, of this trail, with signatures that were checked.
        start
            One that is known to be right: only what came after it is read. From the beginning where ``None``.
        """
        with self._session.transaction() as connection:
            return follow(connection, heads, start=start)


def follow(connection: Connection, heads: Sequence[Head] = (), *, start: Head | None = None) -> Checked:
    """Do what :meth:`Audit.verify` does, for who has the database and no key."""
    first = genesis(name_of_chain(connection))
    begin = start or first
    fault = stands(begin, _standing(connection, begin.number) or first)
    if fault is not None:
        return Checked(0, begin, fault)
    # Not page by page, and from no number on where all is asked for: what has no place must come up, too.
    query, values = (_AFTER, {"after": start.number}) if start else (_COLUMNS, {})
    return verify(_streamed(connection, query + _IN_ORDER, values), begin, heads)


def _standing(connection: Connection, number: int) -> Head | None:
    row = connection.execute(
        "SELECT number, hash FROM crosswalk.access_event WHERE number BETWEEN 1 AND %s ORDER BY number DESC LIMIT 1",
        (number,),
    ).fetchone()
    return None if row is None else Head(*row)


def name_of_chain(connection: Connection) -> UUID:
    """Return the name of the trail in this database.

    Raises
    ------
    Fatal
        It has lost it.
    """
    row = connection.execute("SELECT chain FROM crosswalk.audit_turn").fetchone()
    if row is None:
        raise Fatal("the audit trail has lost its name: restore the row of crosswalk.audit_turn from a backup")
    return UUID(str(row[0]))


def _query(wanted: Wanted) -> tuple[LiteralString, dict[str, Any]]:
    conditions: list[LiteralString] = []
    if wanted.since is not None:
        conditions.append(" e.recorded_at >= %(since)s")
    if wanted.until is not None:
        conditions.append(" e.recorded_at < %(until)s")
    if wanted.actor is not None:
        conditions.append(" e.actor = %(actor)s")
    if wanted.action is not None:
        conditions.append(" e.action = %(action)s")
    if wanted.about is not None:
        conditions.append(_IS_ABOUT)
    query: LiteralString = (_ABOUT if wanted.about is not None else "") + _COLUMNS
    if conditions:
        query = query + " WHERE" + " AND".join(conditions)
    return query, {
        "since": wanted.since,
        "until": wanted.until,
        "actor": wanted.actor,
        "action": wanted.action,
        "about": wanted.about,
    }


def _streamed(connection: Connection, query: LiteralString, values: dict[str, Any]) -> Iterator[Entry]:
    with connection.cursor(name="audit_entries") as cursor:
        cursor.itersize = _ROWS_AT_ONCE
        cursor.execute(query, values)
        for row in cursor:
            yield Entry(*row)
