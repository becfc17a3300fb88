"""Releases as NIfTI, out of a real PACS, by the real converter."""

import csv
import gzip
import json
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.promises.removing import GONE, Clinic, release
from tests.site import Run, encoded, read, slices

from dicomanon.cohort.nifti import CONVERSION, NiftiCounts, Retrieve, write_nifti
from dicomanon.errors import Retriable
from dicomanon.pacs.store import ResearchPacs
from dicomanon.sample.leaks import LeakScanner

_VOXELS_START = 352


def write(filled: Clinic, target: Path, retrieve: Retrieve, number: int = 1) -> NiftiCounts:
    return write_nifti(filled.folder(number), target, retrieve, threads=2)


def table(target: Path) -> list[dict[str, str]]:
    with (target / CONVERSION).open(newline="") as file:
        return list(csv.DictReader(file))


def test_voxels_are_those_of_the_objects_and_sidecars_tell_nobody(
    filled: Clinic, pacs: ResearchPacs, tmp_path: Path
) -> None:
    target = tmp_path / "nifti"
    counts = write(filled, target, pacs.retrieve_instance)
    assert counts.converted == counts.series == len(table(target))
    objects = filled.site.research_objects()
    series = {str(read(objects[uid]).SeriesInstanceUID) for uid in filled.former}
    for uid in series:
        stack = [read(data) for data in objects.values()]
        wanted = {one.pixel_array.tobytes() for one in stack if str(one.SeriesInstanceUID) == uid}
        (image,) = target.glob(f"*/*/{uid}/*.nii.gz")
        data = gzip.decompress(image.read_bytes())
        columns, rows, depth = struct.unpack_from("<3h", data, 42)
        voxels = np.frombuffer(data, "<i2", columns * rows * depth, _VOXELS_START).reshape(depth, rows, columns)
        # NIfTI counts rows from below.
        assert {one[::-1].tobytes() for one in voxels} == wanted
        (sidecar,) = image.parent.glob("*.json")
        assert json.loads(sidecar.read_text())["Modality"] == "CT"
        source = read(filled.sources[0])
        assert not LeakScanner([str(source.PatientID), str(source.PatientName)]).scan_text(sidecar.read_text())


def test_broken_off_it_goes_on_with_the_series_that_was_being_converted(
    filled: Clinic, pacs: ResearchPacs, tmp_path: Path
) -> None:
    target = tmp_path / "nifti"
    asked: list[str] = []

    def breaking(study_uid: str, series_uid: str, sop_uid: str) -> Iterator[bytes]:
        if len(asked) == 4:
            raise Retriable("the network is away")
        asked.append(sop_uid)
        return pacs.retrieve_instance(study_uid, series_uid, sop_uid)

    with pytest.raises(Retriable, match="the network is away"):
        write_nifti(filled.folder(1), target, breaking, threads=1)
    assert not (target / CONVERSION).exists()
    counts = write(filled, target, pacs.retrieve_instance)
    assert (counts.converted, counts.kept_series) == (counts.series, 1)
    assert not list(target.glob(".converting-*"))


def test_what_is_no_volume_is_told_and_stops_nothing(filled: Clinic, pacs: ResearchPacs, tmp_path: Path) -> None:
    flat = read(slices(GONE, [9])[0])
    flat.Modality, flat.SeriesInstanceUID = "DX", f"{flat.SeriesInstanceUID}.9"
    filled.site.load(encoded(flat))
    Run().complete()
    release(filled.site, set(filled.site.research_objects()))
    target = tmp_path / "nifti"
    counts = write(filled, target, pacs.retrieve_instance, number=2)
    assert counts.converted == counts.series - 1
    assert [row["images"] for row in table(target) if row["outcome"] == "no volume"] == ["0"]
