"""From DICOM objects to masks and back to pixels: only what shows the face changes, in every encoding."""

from copy import copy
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import get_decoder
from pydicom.uid import (
    CTImageStorage,
    EnhancedMRImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)
from tests.deidentify.faces.heads import SAGITTAL, Phantom, phantom

from dicomanon.deidentify import parse
from dicomanon.deidentify.faces.applying import Blanked, blanked, stored_values
from dicomanon.deidentify.faces.series import FaceMask, frames_of, mask_series
from dicomanon.deidentify.source import SourceInstance
from dicomanon.errors import Held

UID = "1.2.826.0.1.3680043.8.498"
NATIVE = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian)
COMPRESSED = (RLELossless, JPEGLSLossless, JPEG2000Lossless)


def _written(dataset: Dataset, syntax: str = ExplicitVRLittleEndian) -> SourceInstance:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    if syntax in COMPRESSED:
        dataset.compress(syntax, generate_instance_uid=False)
    elif syntax == ExplicitVRBigEndian:
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
    dataset.file_meta.TransferSyntaxUID = syntax
    file = BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return parse(file.getvalue())


def _image(head: Phantom, sop_class: str, name: str) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = f"{UID}.{name}"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"{UID}.1", f"{UID}.2"
    dataset.Modality = head.volume.modality
    dataset.PatientID, dataset.PatientName = "MRN-1", "Featherstone"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = head.planes[0].rows, head.planes[0].columns
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    return dataset


def _stored(values: np.ndarray, intercept: int) -> bytes:
    return np.clip(np.rint(values) - intercept, 0, 4095).astype("<u2").tobytes()


def ct_series(head: Phantom, syntax: str = ExplicitVRLittleEndian) -> list[SourceInstance]:
    objects = []
    for number, plane in enumerate(head.planes):
        dataset = _image(head, CTImageStorage, f"3.{number}")
        dataset.ImagePositionPatient = [f"{value:.4f}" for value in plane.position]
        dataset.ImageOrientationPatient = [*plane.along_row, *plane.along_column]
        dataset.PixelSpacing = [*plane.spacing]
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
        dataset.PixelData = _stored(head.volume.values[number], -1024)
        objects.append(_written(dataset, syntax))
    return objects[::-1]


def enhanced_mr(head: Phantom) -> SourceInstance:
    dataset = _image(head, EnhancedMRImageStorage, "4")
    dataset.NumberOfFrames = len(head.planes)
    shared, frames = Dataset(), []
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [Dataset()], [Dataset()]
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = [
        *head.planes[0].along_row,
        *head.planes[0].along_column,
    ]
    shared.PixelMeasuresSequence[0].PixelSpacing = [*head.planes[0].spacing]
    for plane in head.planes:
        frame = Dataset()
        frame.PlanePositionSequence = [Dataset()]
        frame.PlanePositionSequence[0].ImagePositionPatient = [f"{value:.4f}" for value in plane.position]
        frames.append(frame)
    dataset.SharedFunctionalGroupsSequence, dataset.PerFrameFunctionalGroupsSequence = [shared], frames
    dataset.PixelData = _stored(head.volume.values, 0)
    return _written(dataset)


@pytest.fixture(scope="module")
def head() -> Phantom:
    return phantom(spacing=(3.0, 2.0, 2.0))


@pytest.fixture(scope="module")
def masks(head: Phantom) -> dict[str, FaceMask]:
    return mask_series(ct_series(head))


def test_each_object_of_a_series_gets_its_mask(head: Phantom, masks: dict[str, FaceMask]) -> None:
    together = np.stack([masks[f"{UID}.3.{number}"].pixels[0] for number in range(len(head.planes))])
    assert together[head.face].mean() > 0.9
    assert not (together & head.brain).any()
    assert {fill for mask in masks.values() for fill in mask.fill} == {24}


def test_frames_of_one_object_are_the_volume() -> None:
    head = phantom("MR", SAGITTAL, (3.0, 2.0, 2.0))
    (mask,) = mask_series([enhanced_mr(head)]).values()
    assert mask.pixels.shape == head.volume.values.shape
    assert mask.pixels[head.face].mean() > 0.9
    assert not (mask.pixels & head.brain).any()


def test_held_when_a_slice_is_missing(head: Phantom) -> None:
    series = ct_series(head)
    with pytest.raises(Held, match="missing"):
        mask_series(series[:20] + series[21:])


