"""Keeps the identifying values of a study's source objects, sealed, for the search that validation makes."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from uuid import UUID, uuid4

from dicomanon.crosswalk.identities import identifying_values
from dicomanon.crosswalk.sealed import open_date_shift, open_identity, open_text, seal_text
from dicomanon.crosswalk.session import Connection, Session
from dicomanon.errors import Fatal


def add_known_values(session: Session, study_id: UUID, values: Iterable[str]) -> None:
    """Add what the study does not have yet.

    New values go into a row of their own, so that adding never waits for another worker; what two workers add at
    once is kept twice, which changes nothing.
    """
    wanted = {value for value in values if value}
    keyring = session.keyring
    with session.transaction() as connection:
        new = wanted - _of_studies(session, connection, [study_id])[study_id]
        if not new:
            return
        row = uuid4()
        inserted = connection.execute(
            "INSERT INTO crosswalk.study_known_values (id, study_id, values_sealed)"
            " SELECT %s, id, %s FROM crosswalk.study WHERE id = %s",
            (row, seal_text(keyring, "study_known_values.values", row, json.dumps(sorted(new))), study_id),
        )
        if inserted.rowcount != 1:
            raise Fatal("known values are about a study that the ledger does not have")


def known_values(session: Session, study_ids: Sequence[UUID]) -> dict[UUID, frozenset[str]]:
    """Return for each study its collected values, its UID, and the parts of its patient's identity."""
    keyring = session.keyring
    with session.transaction() as connection:
        values = _of_studies(session, connection, study_ids)
        rows = connection.execute(
            "SELECT st.id, st.uid_sealed, p.id, p.identity_sealed FROM crosswalk.study st"
            " LEFT JOIN crosswalk.patient p ON p.id = st.patient_id WHERE st.id = ANY(%s)",
            (list(study_ids),),
        ).fetchall()
    if len(rows) != len(set(study_ids)):
        raise Fatal("known values are asked of a study that the ledger does not have")
    for study_id, uid_sealed, patient_id, identity_sealed in rows:
        values[study_id].add(open_text(keyring, "study.uid", study_id, uid_sealed))
        if patient_id is not None:
            values[study_id] |= identifying_values(open_identity(keyring, patient_id, identity_sealed))
    return {study_id: frozenset(values[study_id]) for study_id in study_ids}


def date_shift(session: Session, study_id: UUID) -> int | None:
    """Return the number of days that the dates of a study's patient move by, None while it has no patient."""
    with session.transaction() as connection:
        row = connection.execute(
            "SELECT p.id, p.date_shift_sealed FROM crosswalk.study st"
            " JOIN crosswalk.patient p ON p.id = st.patient_id WHERE st.id = %s",
            (study_id,),
        ).fetchone()
    return None if row is None else open_date_shift(session.keyring, row[0], row[1])


def _of_studies(session: Session, connection: Connection, study_ids: Sequence[UUID]) -> dict[UUID, set[str]]:
    values: dict[UUID, set[str]] = defaultdict(set)
    for row, study_id, sealed in connection.execute(
        "SELECT id, study_id, values_sealed FROM crosswalk.study_known_values WHERE study_id = ANY(%s)",
        (list(study_ids),),
    ).fetchall():
        values[study_id].update(json.loads(open_text(session.keyring, "study_known_values.values", row, sealed)))
    return values
