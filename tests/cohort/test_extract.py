"""A request finds what it asks for, all of it and nothing else, and tells nobody what it asked for."""

import base64
import json
import logging
import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet
import pytest
from tests.cohort.conftest import Study, admit, declare

from dicomanon.cohort.criteria import CohortCriteria
from dicomanon.cohort.extract import CohortRequest, check_request, extract
from dicomanon.cohort.parameters import COHORT_DAG_ID
from dicomanon.cohort.resolve import resolve
from dicomanon.cohort.sealing import seal_conf
from dicomanon.cohort.tombstone import write_next_version
from dicomanon.crosswalk.audit.trail import Wanted
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.removals.rows import Requester
from dicomanon.errors import Fatal
from dicomanon.signing import SigningKey


@dataclass(frozen=True)
class Site:
    release_dir: Path
    default_issuer: str = "HOME"
    pull_hours: int = 24


@dataclass(frozen=True)
class Services:
    settings: Site
    keyring: Keyring
    crosswalk: Crosswalk


@pytest.fixture
def services(clinic: Crosswalk, keyring: Keyring, signing_key: SigningKey, tmp_path: Path) -> Services:
    declare(clinic)
    return Services(Site(tmp_path / "releases"), keyring, clinic)


def found(crosswalk: Crosswalk, issuer: str = "HOME", **criteria: Any) -> set[str]:
    resolution = resolve(crosswalk, CohortCriteria.read({"project": "P", **criteria}), issuer)
    ids = {one.study.study_id for one in resolution.found}
    return {one.facts.accession_number for one in crosswalk.mapping.studies_for_cohort() if one.study_id in ids}


def request(services: Services, run_id: str = "manual__1", **conf: Any) -> CohortRequest:
    sealed = seal_conf(services.keyring.request_public_key, COHORT_DAG_ID, {"project": "P", **conf})
    return CohortRequest(COHORT_DAG_ID, run_id, "researcher", sealed)


def opened(path: Path) -> bytes:
    """Return what a file says: any two letters occur in what is compressed or signed."""
    if path.suffix == ".parquet":
        table = pyarrow.parquet.read_table(path)
        return f"{table.schema} {table.to_pylist()}".encode()
    content = path.read_bytes()
    return base64.b64decode(json.loads(content)["payload"]) if path.name == "attestation.json" else content


def test_each_criterion_selects(clinic: Crosswalk) -> None:
    assert found(clinic, patient_ids=["A1"]) == {"ACC-1", "ACC-2"}
    assert found(clinic, patient_ids=["A1^^^AWAY"]) == {"ACC-6"}
    assert found(clinic, issuer="", patient_ids=["A1"]) == {"ACC-1", "ACC-2", "ACC-6"}
    assert found(clinic, accession_numbers=["ACC-3", "ACC-9"]) == {"ACC-3"}
    assert found(clinic, study_date_from="2020-01-15", study_date_to="2020-02-20") == {"ACC-1", "ACC-3", "ACC-6"}
    assert found(clinic, study_date_from="2020-02-20") == {"ACC-2", "ACC-3"}
    assert found(clinic, study_date_to="2019-12-31") == set()  # nothing of it is stored
    assert found(clinic, description_words=["thorax", "CT"]) == {"ACC-1", "ACC-3"}
    assert found(clinic, description_words=["lung"]) == {"ACC-3"}


def test_criteria_together_narrow(clinic: Crosswalk) -> None:
    assert found(clinic, patient_ids=["A1", "B2"], study_date_from="2020-02-01") == {"ACC-2", "ACC-3"}
    assert found(clinic, patient_ids=["A1"], accession_numbers=["ACC-2", "ACC-3"]) == {"ACC-2"}


@pytest.mark.parametrize("issuer", ["HOME", ""])
def test_unmatched_identifiers_are_positions(clinic: Crosswalk, issuer: str) -> None:
    asked = CohortCriteria.read({
        "project": "P", "patient_ids": ["A1", "nobody", "B2", "B2", "nobody", "C3^^^AWAY"],
        "accession_numbers": ["ACC-1", "none", "ACC-3"],
    })  # fmt: skip
    resolution = resolve(clinic, asked, issuer)
    assert resolution.unmatched["patient_ids"] == (2, 5, 6)
    assert resolution.unmatched["accession_numbers"] == (2,)
    known = CohortCriteria.read({"project": "P", "patient_ids": ["A1", "B2"]})
    assert resolve(clinic, known, issuer).unmatched["patient_ids"] == ()
    unknown = CohortCriteria.read({"project": "P", "patient_ids": ["x", "y"]})
    assert resolve(clinic, unknown, issuer).unmatched["patient_ids"] == (1, 2)


