"""Archives of a release, out of a real PACS."""

import hashlib
import io
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pyarrow.parquet
import pytest
from tests.promises.removing import Clinic
from tests.site import read

from dicomanon.cohort.archive import CHECKSUMS, ArchiveCounts, Retrieve, write_archive
from dicomanon.errors import Fatal, Retriable
from dicomanon.pacs.store import ResearchPacs


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "archive"


def write(filled: Clinic, target: Path, retrieve: Retrieve) -> ArchiveCounts:
    return write_archive(filled.folder(1), target, retrieve, threads=2)


def members(target: Path) -> dict[str, bytes]:
    found = {}
    for file in sorted(target.glob("*/*.zip")):
        with ZipFile(file) as archive:
            assert archive.testzip() is None
            found |= {f"{file.parent.name}/{file.stem}/{name}": archive.read(name) for name in archive.namelist()}
    return found


def files(target: Path) -> dict[Path, bytes]:
    return {path.relative_to(target): path.read_bytes() for path in target.rglob("*") if path.is_file()}


def test_it_holds_what_was_stored_and_says_so_to_the_usual_tool(
    filled: Clinic, pacs: ResearchPacs, target: Path
) -> None:
    counts = write(filled, target, pacs.retrieve_instance)
    assert (counts.studies, counts.instances, counts.kept_studies) == (2, 5, 0)
    manifest = pyarrow.parquet.read_table(filled.folder(1) / "manifest.parquet").to_pylist()
    assert {name: hashlib.sha256(data).hexdigest() for name, data in members(target).items()} == {
        f"{row['pseudonym']}/{row['StudyInstanceUID']}/{row['SeriesInstanceUID']}/{row['SOPInstanceUID']}.dcm": row[
            "output_digest"
        ]
        for row in manifest
    }
    assert {str(read(data).SOPInstanceUID) for data in members(target).values()} == filled.former | filled.kept
    subprocess.run(["sha256sum", "--check", "--strict", CHECKSUMS], cwd=target, check=True, capture_output=True)


def test_the_same_release_gives_the_same_bytes(filled: Clinic, pacs: ResearchPacs, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(filled, tmp_path / name, pacs.retrieve_instance)
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_broken_off_it_goes_on_with_the_study_that_was_being_written(
    filled: Clinic, pacs: ResearchPacs, target: Path
) -> None:
    asked: list[str] = []

    def breaking(study_uid: str, series_uid: str, sop_uid: str) -> Iterator[bytes]:
        if len(asked) == 4:
            raise Retriable("the network is away")
        asked.append(sop_uid)
        return pacs.retrieve_instance(study_uid, series_uid, sop_uid)

    def counting(study_uid: str, series_uid: str, sop_uid: str) -> Iterator[bytes]:
        asked.append(sop_uid)
        return pacs.retrieve_instance(study_uid, series_uid, sop_uid)

    with pytest.raises(Retriable, match="the network is away"):
        write_archive(filled.folder(1), target, breaking, threads=1)
    assert not (target / CHECKSUMS).exists()
    (whole,) = target.glob("*/*.zip")
    before = whole.stat()
    asked.clear()
    counts = write(filled, target, counting)
    assert (counts.studies, counts.instances, counts.kept_studies) == (2, 5, 1)
    assert len(asked) < 5
    assert whole.stat() == before
    assert not list(target.rglob("*.unfinished"))
    assert len(members(target)) == 5


def test_done_again_it_asks_for_nothing(filled: Clinic, pacs: ResearchPacs, target: Path) -> None:
    write(filled, target, pacs.retrieve_instance)
    before = files(target)

    def never(*_: str) -> Iterator[bytes]:
        raise AssertionError

    assert write(filled, target, never).kept_studies == 2
    assert files(target) == before


def test_a_file_that_was_changed_is_not_passed_off_as_the_release(
    filled: Clinic, pacs: ResearchPacs, target: Path
) -> None:
    write(filled, target, pacs.retrieve_instance)
    file = sorted(target.glob("*/*.zip"))[0]
    file.chmod(0o600)
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(Fatal, match="not what it was"):
        write(filled, target, pacs.retrieve_instance)


def test_other_bytes_than_were_stored_do_not_get_in(filled: Clinic, pacs: ResearchPacs, target: Path) -> None:
    def altered(*uids: str) -> Iterator[bytes]:
        return (data[:-1] + b"\xff" for data in pacs.retrieve_instance(*uids))

    with pytest.raises(Fatal, match="other bytes"):
        write(filled, target, altered)
    assert not list(target.rglob("*.zip"))


def test_an_object_that_is_gone_stops_it(filled: Clinic, pacs: ResearchPacs, target: Path) -> None:
    filled.site.research.clear()
    with pytest.raises(Retriable, match="does not give"):
        write(filled, target, pacs.retrieve_instance)
    assert not list(target.rglob("*.zip"))


def test_a_release_that_has_ended_is_not_archived(filled: Clinic, target: Path, tmp_path: Path) -> None:
    copy = tmp_path / "0001"
    shutil.copytree(filled.folder(1), copy)
    copy.chmod(0o700)
    (copy / "TOMBSTONE.json").write_text("{}")
    with pytest.raises(Fatal, match="has ended"):
        write_archive(copy, target, lambda *_: iter([io.BytesIO().read()]), threads=1)
    assert not target.exists()
