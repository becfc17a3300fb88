"""Bulk objects are large, readable, and all different."""

from pathlib import Path

from pydicom import dcmread

from dicomanon.sample.bulk import DX_SHAPE, write_ct_studies, write_dx


def test_ct_studies_hold_distinct_half_megabyte_slices(tmp_path: Path) -> None:
    paths = write_ct_studies(tmp_path, studies=2, slices=6)
    read = [dcmread(path) for path in paths]
    assert len({dataset.SOPInstanceUID for dataset in read}) == len({dataset.PixelData for dataset in read}) == 12
    assert len({dataset.StudyInstanceUID for dataset in read}) == len({dataset.PatientID for dataset in read}) == 2
    assert all(dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID for dataset in read)
    assert all(dataset.pixel_array.shape == (512, 512) for dataset in read)
    assert len({dataset.ImagePositionPatient[2] for dataset in read}) == 6
    assert all(path.stat().st_size > 512 * 1024 for path in paths)


def test_same_seed_gives_the_same_bytes_and_another_seed_other_uids(tmp_path: Path) -> None:
    one, again, other = (
        write_ct_studies(tmp_path / name, studies=1, slices=1, seed=seed)[0]
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert one.read_bytes() == again.read_bytes()
    assert dcmread(one).StudyInstanceUID != dcmread(other).StudyInstanceUID


def test_radiograph_has_twenty_megabytes(tmp_path: Path) -> None:
    paths = write_dx(tmp_path, count=2)
    assert all(20_000_000 < path.stat().st_size < 20_200_000 for path in paths)
    first, second = (dcmread(path) for path in paths)
    assert first.pixel_array.shape == DX_SHAPE
    assert first.SOPInstanceUID != second.SOPInstanceUID
    assert first.PixelData != second.PixelData
