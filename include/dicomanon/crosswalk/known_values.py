"""Keeps the identifying values of a study's source objects, sealed, for the search that validation makes."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from uuid import UUID, uuid4

from dicomanon.crosswalk.identities import identifying_values
from dicomanon.crosswalk.keys.resealing import reseal_study
from dicomanon.crosswalk.people import known_identities
from dicomanon.crosswalk.sealed import open_date_shift, open_text, seal_text
from dicomanon.crosswalk.session import Connection, Session
from dicomanon.errors import Fatal


def add_known_values(session: Session, study_id: UUID, values: Iterable[str]) -> None:
    """Add what the study does not have yet.

    New values go into a row of their own, so that adding never waits for another worker; what two workers add at
    once is kept twice, which changes nothing. Nothing is added to a study whose keys were destroyed.
    """
    wanted = {value for value in values if value}
    with session.transaction() as connection:
        new = wanted - _of_studies(session, connection, [study_id])[study_id]
        if not new:
            return
        wrapped = _key_to_seal_with(session, connection, study_id)
        if wrapped is None:
            return
        row = uuid4()
        key = session.keys.of("study", study_id, wrapped)
        connection.execute(
            "INSERT INTO crosswalk.study_known_values (id, study_id, values_sealed) VALUES (%s, %s, %s)",
            (row, study_id, seal_text(key, "study_known_values.values", row, json.dumps(sorted(new)))),
        )


def _key_to_seal_with(session: Session, connection: Connection, study_id: UUID) -> bytes | None:
    """Return the study's data key, which nobody replaces before the transaction ends; ``None`` if it was destroyed."""
    row = connection.execute(
        "SELECT key_wrapped FROM crosswalk.study WHERE id = %s FOR KEY SHARE", (study_id,)
    ).fetchone()
    if row is None:
        raise Fatal("known values are about a study that the ledger does not have")
    wrapped: bytes | None = row[0] or reseal_study(session.keys, connection, study_id)
    return wrapped


def known_values(session: Session, study_ids: Sequence[UUID]) -> dict[UUID, frozenset[str]]:
    """Return for each study its collected values, its UID, and the parts of every identity of its patient.

    Raises
    ------
    Held
        The keys of a study were destroyed (``KEYS_DESTROYED``): what must not be found is not known any more.
    Fatal
        The ledger does not have a study.
    """
    keys = session.keys
    with session.transaction() as connection:
        values = _of_studies(session, connection, study_ids)
        rows = connection.execute(
            "SELECT st.id, st.uid_sealed, st.key_wrapped, p.survivor_id FROM crosswalk.study st"
            " LEFT JOIN crosswalk.patient p ON p.id = st.patient_id WHERE st.id = ANY(%s)",
            (list(study_ids),),
        ).fetchall()
        identities = known_identities(connection, keys, {row[3] for row in rows if row[3]}, study_ids)
    if len(rows) != len(set(study_ids)):
        raise Fatal("known values are asked of a study that the ledger does not have")
    for study_id, uid_sealed, wrapped, survivor_id in rows:
        values[study_id].add(open_text(keys.of("study", study_id, wrapped), "study.uid", study_id, uid_sealed))
        values[study_id].update(*map(identifying_values, identities.get(survivor_id, ())))
    return {study_id: frozenset(values[study_id]) for study_id in study_ids}


def date_shift(session: Session, study_id: UUID) -> int | None:
    """Return the number of days that the dates of a study's patient move by, None while it has no patient."""
    with session.transaction() as connection:
        row = connection.execute(
            "SELECT p.id, p.date_shift_sealed, p.key_wrapped FROM crosswalk.study st"
            " JOIN crosswalk.patient p ON p.id = st.patient_id WHERE st.id = %s",
            (study_id,),
        ).fetchone()
    return None if row is None else open_date_shift(session.keys.of("patient", row[0], row[2]), row[0], row[1])


def _of_studies(session: Session, connection: Connection, study_ids: Sequence[UUID]) -> dict[UUID, set[str]]:
    values: dict[UUID, set[str]] = defaultdict(set)
    for row, study_id, sealed, wrapped in connection.execute(
        "SELECT id, study_id, values_sealed, key_wrapped FROM crosswalk.known_values_of(%s)",
        (list(study_ids),),
    ).fetchall():
        key = session.keys.of("study", study_id, wrapped)
        values[study_id].update(json.loads(open_text(key, "study_known_values.values", row, sealed)))
    return values
