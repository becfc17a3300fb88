"""From DICOM objects to the face in them, and back to pixels: only what shows the face changes, in every encoding."""

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO

import imagecodecs
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import pixel_array
from pydicom.uid import (
    CTImageStorage,
    EnhancedMRImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)
from tests.deidentify.builders import CONTEXT
from tests.deidentify.faces.heads import SAGITTAL, Phantom, phantom

from dicomanon.deidentify import ActionLog, Deidentified, Face, Seen, deidentify, encode, find_faces, parse
from dicomanon.deidentify.faces import series
from dicomanon.deidentify.pixels.decision import decide
from dicomanon.deidentify.pixels.filling import Stencil
from dicomanon.deidentify.pixels.image import PixelImage
from dicomanon.deidentify.pixels.masking import mask
from dicomanon.deidentify.pixels.regions import Box, Region
from dicomanon.deidentify.source import SourceInstance
from dicomanon.devices import ConfirmedDevices
from dicomanon.errors import Held
from dicomanon.profile import compile_profile, load_profile
from dicomanon.profile.actions import Action
from dicomanon.reasons import HoldReason

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
    dataset.Rows, dataset.Columns = int(head.planes[0].rows), int(head.planes[0].columns)
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    return dataset


def _stored(values: np.ndarray, intercept: int) -> bytes:
    return np.clip(np.rint(values) - intercept, 0, 4095).astype("<u2").tobytes()


def ct_series(head: Phantom, syntax: str = ExplicitVRLittleEndian, name: str = "3") -> list[SourceInstance]:
    objects = []
    for number, plane in enumerate(head.planes):
        dataset = _image(head, CTImageStorage, f"{name}.{number}")
        dataset.ImagePositionPatient = [f"{value:.4f}" for value in plane.position]
        dataset.ImageOrientationPatient = [*plane.along_row, *plane.along_column]
        dataset.PixelSpacing = [*plane.spacing]
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
        dataset.PixelData = _stored(head.volume.values[number], -1024)
        objects.append(_written(dataset, syntax))
    return objects[::-1]


def enhanced_mr(head: Phantom) -> Dataset:
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
    return dataset


@pytest.fixture(scope="module")
def head() -> Phantom:
    return phantom(spacing=(3.0, 2.0, 2.0))


@pytest.fixture(scope="module")
def slices(head: Phantom) -> list[SourceInstance]:
    return ct_series(head)


@pytest.fixture(scope="module")
def face(slices: list[SourceInstance]) -> Face:
    return the_face(slices)


def the_face(sources: Sequence[SourceInstance]) -> Face:
    """Return the one face that all objects show."""
    (found,) = set(map(id, faces := find_faces(sources)))
    assert id(faces[0]) == found
    assert isinstance(faces[0], Face), faces[0]
    return faces[0]


def why_held(sources: Sequence[SourceInstance]) -> str:
    """Return the one detail that all objects are held with."""
    faces = find_faces(sources)
    (detail,) = {face.detail for face in faces if isinstance(face, Held)}
    assert {face.reason for face in faces if isinstance(face, Held)} == {HoldReason.RECOGNIZABLE_FACE}
    assert all(isinstance(face, Held) for face in faces)
    return detail


def hidden(face: Face, source: SourceInstance, shape: tuple[int, ...]) -> np.ndarray:
    pixels = np.zeros(shape, bool)
    for number, stencil in face.stencils(source).items():
        pixels[number] = stencil.pixels
    return pixels


def test_each_object_of_a_series_has_its_part_of_the_face(
    head: Phantom, slices: list[SourceInstance], face: Face
) -> None:
    shape = head.volume.values[:1].shape
    together = np.concatenate([hidden(face, source, shape) for source in slices[::-1]])
    assert together[head.face].mean() > 0.9
    assert not (together & head.brain).any()
    assert {stencil.value for source in slices for stencil in face.stencils(source).values()} == {24}


def test_slices_come_in_any_order(slices: list[SourceInstance], face: Face) -> None:
    assert repr(the_face(slices[::2] + slices[1::2])) == repr(face)