def test_held_for_pet() -> None:
    other = phantom("CT", spacing=(6.0, 4.0, 4.0))
    series = ct_series(replace(other, volume=replace(other.volume, modality="PT")))
    with pytest.raises(Held, match="CT and of MR only"):
        mask_series(series)


def _image_with(pixels: np.ndarray, syntax: str, **changes: object) -> SourceInstance:
    small = phantom(spacing=(40.0, 8.0, 8.0))
    dataset = _image(small, CTImageStorage, "5")
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    dataset.NumberOfFrames = len(pixels)
    dataset.PixelData = pixels.tobytes()
    for name, value in changes.items():
        setattr(dataset, name, value)
    return _written(dataset, syntax)


PIXELS = np.random.default_rng(3).integers(0, 4096, (3, 64, 71)).astype("<u2")
MASK = np.random.default_rng(4).random(PIXELS.shape) < 0.3


def _read_again(done: Blanked) -> np.ndarray:
    values, _ = get_decoder(done.transfer_syntax).as_array(
        bytes(done.value), raw=True, rows=64, columns=71, number_of_frames=3, samples_per_pixel=1, bits_allocated=16,
        bits_stored=12, pixel_representation=0, photometric_interpretation="MONOCHROME2", pixel_keyword="PixelData",
        pixel_vr="OW",
    )  # fmt: skip
    return values


@pytest.mark.parametrize("syntax", [*NATIVE, *COMPRESSED])
def test_only_the_mask_changes(syntax: str) -> None:
    source = _image_with(PIXELS, syntax)
    assert np.array_equal(stored_values(source), PIXELS)
    done = blanked(source, MASK, (7, 8, 9))
    expected = np.where(MASK, np.array([7, 8, 9])[:, None, None], PIXELS)
    assert (done.transfer_syntax, done.encapsulated) == (syntax, syntax in COMPRESSED)
    assert np.array_equal(_read_again(done), expected)


def test_what_has_no_encoder_is_stored_natively() -> None:
    source = _image_with(PIXELS, JPEGLSLossless)
    near = copy(source)
    near.transfer_syntax = "1.2.840.10008.1.2.4.81"
    done = blanked(near, MASK, (0, 0, 0))
    assert (done.transfer_syntax, done.encapsulated) == (ExplicitVRLittleEndian, False)
    assert np.array_equal(_read_again(done), np.where(MASK, 0, PIXELS))


@pytest.mark.parametrize(
    ("signed", "fill", "written"), [(0, -5, 0), (0, 9999, 4095), (1, -9999, -2048), (1, 9999, 2047)]
)
def test_a_fill_beyond_the_cells_is_the_nearest_that_they_hold(signed: int, fill: int, written: int) -> None:
    pixels = np.zeros((1, 4, 4), "<i2" if signed else "<u2")
    source = _image_with(pixels, ExplicitVRLittleEndian, PixelRepresentation=signed)
    done = blanked(source, np.ones(pixels.shape, bool), (fill,))
    assert set(np.frombuffer(done.value, pixels.dtype)) == {written}


@pytest.mark.parametrize(
    "changes",
    [{"HighBit": 12}, {"PhotometricInterpretation": "RGB"}, {"NumberOfFrames": 4}, {"SamplesPerPixel": 3}],
)
def test_held_when_pixels_are_not_as_they_can_be_blanked(changes: dict[str, object]) -> None:
    with pytest.raises(Held):
        blanked(_image_with(PIXELS, ExplicitVRLittleEndian, **changes), MASK, (0, 0, 0))


def test_held_when_the_mask_is_of_another_size() -> None:
    with pytest.raises(Held, match="size of the pixels"):
        blanked(_image_with(PIXELS, ExplicitVRLittleEndian), MASK[:2], (0, 0))


def test_held_when_compressed_pixels_cannot_be_decoded() -> None:
    broken = _image_with(PIXELS, JPEGLSLossless)
    garbled = bytes(broken.file.buffer).replace(b"\xff\xd8\xff\xf7", b"\xff\xd8\xff\xf0")
    fake = copy(broken)
    fake.file = replace(broken.file, buffer=memoryview(garbled))
    with pytest.raises(Held, match="cannot be decoded"):
        stored_values(fake)


@pytest.mark.parametrize("missing", ["ImagePositionPatient", "PixelSpacing"])
def test_held_without_geometry(head: Phantom, missing: str) -> None:
    dataset = _image(head, CTImageStorage, "6")
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing = [1, 1]
    dataset.PixelData = _stored(head.volume.values[0], -1024)
    del dataset[missing]
    with pytest.raises(Held, match="geometry"):
        frames_of(_written(dataset))
