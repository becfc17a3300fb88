"""Keeps differences: one row each, seen first, seen last, gone since."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID, uuid4

from dicomanon.crosswalk.access_events import record_access_event
from dicomanon.crosswalk.archives.causes import Cause
from dicomanon.crosswalk.archives.rows import Difference, SeenDifference
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.sealed import open_phi, seal_text
from dicomanon.crosswalk.session import Session
from dicomanon.values import Phi

_SEALED_COLUMN = "archive_difference.subject"
_SEEN: LiteralString = (
    "SELECT d.number, d.cause, coalesce(nullif(d.research_uid, ''), i.research_sop_uid,"
    " CASE WHEN d.instance_id IS NULL THEN st.research_study_uid END, ''), d.detail,"
    " d.has_subject, d.first_seen_at, d.last_seen_at, d.gone_at"
    " FROM crosswalk.archive_difference d LEFT JOIN crosswalk.instance i ON i.id = d.instance_id"
    " LEFT JOIN crosswalk.study st ON st.id = d.study_id"
)


def record(session: Session, differences: Sequence[Difference], at: datetime) -> None:
    """Enter differences, or note that they were seen again; what had gone and came back keeps its first time."""
    if not differences:
        return
    keyring = session.keyring
    rows = {}
    for one in differences:
        row = uuid4()
        subject = one.subject.reveal() if one.subject else ""
        fingerprint = _fingerprint(keyring, one)
        rows[fingerprint] = (
            row,
            one.cause.value,
            fingerprint,
            one.study_id,
            one.instance_id,
            one.research_uid,
            seal_text(session.keys.site, _SEALED_COLUMN, row, subject) if subject else None,
            one.detail,
            at,
            at,
        )
    with session.transaction() as connection:
        # In one order, so that two checks at once never wait for each other in a circle.
        connection.cursor().executemany(
            "INSERT INTO crosswalk.archive_difference (id, cause, fingerprint, study_id, instance_id, research_uid,"
            " subject_sealed, detail, first_seen_at, last_seen_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (cause, fingerprint) DO UPDATE SET detail = EXCLUDED.detail,"
            " last_seen_at = EXCLUDED.last_seen_at, gone_at = NULL",
            [rows[fingerprint] for fingerprint in sorted(rows)],
        )


def note_gone(
    session: Session, causes: Sequence[Cause], since: datetime, at: datetime, study_id: UUID | None = None
) -> int:
    """Mark as gone what has one of these causes and was not seen ``since``; of one study, or of all.

    Returns
    -------
    int
        How many.
    """
    with session.transaction() as connection:
        return connection.execute(
            "UPDATE crosswalk.archive_difference SET gone_at = %(at)s"
            " WHERE gone_at IS NULL AND cause = ANY(%(causes)s) AND last_seen_at < %(since)s"
            " AND (%(study)s::uuid IS NULL OR study_id = %(study)s)",
            {"at": at, "causes": [cause.value for cause in causes], "since": since, "study": study_id},
        ).rowcount


def note_same(session: Session, one: Difference, at: datetime) -> None:
    """Mark one difference as gone, if it was there."""
    with session.transaction() as connection:
        connection.execute(
            "UPDATE crosswalk.archive_difference SET gone_at = %s"
            " WHERE gone_at IS NULL AND cause = %s AND fingerprint = %s",
            (at, one.cause.value, _fingerprint(session.keyring, one)),
        )


def note_removed(session: Session, at: datetime) -> None:
    """Mark as gone that bytes differ of instances which are not stored any more."""
    with session.transaction() as connection:
        connection.execute(
            "UPDATE crosswalk.archive_difference d SET gone_at = %s FROM crosswalk.instance i"
            " WHERE d.gone_at IS NULL AND d.cause = %s AND i.id = d.instance_id AND i.state <> 'stored'",
            (at, Cause.DIGEST_DIFFERS.value),
        )


def open_counts(session: Session) -> dict[Cause, int]:
    """Count what differs now, by cause."""
    with session.transaction() as connection:
        rows = connection.execute(
            "SELECT cause, count(*) FROM crosswalk.archive_difference WHERE gone_at IS NULL GROUP BY cause"
        ).fetchall()
    return {Cause(cause): count for cause, count in sorted(rows)}


def page(session: Session, cause: Cause | None, *, gone: bool, after: int, limit: int) -> list[SeenDifference]:
    """Return differences in the order of their numbers; with ``gone``, also those that are no more."""
    with session.transaction() as connection:
        rows = connection.execute(
            _SEEN + " WHERE d.number > %(after)s AND (%(gone)s OR d.gone_at IS NULL)"
            " AND (%(cause)s::text IS NULL OR d.cause = %(cause)s) ORDER BY d.number LIMIT %(limit)s",
            {"after": after, "gone": gone, "cause": cause and cause.value, "limit": limit},
        ).fetchall()
    return [_seen(row) for row in rows]


def one(session: Session, number: int) -> SeenDifference | None:
    """Return one difference."""
    with session.transaction() as connection:
        row = connection.execute(_SEEN + " WHERE d.number = %s", (number,)).fetchone()
    return None if row is None else _seen(row)


def reveal(session: Session, number: int, *, actor: str, reason: str) -> Phi[str] | None:
    """Return the UID that a difference is about as its PACS has it; that somebody was told is committed before.

    Returns
    -------
    Phi or None
        The sealed UID; the source UID of the instance or study that it is about where none is sealed; ``None``, and no
        access event, where there is neither.

    Raises
    ------
    Fatal
        Actor or reason is empty.
    """
    site = session.keys.site
    with session.transaction() as connection:
        row = connection.execute(
            "SELECT d.id, d.subject_sealed, i.id, i.uid_sealed, st.id, st.uid_sealed, st.key_wrapped"
            " FROM crosswalk.archive_difference d LEFT JOIN crosswalk.instance i ON i.id = d.instance_id"
            " LEFT JOIN crosswalk.study st ON st.id = coalesce(d.study_id, i.study_id) WHERE d.number = %s",
            (number,),
        ).fetchone()
        if row is None or not (row[1] or row[3] or row[5]):
            return None
        record_access_event(connection, site, actor, "archives show", reason, count=1, instance_id=row[2])
    if row[1]:
        return open_phi(site, _SEALED_COLUMN, row[0], row[1])
    key = session.keys.of("study", row[4], row[6])
    if row[3]:
        return open_phi(key, "instance.uid", row[2], row[3])
    return open_phi(key, "study.uid", row[4], row[5])


def _fingerprint(keyring: Keyring, one: Difference) -> bytes:
    """Return what tells one difference from another; ``detail`` does not, unless it is all that there is."""
    subject = one.subject.reveal() if one.subject else ""
    about = f"{one.study_id}|{one.instance_id}|{one.research_uid}|{subject}"
    nameless = not (one.study_id or one.research_uid or subject)
    return keyring.index("archive-difference", f"{one.cause}|{about}|{one.detail if nameless else ''}")


def _seen(row: Sequence[Any]) -> SeenDifference:
    number, cause, *rest = row
    return SeenDifference(number, Cause(cause), *rest)
