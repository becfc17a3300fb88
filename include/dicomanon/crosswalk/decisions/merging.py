"""Patients who are one person: merged, and taken apart again."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from dicomanon.crosswalk.decisions.rows import Decided, DecisionKind, KeyChange, Signed
from dicomanon.crosswalk.decisions.signing import Decision, decision, open_reissues, releases_of, settle_events
from dicomanon.crosswalk.patients import add_key, create, find_by_key, lock_patient_id
from dicomanon.crosswalk.rows import IdentityEventKind
from dicomanon.crosswalk.sealed import index_patient
from dicomanon.crosswalk.session import Connection, Session
from dicomanon.errors import Fatal
from dicomanon.identity import PatientIdentity
from dicomanon.values import Pseudonym


def merge(session: Session, pseudonyms: Sequence[str], keep: str | None, signed: Signed) -> Decided:
    """Merge two patients; the contract is :meth:`Identities.merge`'s."""
    if len(set(pseudonyms)) != 2:  # noqa: PLR2004
        raise Fatal("two patients are merged at a time")
    with decision(session, DecisionKind.MERGE, signed) as taken:
        one, other = (row_of(taken.connection, pseudonym) for pseudonym in pseudonyms)
        kept = row_of(taken.connection, keep) if keep else None
        taken.done = _merge(taken, one, other, kept)
        return taken.done


def merge_keys(session: Session, change: KeyChange, signed: Signed) -> Decided:
    """Carry out a change of identifier; the contract is :meth:`Identities.merge_keys`'s."""
    keyring = session.keyring
    with decision(session, DecisionKind.MERGE, signed) as taken:
        connection = taken.connection
        for patient_id in sorted({change.old[1], change.new[1]}):
            lock_patient_id(connection, keyring, patient_id)
        found = {key: find_by_key(connection, index_patient(keyring, *key)) for key in (change.old, change.new)}
        rows = [one for one in found.values() if one]
        missing = [key for key, one in found.items() if one is None]
        if len({survivor for _, survivor in rows}) > 1:
            taken.done = _merge(taken, rows[0][0], rows[1][0], None)
            return taken.done
        taken.void = not missing
        row, survivor = rows[0] if rows else _enter(taken, change.new)
        for key in missing:
            add_key(session, connection, row, _named(key), taken.id)
        taken.done = replace(taken.done, survivor=pseudonym_of(connection, survivor), new_keys=len(missing))
        return taken.done


def unmerge(session: Session, pseudonym: str, signed: Signed) -> Decided:
    """Undo a merge; the contract is :meth:`Identities.unmerge`'s."""
    with decision(session, DecisionKind.UNMERGE, signed) as taken:
        connection = taken.connection
        row = row_of(connection, pseudonym)
        before = _survivor(connection, row)
        _lock_persons(connection, [before])
        require_keys(connection, [before])
        require_present(connection, [before])
        _move(taken, row, None)
        # What was made since for this patient's identifiers bears the other one's pseudonym, or waits to.
        studies = [
            found[0]
            for found in connection.execute(
                "SELECT st.id FROM crosswalk.study st JOIN crosswalk.patient p ON p.id = st.patient_id"
                " JOIN crosswalk.patient k ON k.id = st.keyed_patient_id"
                " WHERE k.survivor_id = %s AND p.survivor_id <> k.survivor_id AND NOT st.patient_assigned"
                " ORDER BY st.id FOR NO KEY UPDATE OF st",
                (row,),
            )
        ]
        # First, while what was made still bears the pseudonym of its study.
        reissues, releases = open_reissues(taken, studies)
        assign(taken, studies, row, keyed=False)
        taken.done = replace(
            taken.done,
            survivor=pseudonym_of(connection, row),
            others=(pseudonym_of(connection, _survivor(connection, before)),),
            studies=tuple(studies),
            reissues=reissues,
            releases=releases,
        )
        return taken.done


