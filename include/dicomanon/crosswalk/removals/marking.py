"""Marks what a removal covers, in one transaction: after it nothing new is released of it, whatever is at work."""

import secrets
from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from dicomanon.crosswalk.people import one_decision_at_a_time
from dicomanon.crosswalk.releases import REMOVAL_LOCK
from dicomanon.crosswalk.removals.objects import UNCONFIRMED, enter_former_objects
from dicomanon.crosswalk.removals.rows import Removal, RemovalKind
from dicomanon.crosswalk.session import Connection
from dicomanon.errors import Fatal
from dicomanon.reasons import HoldReason

Counts = dict[str, int]

_SALT_BYTES = 16

# What a removal of each kind finds to do something about. A re-issue leaves alone what was never made, takes up
# again what was refused, and what was recalled only if it was asked to: that is a leak until its cause is mended.
_COVERED: dict[RemovalKind, LiteralString] = {
    RemovalKind.WITHDRAWAL: "i.state <> 'withdrawn'",
    RemovalKind.RECALL: "i.state = 'stored'",
    RemovalKind.RE_ISSUE: "(i.state IN ('stored', 'validated', 'deidentified') OR i.state = 'held'"
    " AND (i.reason = 'store-refused' OR i.reason = 'recalled'"
    " AND (SELECT r.with_recalled FROM crosswalk.removal r WHERE r.id = %(removal)s)))",
}

# By union, since no index serves an OR over two sub-selects, and the table is the largest of all.
_SCOPE: LiteralString = (
    "i.id IN (SELECT m.id FROM crosswalk.removal r"
    " JOIN crosswalk.patient named ON named.id = r.patient_id"
    " JOIN crosswalk.patient p ON p.survivor_id = named.survivor_id"
    " JOIN crosswalk.study st ON st.patient_id = p.id JOIN crosswalk.instance m ON m.study_id = st.id"
    " WHERE r.id = %(removal)s"
    " UNION ALL SELECT instance_id FROM crosswalk.recall_scope WHERE removal_id = %(removal)s)"
)

# What a re-issue leaves alone unless it is asked to take it.
RECALLED: LiteralString = (
    "FROM crosswalk.instance i WHERE " + _SCOPE + " AND i.state = 'held' AND i.reason = 'recalled'"
)


def covered(kind: RemovalKind) -> LiteralString:
    """Return the clauses that select the instances ``i`` which a removal of this kind takes; asks for ``removal``."""
    return "FROM crosswalk.instance i WHERE " + _SCOPE + " AND " + _COVERED[kind]


def mark(connection: Connection, removal: Removal) -> Counts:
    """Change every row that the removal is about; the caller has made sure that it may be, and is not yet.

    A withdrawal and a re-issue are of a person: of every row that was merged with the one that was named.

    Raises
    ------
    Fatal
        It is a re-issue of a patient who has withdrawn, or whose keys were destroyed.
    """
    # No release is made between what is stored now and what is left afterwards.
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (REMOVAL_LOCK,))
    # Nobody is merged, split or forgotten meanwhile.
    one_decision_at_a_time(connection)
    patients = _lock_person(connection, removal)
    instance_ids = _lock_instances(connection, removal)
    # Before the UIDs of studies and series change. What a recall is not of may be there all the same, and stays.
    unconfirmed = [] if removal.kind is RemovalKind.RECALL else _unconfirmed(connection, removal)
    objects = enter_former_objects(connection, removal.id, [*instance_ids, *unconfirmed])
    if patients:
        _change_person(connection, removal, patients)
    _change_instances(connection, removal.kind, instance_ids)
    _close_reissues(connection, instance_ids)
    ended, replaced = _end_releases(connection, removal.id)
    return {"instances": len(instance_ids), "objects": objects, "releases": ended, "new_releases": replaced}


