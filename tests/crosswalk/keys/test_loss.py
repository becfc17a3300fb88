"""The drill of the runbook: keys that are lost, and a dump that is stolen."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.crosswalk.scenario import DOE, FACTS, Run, discover, sightings
from tests.crosswalk.test_sealed_at_rest import dump

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.sealed import index_patient, index_patient_id
from dicomanon.errors import Fatal

STUDY = "1.2.826.0.1.3680043.55771"
# With names that are in no word of the schema and its comments.
PATIENT = replace(DOE, name="QUIXANO^ALONSO")


@pytest.fixture
def lost(crosswalk_dsn: str, keyring_file: Path, tmp_path: Path) -> Path:
    """A crosswalk with a patient, whose keyring file is gone; the copy is elsewhere."""
    with Crosswalk(crosswalk_dsn, Keyring.load(keyring_file)) as crosswalk:
        crosswalk.migrate()
        study_id = discover(crosswalk, STUDY, sightings(STUDY, 2))
        run = Run(crosswalk)
        crosswalk.mapping.add_known_values(study_id, ["TOLEDO"])
        run.complete(PATIENT)
    copy = tmp_path / "copy" / "keyring.json"
    copy.parent.mkdir()
    shutil.copy2(keyring_file, copy)
    keyring_file.unlink()
    return copy


def test_restored_from_its_copy_everything_opens_and_the_patient_keeps_the_pseudonym(
    lost: Path, crosswalk_dsn: str, keyring_file: Path
) -> None:
    with pytest.raises(Fatal, match="cannot be read"):
        Keyring.load(keyring_file)
    shutil.copy2(lost, keyring_file)
    with Crosswalk(crosswalk_dsn, Keyring.load(keyring_file)) as crosswalk:
        assert crosswalk.migrate() == 0
        (study,) = crosswalk.mapping.studies_for_cohort()
        assert crosswalk.patients.get_or_create(PATIENT).pseudonym == study.pseudonym
        assert {"TOLEDO", STUDY} <= crosswalk.mapping.known_values([study.study_id])[study.study_id]


def test_a_new_keyring_is_refused_instead_of_making_second_pseudonyms(
    lost: Path, crosswalk_dsn: str, keyring_file: Path
) -> None:
    made = Keyring.generate(keyring_file)
    with pytest.raises(Fatal, match="another keyring"), Crosswalk(crosswalk_dsn, made):
        pass


def test_with_every_key_but_the_master_key_nothing_opens(lost: Path, crosswalk_dsn: str) -> None:
    """The blind index and UID keys are there: values can be tested, none can be read."""
    _, index, uid, request = _keys(lost)
    half = Keyring(b"x" * 32, index, uid, request)
    with pytest.raises(Fatal, match="no master key at hand"), Crosswalk(crosswalk_dsn, half):
        pass


def test_a_stolen_dump_tells_no_value_and_no_guessed_mrn_can_be_tested(lost: Path, crosswalk_dsn: str) -> None:
    stolen = dump(crosswalk_dsn)
    for value in (
        STUDY,
        "TOLEDO",
        PATIENT.name,
        PATIENT.patient_id,
        PATIENT.birth_date,
        FACTS.accession_number,
    ):
        for spelling in (value, value.lower(), value.encode().hex(), value.encode("utf-16-le").hex()):
            assert spelling.encode() not in stolen
    columns = _every_value(crosswalk_dsn)
    thief = Keyring(b"a" * 32, b"b" * 32, b"c" * 32, b"d" * 32)
    owner = Keyring.load(lost)
    for index in (index_patient, lambda keyring, _, mrn: index_patient_id(keyring, mrn)):
        assert index(owner, "", PATIENT.patient_id) in columns  # With the key a guess is confirmed;
        assert index(thief, "", PATIENT.patient_id) not in columns  # without it, it is not.
    keys = set(_keys(lost))
    assert not keys & columns
    assert not any(key.hex().encode() in stolen for key in keys)


def _keys(path: Path) -> list[bytes]:
    return list(Keyring.load(path)._keys.values())


def _every_value(dsn: str) -> set[Any]:
    with psycopg.connect(dsn) as connection:
        tables = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'crosswalk'::regnamespace AND relkind = 'r'"
        ).fetchall()
        return {
            value if not isinstance(value, list | dict) else str(value)
            for (table,) in tables
            for row in connection.execute(f"SELECT * FROM crosswalk.{table}")  # type: ignore[arg-type]
            for value in row
        }
