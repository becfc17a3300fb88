"""Seals everything of a patient row or a study anew, with a new data key, in one transaction.

The row is locked against everybody who seals for it: who reads a key to seal with it holds at least ``FOR KEY SHARE``.
"""

from collections.abc import Iterable
from typing import LiteralString
from uuid import UUID

from dicomanon.crosswalk.keys.data_keys import Sealer
from dicomanon.crosswalk.keys.keychain import Connection, Keychain
from dicomanon.crosswalk.keys.wrapping import RowId
from dicomanon.errors import Fatal

_WRITE_EVENTS: LiteralString = (
    "UPDATE crosswalk.identity_event t SET detail_sealed = n.sealed FROM pg_temp.resealed n WHERE t.id = n.row_id::uuid"
)
# Of a study: everything that is sealed with its key, each with the column that its ciphertext is bound to.
_OF_STUDY: tuple[tuple[str, LiteralString, LiteralString], ...] = (
    (
        "series.uid",
        "SELECT id, uid_sealed FROM crosswalk.series WHERE study_id = %s ORDER BY id FOR NO KEY UPDATE",
        "UPDATE crosswalk.series t SET uid_sealed = n.sealed FROM pg_temp.resealed n WHERE t.id = n.row_id::uuid",
    ),
    (
        "series.facts",
        "SELECT id, facts_sealed FROM crosswalk.series WHERE study_id = %s AND facts_sealed IS NOT NULL",
        "UPDATE crosswalk.series t SET facts_sealed = n.sealed FROM pg_temp.resealed n WHERE t.id = n.row_id::uuid",
    ),
    (
        "instance.uid",
        "SELECT id, uid_sealed FROM crosswalk.instance WHERE study_id = %s ORDER BY id FOR NO KEY UPDATE",
        "UPDATE crosswalk.instance t SET uid_sealed = n.sealed FROM pg_temp.resealed n WHERE t.id = n.row_id::bigint",
    ),
    (
        "study_known_values.values",
        "SELECT id, values_sealed FROM crosswalk.study_known_values WHERE study_id = %s",
        "UPDATE crosswalk.study_known_values t SET values_sealed = n.sealed FROM pg_temp.resealed n"
        " WHERE t.id = n.row_id::uuid",
    ),
    (
        "identity_event.detail",
        "SELECT id, detail_sealed FROM crosswalk.identity_event WHERE study_id = %s",
        _WRITE_EVENTS,
    ),
)
# Of a patient row, likewise.
_OF_PATIENT: tuple[tuple[str, LiteralString, LiteralString], ...] = (
    (
        "patient_key.key",
        "SELECT id, key_sealed FROM crosswalk.patient_key WHERE patient_id = %s AND key_sealed IS NOT NULL",
        "UPDATE crosswalk.patient_key t SET key_sealed = n.sealed FROM pg_temp.resealed n WHERE t.id = n.row_id::uuid",
    ),
    (
        "patient_variant.identity",
        "SELECT id, identity_sealed FROM crosswalk.patient_variant WHERE patient_id = %s",
        "UPDATE crosswalk.patient_variant t SET identity_sealed = n.sealed FROM pg_temp.resealed n"
        " WHERE t.id = n.row_id::uuid",
    ),
    (
        "identity_event.detail",
        "SELECT id, detail_sealed FROM crosswalk.identity_event WHERE patient_id = %s AND study_id IS NULL",
        _WRITE_EVENTS,
    ),
)


def key_of_patient(keys: Keychain, connection: Connection, patient_id: UUID) -> Sealer | None:
    """Return the data key of a patient row, which nobody replaces before the transaction ends.

    A row without one is sealed anew. ``None`` if the keys of the patient were destroyed.

    Raises
    ------
    Fatal
        There is no such patient, or a value of theirs does not open.
    """
    row = connection.execute(
        "SELECT key_wrapped FROM crosswalk.patient WHERE id = %s FOR KEY SHARE", (patient_id,)
    ).fetchone()
    wrapped = (row and row[0]) or reseal_patient(keys, connection, patient_id)
    return None if wrapped is None else keys.of("patient", patient_id, wrapped)


def reseal_patient(keys: Keychain, connection: Connection, patient_id: UUID) -> bytes | None:
    """Give a patient row a new data key; return it wrapped, or ``None`` if the keys of the patient were destroyed.

    Raises
    ------
    Fatal
        There is no such patient, or a value of theirs does not open.
    """
    row = connection.execute(
        "SELECT key_wrapped, key_destroyed_at IS NOT NULL, identity_sealed, date_shift_sealed FROM crosswalk.patient"
        " WHERE id = %s FOR UPDATE",
        (patient_id,),
    ).fetchone()
    if row is None:
        raise Fatal("the patient to seal anew is not in the crosswalk")
    if row[1]:
        return None
    former = keys.of("patient", patient_id, row[0])
    key, wrapped = keys.maker(connection)("patient", patient_id)
    connection.execute(
        "UPDATE crosswalk.patient SET key_wrapped = %s, identity_sealed = %s, date_shift_sealed = %s WHERE id = %s",
        (
            wrapped,
            _anew(former, key, "patient.identity", patient_id, row[2]),
            _anew(former, key, "patient.date_shift", patient_id, row[3]),
            patient_id,
        ),
    )
    for column, read, write in _OF_PATIENT:
        _write(connection, former, key, column, connection.execute(read, (patient_id,)).fetchall(), write)
    return wrapped


def reseal_study(keys: Keychain, connection: Connection, study_id: UUID) -> bytes | None:
    """Give a study a new data key; return it wrapped, or ``None`` if the keys of the study were destroyed.

    Raises
    ------
    Fatal
        There is no such study, or a value of it does not open.
    """
    row = connection.execute(
        "SELECT key_wrapped, key_destroyed_at IS NOT NULL, uid_sealed, facts_sealed FROM crosswalk.study"
        " WHERE id = %s FOR UPDATE",
        (study_id,),
    ).fetchone()
    if row is None:
        raise Fatal("the study to seal anew is not in the crosswalk")
    if row[1]:
        return None
    former = keys.of("study", study_id, row[0])
    key, wrapped = keys.maker(connection)("study", study_id)
    connection.execute(
        "UPDATE crosswalk.study SET key_wrapped = %s, uid_sealed = %s, facts_sealed = %s WHERE id = %s",
        (
            wrapped,
            _anew(former, key, "study.uid", study_id, row[2]),
            None if row[3] is None else _anew(former, key, "study.facts", study_id, row[3]),
            study_id,
        ),
    )
    for column, read, write in _OF_STUDY:
        _write(connection, former, key, column, connection.execute(read, (study_id,)).fetchall(), write)
    return wrapped


def _write(
    connection: Connection,
    former: Sealer,
    key: Sealer,
    column: str,
    rows: Iterable[tuple[RowId, bytes]],
    write: LiteralString,
) -> None:
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS resealed (row_id text, sealed bytea) ON COMMIT DELETE ROWS")
    connection.execute("TRUNCATE pg_temp.resealed")
    with connection.cursor().copy("COPY pg_temp.resealed (row_id, sealed) FROM STDIN") as copy:
        for row, sealed in rows:
            copy.write_row((str(row), _anew(former, key, column, row, sealed)))
    connection.execute(write)


def _anew(former: Sealer, key: Sealer, column: str, row: RowId, sealed: bytes) -> bytes:
    context = f"{column}|{row}"
    return key.seal(former.open(sealed, context), context)
