"""A de-identified object as the validator expects it, for tests to spoil."""

import hashlib
import io
import uuid
import warnings

import numpy as np
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicomanon.validate.examine import Expected

CT = "1.2.840.10008.5.1.4.1.1.2"
PSEUDONYM = "D4K7QZ0M2XYA"
VERSION = "research@1f3a9c0b7d2e"
OPTIONS = frozenset({"retain-longitudinal-modified-dates"})
RESEARCH_OPTIONS = frozenset({
    "clean-descriptors", "clean-graphics", "clean-pixel-data", "clean-structured-content",
    "retain-longitudinal-modified-dates", "retain-patient-characteristics", "retain-safe-private",
})  # fmt: skip
SHIFT = -1500
SYNTAXES = {
    "implicit": ImplicitVRLittleEndian,
    "explicit": ExplicitVRLittleEndian,
    "big": ExplicitVRBigEndian,
}

KNOWN = frozenset({
    "Featherstone^Agnieszka", "Featherstone", "Agnieszka", "Li", "Ng Li", "Gray", "MRN0048213", "20190105", "19480722",
    "88120457", "4417", "604-555-0199", "St Ninian Infirmary", "Müllerström", "1.2.276.0.7230010.3.1.2.8323329.4711.1",
})  # fmt: skip


def research_uid(name: str) -> str:
    """A UID as we issue them: UUID version 8 under 2.25."""
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "big")
    number = number & ~(0xF << 76) | 8 << 76
    number = number & ~(0b11 << 62) | 0b10 << 62
    return f"2.25.{uuid.UUID(int=number).int}"


def clean_dataset() -> Dataset:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SOPClassUID = CT
    dataset.SOPInstanceUID = research_uid("sop")
    dataset.StudyDate = "20141127"
    dataset.StudyTime = "101500"
    dataset.AccessionNumber = ""
    dataset.Modality = "CT"
    dataset.Manufacturer = "SIEMENS"
    dataset.ReferringPhysicianName = ""
    dataset.PatientName = PSEUDONYM
    dataset.PatientID = PSEUDONYM
    dataset.PatientBirthDate = ""
    dataset.PatientSex = ""
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = f"DICOManon {VERSION}"
    dataset.DeidentificationMethodCodeSequence = Sequence(
        [
            code("113100", "Basic Application Confidentiality Profile"),
            code("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
        ]
    )
    dataset.KVP = "120"
    dataset.SoftwareVersions = "VA44A 20180105"
    dataset.ConvolutionKernel = "STANDARD"
    dataset.StudyInstanceUID = research_uid("study")
    dataset.SeriesInstanceUID = research_uid("series")
    dataset.FrameOfReferenceUID = research_uid("frame")
    dataset.LongitudinalTemporalInformationModified = "MODIFIED"
    dataset.Rows = dataset.Columns = 256
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation, dataset.SamplesPerPixel = 15, 0, 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    pixels = np.random.default_rng(7).normal(1000, 60, (256, 256)).clip(0, 4095).astype("<u2")
    dataset.add_new(0x7FE00010, "OW", pixels.tobytes())
    return dataset


def research_dataset() -> Dataset:
    """A clean object of a profile with the options of ``RESEARCH_OPTIONS``, descriptions and characteristics left."""
    dataset = clean_dataset()
    codes = ("113100", "113103", "113104", "113105", "113107", "113108", "113111")
    dataset.DeidentificationMethodCodeSequence = Sequence([code(value, "De-identification") for value in codes])
    dataset.StudyDescription = "CT CHEST W CONTRAST"
    dataset.ProtocolName = "Thorax^ThoraxRoutine"
    dataset.PatientAge = "089Y"
    dataset.PatientSex = "F"
    dataset.PatientSize = "1.71"
    dataset.PatientWeight = "64"
    dataset.EthnicGroup = "Caucasian"
    return dataset


def code(value: str, meaning: str, scheme: str = "DCM") -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def encoded(dataset: Dataset, syntax: str = "explicit") -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = SYNTAXES[syntax]
    meta.ImplementationClassUID = "2.25.181813711318123456789"
    meta.ImplementationVersionName = "DICOMANON 0.1"
    dataset.file_meta = meta
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def expected(data: bytes | None = None) -> Expected:
    return Expected(
        pseudonym=PSEUDONYM,
        study_uid=research_uid("study"),
        series_uid=research_uid("series"),
        sop_uid=research_uid("sop"),
        sop_class_uid=CT,
        output_digest=None if data is None else hashlib.sha256(data).digest(),
        profile_version=VERSION,
        date_shift_days=SHIFT,
    )
