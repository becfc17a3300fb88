from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from tests.site import ct, encoded, study

from dicomanon.errors import Fatal
from dicomanon.pipeline.pixel_fixtures import add_fixtures, read_fixtures

OF = study("fixtures")


def _file(folder: Path, name: str, **changes: str) -> Path:
    dataset: Dataset = ct(OF)
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    path = folder / name
    path.write_bytes(encoded(dataset))
    return path


def test_added_once_and_named_after_the_device(tmp_path: Path) -> None:
    file = tmp_path / "fixtures.jsonl"
    objects = [_file(tmp_path, "a.dcm"), _file(tmp_path, "b.dcm", BurnedInAnnotation="YES"), _file(tmp_path, "c.dcm")]
    added, again = add_fixtures(file, objects)
    assert (len(added), again) == (2, 1)
    assert added[0].name.startswith("ct-")
    assert added[1].name == f"{added[0].name}-2"
    assert read_fixtures(file) == added
    assert add_fixtures(file, objects) == ([], 3)


def test_nothing_of_the_patient_is_written(tmp_path: Path) -> None:
    file = tmp_path / "fixtures.jsonl"
    dataset = ct(OF)
    add_fixtures(file, [_file(tmp_path, "a.dcm", SeriesDescription=f"of {str(dataset.PatientName).split('^')[0]}")])
    text = file.read_text().upper()
    for value in (*str(dataset.PatientName).upper().split("^"), dataset.PatientID, dataset.StudyInstanceUID):
        assert not value or str(value).upper() not in text


def test_one_refused_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "fixtures.jsonl"
    name = str(ct(OF).PatientName).split("^")[0]
    objects = [_file(tmp_path, "a.dcm"), _file(tmp_path, f"{name}.dcm", ManufacturerModelName=name)]
    with pytest.raises(Fatal) as refused:
        add_fixtures(file, objects)
    assert str(refused.value).startswith("file 2: (0008,1090)")
    assert name not in str(refused.value)
    assert not file.exists()


def test_what_is_no_object_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("notes")
    with pytest.raises(Fatal, match="file 1"):
        add_fixtures(tmp_path / "fixtures.jsonl", [tmp_path / "notes.txt"])


@pytest.mark.parametrize("content", [b"\xff\xff", b"{}\n", None])
def test_a_file_that_holds_no_fixtures_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "fixtures.jsonl"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(Fatal):
        read_fixtures(file)