def test_frames_of_one_object_are_the_volume() -> None:
    head = phantom("MR", SAGITTAL, (3.0, 2.0, 2.0))
    source = _written(enhanced_mr(head))
    pixels = hidden(the_face([source]), source, head.volume.values.shape)
    assert pixels[head.face].mean() > 0.9
    assert not (pixels & head.brain).any()


def test_slices_of_another_orientation_are_a_volume_of_their_own(slices: list[SourceInstance]) -> None:
    scouts = ct_series(phantom(axes=SAGITTAL, spacing=(30.0, 4.0, 4.0)), name="7")
    found = find_faces([*scouts, *slices])
    assert all(isinstance(face, Face) for face in found[len(scouts) :])
    assert all(isinstance(face, Held) for face in found[: len(scouts)])


def test_held_when_a_slice_is_missing(slices: list[SourceInstance]) -> None:
    assert "missing" in why_held(slices[:20] + slices[21:])


def test_held_for_pet(head: Phantom) -> None:
    assert "CT and of MR only" in why_held(
        ct_series(replace(head, planes=head.planes[:9], volume=replace(head.volume, modality="PT")))
    )


def test_held_when_there_is_no_face(head: Phantom) -> None:
    empty = replace(head.volume, values=np.full_like(head.volume.values, -1000.0))
    assert "no face was found" in why_held(ct_series(replace(head, volume=empty)))


def test_held_when_it_is_larger_than_memory(slices: list[SourceInstance], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "_MOST_VOXELS", 100_000)
    assert "too large" in why_held(slices)


@pytest.mark.parametrize("missing", ["ImagePositionPatient", "PixelSpacing"])
def test_held_without_geometry(head: Phantom, missing: str) -> None:
    dataset = _image(head, CTImageStorage, "6")
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing = [1, 1]
    dataset.PixelData = _stored(head.volume.values[0], -1024)
    del dataset[missing]
    assert "geometry" in why_held([_written(dataset)])


@pytest.mark.parametrize(
    "changes", [{"PhotometricInterpretation": "RGB"}, {"NumberOfFrames": 4000}, {"SamplesPerPixel": 3}]
)
def test_held_when_pixels_are_not_as_they_can_be_looked_at(changes: dict[str, object]) -> None:
    why_held([_image_with(PIXELS, ExplicitVRLittleEndian, **changes)])


def test_held_when_a_slice_cannot_be_decoded(head: Phantom) -> None:
    sources = ct_series(head, JPEGLSLossless)
    garbled = bytes(sources[9].file.buffer).replace(b"\xff\xd8\xff\xf7", b"\xff\xd8\xff\xf0")
    sources[9].file = replace(sources[9].file, buffer=memoryview(garbled))
    assert "frame" in why_held(sources)


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
STENCILS = {0: Stencil(MASK[0], 7), 2: Stencil(MASK[2], 9)}
COVERED = np.where(
    MASK & np.array([True, False, True])[:, None, None], np.array([7, 0, 9], "<u2")[:, None, None], PIXELS
)


def _read_again(source: SourceInstance, regions: Sequence[Region] = ()) -> tuple[str, np.ndarray]:
    """Return transfer syntax and pixels after masking, as pydicom reads them."""
    image = PixelImage.of(source)
    assert image is not None
    done = mask(image, regions, STENCILS)
    element = source.element(0x7FE00010)
    assert element is not None
    uids = source.sop_class_uid, source.study_uid, source.series_uid, source.sop_uid
    chunks = (source.file.buffer[: element.start], *done.pieces)
    file = dcmread(BytesIO(encode(Deidentified(*uids, done.transfer_syntax, {}, chunks))))
    return done.transfer_syntax, pixel_array(file, raw=True)


@pytest.mark.parametrize("syntax", [*NATIVE, *COMPRESSED])
def test_only_the_stencil_changes(syntax: str) -> None:
    after, pixels = _read_again(_image_with(PIXELS, syntax))
    assert after == syntax
    assert np.array_equal(pixels, COVERED)


