"""A crosswalk from before identities could be decided: its events and what they hold can be decided too."""

import json
from uuid import UUID, uuid4

import psycopg
import pytest
from tests.crosswalk.keys.former_version import PATIENT, fill
from tests.crosswalk.scenario import DOE, NOW, ROE

from dicomanon.crosswalk import database, migrations
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.decisions.rows import Signed
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.keys.data_keys import DataKey
from dicomanon.crosswalk.keys.keychain import Keychain
from dicomanon.crosswalk.sealed import index_patient, index_patient_id, seal_date_shift, seal_identity, seal_text
from dicomanon.errors import Held
from dicomanon.identity import PatientIdentity
from dicomanon.reasons import HoldReason

ADMIN = Signed("admin", "asked the ward")
STEP = "_identity_decisions.sql"


@pytest.fixture
def upgraded(empty_dsn: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with a patient, a study whose instance is held, events of both old kinds, and a destroyed patient."""
    steps = migrations.migrations()
    before = [step.name.endswith(STEP) for step in steps].index(True)
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "migrations", lambda: steps[:before])
        # Of a version without roles: what this one grants is not there yet.
        patched.setattr(database, "apply_grants", lambda _: None)
        with Crosswalk(empty_dsn, keyring) as crosswalk, psycopg.connect(empty_dsn) as connection:
            crosswalk.migrate()
            _fill(connection, keyring, crosswalk.keys.chain)
    with Crosswalk(empty_dsn, keyring) as crosswalk:
        crosswalk.migrate()
    return empty_dsn


def _patient(
    connection: psycopg.Connection, keyring: Keyring, chain: Keychain, pseudonym: str, identity: PatientIdentity
) -> tuple[UUID, DataKey]:
    row = uuid4()
    key, wrapped = chain.maker(connection)("patient", row)
    connection.execute(
        "INSERT INTO crosswalk.patient (id, pseudonym, patient_index, patient_id_index, identity_sealed,"
        " date_shift_sealed, key_wrapped) VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (
            row,
            pseudonym,
            index_patient(keyring, "", identity.patient_id),
            index_patient_id(keyring, identity.patient_id),
            seal_identity(key, row, identity),
            seal_date_shift(key, row, -2000),
            wrapped,
        ),
    )
    return row, key


def _fill(connection: psycopg.Connection, keyring: Keyring, chain: Keychain) -> None:
    patient, patient_key = _patient(connection, keyring, chain, "D1", DOE)
    destroyed, _ = _patient(connection, keyring, chain, "D2", ROE)
    connection.execute(
        "UPDATE crosswalk.patient SET key_wrapped = NULL, key_destroyed_at = now(), identity_sealed = '',"
        " date_shift_sealed = '', issuer_was_named = false WHERE id = %s",
        (destroyed,),
    )
    study, series, name_event, study_event = (uuid4() for _ in range(4))
    study_key, wrapped = chain.maker(connection)("study", study)
    connection.execute(
        "INSERT INTO crosswalk.study (id, study_index, uid_sealed, key_wrapped, patient_id, observed_count,"
        " count_changed_at, first_observed_at) VALUES (%s, 's', %s, %s, %s, 1, %s, %s)",
        (study, seal_text(study_key, "study.uid", study, "1.2"), wrapped, patient, NOW, NOW),
    )
    connection.execute(
        "INSERT INTO crosswalk.series (id, study_id, series_index, uid_sealed) VALUES (%s, %s, 's', 'x')",
        (series, study),
    )
    connection.execute(
        "INSERT INTO crosswalk.instance (study_id, series_id, state, reason, enrolled_at, state_changed_at,"
        " sop_index, uid_sealed) VALUES (%s, %s, 'held', 'identity-conflict', %s, %s, 'i', 'x')",
        (study, series, NOW, NOW),
    )
    for row, kind, of_study, key, detail in (
        (name_event, "name", None, patient_key, {"seen": "JONES^JOHN"}),
        (study_event, "identity-conflict", study, study_key, {}),
    ):
        connection.execute(
            "INSERT INTO crosswalk.identity_event (id, kind, fingerprint, patient_id, study_id, detail_sealed)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            (
                row,
                kind,
                kind.encode(),
                patient,
                of_study,
                seal_text(key, "identity_event.detail", row, json.dumps(detail)),
            ),
        )


def test_the_key_leads_to_the_patient_as_before(upgraded: str, keyring: Keyring) -> None:
    with Crosswalk(upgraded, keyring) as crosswalk:
        found = crosswalk.patients.get_or_create(DOE)
    assert (found.pseudonym, found.date_shift_days) == ("D1", -2000)


def test_an_event_about_one_part_can_be_shown_and_overruled(upgraded: str, keyring: Keyring) -> None:
    with Crosswalk(upgraded, keyring) as crosswalk:
        (event,) = [one for one in crosswalk.identities.events() if one.kind == "patient-differs"]
        assert event.parts == ("name",)
        seen = crosswalk.identities.show(event.id, actor="admin", reason="why").seen.reveal()
        assert seen is not None
        assert seen.name == "JONES^JOHN"
        crosswalk.identities.overrule(event.id, ADMIN)
        assert crosswalk.patients.get_or_create(DOE).pseudonym == "D1"


def test_what_an_event_about_a_study_holds_is_freed_with_it(upgraded: str, keyring: Keyring) -> None:
    with Crosswalk(upgraded, keyring) as crosswalk:
        (event,) = [one for one in crosswalk.identities.events() if one.kind == "two-patients-in-study"]
        assert event.held == 1
        assert crosswalk.identities.overrule(event.id, ADMIN).freed == 1


def test_a_patient_whose_keys_were_destroyed_is_held_as_before(upgraded: str, keyring: Keyring) -> None:
    with Crosswalk(upgraded, keyring) as crosswalk, pytest.raises(Held) as refused:
        crosswalk.patients.get_or_create(ROE)
    assert refused.value.reason is HoldReason.KEYS_DESTROYED


def test_an_event_from_before_there_were_data_keys_can_be_overruled(
    empty_dsn: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(empty_dsn, keyring, monkeypatch)
    with Crosswalk(empty_dsn, keyring) as crosswalk:
        crosswalk.migrate()
        for event in crosswalk.identities.events():
            crosswalk.identities.overrule(event.id, ADMIN)
        renamed = PatientIdentity(PATIENT.patient_id, PATIENT.issuer, "SANCHO")
        assert crosswalk.patients.get_or_create(renamed).pseudonym == "DFORMER00001"
