"""Archives and images of projects with pseudonyms of their own, out of a real PACS."""

import dataclasses
import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from email import message_from_bytes
from io import BytesIO
from pathlib import Path

import pyarrow.parquet
import pydicom
import pytest
from tests.cohort.conftest import declare
from tests.cohort.test_archive import files, members
from tests.promises.removing import ADA, WHY
from tests.site import Site, judge_by_counts, person, slices, study
from typer.testing import CliRunner

from dicomanon.cli_release import release_app
from dicomanon.cohort.archive import write_archive
from dicomanon.cohort.delivering import deliver
from dicomanon.cohort.extract import CohortRequest, extract
from dicomanon.cohort.nifti import write_nifti
from dicomanon.cohort.own_objects import SeenObjects, retrieve_for
from dicomanon.cohort.parameters import COHORT_DAG_ID
from dicomanon.cohort.released import Retrieve
from dicomanon.cohort.sealing import seal_conf
from dicomanon.crosswalk.removals.rows import RemovalKind
from dicomanon.crosswalk.roles.role import Role
from dicomanon.deidentify.encoding import IMPLEMENTATION_CLASS_UID
from dicomanon.errors import Fatal
from dicomanon.pipeline import validate
from dicomanon.pipeline.removal.steps import mark, notify, replace_releases
from dicomanon.pipeline.runtime import Runtime
from dicomanon.project_view.view import ProjectView
from dicomanon.standard.dictionary import is_registered_uid

PROJECTS = ("alpha", "beta")


@dataclasses.dataclass(frozen=True)
class Given:
    """A release of the same two patients to each of two projects with pseudonyms of their own."""

    site: Site
    runtime: Runtime

    def folder(self, project: str) -> Path:
        return self.site.folder / "releases" / project / "0001"

    def retrieve(self, project: str) -> Retrieve:
        retrieve = self.runtime.research.retrieve_instance
        return retrieve_for(self.runtime.crosswalk, project, self.folder(project), retrieve)

    def view(self, project: str) -> ProjectView:
        key = self.runtime.crosswalk.projects.view_key(project)
        assert key is not None
        return ProjectView(key)


@pytest.fixture
def given(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Given]:
    monkeypatch.setattr(validate, "run_checkpoint", judge_by_counts)
    site.ingest(*slices(study("one", person(1))), *slices(study("two", person(2), number=2), [1, 2]))
    with site.crosswalk() as crosswalk:
        for project in PROJECTS:
            declare(crosswalk, project, own_pseudonyms=True)
    with site.runtime(Role.COHORT) as runtime:
        for project in PROJECTS:
            conf = {"project": project, "body_part": ["CHEST"]}
            sealed = seal_conf(runtime.keyring.request_public_key, COHORT_DAG_ID, conf)
            extract(runtime, CohortRequest(COHORT_DAG_ID, f"manual__{project}", "researcher", sealed))
        yield Given(site, runtime)


def names(data: bytes) -> set[str]:
    """Return the UIDs that are somebody's own, and the patient, of an object."""
    told = pydicom.dcmread(BytesIO(data))
    found = {str(told.PatientID), str(told.PatientName)}
    for one in (told, told.file_meta):
        for element in one.iterall():
            if element.VR == "UI" and element.value:
                found |= set(map(str, [element.value] if element.VM == 1 else element.value))
    return {text for text in found if not is_registered_uid(text)} - {IMPLEMENTATION_CLASS_UID}


def test_no_identifier_is_in_two_archives_and_the_pixels_are_the_same(given: Given, tmp_path: Path) -> None:
    archived = {}
    for project in PROJECTS:
        counts = write_archive(given.folder(project), tmp_path / project, given.retrieve(project), threads=2)
        assert (counts.studies, counts.instances) == (2, 5)
        archived[project] = list(members(tmp_path / project).values())
    three = (*archived.values(), list(given.site.research_objects().values()))
    alpha, beta, research = ({name for data in some for name in names(data)} for some in three)
    assert len(alpha) == len(beta) == len(research) > 10
    assert alpha & beta == alpha & research == beta & research == set()
    pixels = [sorted(pydicom.dcmread(BytesIO(data)).PixelData for data in some) for some in three]
    assert pixels[0] == pixels[1] == pixels[2]


def test_dates_are_moved_by_the_days_of_project_and_patient(given: Given, tmp_path: Path) -> None:
    write_archive(given.folder("alpha"), tmp_path / "alpha", given.retrieve("alpha"), threads=2)
    found = [pydicom.dcmread(BytesIO(data)) for data in members(tmp_path / "alpha").values()]
    seen = {str(told.SOPInstanceUID): told for told in found}
    view = given.view("alpha")
    for data in given.site.research_objects().values():
        told = pydicom.dcmread(BytesIO(data))
        own = seen[view.uid(told.SOPInstanceUID)]
        moved = day(own.StudyDate) - day(told.StudyDate)
        assert moved == timedelta(days=view.days(told.PatientID)) < timedelta(0)
        assert own.StudyTime == told.StudyTime


def day(text: str) -> date:
    return datetime.strptime(text, "%Y%m%d").date()


