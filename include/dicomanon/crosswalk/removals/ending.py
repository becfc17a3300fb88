"""Releases that a removal ended, what replaced them, and who was told."""

import json
from collections.abc import Sequence
from uuid import UUID

from dicomanon.crosswalk.removals.rows import Notice, RemovalKind, Tombstone
from dicomanon.crosswalk.rows import ReleaseRow
from dicomanon.crosswalk.session import Connection
from dicomanon.values import ResearchUid


def read_tombstones(
    connection: Connection, *, removal_id: UUID | None = None, release_id: UUID | None = None
) -> list[Tombstone]:
    """Return the tombstones that a removal set, or that a release has, each with what it lost."""
    rows = connection.execute(
        "SELECT t.removal_id, r.kind, t.instances, t.recorded_at, re.id, re.project, re.number, re.requester,"
        " re.instances, re.created_at, re.replaces, n.id, n.project, n.number, n.requester, n.instances, n.created_at,"
        " n.replaces"
        " FROM crosswalk.tombstone t JOIN crosswalk.removal r ON r.id = t.removal_id"
        " JOIN crosswalk.release re ON re.id = t.release_id LEFT JOIN crosswalk.release n ON n.replaces = re.id"
        " WHERE t.removal_id = %(removal)s OR t.release_id = %(release)s"
        " ORDER BY re.project, re.number, t.recorded_at, t.removal_id",
        {"removal": removal_id, "release": release_id},
    ).fetchall()
    return [
        Tombstone(
            removal_id=row[0],
            kind=RemovalKind(row[1]),
            release=ReleaseRow(*row[4:11]),
            instances=row[2],
            recorded_at=row[3],
            replaced_by=ReleaseRow(*row[11:18]) if row[11] else None,
            research_sop_uids=_lost(connection, row[0], row[4]),
        )
        for row in rows
    ]


def _lost(connection: Connection, removal_id: UUID, release_id: UUID) -> tuple[ResearchUid, ...]:
    rows = connection.execute(
        "SELECT f.research_sop_uid FROM crosswalk.release_instance ri JOIN crosswalk.former_object f"
        " ON f.instance_id = ri.instance_id AND f.removal_id = %s WHERE ri.release_id = %s ORDER BY 1",
        (removal_id, release_id),
    ).fetchall()
    return tuple(ResearchUid(row[0]) for row in rows)


def affected_releases(connection: Connection, instance_ids: Sequence[int]) -> tuple[ReleaseRow, ...]:
    """Return the releases that have any of the instances."""
    rows = connection.execute(
        "SELECT id, project, number, requester, instances, created_at, replaces FROM crosswalk.release WHERE id IN"
        " (SELECT release_id FROM crosswalk.release_instance WHERE instance_id = ANY(%s)) ORDER BY project, number",
        (list(instance_ids),),
    ).fetchall()
    return tuple(ReleaseRow(*row) for row in rows)


def enter_notice(
    connection: Connection, removal_id: UUID, release_id: UUID, means: str, recipients: Sequence[str]
) -> None:
    """Remember that people were told of a tombstone."""
    connection.execute(
        "INSERT INTO crosswalk.removal_notice (removal_id, release_id, means, recipients) VALUES (%s, %s, %s, %s)",
        (removal_id, release_id, means, json.dumps(list(recipients))),
    )


def read_notices(connection: Connection, removal_id: UUID) -> list[Notice]:
    """Return who was told of a removal, in order."""
    rows = connection.execute(
        "SELECT release_id, means, recipients, recorded_at FROM crosswalk.removal_notice WHERE removal_id = %s"
        " ORDER BY id",
        (removal_id,),
    ).fetchall()
    return [Notice(row[0], row[1], tuple(row[2]), row[3]) for row in rows]
