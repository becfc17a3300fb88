"""A release says what its objects say and what is missing, and can be written again by its id alone."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pandas as pd
import pytest
from tests.cohort.conftest import Study, admit, declare
from tests.cohort.test_extract import Services, Site, request

from dicomanon.cohort.attestation import check_release
from dicomanon.cohort.extract import extract
from dicomanon.cohort.releasing import write_again
from dicomanon.cohort.tombstone import write_next_version
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.decisions.rows import Signed
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.removals.rows import Removal, RemovalKind, Requester
from dicomanon.errors import Fatal
from dicomanon.signing import SigningKey

SAYS = {
    "StudyDate": "20231224", "LongitudinalTemporalInformationModified": "MODIFIED", "PatientAge": "093Y",
    "PatientSex": "F", "SeriesDescription": "Thorax", "Rows": 512, "Columns": 512, "SliceThickness": 5.0,
}  # fmt: skip
ADA = Requester("ada")
WHY = {"reason": "asked by letter", "ticket": "DPO-17"}


@pytest.fixture
def services(clinic: Crosswalk, keyring: Keyring, signing_key: SigningKey, tmp_path: Path) -> Services:
    declare(clinic)
    admit(clinic, [Study("E5", "20200401", "ACC-7", says=SAYS), Study("E5", "20200420", "ACC-8", says=SAYS)])
    return Services(Site(tmp_path / "releases"), keyring, clinic)


def made(services: Services, run_id: str = "manual__1", **conf: Any) -> Path:
    number = extract(services, request(services, run_id, **conf))["release"]
    return services.settings.release_dir / "P" / f"{number:04d}"


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def release_id(folder: Path) -> UUID:
    return UUID(json.loads((folder / "release.json").read_text())["release"])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def recalled(services: Services, uid: str, number: int = 1) -> Removal:
    removals = services.crosswalk.removals
    recall = removals.request_recall("P", number, ADA, research_sop_uids=[uid], **WHY)
    removals.mark(recall)
    for tombstone in removals.tombstones(removal_id=recall.id):
        write_next_version(services.crosswalk, services.settings.release_dir, tombstone)
    return recall


def withdrawn(services: Services, patient_id: str) -> None:
    (study, *_) = services.crosswalk.mapping.studies_for_cohort([("HOME", patient_id)])
    removals = services.crosswalk.removals
    removals.mark(removals.request_of_patient(RemovalKind.WITHDRAWAL, str(study.pseudonym), ADA, **WHY))


def test_the_manifest_says_what_the_de_identified_objects_say(services: Services) -> None:
    folder = made(services, patient_ids=["E5", "B2"], index_dates=["E5, 2020-04-10"], days_before=30, days_after=30)
    manifest = pd.read_parquet(folder / "manifest.parquet")
    assert set(manifest["age_years"]) == {90.0}
    assert set(manifest["StudyDate"].astype(str)) == {"2023-12-24"}
    assert set(manifest["verdict"]) == {"passed"}
    assert sorted(set(manifest["days_since_index_date"])) == [-9, 10]
    told = rows(folder / "data_dictionary.csv")
    assert [row["name"] for row in told][: len(manifest.columns)] == list(manifest.columns)


def test_objects_from_before_say_nothing_and_are_counted(services: Services) -> None:
    folder = made(services, patient_ids=["A1"])
    manifest = pd.read_parquet(folder / "manifest.parquet")
    assert manifest[["StudyDate", "age_years", "Rows"]].isna().all(axis=None)
    assert json.loads((folder / "release.json").read_text())["instances_without_facts"] == len(manifest)


def test_three_tables_tell_what_came_what_did_not_and_why(services: Services) -> None:
    folder = made(services, patient_ids=["nobody", "C3", "D4"])
    (delivered,) = rows(folder / "delivered.csv")
    assert delivered["instances"] == "1"
    withheld = [
        (row["parameter"], row["position"], row["instances"], row["reason"]) for row in rows(folder / "withheld.csv")
    ]
    # Of D4 something was made that did not pass; he is told apart in no way from nobody.
    entries = [row for row in withheld if row[0]]
    assert ("", "", "1", "check") in withheld
    assert ("patient_ids", "1", "", "not-found") in entries
    assert {row[3] for row in entries} == {"not-found"}
    assert rows(folder / "failed.csv") == []


def test_who_has_withdrawn_cannot_be_told_from_who_was_never_there(services: Services) -> None:
    withdrawn(services, "B2")
    asked = made(services, patient_ids=["A1", "B2"])
    unknown = made(services, "manual__2", patient_ids=["A1", "nobody"])
    for name in ("delivered.csv", "withheld.csv", "failed.csv"):
        assert (asked / name).read_bytes() == (unknown / name).read_bytes()


def test_a_version_says_what_changed(services: Services) -> None:
    first = made(services, patient_ids=["E5", "F6"])
    assert json.loads((first / "changes.json").read_text()) == {
        "since": None, "added": [], "removed": [], "replaced": []}  # fmt: skip
    made(services, "manual__2", patient_ids=["A1"])  # another request
    admit(services.crosswalk, [Study("F6", "20200501", "ACC-9", instances=3)])
    third = made(services, "manual__3", patient_ids=["E5", "F6"])
    changed = json.loads((third / "changes.json").read_text())
    assert changed["since"] == 1
    assert (len(changed["added"]), changed["removed"], changed["replaced"]) == (3, [], [])
    gone = changed["added"][0]
    recalled(services, gone, number=3)
    fourth = json.loads((services.settings.release_dir / "P" / "0004" / "changes.json").read_text())
    assert fourth == {"since": 3, "added": [], "removed": [gone], "replaced": []}
    told = json.loads((services.settings.release_dir / "P" / "0004" / "release.json").read_text())["changes"]
    assert told == {"since": 3, "added": 0, "removed": 1, "replaced": 0}


def test_a_release_is_written_again_to_the_byte(services: Services, signing_key: SigningKey, tmp_path: Path) -> None:
    shares = {"split_train": 50, "split_test": 50}
    folder = made(services, patient_ids=["A1", "B2", "nobody"], **shares, group_by="series", sort_by="size")
    # What happens afterwards is not of this release.
    admit(services.crosswalk, [Study("A1", "20200501", "ACC-9")])
    patients = list(
        {str(one.pseudonym) for one in services.crosswalk.mapping.studies_for_cohort([("HOME", "A1"), ("HOME", "B2")])}
    )
    services.crosswalk.identities.merge(patients, Signed("admin", "the same"), keep=patients[0])
    write_again(services.crosswalk, tmp_path, tmp_path / "again", release_id(folder), signing_key)
    assert contents(tmp_path / "again") == contents(folder)


def test_the_version_after_a_removal_is_attested_and_written_again_too(
    services: Services, signing_key: SigningKey, tmp_path: Path
) -> None:
    first = made(services, patient_ids=["E5", "nobody"], index_dates=["E5, 2020-04-10"], days_before=30, days_after=30)
    gone, *_ = pd.read_parquet(first / "manifest.parquet")["SOPInstanceUID"]
    recalled(services, gone)
    second = services.settings.release_dir / "P" / "0002"
    checked = check_release(second, signing_key.public)
    assert checked.misfits == ()
    assert (checked.predicate["number"], checked.predicate["inputs"]["count"]) == (2, 3)
    assert set(pd.read_parquet(second / "manifest.parquet")["days_since_index_date"]) == {-9, 10}
    assert [row["position"] for row in rows(second / "withheld.csv")] == ["2"]
    write_again(services.crosswalk, tmp_path, tmp_path / "again", release_id(second), signing_key)
    assert contents(tmp_path / "again") == contents(second)


def test_the_attestation_says_what_a_release_was_made_of(services: Services, signing_key: SigningKey) -> None:
    folder = made(services, patient_ids=["A1", "nobody"])
    said = check_release(folder, signing_key.public).predicate
    told = json.loads((folder / "release.json").read_text())
    for name in ("release", "project", "number", "profile_versions", "code_version", "criteria_digest"):
        assert said[name] == told[name]
    assert (said["verdicts"], said["counts"]["instances"]) == ({"passed": 6}, 6)
    inputs = (folder / "inputs.txt").read_text().split()
    assert len(set(inputs)) == said["inputs"]["count"] == 6
    digests = services.crosswalk.releases.input_digests(release_id(folder))
    assert set(inputs).isdisjoint(digest.hex() for digest in digests)


def test_salts_differ_so_that_two_releases_cannot_be_compared(services: Services) -> None:
    first, second = (made(services, run, patient_ids=["A1"]) for run in ("manual__1", "manual__2"))
    assert set((first / "inputs.txt").read_text().split()).isdisjoint((second / "inputs.txt").read_text().split())


def test_what_has_ended_is_not_written_again(services: Services, signing_key: SigningKey, tmp_path: Path) -> None:
    folder = made(services, patient_ids=["A1"])
    recalled(services, pd.read_parquet(folder / "manifest.parquet")["SOPInstanceUID"][0])
    with pytest.raises(Fatal, match="has ended"):
        write_again(services.crosswalk, tmp_path, tmp_path / "again", release_id(folder), signing_key)
    assert not (tmp_path / "again").exists()


def test_what_has_no_record_is_not_written_again(services: Services, signing_key: SigningKey, tmp_path: Path) -> None:
    (study,) = services.crosswalk.mapping.studies_for_cohort(accession_numbers=["ACC-2"])
    stored = [one.instance_id for one in services.crosswalk.mapping.cohort_instances([study.study_id])]
    old = services.crosswalk.releases.create("P", "ada", b"d", stored)
    with pytest.raises(Fatal, match="before releases were recorded"):
        write_again(services.crosswalk, tmp_path, tmp_path / "again", old.id, signing_key)
    with pytest.raises(Fatal, match="no release of this id"):
        write_again(services.crosswalk, tmp_path, tmp_path / "again", uuid4(), signing_key)


def test_without_a_key_to_sign_with_nothing_is_released(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICOMANON_AUDIT_KEY_FILE", "/nowhere")
    with pytest.raises(Fatal, match="audit key"):
        made(services, patient_ids=["A1"])
    monkeypatch.undo()
    assert not services.settings.release_dir.exists()


def test_the_record_shows_no_salt(services: Services) -> None:
    from dicomanon.cohort.release_record import ReleaseRecord

    folder = made(services, patient_ids=["A1"])
    found = services.crosswalk.releases.find(release_id(folder))
    assert found.record is not None
    record = ReleaseRecord.of(found.record)
    assert ReleaseRecord.of(record.to_json()) == record
    assert found.record["salt"] not in repr(found) + repr(record)
    assert repr(record.salt) not in repr(replace(record))
