"""A crosswalk that was written before there were data keys goes on, and is sealed anew as it is used."""

import psycopg
import pytest
from tests.crosswalk.keys.former_version import FORMER, KNOWN, PATIENT, SHIFT, SOP_UID, STUDY_UID, WHY, fill
from tests.crosswalk.scenario import CT, NOW, Run

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.migrations import migrations
from dicomanon.crosswalk.sealed import open_text
from dicomanon.errors import Fatal
from dicomanon.identity import InstanceSighting

SEALED_COLUMNS = {
    "patient": ("identity_sealed", "date_shift_sealed"),
    "study": ("uid_sealed", "facts_sealed"),
    "series": ("uid_sealed", "facts_sealed"),
    "instance": ("uid_sealed",),
    "study_known_values": ("values_sealed",),
    "identity_event": ("detail_sealed",),
}


def versions(dsn: str) -> set[int]:
    """Return the versions of all values that belong to a patient or study."""
    found = set()
    with psycopg.connect(dsn) as connection:
        for table, columns in SEALED_COLUMNS.items():
            for column in columns:
                rows = connection.execute(f"SELECT get_byte({column}, 0) FROM crosswalk.{table}")  # type: ignore[arg-type]
                found |= {row[0] for row in rows}
    return found


def test_everything_opens_as_it_was(empty_dsn: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    study_id = fill(empty_dsn, keyring, monkeypatch)
    with Crosswalk(empty_dsn, keyring) as crosswalk:
        assert crosswalk.migrate() == len(migrations()) - FORMER
        run = Run(crosswalk)
        patient = crosswalk.patients.get_or_create(PATIENT)
        assert (patient.pseudonym, patient.date_shift_days) == ("DFORMER00001", SHIFT)
        assert {KNOWN, STUDY_UID} <= crosswalk.mapping.known_values([study_id])[study_id]
        assert [source.sop_uid.reveal() for source in run.sources()] == [SOP_UID]
        (study,) = crosswalk.mapping.studies_for_cohort(accession_numbers=["ACC-1"])
        assert study.facts.accession_number == "ACC-1"
        with psycopg.connect(empty_dsn) as connection:
            ((row, sealed),) = connection.execute("SELECT id, reason_sealed FROM crosswalk.access_event").fetchall()
        assert open_text(crosswalk.keys.chain.site, "access_event.reason", row, sealed) == WHY
        assert versions(empty_dsn) == {1}


def test_sealed_anew_it_opens_as_it_was(empty_dsn: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    study_id = fill(empty_dsn, keyring, monkeypatch)
    with Crosswalk(empty_dsn, keyring) as crosswalk:
        crosswalk.migrate()
        before = crosswalk.keys.status()
        assert (before.unsealed_patients, before.unsealed_studies) == (1, 1)
        assert crosswalk.keys.reseal_unsealed() == (1, 1)
        after = crosswalk.keys.status()
        assert (after.unsealed_patients, after.unsealed_studies) == (0, 0)
        assert versions(empty_dsn) == {2}
        assert crosswalk.keys.reseal_unsealed() == (0, 0)
    with Crosswalk(empty_dsn, keyring) as crosswalk:
        run = Run(crosswalk)
        assert crosswalk.patients.get_or_create(PATIENT).date_shift_days == SHIFT
        assert {KNOWN, STUDY_UID} <= crosswalk.mapping.known_values([study_id])[study_id]
        assert [source.sop_uid.reveal() for source in run.sources()] == [SOP_UID]


@pytest.mark.parametrize("write", ["enroll", "known_values", "record"])
def test_a_study_that_is_written_to_is_sealed_anew_as_a_whole(
    empty_dsn: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    study_id = fill(empty_dsn, keyring, monkeypatch)
    with Crosswalk(empty_dsn, keyring) as crosswalk:
        crosswalk.migrate()
        run = Run(crosswalk)
        if write == "enroll":
            listing = [InstanceSighting(f"{STUDY_UID}.1", sop, CT) for sop in (SOP_UID, f"{SOP_UID}.2")]
            crosswalk.ledger.enroll(study_id, listing, NOW)
        elif write == "known_values":
            crosswalk.mapping.add_known_values(study_id, ["MORE"])
        else:
            crosswalk.mapping.record(
                run.batch, run.outcomes(PATIENT, research_study_uid="2.25.1", research_series_uid="2.25.2")
            )
        status = crosswalk.keys.status()
        assert (status.unsealed_patients, status.unsealed_studies) == (1, 0)
        assert STUDY_UID in crosswalk.mapping.known_values([study_id])[study_id]
        crosswalk.keys.reseal_unsealed()
        assert versions(empty_dsn) == {2}


def test_another_sealing_key_is_refused_at_the_upgrade(
    empty_dsn: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(empty_dsn, keyring, monkeypatch)
    with pytest.raises(Fatal, match="another keyring"), Crosswalk(empty_dsn, keyring.replaced_sealing_key()):
        pass


def test_evidence_of_before_opens_after_the_sealing_key_is_gone(
    empty_dsn: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(empty_dsn, keyring, monkeypatch)
    with Crosswalk(empty_dsn, keyring) as crosswalk:
        crosswalk.migrate()
    renewed = keyring.replaced_sealing_key()
    with Crosswalk(empty_dsn, renewed) as crosswalk:
        crosswalk.keys.admit_master_key()
        crosswalk.keys.retire_other_master_keys()
    with Crosswalk(empty_dsn, renewed.without_former_keys()) as crosswalk, psycopg.connect(empty_dsn) as asked:
        ((row, sealed),) = asked.execute("SELECT id, reason_sealed FROM crosswalk.access_event").fetchall()
        assert open_text(crosswalk.keys.chain.site, "access_event.reason", row, sealed) == WHY
        assert crosswalk.patients.get_or_create(PATIENT).date_shift_days == SHIFT