def _lock_person(connection: Connection, removal: Removal) -> list[UUID]:
    """Lock the patient rows of the person, their studies and series, in the order in which everybody does."""
    rows = connection.execute(
        "SELECT p.id, p.withdrawn_by, p.key_destroyed_at FROM crosswalk.removal r"
        " JOIN crosswalk.patient named ON named.id = r.patient_id"
        " JOIN crosswalk.patient p ON p.survivor_id = named.survivor_id"
        " WHERE r.id = %s ORDER BY p.id FOR NO KEY UPDATE OF p",
        (removal.id,),
    ).fetchall()
    if removal.kind is RemovalKind.RE_ISSUE and any(row[1] for row in rows):
        raise Fatal("the patient has withdrawn: nothing of him is made anew")
    if removal.kind is RemovalKind.RE_ISSUE and any(row[2] for row in rows):
        raise Fatal("the keys of the patient were destroyed: nobody knows what to make anew of")
    patients = [row[0] for row in rows]
    connection.execute(
        "SELECT id FROM crosswalk.study WHERE patient_id = ANY(%s) ORDER BY id FOR NO KEY UPDATE", (patients,)
    )
    connection.execute(
        "SELECT se.id FROM crosswalk.series se JOIN crosswalk.study st ON st.id = se.study_id"
        " WHERE st.patient_id = ANY(%s) ORDER BY se.id FOR NO KEY UPDATE OF se",
        (patients,),
    )
    return patients


def _lock_instances(connection: Connection, removal: Removal) -> list[int]:
    rows = connection.execute(
        f"SELECT i.id {covered(removal.kind)} ORDER BY i.id FOR NO KEY UPDATE OF i",
        {"removal": removal.id},
    ).fetchall()
    return [row[0] for row in rows]


def _unconfirmed(connection: Connection, removal: Removal) -> list[int]:
    """Return the instances of which the research PACS may have an object that the ledger has gone beyond."""
    rows = connection.execute(f"SELECT DISTINCT i.id {UNCONFIRMED} AND {_SCOPE}", {"removal": removal.id}).fetchall()
    return [row[0] for row in rows]


def _change_person(connection: Connection, removal: Removal, patients: Sequence[UUID]) -> None:
    if removal.kind is RemovalKind.WITHDRAWAL:
        connection.execute(
            "UPDATE crosswalk.patient SET withdrawn_by = %s WHERE id = ANY(%s) AND withdrawn_by IS NULL",
            (removal.id, patients),
        )
        return
    # One salt for all rows of the person, so that references between the studies of merged patients resolve.
    connection.execute(
        "UPDATE crosswalk.patient SET uid_salt = %s WHERE id = ANY(%s)", (secrets.token_bytes(_SALT_BYTES), patients)
    )
    connection.execute("UPDATE crosswalk.study SET research_study_uid = NULL WHERE patient_id = ANY(%s)", (patients,))
    connection.execute(
        "UPDATE crosswalk.series se SET research_series_uid = NULL FROM crosswalk.study st"
        " WHERE st.id = se.study_id AND st.patient_id = ANY(%s)",
        (patients,),
    )
    # What a batch is making under the former salt is made again: without its batch, whoever does that is too late.
    connection.execute(
        "UPDATE crosswalk.instance i SET batch_id = NULL FROM crosswalk.study st"
        " WHERE st.id = i.study_id AND st.patient_id = ANY(%s) AND i.state = 'discovered' AND i.batch_id IS NOT NULL",
        (patients,),
    )


def _change_instances(connection: Connection, kind: RemovalKind, instance_ids: Sequence[int]) -> None:
    if kind is RemovalKind.RE_ISSUE:
        # Without its batch, so that whoever still works for that is too late.
        connection.execute(
            "UPDATE crosswalk.instance SET state = 'discovered', reason = '', detail = '', batch_id = NULL,"
            " output_digest = NULL, research_sop_uid = NULL, state_changed_at = now() WHERE id = ANY(%s)",
            (list(instance_ids),),
        )
        return
    state, reason = ("withdrawn", "") if kind is RemovalKind.WITHDRAWAL else ("held", HoldReason.RECALLED.value)
    connection.execute(
        "UPDATE crosswalk.instance SET state = %s::crosswalk.instance_state, reason = %s, detail = '',"
        " state_changed_at = now() WHERE id = ANY(%s)",
        (state, reason, list(instance_ids)),
    )


def _close_reissues(connection: Connection, instance_ids: Sequence[int]) -> None:
    """Note that what bore another patient's pseudonym is removed, for whatever reason: a re-issue is owed no more."""
    connection.execute(
        "UPDATE crosswalk.reissue SET closed_at = clock_timestamp() WHERE closed_at IS NULL AND instance_id = ANY(%s)",
        (list(instance_ids),),
    )


def _end_releases(connection: Connection, removal_id: UUID) -> tuple[int, int]:
    """Give every release that has any of it a tombstone, and the current ones a next version without it."""
    row = connection.execute("SELECT ended, replaced FROM crosswalk.end_releases(%s)", (removal_id,)).fetchone()
    if row is None:
        raise Fatal("the database does not say which releases it ended")
    return int(row[0]), int(row[1])
