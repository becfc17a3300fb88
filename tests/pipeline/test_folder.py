"""De-identifying a folder gives what the pipeline would give."""

import csv
import json
import stat
from pathlib import Path

import pytest
from tests.site import Site, ct, encoded, read, slices, study

from dicomanon.errors import Fatal
from dicomanon.pipeline.folder import deidentify_folder
from dicomanon.pipeline.profile_text import as_yaml
from dicomanon.pipeline.profiles import publish_profile
from dicomanon.profile import load_profile
from dicomanon.sample.corpus import SampleManifest
from dicomanon.sample.leaks import LeakScanner
from dicomanon.sample.planted import Planted

Sample = tuple[Path, SampleManifest]


def source_folder(folder: Path, objects: list[bytes]) -> Path:
    source = folder / "source"
    (source / "below").mkdir(parents=True)
    for number, data in enumerate(objects):
        (source / ("below" if number % 2 else "") / f"file{number}").write_bytes(data)
    return source


def results(folder: Path) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in folder.rglob("*.dcm")}


def test_a_folder_comes_out_as_the_research_pacs_would_have_it(site: Site, tmp_path: Path) -> None:
    objects = slices(study("folder"))
    site.ingest(*objects)
    source, destination = source_folder(tmp_path, objects), tmp_path / "out"
    counts = deidentify_folder(source, destination, profile="research", jobs=1)
    assert counts == {"files": 3, "written": 3, "held": 0, "filtered": 0}
    assert results(destination) == site.research_objects()


def test_maps_and_report_tell_what_became_of_what(site: Site, tmp_path: Path) -> None:
    planted = Planted()
    good = ct(study("mapped", planted=planted))
    planted.gather(good)
    odd = ct(study("mapped"), 2)
    odd.SpecimenLabelInImage = "YES"
    source = source_folder(tmp_path, [encoded(good), encoded(odd), b"notes, not DICOM"])
    files = [tmp_path / name for name in ("uids.csv", "patients.csv", "report.json")]
    counts = deidentify_folder(
        source, tmp_path / "out", profile="research", jobs=2, uid_map=files[0], patient_map=files[1], report=files[2]
    )
    assert counts == {"files": 3, "written": 1, "held": 2, "filtered": 0}
    ((uid, data),) = results(tmp_path / "out").items()
    with files[0].open() as file:
        uids = {row["id_old"]: row["id_new"] for row in csv.DictReader(file)}
    with files[1].open() as file:
        patients = list(csv.DictReader(file))
    assert uids[str(good.SOPInstanceUID)] == uid
    assert uids[str(good.StudyInstanceUID)] == str(read(data).StudyInstanceUID)
    assert patients == [{"id_old": str(good.PatientID), "id_new": str(read(data).PatientID)}]
    report = json.loads(files[2].read_text())
    assert sorted(entry["reason"] for entry in report.values()) == ["", "burned-in-risk", "unreadable"]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
    assert LeakScanner(planted.values()).scan_path(tmp_path / "out") == []
    assert site.rows("SELECT action FROM crosswalk.access_event") == [("folder.deidentify",)]


def test_a_profile_can_make_a_folder_wait_for_its_devices_too(site: Site, tmp_path: Path) -> None:
    odd = ct(study("waiting"))
    odd.BurnedInAnnotation = "YES"
    source = source_folder(tmp_path, [encoded(odd)])
    rules = tmp_path / "waits.yaml"
    rules.write_text(
        as_yaml(load_profile("research").model_copy(update={"name": "waits", "unconfirmed_devices": "wait"}))
    )
    report = tmp_path / "report.json"
    deidentify_folder(source, tmp_path / "out", profile=str(rules), jobs=1, report=report)
    assert [entry["reason"] for entry in json.loads(report.read_text()).values()] == ["unconfirmed-device"]
    with site.crosswalk() as crosswalk:
        (device,) = crosswalk.devices.all()
    assert (device.state, device.instances) == ("unconfirmed", 0)


