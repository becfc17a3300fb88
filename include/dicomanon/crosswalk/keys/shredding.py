"""Destroys the keys of a patient, and with them what is sealed: for ever, and not for the research side.

Rows, research identifiers, states, digests and blind indexes stay, so that lineage holds and the patient is recognised
and held, should more of them come.
"""

from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from dicomanon.crosswalk.access_events import record_access_event
from dicomanon.crosswalk.keys.data_keys import ERASED
from dicomanon.crosswalk.sealed import open_identity
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
    " WHERE study_id = ANY(%(studies)s) AND state NOT IN ('stored', 'filtered')",
)


def destroy_keys(session: Session, pseudonym: str, *, actor: str, reason: str) -> Destroyed:
    """Destroy the data keys of a patient and of all their studies, in one transaction with its access event.

    Raises
    ------
    Fatal
        There is no such pseudonym, their keys were destroyed already, or actor or reason is empty.
    """
    with session.transaction() as connection:
        patient_id = _lock_patient(session, connection, pseudonym)
        studies = [
            row[0]
            for row in connection.execute(
                "SELECT id FROM crosswalk.study WHERE patient_id = %s ORDER BY id FOR UPDATE", (patient_id,)
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
            connection, session.keys.site, actor, f"keys.destroy {pseudonym}", reason, count=len(studies)
        )
    return Destroyed(len(studies), instances)


def _lock_patient(session: Session, connection: Connection, pseudonym: str) -> UUID:
    row = connection.execute(
        "SELECT id, identity_sealed, key_wrapped, key_destroyed_at IS NOT NULL FROM crosswalk.patient"
        " WHERE pseudonym = %s FOR UPDATE",
        (pseudonym,),
    ).fetchone()
    if row is None:
        raise Fatal("the crosswalk has no such pseudonym")
    patient_id: UUID = row[0]
    identity_sealed, wrapped, destroyed = row[1:]
    if destroyed:
        raise Fatal("the keys of this patient were destroyed already")
    try:
        issuer = open_identity(session.keys.of("patient", patient_id, wrapped), patient_id, identity_sealed).issuer
    except Fatal:
        # What does not open any more is destroyed all the same; whoever has this Patient ID will be held.
        issuer = ""
    connection.execute(
        "UPDATE crosswalk.patient SET key_wrapped = NULL, key_destroyed_at = clock_timestamp(), identity_sealed = %s,"
        " date_shift_sealed = %s, issuer_was_named = %s WHERE id = %s",
        (ERASED, ERASED, bool(issuer.strip(" \0")), patient_id),
    )
    connection.execute(
        "UPDATE crosswalk.identity_event SET detail_sealed = %s WHERE patient_id = %s", (ERASED, patient_id)
    )
    return patient_id
