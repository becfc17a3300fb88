"""The manifest of the same cohort is the same bytes, and loads straight into pandas."""

import csv
import datetime as dt
import hashlib
import json
import random
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

import pyarrow.csv
import pyarrow.parquet
import pytest

from dicomanon.cohort.fields import manifest_fields
from dicomanon.cohort.manifest import by_patient, by_study, counts, kept_columns, manifest_table
from dicomanon.cohort.release_files import write_manifest
from dicomanon.crosswalk.rows import CohortInstance
from dicomanon.values import Pseudonym, ResearchUid

SAYS: Mapping[str, str | int | float] = {
    "StudyDate": "20210203", "LongitudinalTemporalInformationModified": "MODIFIED", "PatientAge": "061Y",
    "PatientSex": "F", "SeriesDescription": "Thorax, \"late\"", "Rows": 512, "PixelSpacing": "0.7\\0.7",
    "SliceThickness": 1.25,
}  # fmt: skip
NAMES = [one.name for one in manifest_fields()]


def instances() -> list[CohortInstance]:
    """Twenty-four of two patients; the last one is from before anything was kept of what objects say."""
    made = []
    for number in range(24):
        patient, study, series = number // 12, number // 6, number // 3
        made.append(
            CohortInstance(
                instance_id=number,
                study_id=UUID(int=study),
                pseudonym=Pseudonym(f"D{patient}"),
                research_study_uid=ResearchUid(f"2.25.1{study}"),
                research_series_uid=ResearchUid(f"2.25.2{series}"),
                research_sop_uid=ResearchUid(f"2.25.3{number}"),
                modality="MR" if series % 2 else "CT",
                sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
                output_digest=hashlib.sha256(bytes([number])).digest(),
                output_bytes=100 + number,
                profile_version="research@000000000000",
                patient=Pseudonym(f"D{patient}"),
                facts=SAYS if number < 23 else None,
                passed=True,
            )
        )
    return made


def written(folder: Path, rows: list[CohortInstance], group_by: str = "patient") -> dict[str, bytes]:
    folder.mkdir()
    write_manifest(folder, manifest_table(rows), group_by=group_by, facts={"number": 1})  # type: ignore[arg-type]
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    shuffled = instances()
    random.Random(3).shuffle(shuffled)
    assert written(tmp_path / "a", instances()) == written(tmp_path / "b", shuffled)


def test_parquet_and_csv_say_the_same(tmp_path: Path) -> None:
    written(tmp_path / "r", instances())
    table = pyarrow.parquet.read_table(tmp_path / "r" / "manifest.parquet")
    assert table.schema.names == NAMES
    types = pyarrow.csv.ConvertOptions(column_types=table.schema, strings_can_be_null=True)
    assert pyarrow.csv.read_csv(tmp_path / "r" / "manifest.csv", convert_options=types).to_pylist() == table.to_pylist()
    keys = [tuple(row[name] for name in NAMES[:4]) for row in table.to_pylist()]
    assert keys == sorted(keys)


def test_rows_say_what_the_objects_say() -> None:
    table = manifest_table(instances())
    (row, *_) = table.to_pylist()
    assert row | {
        "StudyDate": dt.date(2021, 2, 3), "age_years": 61.0, "PatientSex": "F", "SeriesDescription": 'Thorax, "late"',
        "Rows": 512, "NumberOfFrames": None, "PixelSpacing": "0.7\\0.7", "SliceThickness": 1.25, "verdict": "passed",
        "profile_version": "research@000000000000",
    } == row  # fmt: skip
    assert table["StudyDate"].null_count == 1


def test_tables_beside_the_manifest_add_up(tmp_path: Path) -> None:
    table = manifest_table(instances())
    assert counts(table).instances == 24
    studies = by_study(table).to_pylist()
    assert [row["studies"] for row in by_patient(table).to_pylist()] == [2, 2]
    assert [(row["series"], row["instances"], row["modalities"]) for row in studies] == [(2, 6, "CT\\MR")] * 4
    assert sum(row["bytes"] for row in studies) == counts(table).bytes
    files = written(tmp_path / "r", instances())
    assert len(list(csv.DictReader(files["patients.csv"].decode().splitlines()))) == 2
    assert len(list(csv.DictReader(files["studies.csv"].decode().splitlines()))) == 4


def test_release_names_every_file_by_its_digest(tmp_path: Path) -> None:
    files = written(tmp_path / "r", instances(), group_by="study")
    release = json.loads(files.pop("release.json"))
    assert set(files) == {"manifest.parquet", "manifest.csv", "data_dictionary.csv", "studies.csv", "delivered.csv"}
    assert release["instances_without_facts"] == 1
    assert {name: facts["sha256"] for name, facts in release["files"].items()} == {
        name: hashlib.sha256(content).hexdigest() for name, content in files.items()
    }
    assert (release["patients"], release["studies"], release["series"], release["modalities"]) == (
        2,
        4,
        8,
        ["CT", "MR"],
    )


def test_files_are_read_only(tmp_path: Path) -> None:
    written(tmp_path / "r", instances())
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "r").iterdir()} == {0o440}


def test_empty_cohort_has_an_empty_manifest() -> None:
    assert counts(manifest_table([])).instances == 0
    assert by_study(manifest_table([])).num_rows == 0


@pytest.mark.parametrize("size", [1, 7])
def test_many_batches_are_one_table(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicomanon.cohort.manifest._ROWS_AT_ONCE", size)
    assert manifest_table(instances()).num_rows == 24


def test_what_a_request_brought_is_found_again(tmp_path: Path) -> None:
    brought = {"split": {one.research_study_uid: f"part of {one.patient}" for one in instances()}}
    write_manifest(tmp_path, manifest_table(instances(), columns=brought), group_by="series", facts={})
    kept = kept_columns(tmp_path)
    assert kept == brought
    assert manifest_table(instances()[5:], columns=kept).column_names == [*NAMES, "split"]
    assert kept_columns(tmp_path / "nowhere") == {}


@pytest.mark.parametrize(("sort_by", "column", "downwards"), [("modality", "Modality", False), ("size", "bytes", True)])
def test_rows_are_in_the_order_asked_for(sort_by: str, column: str, downwards: bool) -> None:
    values = manifest_table(instances(), sort_by=sort_by)[column].to_pylist()  # type: ignore[arg-type]
    assert values == sorted(values, reverse=downwards)
