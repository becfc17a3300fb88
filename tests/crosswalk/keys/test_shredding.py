"""Destroyed keys: nothing of the patient opens, everything of research stays, and nobody trips over the rows."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from tests.crosswalk.keys.former_version import PATIENT, fill
from tests.crosswalk.scenario import DOE, FACTS, NOW, ROE, Run, discover, held, sightings

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.sealed import open_text
from dicomanon.errors import Fatal, Held
from dicomanon.identity import PatientIdentity, StudySighting
from dicomanon.reasons import HoldReason

OTHER_FACTS = replace(FACTS, accession_number="ACC-55502")
MINE, PENDING, THEIRS = "1.2.1", "1.2.2", "1.2.3"


@pytest.fixture
def pseudonym(crosswalk: Crosswalk) -> str:
    """DOE with a stored study and one at work, ROE with a stored one of another order; DOE's keys are destroyed."""
    discover(crosswalk, THEIRS, sightings(THEIRS, 2))
    Run(crosswalk).complete(ROE)
    mine = discover(crosswalk, MINE, sightings(MINE, 2))
    run = Run(crosswalk)
    crosswalk.mapping.add_known_values(mine, ["TOLEDO"])
    run.complete(DOE, facts=OTHER_FACTS)
    discover(crosswalk, PENDING, sightings(PENDING, 3))
    run = Run(crosswalk)
    first, *others = run.outcomes(DOE, facts=OTHER_FACTS)
    crosswalk.mapping.record(run.batch, [first, *(held(one, HoldReason.BURNED_IN_RISK) for one in others)])
    with pytest.raises(Held):
        crosswalk.patients.get_or_create(replace(DOE, name="DOE^JANE"))
    patient = crosswalk.patients.get_or_create(DOE)
    crosswalk.keys.destroy(patient.pseudonym, actor="ada", reason="asked for by the patient")
    return patient.pseudonym


@pytest.fixture
def fresh(crosswalk: Crosswalk, pseudonym: str, crosswalk_dsn: str, keyring: Keyring) -> Crosswalk:
    """Another process, which has nothing in memory."""
    with Crosswalk(crosswalk_dsn, keyring) as opened:
        yield opened  # type: ignore[misc]


def test_no_key_and_no_ciphertext_is_left(crosswalk_dsn: str, pseudonym: str) -> None:
    with psycopg.connect(crosswalk_dsn) as connection:
        rows = connection.execute(
            "SELECT p.key_wrapped, st.key_wrapped, p.identity_sealed || p.date_shift_sealed || st.uid_sealed"
            " || coalesce(st.facts_sealed, '') || se.uid_sealed || coalesce(se.facts_sealed, '') || i.uid_sealed"
            " FROM crosswalk.patient p JOIN crosswalk.study st ON st.patient_id = p.id"
            " JOIN crosswalk.series se ON se.study_id = st.id JOIN crosswalk.instance i ON i.series_id = se.id"
            " WHERE p.pseudonym = %s",
            (pseudonym,),
        ).fetchall()
        known = connection.execute("SELECT values_sealed FROM crosswalk.study_known_values").fetchall()
        events = connection.execute("SELECT detail_sealed FROM crosswalk.identity_event").fetchall()
    assert set(rows) == {(None, None, b"")}
    assert len(rows) == 5
    assert (known, events) == ([(b"",)], [(b"",)])


def test_is_in_the_audit_trail(crosswalk: Crosswalk, crosswalk_dsn: str, pseudonym: str) -> None:
    with psycopg.connect(crosswalk_dsn) as connection:
        ((row, actor, action, subject, sealed, count),) = connection.execute(
            "SELECT id, actor, action, subject, reason_sealed, count FROM crosswalk.access_event"
        ).fetchall()
    assert (actor, action, subject, count) == ("ada", "keys.destroy", pseudonym, 2)
    reason = open_text(crosswalk.keys.chain.site, "access_event.reason", row, sealed)
    assert reason == "asked for by the patient"


