"""A crosswalk as it was before there were data keys: migrations up to 0007, values sealed by the keyring itself."""

import hashlib
import json
import os
from datetime import UTC, datetime
from uuid import UUID, uuid4

import psycopg
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from dicomanon.crosswalk import migrations
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.sealed import index_accession, index_patient, index_patient_id, index_uid
from dicomanon.identity import PatientIdentity

FORMER = 7
"""Migrations that the former version had."""
STUDY_UID, SERIES_UID, SOP_UID = "1.2.77", "1.2.77.1", "1.2.77.1.1"
PATIENT = PatientIdentity("MRN-1", "HERE", "QUIXANO^ALONSO", "19700131", "M")
KNOWN = "TOLEDO"
SHIFT = -1234
SEEN = "SANCHO"
WHY = "for the audit of QUIXANO"


def sealed_directly(keyring: Keyring, plaintext: bytes, context: str) -> bytes:
    """Seal as version 1 did."""
    nonce = os.urandom(12)
    return b"\x01" + nonce + AESGCM(keyring.sealing_key).encrypt(nonce, plaintext, context.encode())


def fill(dsn: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch) -> UUID:
    """Migrate as far as the former version did, and write one row of each kind; return the study's id."""
    steps = migrations.migrations()
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "migrations", lambda: steps[:FORMER])
        with psycopg.connect(dsn) as connection:
            migrations.migrate(connection)
    ids = {name: uuid4() for name in ("patient", "study", "series", "known", "event", "conflict", "device", "access")}

    def sealed(column: str, row: UUID | int, text: str | bytes) -> bytes:
        plaintext = text if isinstance(text, bytes) else text.encode()
        return sealed_directly(keyring, plaintext, f"{column}|{row}")

    now = datetime.now(UTC)
    identity = [PATIENT.patient_id, PATIENT.issuer, PATIENT.name, PATIENT.birth_date, PATIENT.sex]
    with psycopg.connect(dsn) as connection:
        connection.cursor().executemany(
            "INSERT INTO crosswalk.keyring_fingerprint VALUES (%s, %s)", list(keyring.fingerprints().items())
        )
        connection.execute(
            "INSERT INTO crosswalk.patient (id, pseudonym, patient_index, patient_id_index, identity_sealed,"
            " date_shift_sealed) VALUES (%s, 'DFORMER00001', %s, %s, %s, %s)",
            (
                ids["patient"],
                index_patient(keyring, PATIENT.issuer, PATIENT.patient_id),
                index_patient_id(keyring, PATIENT.patient_id),
                sealed("patient.identity", ids["patient"], json.dumps(identity)),
                sealed("patient.date_shift", ids["patient"], SHIFT.to_bytes(4, signed=True)),
            ),
        )
        connection.execute(
            "INSERT INTO crosswalk.study (id, study_index, uid_sealed, patient_id, research_study_uid, facts_sealed,"
            " observed_count, count_changed_at, enrolled_count, enrolled_at, first_observed_at)"
            " VALUES (%s, %s, %s, %s, '2.25.1', %s, 1, %s, 1, %s, %s)",
            (
                ids["study"],
                index_uid(keyring, "study", STUDY_UID),
                sealed("study.uid", ids["study"], STUDY_UID),
                ids["patient"],
                sealed("study.facts", ids["study"], json.dumps({"accession_number": ["ACC-1"]})),
                *(now, now, now),
            ),
        )
        connection.execute(
            "INSERT INTO crosswalk.study_accession VALUES (%s, %s)", (index_accession(keyring, "ACC-1"), ids["study"])
        )
        connection.execute(
            "INSERT INTO crosswalk.series (id, study_id, series_index, uid_sealed, research_series_uid, modality,"
            " facts_sealed) VALUES (%s, %s, %s, %s, '2.25.2', 'CT', %s)",
            (
                ids["series"],
                ids["study"],
                index_uid(keyring, "series", SERIES_UID),
                sealed("series.uid", ids["series"], SERIES_UID),
                sealed("series.facts", ids["series"], json.dumps({"modality": ["CT"]})),
            ),
        )
        connection.execute(
            "INSERT INTO crosswalk.instance (id, study_id, series_id, sop_index, uid_sealed, enrolled_at,"
            " state_changed_at) OVERRIDING SYSTEM VALUE VALUES (1000, %s, %s, %s, %s, %s, %s)",
            (
                ids["study"],
                ids["series"],
                index_uid(keyring, "sop", SOP_UID),
                sealed("instance.uid", 1000, SOP_UID),
                *(now, now),
            ),
        )
        connection.execute(
            "INSERT INTO crosswalk.study_known_values VALUES (%s, %s, %s)",
            (ids["known"], ids["study"], sealed("study_known_values.values", ids["known"], json.dumps([KNOWN]))),
        )
        for name, owner in (("event", "study"), ("conflict", "patient")):
            connection.execute(
                "INSERT INTO crosswalk.identity_event (id, kind, fingerprint, patient_id, study_id, detail_sealed)"
                " VALUES (%s, 'name', %s, %s, %s, %s)",
                (
                    ids[name],
                    hashlib.sha256(name.encode()).digest(),
                    ids["patient"],
                    ids["study"] if owner == "study" else None,
                    sealed("identity_event.detail", ids[name], json.dumps({"seen": SEEN})),
                ),
            )
        connection.execute(
            "INSERT INTO crosswalk.access_event (id, actor, action, reason_sealed, count)"
            " VALUES (%s, 'ada', 'read', %s, 1)",
            (ids["access"], sealed("access_event.reason", ids["access"], WHY)),
        )
    return ids["study"]
