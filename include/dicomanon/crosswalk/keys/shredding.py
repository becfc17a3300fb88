"""Destroys the keys of a person, and with them what is sealed: for ever, and not for the research side.

Rows, research identifiers, states, digests and blind indexes stay, so that lineage holds and the patient is recognised
and held, should more of them come.
"""

from dataclasses import dataclass
from uuid import UUID

from dicomanon.crosswalk.access_events import record_access_event
from dicomanon.crosswalk.audit.events import Subject, SubjectKind
from dicomanon.crosswalk.keys.keychain import Keychain
from dicomanon.crosswalk.people import one_decision_at_a_time
from dicomanon.crosswalk.sealed import open_identity, open_key
from dicomanon.crosswalk.session import Connection, Session
from dicomanon.errors import Fatal


@dataclass(frozen=True, slots=True)
class Destroyed:
    """How much cannot be read any more."""

    studies: int
    instances: int


def destroy_keys(session: Session, pseudonym: str, *, actor: str, reason: str) -> Destroyed:
    """Destroy the data keys of a person and of all their studies, in one transaction with its access event.

    Whoever was merged with the patient is the same person: the keys of all their rows go.

    Raises
    ------
    Fatal
        There is no such pseudonym, their keys were destroyed already, or actor or reason is empty.
    """
    with session.transaction() as connection:
        one_decision_at_a_time(connection)
        patients = _lock_person(connection, pseudonym)
        named: list[bool] = []
        named_by_key: dict[UUID, bool | None] = {}
        for patient_id in patients:
            one, by_key = _issuers_named(session.keys, connection, patient_id)
            named.append(one)
            named_by_key |= by_key
        row = connection.execute(
            "SELECT studies, instances"
            " FROM crosswalk.destroy_keys(%s::uuid[], %s::boolean[], %s::uuid[], %s::boolean[])",
            (patients, named, list(named_by_key), list(named_by_key.values())),
        ).fetchone()
        if row is None:
            raise Fatal("the database does not say what it destroyed")
        destroyed = Destroyed(*row)
        record_access_event(
            connection,
            session.keys.site,
            actor,
            "keys.destroy",
            reason,
            count=destroyed.studies,
            subject=Subject(SubjectKind.PSEUDONYM, pseudonym),
        )
    return destroyed


def _lock_person(connection: Connection, pseudonym: str) -> list[UUID]:
    """Return the rows of the person whom a pseudonym names, locked; those that have keys."""
    rows = connection.execute(
        "SELECT p.id, p.key_destroyed_at IS NOT NULL FROM crosswalk.patient p WHERE p.survivor_id ="
        " (SELECT named.survivor_id FROM crosswalk.patient named WHERE named.pseudonym = %s) ORDER BY p.id FOR UPDATE",
        (pseudonym,),
    ).fetchall()
    if not rows:
        raise Fatal("the crosswalk has no such pseudonym")
    left = [row for row, destroyed in rows if not destroyed]
    if not left:
        raise Fatal("the keys of this patient were destroyed already")
    return left


def _issuers_named(keys: Keychain, connection: Connection, patient_id: UUID) -> tuple[bool, dict[UUID, bool | None]]:
    """Tell whether the identity of a row names an issuer, and which of its sealed keys with another Patient ID do.

    What does not open any more is destroyed all the same; whoever has this Patient ID will be held.
    """
    rows = connection.execute(
        "SELECT p.key_wrapped, p.identity_sealed, k.id, k.key_sealed, k.patient_id_index = p.patient_id_index"
        " FROM crosswalk.patient p LEFT JOIN crosswalk.patient_key k ON k.patient_id = p.id"
        " AND k.key_sealed IS NOT NULL WHERE p.id = %s",
        (patient_id,),
    ).fetchall()
    wrapped, identity_sealed = rows[0][:2]
    try:
        key = keys.of("patient", patient_id, wrapped)
        named = bool(open_identity(key, patient_id, identity_sealed).issuer.strip(" \0"))
        return named, {
            row: None if same else bool(open_key(key, row, sealed)[0])
            for _, _, row, sealed, same in rows
            if row is not None
        }
    except Fatal:
        return False, {row: None if same else False for _, _, row, _, same in rows if row is not None}
