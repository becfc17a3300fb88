"""What a request asks for beside the manifest: files, written once, and gone with the release."""

from pathlib import Path
from typing import Any

import pytest
from tests.cohort.conftest import declare
from tests.promises.removing import Clinic
from tests.site import person, slices, study

from dicomanon.cohort.delivering import deliver, deliver_standing
from dicomanon.cohort.extract import CohortRequest, extract
from dicomanon.cohort.parameters import COHORT_DAG_ID
from dicomanon.cohort.standing import evaluate_standing
from dicomanon.crosswalk.roles.role import Role
from dicomanon.errors import Fatal
from dicomanon.pipeline.removal.steps import mark, replace_releases

PROJECT = "P"


@pytest.fixture
def asking(filled: Clinic) -> Clinic:
    with filled.site.crosswalk() as crosswalk:
        declare(crosswalk)
    return filled


def request(run_id: str = "manual__1", **conf: Any) -> CohortRequest:
    return CohortRequest(COHORT_DAG_ID, run_id, "researcher", {"project": PROJECT, "modality": ["CT"], **conf})


def files(filled: Clinic, output: str, number: int = 1) -> dict[Path, int]:
    folder = filled.release_dir / f".{output}" / PROJECT / f"{number:04d}"
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_an_archive_is_written_once_recorded_and_gone_with_the_release(asking: Clinic) -> None:
    asked = request(output="archive")
    with asking.site.runtime(Role.COHORT) as runtime:
        assert extract(runtime, asked)["release"] == 1
        counts = deliver(runtime, asked)
        assert (counts["archive_studies"], counts["archive_instances"]) == (2, 5)
        written = {path: time for path, time in files(asking, "archive").items() if path.suffix == ".zip"}
        assert len(written) == 2
        assert deliver(runtime, asked)["archive_kept_studies"] == 2
        assert {path: time for path, time in files(asking, "archive").items() if path in written} == written
        left = asking.site.rows("SELECT actor, count FROM crosswalk.access_event WHERE action = 'release.archive'")
        assert left == [("researcher", 5)] * 2
        removal = asking.request()
        with asking.site.runtime(Role.REMOVAL) as removing:
            mark(removing, removal.id)
            replace_releases(removing, removal.id)
        assert files(asking, "archive") == {}
        # What a writer that was at work meanwhile has left, goes as well.
        stray = asking.release_dir / ".archive" / PROJECT / "0001" / "stray.zip"
        stray.parent.mkdir(parents=True)
        stray.touch()
        with pytest.raises(Fatal, match="the release has ended"):
            deliver(runtime, asked)
        assert not stray.exists()


def test_nothing_is_written_where_none_was_asked_for_or_nothing_released(asking: Clinic) -> None:
    with asking.site.runtime(Role.COHORT) as runtime:
        for run_id, conf in {
            "1": {}, "2": {"output": "manifest"}, "3": {"output": "archive", "dry_run": True},
            "4": {"output": "nifti", "modality": ["MR"]},
        }.items():  # fmt: skip
            extract(runtime, request(run_id, **conf))
            assert deliver(runtime, request(run_id, **conf)) == {}
    assert not list(asking.release_dir.glob(".[an]*"))
    assert asking.site.rows("SELECT output FROM crosswalk.release WHERE project = 'P' ORDER BY number") == [
        ("access",), ("manifest",)]  # fmt: skip


def test_each_version_of_a_standing_request_gets_its_files(asking: Clinic) -> None:
    with asking.site.runtime(Role.COHORT) as runtime:
        extract(runtime, request(output="nifti", standing=True))
        assert deliver(runtime, request(output="nifti"))["nifti_converted"] == 2
        assert deliver_standing(runtime) == {"releases": 0}
    asking.site.ingest(*slices(study("new", person(3), number=3)), *slices(study("more", person(0), number=4)))
    with asking.site.runtime(Role.COHORT) as runtime:
        assert evaluate_standing(runtime)["versions"] == 1
        assert deliver_standing(runtime) == {"releases": 1}
        assert deliver_standing(runtime) == {"releases": 0}
    assert len([path for path in files(asking, "nifti", 2) if path.name.endswith(".nii.gz")]) == 4