def test_what_is_held_by_validation_says_where_and_by_which_rule(site: Site, tmp_path: Path) -> None:
    named = ct(study("named"))
    named.PatientName = "Quorvandale^Ada"
    named.PixelData = b"Quorvandale " + named.PixelData[12:]
    report = tmp_path / "report.json"
    noted: list[tuple[int, list[str]]] = []
    deidentify_folder(
        source_folder(tmp_path, [encoded(named)]),
        tmp_path / "out",
        profile="research",
        jobs=1,
        report=report,
        note=lambda total, results: noted.append((total, [result.reason for result in results])),
    )
    (entry,) = json.loads(report.read_text()).values()
    assert entry["reason"] == "residual-phi"
    assert entry["places"] == {"known-text": ["7FE0,0010"]}
    assert "(known-text): not so at 7FE0,0010" in entry["detail"]
    assert noted == [(1, ["residual-phi"])]


def test_two_files_of_one_uid_and_other_content_are_not_both_written(site: Site, tmp_path: Path) -> None:
    first, second = ct(study("twice")), ct(study("twice"))
    second.KVP = "80"
    source = source_folder(tmp_path, [encoded(first), encoded(second), encoded(first)])
    counts = deidentify_folder(source, tmp_path / "out", profile="research", jobs=1)
    assert counts["written"] + counts["held"] == 3
    assert len(results(tmp_path / "out")) == 1
    assert counts["held"] >= 1


@pytest.mark.parametrize("where", ["source/inside", "source", "full"])
def test_a_destination_that_is_not_fresh_is_refused(site: Site, tmp_path: Path, where: str) -> None:
    source = source_folder(tmp_path, slices(study("refused"), [1]))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "older").touch()
    with pytest.raises(Fatal):
        deidentify_folder(source, tmp_path / where, profile="research", jobs=1)


def test_an_unknown_profile_is_refused_before_a_file_is_read(site: Site, tmp_path: Path) -> None:
    source = source_folder(tmp_path, slices(study("refused"), [1]))
    with pytest.raises(Fatal):
        deidentify_folder(source, tmp_path / "out", profile="lenient", jobs=1)
    assert not (tmp_path / "out").exists()


def test_the_sample_comes_out_clean(site: Site, tmp_path: Path, sample_wave_1: Sample) -> None:
    folder, manifest = sample_wave_1
    report = tmp_path / "report.json"
    counts = deidentify_folder(folder, tmp_path / "out", profile="research", jobs=2, report=report)
    assert [one for one in json.loads(report.read_text()).values() if one["state"] != "written"] == []
    # What waits for a person in a DAG goes on the text reader's word here.
    assert counts == {"files": manifest.instances, "written": manifest.instances, "held": 0, "filtered": 0}
    assert LeakScanner(manifest.planted).scan_path(tmp_path / "out") == []


def test_a_published_profile_is_used_by_its_version_once_enough_persons_stand_for_it(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "site.yaml"
    own.write_text("name: site\ntitle: No dates\nwhen_to_use: For tests.\noptions: []\n")
    profile = load_profile(own)
    source, destination = source_folder(tmp_path, slices(study("published"), [1])), tmp_path / "out"
    monkeypatch.setenv("DICOMANON_PROFILE_APPROVALS", "2")
    with site.crosswalk() as crosswalk:
        publish_profile(crosswalk, profile, actor="ada", reason="asked for")
        with pytest.raises(Fatal, match="1 of 2 persons"):
            deidentify_folder(source, destination, profile=profile.version, jobs=1)
        assert not destination.exists()
        crosswalk.profiles.approve(profile.version, actor="bob", reason="read it")
    counts = deidentify_folder(source, destination, profile=profile.version, jobs=1)
    assert counts["written"] == 1
    ((_, data),) = results(destination).items()
    assert profile.version in list(read(data).DeidentificationMethod)