@pytest.mark.parametrize("syntax", [*NATIVE, *COMPRESSED])
def test_boxes_and_stencils_go_together(syntax: str) -> None:
    _, pixels = _read_again(_image_with(PIXELS, syntax), [Region(Box(10, 5, 30, 15))])
    expected = COVERED.copy()
    expected[:, 5:15, 10:30] = 0
    assert np.array_equal(pixels, expected)


def _defaced(source: SourceInstance, face: Face, *text: Region, log: ActionLog | None = None) -> Deidentified:
    profile = compile_profile(load_profile("research").model_copy(update={"recognizable_visual_features": "deface"}))
    seen = Seen(decide(source, profile, ConfirmedDevices()), text)
    done = deidentify(source, profile, CONTEXT, log, seen=seen, face=face)
    assert isinstance(done, Deidentified), done
    return done


def test_text_and_face_go_from_one_object_and_the_log_tells(slices: list[SourceInstance], face: Face) -> None:
    source = max(slices, key=lambda one: len(face.stencils(one)) and face.stencils(one)[0].pixels.sum())
    log = ActionLog()
    done = _defaced(source, face, Region(Box(0, 0, 9, 7)), log=log)
    before, after = PixelImage.of(source).frame(0), dcmread(BytesIO(encode(done)))  # type: ignore[union-attr]
    expected = before.copy()
    stencil = face.stencils(source)[0]
    expected[stencil.pixels] = stencil.value
    expected[:7, :9] = 0
    assert np.array_equal(after.pixel_array, expected)
    assert (after.BurnedInAnnotation, after.RecognizableVisualFeatures) == ("NO", "NO")
    assert {"113101", "113102"} <= {item.CodeValue for item in after.DeidentificationMethodCodeSequence}
    assert [entry.path for entry in log.entries if entry.action is Action.DEFACE] == [(0x7FE00010,)]
    counts = done.action_counts
    assert (counts["deface"], counts["defaced-pixels"]) == (1, stencil.pixels.sum())


def test_a_slice_without_a_part_of_the_face_was_looked_at_too(slices: list[SourceInstance], face: Face) -> None:
    done = _defaced(next(one for one in slices if not face.stencils(one)), face)
    assert dcmread(BytesIO(encode(done))).RecognizableVisualFeatures == "NO"
    assert (done.action_counts["deface"], done.action_counts["defaced-pixels"]) == (1, 0)


def test_what_was_lossy_is_stored_without_further_loss_and_says_so() -> None:
    pixels = (PIXELS[:1] >> 4).astype("u1")
    dataset = _image(phantom(spacing=(40.0, 8.0, 8.0)), CTImageStorage, "9")
    dataset.Rows, dataset.Columns = pixels.shape[1:]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PixelData = encapsulate([bytes(imagecodecs.jpeg8_encode(pixels[0], level=90))])
    dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
    image = PixelImage.of(_written(dataset, JPEGBaseline8Bit))
    assert image is not None
    done = mask(image, (), {0: Stencil(MASK[0], 7)})
    assert done.transfer_syntax == JPEGLSLossless
    assert done.attributes[0x00282110] is not None  # Lossy Image Compression


@pytest.mark.parametrize(
    ("intercept", "signed", "written"), [(-1024, 0, 24), (0, 0, 0), (-9999, 0, 4095), (0, 1, -1000), (4000, 1, -2048)]
)
def test_air_beyond_the_cells_is_the_nearest_that_they_hold(
    face: Face, intercept: int, signed: int, written: int
) -> None:
    head = phantom(spacing=(3.0, 2.0, 2.0))
    dataset = _image(head, CTImageStorage, "8")
    nose = head.planes[len(head.planes) // 2 - 8]
    dataset.ImagePositionPatient, dataset.PixelSpacing = [*nose.position], [*nose.spacing]
    dataset.ImageOrientationPatient = [*nose.along_row, *nose.along_column]
    dataset.RescaleSlope, dataset.RescaleIntercept, dataset.PixelRepresentation = 1, intercept, signed
    dataset.PixelData = bytes(nose.rows * nose.columns * 2)
    (stencil,) = replace(face, air=-1000.0).stencils(_written(dataset)).values()
    assert stencil.value == written