def test_release_holds_stored_instances_of_the_cohort_alone(services: Services) -> None:
    counts = extract(services, request(services, patient_ids=["A1", "C3", "D4"], modality=["CT"]))
    assert {name: counts[name] for name in ("patients", "studies", "series", "instances", "release")} == {
        "patients": 2, "studies": 2, "series": 2, "instances": 3, "release": 1}  # fmt: skip
    folder = services.settings.release_dir / "P" / "0001"
    manifest = pd.read_parquet(folder / "manifest.parquet")
    assert set(manifest["Modality"]) == {"CT"}
    assert list(manifest["bytes"]) == [500] * 3
    trace = services.crosswalk.lineage.trace(manifest["SOPInstanceUID"][0])
    assert trace is not None
    assert manifest["output_digest"][0] in trace.to_json()
    assert str(json.loads((folder / "release.json").read_text())["release"]) in trace.to_json()


def test_release_tells_no_source_value(services: Services, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    extract(services, request(services, patient_ids=["A1", "MRN-CANARY"], description_words=["Thorax"]))
    written = b"".join(opened(path) for path in services.settings.release_dir.rglob("*") if path.is_file())
    for value in ("A1", "MRN-CANARY", "ACC-1", "20200115", "2020-01-15", "Thorax", "Doe"):
        # As a word: two letters are in many a digest, signature and pseudonym.
        assert not re.search(rb"\b%b\b" % value.encode(), written)
        assert value not in caplog.text
    assert "patient_ids without a study, by their place in the list: 2" in caplog.text


def test_release_says_what_it_is(services: Services) -> None:
    extract(services, request(services, patient_ids=["A1", "nobody"], group_by="patient"))
    release = json.loads((services.settings.release_dir / "P" / "0001" / "release.json").read_text())
    assert (release["project"], release["number"], release["run_id"]) == ("P", 1, "manual__1")
    assert (release["patients"], release["studies"], release["instances"]) == (1, 2, 6)
    assert release["unmatched_patient_ids"] == [2]
    assert release["criteria"]["patient_ids"] == 2
    assert release["profile_versions"] == ["research@000000000000"]
    assert set(release["files"]) == {
        "manifest.parquet", "manifest.csv", "data_dictionary.csv", "studies.csv", "patients.csv", "delivered.csv",
        "withheld.csv", "failed.csv", "changes.json", "inputs.txt", "README.md", "card.html", "risk.json",
    }  # fmt: skip
    asked = CohortCriteria.read({"project": "P", "patient_ids": ["nobody", "A1"]})
    assert release["criteria_digest"] == services.keyring.index("cohort.criteria", asked.canonical()).hex()


def test_same_run_tried_again_makes_no_second_release(services: Services) -> None:
    asked = request(services, patient_ids=["A1"])
    first = extract(services, asked)
    before = {path: path.stat().st_mtime_ns for path in services.settings.release_dir.rglob("*")}
    assert extract(services, asked) == first
    assert {path: path.stat().st_mtime_ns for path in services.settings.release_dir.rglob("*")} == before
    assert extract(services, request(services, "manual__2", patient_ids=["A1"]))["release"] == 2


def test_try_that_died_before_writing_is_finished_by_the_next(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = request(services, patient_ids=["A1"])

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("dicomanon.cohort.release_files.write_manifest", die)
        extract(services, asked)
    assert extract(services, asked)["release"] == 1
    assert (services.settings.release_dir / "P" / "0001" / "release.json").is_file()


def test_what_an_earlier_try_entered_is_written_whatever_was_stored_since(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many, but others: a limit makes room for what was stored meanwhile."""
    asked = request(services, modality=["CT"], sample="first", limit=1, group_by="study")
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(
            "dicomanon.cohort.release_files.write_manifest", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        extract(services, asked)
    assert not (services.settings.release_dir / "P").exists()
    (first,) = services.crosswalk.mapping.studies_for_cohort(accession_numbers=["ACC-1"])
    admit(services.crosswalk, [Study("Z1", "19990101", "ACC-Z")])
    assert extract(services, asked)["release"] == 1
    manifest = pd.read_parquet(services.settings.release_dir / "P" / "0001" / "manifest.parquet")
    assert set(manifest["StudyInstanceUID"]) <= {first.research_study_uid, *found_uids(services, "ACC-6")}


def found_uids(services: Services, *accession_numbers: str) -> set[str]:
    studies = services.crosswalk.mapping.studies_for_cohort(accession_numbers=accession_numbers)
    return {str(study.research_study_uid) for study in studies}


def test_nothing_found_is_no_release(services: Services) -> None:
    counts = extract(services, request(services, patient_ids=["D4", "nobody"]))
    assert (counts["instances"], counts["release"], counts["unmatched_patient_ids"]) == (None, 0, None)
    assert not services.settings.release_dir.exists()


def test_request_is_checked_without_being_carried_out(services: Services) -> None:
    counts = check_request(services, request(services, patient_ids=["A1", "B2"]))
    assert counts["patient_ids"] == 2
    with pytest.raises(Fatal, match="study_date_from: write a date"):
        check_request(services, request(services, study_date_from="tomorrow"))
    with pytest.raises(Fatal, match="unsealed"):
        check_request(services, CohortRequest(COHORT_DAG_ID, "r", "x", {"project": "P", "patient_ids": ["A1"]}))
    assert not services.settings.release_dir.exists()


def test_folder_that_cannot_be_written_is_said_without_a_path(services: Services) -> None:
    services.settings.release_dir.write_text("in the way")
    with pytest.raises(Fatal, match="could not be written") as caught:
        extract(services, request(services, patient_ids=["A1"]))
    assert str(services.settings.release_dir) not in str(caught.value)


def test_only_matching_series_are_released(services: Services, ward: Crosswalk) -> None:
    counts = extract(services, request(services, contrast="no", group_by="series"))
    assert (counts["patients"], counts["studies"], counts["series"], counts["instances"]) == (1, 2, 2, 7)
    series = pd.read_csv(services.settings.release_dir / "P" / "0001" / "series.csv")
    assert sorted(series["instances"]) == [2, 5]


def test_release_tells_what_each_criterion_left(services: Services) -> None:
    counts = extract(services, request(services, patient_ids=["A1", "B2"], study_date_to="2020-12-31", modality=["CT"]))
    told = json.loads((services.settings.release_dir / "P" / "0001" / "release.json").read_text())["attrition"]
    assert [(step["criterion"], step["patients"], step["studies"]) for step in told] == [
        ("identified", 2, 2), ("study_date", 2, 2), ("stored", 2, 2), ("modality", 2, 2)]  # fmt: skip
    assert (counts["studies_after_00_identified"], counts["studies_after_03_modality"]) == (2, 2)


def test_dry_run_tells_rounded_counts_and_releases_nothing(services: Services) -> None:
    counted = extract(services, request(services, dry_run=True, modality=["CT"]))
    assert not services.settings.release_dir.exists()
    assert (counted["release"], counted["fewer_than"]) == (0, 2)
    assert (counted["patients"], counted["studies"], counted["series"]) == (2, 2, 4)
    assert (counted["instances"], counted["bytes"]) == (7, 3000)
    released = extract(services, request(services, modality=["CT"]))
    assert (released["patients"], released["instances"], released["bytes"]) == (4, 7, 3500)


def test_what_belongs_to_few_is_not_told_without_a_release(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    counted = extract(services, request(services, dry_run=True, patient_ids=["A1", "nobody"]))
    told = {name: value for name, value in counted.items() if value is not None}
    assert told == {"release": 0, "fewer_than": 2}
    assert {
        "patients",
        "studies",
        "instances",
        "unmatched_patient_ids",
        "studies_after_00_identified",
    } <= counted.keys()
    assert "place in the list" not in caplog.text


def test_a_release_tells_of_few_what_its_rows_tell_and_no_more(services: Services) -> None:
    counts = extract(services, request(services, patient_ids=["A1", "B2"], study_date_from="2021-01-01"))
    assert (counts["patients"], counts["studies"]) == (1, 1)
    assert (counts["studies_after_00_identified"], counts["studies_after_01_study_date"]) == (2, None)
    release = json.loads((services.settings.release_dir / "P" / "0001" / "release.json").read_text())
    assert release["fewer_than"] == 2
    nothing = dict.fromkeys(("patients", "studies", "not_known"))
    assert release["attrition"][1] == {"criterion": "study_date", "suppressed": True, **nothing}


def test_purpose_is_in_the_audit_trail_and_nowhere_else(services: Services) -> None:
    extract(services, request(services, patient_ids=["A1"], purpose="PURPOSE-CANARY"))
    (entry,) = services.crosswalk.audit.newest(Wanted(action="cohort.resolve"), 2)
    assert "PURPOSE-CANARY" in services.crosswalk.audit.reason(entry).reveal()
    written = b"".join(path.read_bytes() for path in services.settings.release_dir.rglob("*") if path.is_file())
    assert b"PURPOSE-CANARY" not in written


def test_split_is_by_patient_and_stays_where_it_was_in_the_next_release(services: Services) -> None:
    shares = {"split_train": 50, "split_test": 50}
    extract(services, request(services, patient_ids=["A1", "B2"], **shares))
    extract(services, request(services, "manual__2", study_date_from="2020-01-01", **shares, sort_by="size"))
    folder = services.settings.release_dir / "P"
    first, second = (pd.read_parquet(folder / number / "manifest.parquet") for number in ("0001", "0002"))
    parts = second.groupby("patient")["split"].unique().map(list).to_dict()
    assert {len(part) for part in parts.values()} == {1}
    assert len(parts) > first["patient"].nunique()
    for patient, part in zip(first["patient"], first["split"], strict=True):
        assert parts[patient] == [part]
    release = json.loads((folder / "0002" / "release.json").read_text())
    assert (release["split"], release["sort_by"]) == ({"train": 50, "validation": 0, "test": 50}, "size")


def test_sample_and_limit_are_steps_of_attrition(services: Services) -> None:
    asked = {"modality": ["CT", "MR"], "sample": "first", "per_patient": 1, "limit": 2}
    counts = extract(services, request(services, **asked))
    assert (counts["patients"], counts["studies"]) == (2, 2)
    told = json.loads((services.settings.release_dir / "P" / "0001" / "release.json").read_text())["attrition"]
    assert [(step["criterion"], step["studies"]) for step in told[-2:]] == [("per_patient", 2), ("limit", 2)]


def test_controls_are_others_of_the_same_sex_and_age(services: Services, ward: Crosswalk) -> None:
    admit(ward, (
        Study("K1", "20200601", "C-1", "CT head", name="Roe^Ann", birth_date="19500601", sex="F"),
        Study("K2", "20200601", "C-2", "CT head", name="Poe^Bea", birth_date="19300601", sex="F"),
        Study("K3", "20200601", "C-3", "CT head", name="Foe^Cal", birth_date="19500601", sex="M"),
        Study("K4", "20200601", "C-4", "MR head", ("MR",), name="Soe^Dee", birth_date="19500601", sex="F"),
    ))  # fmt: skip
    counts = extract(services, request(services, patient_ids=["P1"], modality=["CT"], controls_per_case=3))
    assert (counts["controls"], counts["patients"]) == (1, 2)
    manifest = pd.read_parquet(services.settings.release_dir / "P" / "0001" / "manifest.parquet")
    assert manifest.groupby("group")["patient"].nunique().to_dict() == {"case": 1, "control": 1}
    (wanted,) = ward.mapping.studies_for_cohort(accession_numbers=["C-1"])
    assert set(manifest.loc[manifest["group"] == "control", "StudyInstanceUID"]) == {wanted.research_study_uid}
    words = {"control_description_words": ["thorax"], "controls_per_case": 1}
    assert extract(services, request(services, "manual__2", patient_ids=["P1"], **words))["controls"] == 0


def test_next_version_after_a_recall_is_split_grouped_and_sorted_as_the_one_before(services: Services) -> None:
    shares = {"split_train": 40, "split_validation": 30, "split_test": 30}
    extract(
        services, request(services, patient_ids=["A1", "B2", "C3"], **shares, group_by="series", sort_by="modality")
    )
    folder = services.settings.release_dir / "P"
    before = pd.read_parquet(folder / "0001" / "manifest.parquet")
    removals = services.crosswalk.removals
    recall = removals.request_recall(
        "P", 1, Requester("ada"), research_sop_uids=[before["SOPInstanceUID"][0]], reason="wrong", ticket="DPO-1"
    )
    removals.mark(recall)
    (tombstone,) = removals.tombstones(removal_id=recall.id)
    assert write_next_version(services.crosswalk, services.settings.release_dir, tombstone)
    after = pd.read_parquet(folder / "0002" / "manifest.parquet")
    pd.testing.assert_frame_equal(after, before[1:].reset_index(drop=True))
    first, second = (json.loads((folder / number / "release.json").read_text()) for number in ("0001", "0002"))
    assert [second[name] for name in ("split", "sort_by", "group_by")] == [
        first[name] for name in ("split", "sort_by", "group_by")]  # fmt: skip


@pytest.mark.parametrize("task", [check_request, extract])
@pytest.mark.parametrize(
    ("requester", "conf", "told"),
    [
        ("researcher", {"project": "Q"}, "no such project"),
        ("somebody", {}, "does not ask for this project"),
        ("Researcher", {}, "does not ask for this project"),
        ("researcher", {"project": "ENDED"}, "ethics approval has ended"),
        ("researcher", {"project": "NARROW"}, "may not ask by patient_ids"),
    ],
)
def test_both_tasks_refuse_what_the_project_may_not(
    services: Services, task: Any, requester: str, conf: dict[str, str], told: str
) -> None:
    declare(services.crosswalk, "ENDED", ethics_expires=datetime.now(UTC).date() - timedelta(days=1))
    declare(services.crosswalk, "NARROW", criteria=("modality",))
    asked = request(services, **{"patient_ids": ["A1"], **conf})
    with pytest.raises(Fatal, match=told) as refused:
        task(services, replace(asked, requester=requester))
    assert "A1" not in str(refused.value)
    assert not services.settings.release_dir.exists()


def test_a_member_who_was_removed_after_the_check_gets_nothing(services: Services) -> None:
    asked = request(services, patient_ids=["A1"])
    check_request(services, asked)
    services.crosswalk.projects.remove_requester("P", "researcher", actor="ada", reason="left")
    with pytest.raises(Fatal, match="does not ask for this project"):
        extract(services, asked)
    assert not services.settings.release_dir.exists()


def test_a_refused_request_is_in_the_audit_trail(services: Services) -> None:
    with pytest.raises(Fatal):
        check_request(services, request(services, project="Q", patient_ids=["A1"]))
    (entry,) = services.crosswalk.audit.newest(Wanted(action="cohort.request"), 2)
    assert entry.actor == "researcher"


def test_a_project_is_given_what_its_profiles_made_alone(services: Services) -> None:
    asked = {"patient_ids": ["A1", "B2"], "controls_per_case": 1}
    declare(services.crosswalk, profiles=("strict",))
    assert extract(services, request(services, **asked))["release"] == 0
    declare(services.crosswalk, profiles=("strict", "research"))
    extract(services, request(services, "manual__2", **asked))
    release = json.loads((services.settings.release_dir / "P" / "0001" / "release.json").read_text())
    assert (release["attrition"][-1]["criterion"], release["attrition"][-1]["studies"]) == ("profile", 2)


def test_a_release_says_under_which_terms_and_how_long(services: Services) -> None:
    declare(services.crosswalk, ethics_number="EK 2", retention_days=30, ethics_expires=date(9999, 1, 1))
    extract(services, request(services, patient_ids=["A1"]))
    release = json.loads((services.settings.release_dir / "P" / "0001" / "release.json").read_text())
    assert (release["project_version"], release["ethics_number"]) == (2, "EK 2")
    made = datetime.fromisoformat(release["created_at"]).date()
    assert release["keep_until"] == (made + timedelta(days=30)).isoformat()
