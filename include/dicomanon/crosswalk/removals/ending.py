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
        "SELECT removal_id, kind, lost, recorded_at, release_id, project, number, requester, instances, created_at,"
        " replaces, next_id, next_number, next_requester, next_instances, next_created_at, lost_sop_uids"
        " FROM crosswalk.tombstones(%s, %s)",
        (removal_id, release_id),
    ).fetchall()
    return [
        Tombstone(
            removal_id=row[0],
            kind=RemovalKind(row[1]),
            release=ReleaseRow(*row[4:11]),
            instances=row[2],
            recorded_at=row[3],
            replaced_by=ReleaseRow(row[11], row[5], row[12], row[13], row[14], row[15], row[4]) if row[11] else None,
            research_sop_uids=tuple(ResearchUid(uid) for uid in row[16]),
        )
        for row in rows
    ]


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