def merge_for_event(taken: Decision, one: UUID, other: UUID, keep: str | None) -> Decided:
    """Merge the two patients of an event that is being decided."""
    return _merge(taken, one, other, row_of(taken.connection, keep) if keep else None)


def assign(taken: Decision, study_ids: Sequence[UUID], patient_id: UUID, *, keyed: bool) -> None:
    """Give studies to a patient; ``keyed`` also whatever Patient ID their objects bear, now and later."""
    connection, ids = taken.connection, list(study_ids)
    connection.execute(
        "INSERT INTO crosswalk.study_assignment (decision_id, study_id, from_patient, to_patient)"
        " SELECT %s, id, patient_id, %s FROM crosswalk.study WHERE id = ANY(%s) ORDER BY id",
        (taken.id, patient_id, ids),
    )
    connection.execute(
        "UPDATE crosswalk.study SET patient_id = %s, patient_assigned = patient_assigned OR %s,"
        " keyed_patient_id = CASE WHEN %s THEN %s ELSE keyed_patient_id END WHERE id = ANY(%s)",
        (patient_id, keyed, keyed, patient_id, ids),
    )


def row_of(connection: Connection, pseudonym: str) -> UUID:
    """Return the row of a pseudonym.

    Raises
    ------
    Fatal
        There is none.
    """
    row = connection.execute("SELECT id FROM crosswalk.patient WHERE pseudonym = %s", (pseudonym.strip(),)).fetchone()
    if row is None:
        raise Fatal("no patient has this pseudonym")
    found: UUID = row[0]
    return found


def require_keys(connection: Connection, patient_ids: Sequence[UUID]) -> None:
    """Refuse a decision about patients whose keys were destroyed.

    Raises
    ------
    Fatal
        Those of one of them, or of whom they were merged with, were.
    """
    if connection.execute(
        "SELECT 1 FROM crosswalk.patient p JOIN crosswalk.patient named ON named.survivor_id = p.survivor_id"
        " WHERE named.id = ANY(%s) AND p.key_destroyed_at IS NOT NULL LIMIT 1",
        (list(patient_ids),),
    ).fetchone():
        raise Fatal("the keys of a patient of this decision were destroyed: who that was is not known any more")


def require_present(connection: Connection, patient_ids: Sequence[UUID]) -> None:
    """Refuse to give anything to, or take anything from, a patient who has withdrawn.

    Raises
    ------
    Fatal
        One of them has.
    """
    row = connection.execute(
        "SELECT pseudonym FROM crosswalk.patient WHERE id = ANY(%s) AND withdrawn_by IS NOT NULL LIMIT 1",
        (list(patient_ids),),
    ).fetchone()
    if row:
        raise Fatal(
            f"{row[0]} has withdrawn, which is final: a study that is theirs is split off to a new patient, and that"
            " one withdrawn"
        )


def pseudonym_of(connection: Connection, patient_id: UUID) -> Pseudonym:
    """Return the pseudonym of a row."""
    row = connection.execute("SELECT pseudonym FROM crosswalk.patient WHERE id = %s", (patient_id,)).fetchone()
    if row is None:
        raise Fatal("a patient of the decision is not in the crosswalk")
    return Pseudonym(row[0])


def _merge(taken: Decision, one: UUID, other: UUID, kept: UUID | None) -> Decided:
    connection = taken.connection
    roots = {_survivor(connection, one), _survivor(connection, other)}
    if len(roots) == 1:
        raise Fatal("the two are one patient already")
    _lock_persons(connection, list(roots))
    require_keys(connection, list(roots))
    _require_both_withdrawn_or_none(connection, list(roots))
    by_age = [
        row[0]
        for row in connection.execute(
            "SELECT id FROM crosswalk.patient WHERE id = ANY(%s) ORDER BY created_at, id", (list(roots),)
        )
    ]
    survivor = _survivor(connection, kept) if kept else by_age[0]
    if survivor not in roots:
        raise Fatal("the pseudonym to keep is of neither patient")
    (merged,) = roots - {survivor}
    studies = [
        row[0]
        for row in connection.execute(
            "SELECT st.id FROM crosswalk.study st JOIN crosswalk.patient p ON p.id = st.patient_id"
            " WHERE p.survivor_id = %s ORDER BY st.id",
            (merged,),
        )
    ]
    _move(taken, merged, survivor)
    events = _reconciled(connection, survivor)
    freed = settle_events(taken, events)
    return replace(
        taken.done,
        survivor=pseudonym_of(connection, survivor),
        others=(pseudonym_of(connection, merged),),
        studies=tuple(studies),
        settled=tuple(events),
        freed=freed,
        releases=releases_of(connection, studies),
    )