def test_names_in_the_archive_and_uids_in_its_objects_are_those_of_the_manifest(given: Given, tmp_path: Path) -> None:
    write_archive(given.folder("alpha"), tmp_path / "alpha", given.retrieve("alpha"), threads=2)
    for name, data in members(tmp_path / "alpha").items():
        told = pydicom.dcmread(BytesIO(data))
        pseudonym, study_uid, series_uid, file = name.split("/")
        assert (told.PatientID, told.StudyInstanceUID, told.SeriesInstanceUID) == (pseudonym, study_uid, series_uid)
        assert str(told.PatientName) == pseudonym
        assert told.SOPInstanceUID == told.file_meta.MediaStorageSOPInstanceUID == file.removesuffix(".dcm")
        assert is_registered_uid(told.SOPClassUID)


def test_an_archive_is_written_again_to_the_byte(given: Given, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_archive(given.folder("alpha"), tmp_path / name, given.retrieve("alpha"), threads=2)
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_images_and_sidecars_are_in_the_project_s_identifiers(given: Given, tmp_path: Path) -> None:
    counts = write_nifti(given.folder("alpha"), tmp_path / "nifti", given.retrieve("alpha"), threads=2)
    assert counts.converted == 2
    research = {str(pydicom.dcmread(BytesIO(data)).PatientID) for data in given.site.research_objects().values()}
    for path in (tmp_path / "nifti").rglob("*"):
        assert not any(pseudonym in str(path) for pseudonym in research)
    for sidecar in (tmp_path / "nifti").rglob("*.json"):
        assert "2.25." not in json.dumps({**json.loads(sidecar.read_text()), "SeriesInstanceUID": ""})


def test_the_command_archives_it_by_the_same_names(given: Given, tmp_path: Path) -> None:
    done = CliRunner().invoke(release_app, ["archive", "alpha/1", str(tmp_path / "typed")])
    assert done.exit_code == 0, done.output
    write_archive(given.folder("alpha"), tmp_path / "called", given.retrieve("alpha"), threads=2)
    assert files(tmp_path / "typed") == files(tmp_path / "called")


def test_the_dag_writes_it_by_the_same_names(given: Given) -> None:
    conf = {"project": "alpha", "body_part": ["CHEST"], "output": "archive"}
    sealed = seal_conf(given.runtime.keyring.request_public_key, COHORT_DAG_ID, conf)
    request = CohortRequest(COHORT_DAG_ID, "manual__archive", "researcher", sealed)
    extract(given.runtime, request)
    assert deliver(given.runtime, request)["archive_instances"] == 5
    release_dir = given.runtime.settings.release_dir
    told = pyarrow.parquet.read_table(release_dir / "alpha" / "0002" / "manifest.parquet").to_pylist()
    assert set(members(release_dir / ".archive" / "alpha" / "0002")) == {
        f"{row['pseudonym']}/{row['StudyInstanceUID']}/{row['SeriesInstanceUID']}/{row['SOPInstanceUID']}.dcm"
        for row in told
    }


def test_a_withdrawal_is_told_by_each_project_s_own_names(given: Given) -> None:
    gone, *_ = given.site.rows("SELECT pseudonym FROM crosswalk.patient ORDER BY pseudonym")
    with given.site.crosswalk() as crosswalk:
        removal = crosswalk.removals.request_of_patient(RemovalKind.WITHDRAWAL, gone[0], ADA, **WHY)
    research = {name for data in given.site.research_objects().values() for name in names(data)}
    with given.site.runtime(Role.REMOVAL) as runtime:
        for step in (mark, replace_releases, notify):
            step(runtime, removal.id)
        told = {path.name: path.read_bytes() for path in runtime.settings.notice_dir.rglob("*") if path.is_file()}
    assert len(told) == len(PROJECTS)
    for project in PROJECTS:
        tombstone = (given.folder(project) / "TOMBSTONE.json").read_text()
        assert set(json.loads(tombstone)["removals"][0]["SOPInstanceUID"]) < set(
            pyarrow.parquet.read_table(given.folder(project) / "manifest.parquet")["SOPInstanceUID"].to_pylist()
        )
        assert not any(name in tombstone for name in (*research, str(removal.id)))
        assert given.folder(project).with_name("0002").is_dir()
    for data in told.values():
        content = message_from_bytes(data).as_string()
        attached = [part.get_payload(decode=True) for part in message_from_bytes(data).walk()]
        assert not any(name in content or name.encode() in (part or b"") for name in research for part in attached)
        assert str(removal.id) not in content


def test_other_bytes_than_were_stored_are_not_told(given: Given, tmp_path: Path) -> None:
    release = json.loads((given.folder("alpha") / "release.json").read_text())["release"]
    instances = given.runtime.crosswalk.removals.release_instances(release)
    other = slices(study("other"), [1])[0]
    changed = SeenObjects(given.view("alpha"), instances, lambda *_: iter([other]))
    with pytest.raises(Fatal, match="other bytes"):
        write_archive(given.folder("alpha"), tmp_path / "alpha", changed, threads=2)
    assert not list((tmp_path / "alpha").rglob("*.zip"))


def test_uids_of_another_project_lead_to_nothing(given: Given) -> None:
    alpha = given.retrieve("alpha")
    for one in given.site.research_objects().values():
        told = pydicom.dcmread(BytesIO(one))
        assert list(alpha(told.StudyInstanceUID, told.SeriesInstanceUID, told.SOPInstanceUID)) == []
