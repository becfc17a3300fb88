"""Seals everything of a patient row or a study anew, with a new data key, in one transaction.

The row is locked against everybody who seals for it: who reads a key to seal with it holds at least ``FOR KEY SHARE``.
What is sealed goes through functions of the database: they keep who may only write first keys from what has one.
"""

from typing import LiteralString
from uuid import UUID

from dicomanon.crosswalk.keys.data_keys import Sealer
from dicomanon.crosswalk.keys.keychain import Connection, Keychain
from dicomanon.crosswalk.keys.wrapping import Owner
from dicomanon.errors import Fatal

_LOCKED: dict[Owner, LiteralString] = {
    "patient": "SELECT key_wrapped, key_destroyed_at IS NOT NULL FROM crosswalk.patient WHERE id = %s FOR UPDATE",
    "study": "SELECT key_wrapped, key_destroyed_at IS NOT NULL FROM crosswalk.study WHERE id = %s FOR UPDATE",
}
_READ_FIRST: LiteralString = "SELECT sealed_column, row_id, sealed FROM crosswalk.sealed_without_key(%s, %s)"
_READ: LiteralString = "SELECT sealed_column, row_id, sealed FROM crosswalk.sealed_of(%s, %s)"
_WRITE_FIRST: LiteralString = "SELECT crosswalk.seal_first(%s, %s, %s, %s::text[], %s::text[], %s::bytea[])"
_WRITE: LiteralString = "SELECT crosswalk.seal_anew(%s, %s, %s, %s::text[], %s::text[], %s::bytea[])"


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
    return _reseal(keys, connection, "patient", patient_id)


def reseal_study(keys: Keychain, connection: Connection, study_id: UUID) -> bytes | None:
    """Give a study a new data key; return it wrapped, or ``None`` if the keys of the study were destroyed.

    Raises
    ------
    Fatal
        There is no such study, or a value of it does not open.
    """
    return _reseal(keys, connection, "study", study_id)


def _reseal(keys: Keychain, connection: Connection, owner: Owner, row: UUID) -> bytes | None:
    found = connection.execute(_LOCKED[owner], (row,)).fetchone()
    if found is None:
        raise Fatal(f"the {owner} to seal anew is not in the crosswalk")
    former_wrapped, destroyed = found
    if destroyed:
        return None
    former = keys.of(owner, row, former_wrapped)
    key, wrapped = keys.maker(connection)(owner, row)
    read, write = (_READ_FIRST, _WRITE_FIRST) if former_wrapped is None else (_READ, _WRITE)
    values = connection.execute(read, (owner, row)).fetchall()
    contexts = [f"{column}|{row_id}" for column, row_id, _ in values]
    anew = [
        key.seal(former.open(sealed, context), context)
        for context, (_, _, sealed) in zip(contexts, values, strict=True)
    ]
    connection.execute(write, (owner, row, wrapped, [value[0] for value in values], [v[1] for v in values], anew))
    return wrapped