def _require_both_withdrawn_or_none(connection: Connection, roots: Sequence[UUID]) -> None:
    # A withdrawal has a ticket, whom to ask, and a certificate: a merge is no way to withdraw anybody, or half of one.
    rows = connection.execute(
        "SELECT pseudonym, withdrawn_by IS NOT NULL FROM crosswalk.patient WHERE id = ANY(%s)", (list(roots),)
    ).fetchall()
    gone, left = ([pseudonym for pseudonym, withdrawn in rows if withdrawn is state] for state in (True, False))
    if gone and left:
        raise Fatal(
            f"{gone[0]} has withdrawn: if {left[0]} is the same person, withdraw that one too, with"
            f" `dicomanon removal withdraw {left[0]}`, then merge them"
        )


def _move(taken: Decision, patient_id: UUID, into: UUID | None) -> None:
    connection = taken.connection
    current = connection.execute("SELECT merged_into FROM crosswalk.patient WHERE id = %s", (patient_id,)).fetchone()
    if into is None and (current is None or current[0] is None):
        raise Fatal("the patient is not merged into another")
    connection.execute(
        "INSERT INTO crosswalk.patient_merge (decision_id, patient_id, into_id) VALUES (%s, %s, %s)",
        (taken.id, patient_id, into),
    )
    connection.execute("UPDATE crosswalk.patient SET merged_into = %s WHERE id = %s", (into, patient_id))


def _reconciled(connection: Connection, survivor: UUID) -> list[UUID]:
    """Return the open events whose two patients are one person now."""
    rows = connection.execute(
        "SELECT e.id FROM crosswalk.identity_event e JOIN crosswalk.patient p ON p.id = e.patient_id"
        " JOIN crosswalk.patient o ON o.id = e.other_patient_id"
        " WHERE p.survivor_id = %s AND o.survivor_id = p.survivor_id AND e.kind = ANY(%s)"
        " AND NOT EXISTS (SELECT FROM crosswalk.identity_event_decision d WHERE d.event_id = e.id) ORDER BY e.id",
        (survivor, [IdentityEventKind.TWO_PATIENTS.value, IdentityEventKind.ACCESSION_REUSED.value]),
    ).fetchall()
    return [row[0] for row in rows]


def _lock_persons(connection: Connection, survivors: Sequence[UUID]) -> None:
    """Wait until nobody records anything for these persons, who locks their rows to share them."""
    connection.execute(
        "SELECT id FROM crosswalk.patient WHERE survivor_id = ANY(%s) ORDER BY id FOR UPDATE", (list(survivors),)
    )


def _survivor(connection: Connection, patient_id: UUID) -> UUID:
    row = connection.execute("SELECT survivor_id FROM crosswalk.patient WHERE id = %s", (patient_id,)).fetchone()
    if row is None:
        raise Fatal("a patient of the decision is not in the crosswalk")
    found: UUID = row[0]
    return found


def _enter(taken: Decision, key: tuple[str, str]) -> tuple[UUID, UUID]:
    row = create(taken.session, taken.connection, _named(key), index_patient(taken.session.keyring, *key))
    return row, row


def _named(key: tuple[str, str]) -> PatientIdentity:
    return PatientIdentity(patient_id=key[1], issuer=key[0])