class TestThePatient:
    def test_is_held_and_gets_no_second_pseudonym(self, fresh: Crosswalk, crosswalk_dsn: str) -> None:
        for identity in (DOE, PatientIdentity(DOE.patient_id)):
            with pytest.raises(Held) as refused:
                fresh.patients.get_or_create(identity)
            assert refused.value.reason is HoldReason.KEYS_DESTROYED
        with psycopg.connect(crosswalk_dsn) as connection:
            assert connection.execute("SELECT count(*) FROM crosswalk.patient").fetchone() == (2,)

    def test_is_held_too_where_only_the_issuer_is_new(self, fresh: Crosswalk) -> None:
        with pytest.raises(Held) as refused:
            fresh.patients.get_or_create(replace(DOE, issuer="HERE"))
        assert refused.value.reason is HoldReason.KEYS_DESTROYED

    def test_of_another_issuer_is_another_patient(self, crosswalk: Crosswalk) -> None:
        here = crosswalk.patients.get_or_create(PatientIdentity("77", "HERE"))
        crosswalk.keys.destroy(here.pseudonym, actor="ada", reason="why")
        assert crosswalk.patients.get_or_create(PatientIdentity("77", "THERE")).pseudonym != here.pseudonym
        with pytest.raises(Held):
            crosswalk.patients.get_or_create(PatientIdentity("77"))

    def test_does_not_hold_one_who_is_surely_somebody_else(self, crosswalk: Crosswalk) -> None:
        destroyed = crosswalk.patients.get_or_create(PatientIdentity("77", "HERE", "DOE^JOHN", "19700131"))
        other = crosswalk.patients.get_or_create(PatientIdentity("77", "THERE", "ROE^JANE", "19811224"))
        crosswalk.keys.destroy(destroyed.pseudonym, actor="ada", reason="why")
        assert crosswalk.patients.get_or_create(PatientIdentity("77", "", "ROE^JANE", "19811224")) == other

    def test_who_is_still_in_the_memory_of_a_process_is_held_when_recorded(
        self, crosswalk: Crosswalk, pseudonym: str
    ) -> None:
        assert crosswalk.patients.get_or_create(DOE).pseudonym == pseudonym
        study_id = discover(crosswalk, "1.2.9", sightings("1.2.9", 2))
        run = Run(crosswalk)
        run.record(DOE)
        assert run.states() == ["held", "held"]
        (account,) = crosswalk.ledger.balance([study_id])
        assert (account.held, account.pseudonym) == ({"keys-destroyed": 2}, None)

    def test_others_are_as_they_were(self, fresh: Crosswalk) -> None:
        fresh.patients.get_or_create(ROE)
        (study,) = fresh.mapping.studies_for_cohort()
        assert "ROE^JANE" in fresh.mapping.known_values([study.study_id])[study.study_id]

    def test_cannot_be_destroyed_twice_or_for_no_reason(self, crosswalk: Crosswalk, pseudonym: str) -> None:
        with pytest.raises(Fatal, match="already"):
            crosswalk.keys.destroy(pseudonym, actor="ada", reason="why")
        other = crosswalk.patients.get_or_create(ROE).pseudonym
        with pytest.raises(Fatal, match="who, what and why"):
            crosswalk.keys.destroy(other, actor="ada", reason=" ")
        with pytest.raises(Fatal, match="no such pseudonym"):
            crosswalk.keys.destroy("D00000000000", actor="ada", reason="why")
        assert crosswalk.patients.get_or_create(ROE).pseudonym == other
        assert crosswalk.keys.status().destroyed_patients == 1


