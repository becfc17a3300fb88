"""Destroys the keys of a person, and with them what is sealed: for ever, and not for the research side.

Rows, research identifiers, states, digests and blind indexes stay, so that lineage holds and the patient is recognised
and held, should more of them come.
"""

from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from dicomanon.crosswalk.access_events import record_access_event
from dicomanon.crosswalk.audit.events import Subject, SubjectKind
from dicomanon.crosswalk.keys.data_keys import ERASED
from dicomanon.crosswalk.keys.keychain import Keychain
from dicomanon.crosswalk.people import one_decision_at_a_time
from dicomanon.crosswalk.sealed import open_identity, open_key
from dicomanon.crosswalk.session import Connection, Session
from dicomanon.errors import Fatal
from dicomanon.reasons import HoldReason


@dataclass(frozen=True, slots=True)
class Destroyed:
    """How much cannot be read any more."""

    studies: int
    instances: int


# The ciphertext goes as well: some may be older than data keys, and there is no use for it.
_OF_STUDIES: tuple[LiteralString, ...] = (
    "UPDATE crosswalk.study SET key_wrapped = NULL, key_destroyed_at = clock_timestamp(), uid_sealed = %(erased)s,"
    " facts_sealed = NULL WHERE id = ANY(%(studies)s)",
    "UPDATE crosswalk.series SET uid_sealed = %(erased)s, facts_sealed = NULL WHERE study_id = ANY(%(studies)s)",
    "UPDATE crosswalk.study_known_values SET values_sealed = %(erased)s WHERE study_id = ANY(%(studies)s)",
    "UPDATE crosswalk.identity_event SET detail_sealed = %(erased)s WHERE study_id = ANY(%(studies)s)",
    # Nothing is left to do for what was not settled: it could not even be asked for.
    "UPDATE crosswalk.instance SET state = 'held', reason = %(reason)s, detail = '', state_changed_at = now()"
    " WHERE study_id = ANY(%(studies)s) AND state NOT IN ('stored', 'filtered', 'withdrawn')",
)


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
        for patient_id in patients:
            _destroy_patient(session.keys, connection, patient_id)
        studies = [
            row[0]
            for row in connection.execute(
                "SELECT id FROM crosswalk.study WHERE patient_id = ANY(%s) ORDER BY id FOR UPDATE", (patients,)
            )
        ]
        values = {"studies": studies, "erased": ERASED, "reason": HoldReason.KEYS_DESTROYED.value}
        instances = connection.execute(
            "WITH locked AS MATERIALIZED (SELECT id FROM crosswalk.instance WHERE study_id = ANY(%(studies)s)"
            " ORDER BY id FOR NO KEY UPDATE)"
            " UPDATE crosswalk.instance i SET uid_sealed = %(erased)s FROM locked WHERE i.id = locked.id",
            values,
        ).rowcount
        for statement in _OF_STUDIES:
            connection.execute(statement, values)
        record_access_event(
            connection,
            session.keys.site,
            actor,
            "keys.destroy",
            reason,
            count=len(studies),
            subject=Subject(SubjectKind.PSEUDONYM, pseudonym),
        )
    return Destroyed(len(studies), instances)


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


def _destroy_patient(keys: Keychain, connection: Connection, patient_id: UUID) -> None:
    named, named_by_key = _issuers_named(keys, connection, patient_id)
    connection.execute(
        "UPDATE crosswalk.patient_key k SET key_sealed = %s, issuer_was_named = n.named"
        " FROM unnest(%s::uuid[], %s::boolean[]) AS n (id, named) WHERE k.id = n.id",
        (ERASED, list(named_by_key), list(named_by_key.values())),
    )
    connection.execute(
        "UPDATE crosswalk.patient_variant SET identity_sealed = %s WHERE patient_id = %s", (ERASED, patient_id)
    )
    connection.execute(
        "UPDATE crosswalk.identity_event SET detail_sealed = %s WHERE patient_id = %s", (ERASED, patient_id)
    )
    # Last: from here on nothing of the row changes any more.
    connection.execute(
        "UPDATE crosswalk.patient SET key_wrapped = NULL, key_destroyed_at = clock_timestamp(), identity_sealed = %s,"
        " date_shift_sealed = %s, issuer_was_named = %s, uid_salt = NULL WHERE id = %s",
        (ERASED, ERASED, named, patient_id),
    )


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
