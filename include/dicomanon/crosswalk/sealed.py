"""How source values are written into sealed columns and blind indexes: one function pair per kind of value."""

import json
from uuid import UUID

from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.keys.data_keys import Sealer
from dicomanon.identity import PatientIdentity
from dicomanon.values import Phi

RowId = UUID | int


def seal_text(key: Sealer, column: str, row: RowId, text: str) -> bytes:
    """Seal a text for one column of one row."""
    return key.seal(text.encode("utf-8", "surrogatepass"), f"{column}|{row}")


def open_text(key: Sealer, column: str, row: RowId, sealed: bytes) -> str:
    """Open what :func:`seal_text` sealed."""
    return key.open(sealed, f"{column}|{row}").decode("utf-8", "surrogatepass")


def open_phi(key: Sealer, column: str, row: RowId, sealed: bytes) -> Phi[str]:
    """Open a text into the type that does not print it."""
    return Phi(open_text(key, column, row, sealed))


def seal_identity(key: Sealer, row: UUID, identity: PatientIdentity) -> bytes:
    """Seal who a patient is."""
    return seal_text(key, "patient.identity", row, json.dumps(identity_parts(identity)))


def open_identity(key: Sealer, row: UUID, sealed: bytes) -> PatientIdentity:
    """Open who a patient is."""
    return PatientIdentity(*json.loads(open_text(key, "patient.identity", row, sealed)))


def seal_variant(key: Sealer, row: UUID, identity: PatientIdentity) -> bytes:
    """Seal an identity that somebody said is a patient's too."""
    return seal_text(key, "patient_variant.identity", row, json.dumps(identity_parts(identity)))


def open_variant(key: Sealer, row: UUID, sealed: bytes) -> PatientIdentity:
    """Open an identity that somebody said is a patient's too."""
    return PatientIdentity(*json.loads(open_text(key, "patient_variant.identity", row, sealed)))


def seal_key(key: Sealer, row: UUID, patient_key: tuple[str, str]) -> bytes:
    """Seal issuer and Patient ID, as they lead to a patient."""
    return seal_text(key, "patient_key.key", row, json.dumps(patient_key))


def open_key(key: Sealer, row: UUID, sealed: bytes) -> tuple[str, str]:
    """Open issuer and Patient ID."""
    issuer, patient_id = json.loads(open_text(key, "patient_key.key", row, sealed))
    return issuer, patient_id


def identity_parts(identity: PatientIdentity) -> list[str]:
    """Return an identity in the order in which it is sealed."""
    return [identity.patient_id, identity.issuer, identity.name, identity.birth_date, identity.sex]


def seal_date_shift(key: Sealer, row: UUID, days: int) -> bytes:
    """Seal a date shift; its ciphertext has the same length for every shift."""
    return key.seal(days.to_bytes(4, signed=True), f"patient.date_shift|{row}")


def open_date_shift(key: Sealer, row: UUID, sealed: bytes) -> int:
    """Open a date shift, in days."""
    return int.from_bytes(key.open(sealed, f"patient.date_shift|{row}"), signed=True)


def index_patient(keyring: Keyring, issuer: str, patient_id: str) -> bytes:
    """Index what makes a patient one: issuer and Patient ID together."""
    return keyring.index("patient", json.dumps([issuer, patient_id]))


def index_patient_id(keyring: Keyring, patient_id: str) -> bytes:
    """Index a Patient ID, whoever issued it."""
    return keyring.index("patient-id", patient_id)


def index_uid(keyring: Keyring, kind: str, uid: str) -> bytes:
    """Index a source UID of a kind: ``study``, ``series`` or ``sop``."""
    return keyring.index(f"{kind}-uid", uid)


def index_accession(keyring: Keyring, accession_number: str) -> bytes:
    """Index an accession number, without the padding that SH allows (PS3.5 Table 6.2-1)."""
    return keyring.index("accession-number", accession_number.strip(" \0"))


def clean_uid(uid: str) -> str:
    """Return a UID without the padding that PS3.5 9.1 and careless senders add."""
    return uid.strip(" \0")