class TestReadersOfTheRows:
    def test_the_ledger_has_nothing_left_to_do(self, fresh: Crosswalk) -> None:
        fresh.ledger.observe([StudySighting(MINE, 7), StudySighting(PENDING, 9)], NOW)
        assert fresh.ledger.due(timedelta(0), NOW + timedelta(days=1)) == []
        assert fresh.ledger.unplanned(fresh.ledger.open_run("ingest_studies", "later")) == []

    def test_a_batch_at_work_goes_on_without_them(
        self, crosswalk: Crosswalk, crosswalk_dsn: str, keyring: Keyring
    ) -> None:
        discover(crosswalk, THEIRS, sightings(THEIRS, 1))
        study_id = discover(crosswalk, MINE, sightings(MINE, 2))
        run = Run(crosswalk)
        mine = {source.instance_id for source in run.sources() if source.study_id == study_id}
        crosswalk.mapping.record(run.batch, [one for one in run.outcomes(DOE) if one.instance_id in mine])
        theirs = [one for one in run.outcomes(ROE, facts=OTHER_FACTS) if one.instance_id not in mine]
        late = [one for one in run.outcomes(DOE) if one.instance_id in mine]
        crosswalk.keys.destroy(crosswalk.patients.get_or_create(DOE).pseudonym, actor="ada", reason="why")
        crosswalk.mapping.record(run.batch, [*late, *theirs])
        crosswalk.mapping.add_known_values(study_id, ["MORE"])
        run.validate()
        run.store()
        assert run.states() == ["stored"]
        with psycopg.connect(crosswalk_dsn) as connection:
            states = connection.execute(
                "SELECT DISTINCT state::text, reason FROM crosswalk.instance WHERE study_id = %s", (study_id,)
            ).fetchall()
            known = connection.execute("SELECT count(*) FROM crosswalk.study_known_values").fetchone()
        assert (states, known) == ([("held", "keys-destroyed")], (0,))

    def test_an_enrolment_that_comes_too_late_adds_nothing(self, fresh: Crosswalk, crosswalk_dsn: str) -> None:
        with psycopg.connect(crosswalk_dsn) as connection:
            studies = connection.execute("SELECT id FROM crosswalk.study WHERE key_destroyed_at IS NOT NULL").fetchall()
        for (study_id,) in studies:
            assert fresh.ledger.enroll(study_id, sightings(MINE, 9), NOW).new == 0

    def test_known_values_and_date_shift_are_refused(self, fresh: Crosswalk, crosswalk_dsn: str) -> None:
        with psycopg.connect(crosswalk_dsn) as connection:
            ((study_id,), *_) = connection.execute(
                "SELECT id FROM crosswalk.study WHERE key_destroyed_at IS NOT NULL"
            ).fetchall()
        for ask in (lambda: fresh.mapping.known_values([study_id]), lambda: fresh.mapping.date_shift(study_id)):
            with pytest.raises(Held) as refused:
                ask()
            assert refused.value.reason is HoldReason.KEYS_DESTROYED

    def test_cohorts_maps_and_balances_leave_them_out(self, fresh: Crosswalk) -> None:
        assert len(list(fresh.mapping.studies_for_cohort())) == 1
        assert list(fresh.mapping.studies_for_cohort([("", DOE.patient_id)])) == []
        assert list(fresh.mapping.studies_for_cohort(accession_numbers=["ACC-55501"])) != []
        uids, patients = fresh.exports.maps("ada", "why")
        assert {value.reveal() for value, _ in uids} >= {THEIRS}
        assert [value.reveal() for value, _ in patients] == [ROE.patient_id]
        assert [account.study_uid.reveal() for account in fresh.ledger.balance()] == [THEIRS]

    def test_nobody_looks_at_what_was_held(self, fresh: Crosswalk, crosswalk_dsn: str) -> None:
        assert fresh.quarantine.counts() == {}
        with psycopg.connect(crosswalk_dsn) as connection:
            ids = [row[0] for row in connection.execute("SELECT id FROM crosswalk.instance WHERE state = 'held'")]
        assert len(ids) == 3
        assert [fresh.quarantine.look(one, actor="ada", action="look", reason="why") for one in ids] == [None] * 3

    def test_lineage_stays(self, fresh: Crosswalk, pseudonym: str) -> None:
        trace = fresh.lineage.trace(pseudonym)
        assert trace is not None
        states = sorted(one.state for one in trace.instances())
        assert states == ["held", "held", "held", "stored", "stored"]
        assert {study.source for study in trace.studies} == {"destroyed"}
        assert all(one.receipts for one in trace.instances() if one.state == "stored")

    def test_keys_are_rotated_and_sealed_anew_without_them(self, fresh: Crosswalk, pseudonym: str) -> None:
        assert fresh.keys.rotate_wrapping_key() == (2, 1 + 1 + 1)
        assert fresh.keys.reseal_unsealed() == (0, 0)
        with pytest.raises(Fatal, match="destroyed"):
            fresh.keys.reseal(pseudonym)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE crosswalk.patient SET key_wrapped = 'x' WHERE key_destroyed_at IS NOT NULL",
        "UPDATE crosswalk.patient SET key_destroyed_at = NULL WHERE key_destroyed_at IS NOT NULL",
        "UPDATE crosswalk.study SET key_destroyed_at = NULL WHERE key_destroyed_at IS NOT NULL",
        "UPDATE crosswalk.study SET uid_sealed = 'x' WHERE key_destroyed_at IS NOT NULL",
    ],
)
def test_the_database_brings_nothing_back(crosswalk_dsn: str, pseudonym: str, statement: str) -> None:
    with psycopg.connect(crosswalk_dsn) as connection, pytest.raises(psycopg.errors.RestrictViolation):
        connection.execute(statement)  # type: ignore[arg-type]


def test_what_was_sealed_before_there_were_data_keys_is_destroyed_too(
    empty_dsn: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(empty_dsn, keyring, monkeypatch)
    with Crosswalk(empty_dsn, keyring) as crosswalk:
        crosswalk.migrate()
        done = crosswalk.keys.destroy("DFORMER00001", actor="ada", reason="why")
        assert (done.studies, done.instances) == (1, 1)
        with pytest.raises(Held):
            crosswalk.patients.get_or_create(PATIENT)
    with psycopg.connect(empty_dsn) as connection:
        sealed = connection.execute(
            "SELECT detail_sealed FROM crosswalk.identity_event UNION ALL SELECT uid_sealed FROM crosswalk.series"
            " UNION ALL SELECT values_sealed FROM crosswalk.study_known_values"
        ).fetchall()
    assert set(sealed) == {(b"",)}


def test_a_backup_of_before_still_opens_and_that_is_known(
    crosswalk: Crosswalk, crosswalk_dsn: str, keyring: Keyring, tmp_path: Path
) -> None:
    """What the runbook says of backups is so: a row of a backup opens with the wrapping key of that time."""
    study_id = discover(crosswalk, MINE, sightings(MINE, 1))
    Run(crosswalk).record(DOE)
    query = "SELECT uid_sealed, key_wrapped FROM crosswalk.study"
    with psycopg.connect(crosswalk_dsn) as connection:
        ((uid_sealed, wrapped),) = connection.execute(query).fetchall()
    crosswalk.keys.destroy(crosswalk.patients.get_or_create(DOE).pseudonym, actor="ada", reason="why")
    chain = crosswalk.keys.chain
    assert open_text(chain.of("study", study_id, wrapped), "study.uid", study_id, uid_sealed) == MINE
    crosswalk.keys.rotate_wrapping_key()
    with Crosswalk(crosswalk_dsn, keyring) as later, pytest.raises(Exception, match="was replaced"):
        later.keys.chain.of("study", study_id, wrapped)
