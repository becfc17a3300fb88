"""Who wants what removed, and who stands for it."""

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID, uuid4

from dicomanon.crosswalk.access_events import record_access_event
from dicomanon.crosswalk.audit.events import Subject
from dicomanon.crosswalk.keys.data_keys import Sealer
from dicomanon.crosswalk.removals.rows import Approval, Removal, RemovalKind, Requester, Step, StepDone
from dicomanon.crosswalk.sealed import open_phi, seal_text
from dicomanon.crosswalk.session import Connection
from dicomanon.errors import Fatal
from dicomanon.values import Phi, Pseudonym

# Only a role that may let a person ask names the column: in the requests of the others nobody counts.
_ENTER: dict[bool, LiteralString] = {
    True: "INSERT INTO crosswalk.removal (id, kind, patient_id, release_id, request_key, requested_by, reason_sealed,"
    " ticket, with_recalled, counts_as_person) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, true)",
    False: "INSERT INTO crosswalk.removal (id, kind, patient_id, release_id, request_key, requested_by, reason_sealed,"
    " ticket, with_recalled) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
}


def trail_reason(removal_id: UUID, ticket: str) -> str:
    """Return what the audit trail, which auditors open, says of a removal in place of why it was asked for."""
    return f"removal {removal_id}, ticket {ticket}"


def enter_request(
    connection: Connection,
    site: Sealer,
    kind: RemovalKind,
    *,
    subject: Subject,
    patient_id: UUID | None,
    release_id: UUID | None,
    instance_ids: Sequence[int],
    requester: Requester,
    reason: str,
    ticket: str,
    request_key: str | None,
    with_recalled: bool = False,
) -> UUID:
    """Enter a request and its access event, unless it is there already; return its id."""
    existing = connection.execute(
        "SELECT r.id FROM crosswalk.removal r WHERE r.request_key = %(key)s OR (r.kind = %(kind)s"
        " AND r.kind = 'withdrawal' AND r.patient_id IN (SELECT p.id FROM crosswalk.patient p"
        " JOIN crosswalk.patient named ON named.survivor_id = p.survivor_id WHERE named.id = %(patient)s))"
        " ORDER BY r.requested_at, r.id LIMIT 1",
        {"key": request_key, "kind": kind.value, "patient": patient_id},
    ).fetchone()
    if existing:
        found: UUID = existing[0]
        return found
    removal_id = uuid4()
    connection.execute(
        _ENTER[requester.account],
        (
            removal_id,
            kind.value,
            patient_id,
            release_id,
            request_key,
            requester.name,
            seal_text(site, "removal.reason", removal_id, reason),
            ticket,
            with_recalled,
        ),
    )
    with connection.cursor().copy("COPY crosswalk.recall_scope (removal_id, instance_id) FROM STDIN") as copy:
        for instance_id in sorted(set(instance_ids)):
            copy.write_row((removal_id, instance_id))
    count = len(set(instance_ids)) or 1
    told = trail_reason(removal_id, ticket)
    record_access_event(connection, site, requester.name, f"{kind}.request", told, count, subject=subject)
    return removal_id


def enter_approval(connection: Connection, site: Sealer, removal: Removal, actor: str, reason: str) -> None:
    """Let another person stand for a removal; saying it again changes nothing.

    Raises
    ------
    Fatal
        It is the one who requested it, or it is carried out already.
    """
    if any(one.approved_by.lower() == actor.lower() for one in removal.approvals):
        return
    if removal.requester.name.lower() == actor.lower():
        raise Fatal("nobody approves what they requested: another person has to")
    if Step.MARKED in removal.steps:
        raise Fatal("this removal is carried out already")
    row = uuid4()
    connection.execute(
        "INSERT INTO crosswalk.removal_approval (id, removal_id, approved_by, reason_sealed) VALUES (%s, %s, %s, %s)",
        (row, removal.id, actor, seal_text(site, "removal_approval.reason", row, reason)),
    )
    told = trail_reason(removal.id, removal.ticket)
    record_access_event(connection, site, actor, f"{removal.kind}.approve", told, 1, subject=removal.subject)


def read_removals(connection: Connection, prefix: str = "") -> list[Removal]:
    """Return the removals whose id begins so, oldest first."""
    rows = connection.execute(
        "SELECT r.id, r.kind, p.pseudonym, r.requested_by, r.counts_as_person, r.ticket, r.requested_at,"
        " r.release_id, p.key_destroyed_at, r.with_recalled"
        " FROM crosswalk.removal r LEFT JOIN crosswalk.patient p ON p.id = r.patient_id"
        " WHERE starts_with(r.id::text, %s) ORDER BY r.requested_at, r.id",
        (prefix.lower(),),
    ).fetchall()
    return [
        Removal(
            id=row[0],
            kind=RemovalKind(row[1]),
            pseudonym=Pseudonym(row[2]) if row[2] else None,
            release_id=row[7],
            requester=Requester(row[3], row[4]),
            ticket=row[5],
            requested_at=row[6],
            with_recalled=row[9],
            keys_destroyed_at=row[8],
            approvals=tuple(
                Approval(*found)
                for found in connection.execute(
                    "SELECT approved_by, approved_at FROM crosswalk.removal_approval WHERE removal_id = %s"
                    " ORDER BY approved_at, id",
                    (row[0],),
                )
            ),
            steps={
                Step(found[0]): StepDone(*found[1:])
                for found in connection.execute(
                    "SELECT step, counts, recorded_at FROM crosswalk.removal_step WHERE removal_id = %s", (row[0],)
                )
            },
        )
        for row in rows
    ]


def read_removal(connection: Connection, named: str | UUID) -> Removal:
    """Return the one removal whose id is this, or begins so.

    Raises
    ------
    Fatal
        There is none, or more than one.
    """
    found = read_removals(connection, str(named)) if str(named) else []
    if len(found) != 1:
        told = "several removals begin so: give more digits" if found else "there is no such removal"
        raise Fatal(f"{told}; `dicomanon removal list` names them")
    return found[0]


def read_reason(connection: Connection, site: Sealer, removal_id: UUID) -> Phi[str]:
    """Return why a removal was requested.

    Raises
    ------
    Fatal
        There is no such removal.
    """
    row = connection.execute("SELECT reason_sealed FROM crosswalk.removal WHERE id = %s", (removal_id,)).fetchone()
    if row is None:
        raise Fatal("there is no such removal")
    return open_phi(site, "removal.reason", removal_id, row[0])
