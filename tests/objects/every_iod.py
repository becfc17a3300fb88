"""Two objects of every storage SOP class, made from the tables of PS3.3: what is mandatory, and all there is.

Nobody would write the full ones, whose conditional attributes contradict each other; they hold every attribute of
their IOD, with identifiers in all those that Table E.1-1 names.
"""

import json
import struct
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any, TypeAlias

from pydicom.datadict import dictionary_VM, dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from tests.objects.bases import written
from tests.objects.planting import (
    ADDRESS,
    DEVICE_UID_ROOT,
    FAMILY,
    NAME,
    OPERATOR,
    PATIENT_ID,
    PHYSICIAN,
    STUDY_DATE,
    is_of_device,
    plant,
    uid,
)

from dicomanon.standard.confidentiality import confidentiality_by_tag
from dicomanon.standard.iods import iod_by_sop_class

_TYPES = {"mandatory": {"1", "2"}, "full": {"1", "1C", "2", "2C", "3"}}
"""The attribute types of each kind of object; only the mandatory one leaves out modules and empties Type 2."""
_ALTERNATIVES = {"LongCodeValue", "URNCodeValue"}
"""Attributes that may not stand beside Code Value, which every code has here."""
_Level: TypeAlias = "dict[int, bytes | _Level]"
"""Encoded elements and items of sequences by tag."""
_FIRST_GROUP = 0x0008
_INDEXES = {"basic-directory", "inventory"}
_VALUES: dict[str, Any] = {
    "AcquisitionTimeSynchronized": "Y", "ApprovalStatus": "UNAPPROVED", "BitsAllocated": 16, "BitsStored": 12,
    "BlockIdentifyingInformationStatus": "SAFE", "BurnedInAnnotation": "NO", "CodeValue": "T-1", "Columns": 4,
    "CodingSchemeDesignator": "99TEST", "CompletionFlag": "PARTIAL", "ContinuityOfContent": "SEPARATE",
    "ConversionType": "WSD", "DisplayedAreaBottomRightHandCorner": [4, 4], "FrameIncrementPointer": 0x00181063,
    "FrameLaterality": "L", "FrameType": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"], "HighBit": 11,
    "ImageLaterality": "L", "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "ImagePositionPatient": [0, 0, 0],
    "ImageType": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"], "InstanceOriginStatus": "LOCAL", "Laterality": "L",
    "LossyImageCompression": "00", "MIMETypeOfEncapsulatedDocument": "application/pdf", "NumberOfFrames": 1,
    "NumberOfWaveformChannels": 1, "NumberOfWaveformSamples": 2, "PatientAge": "088Y", "PatientPosition": "HFS",
    "PatientIdentityRemoved": "NO", "PatientSex": "F", "PatientSexNeutered": "UNALTERED",
    "PhotometricInterpretation": "MONOCHROME2", "PixelData": bytes(range(32)), "PixelPresentation": "MONOCHROME",
    "PixelRepresentation": 0, "PresentationIntentType": "FOR PRESENTATION", "PresentationLUTShape": "IDENTITY",
    "PresentationPixelAspectRatio": [1, 1], "PresentationSizeMode": "SCALE TO FIT", "RelationshipType": "CONTAINS",
    "RecognizableVisualFeatures": "NO", "RescaleIntercept": 0, "RescaleSlope": 1, "RescaleType": "US", "Rows": 4,
    "SamplesPerPixel": 1, "SmokingStatus": "NO", "SpecificCharacterSet": "ISO_IR 100", "SpecimenLabelInImage": "NO",
    "TimeRange": [0, 1], "TimezoneOffsetFromUTC": "-0400", "ValueType": "CONTAINER", "VolumetricProperties": "VOLUME",
    "VerificationFlag": "UNVERIFIED", "WaveformBitsAllocated": 16, "WaveformData": bytes(4), "WindowWidth": 1,
    "WaveformOriginality": "ORIGINAL", "WaveformSampleInterpretation": "SS", "WindowCenter": 1,
}  # fmt: skip
_MODALITIES = {
    "computed-radiography": "CR", "digital-x-ray": "DX", "mammography": "MG", "breast": "MG", "intra-oral": "IO",
    "ct-": "CT", "mr-": "MR", "positron": "PT", "pet-": "PT", "nuclear": "NM", "ultrasound": "US", "us-volume": "US",
    "angiographic": "XA", "xa-": "XA", "xrf": "RF", "radiofluoroscopic": "RF", "rt-dose": "RTDOSE", "rt-plan": "RTPLAN",
    "ion-plan": "RTPLAN", "rt-structure": "RTSTRUCT", "rt-image": "RTIMAGE", "treatment": "RTRECORD",
    "presentation-state": "PR", "key-object": "KO", "-sr": "SR", "ecg": "ECG", "hemodynamic": "HD",
    "electrophysiology": "EPS", "segmentation": "SEG", "registration": "REG", "fiducials": "FID", "real-world": "RWV",
    "whole-slide": "SM", "slide-coordinates": "SM", "photographic": "XC", "endoscopic": "ES", "microscopic": "GM",
    "ophthalmic-photography": "OP", "ophthalmic-tomography": "OPT", "encapsulated": "DOC",
}  # fmt: skip
_NUMBERS = {"IS": 1, "DS": 1, "US": 1, "UL": 1, "SS": 1, "SL": 1, "FL": 1.0, "FD": 1.0, "UV": 1, "SV": 1}
_BYTES = {
    "OB": bytes(2),
    "OW": bytes(2),
    "OF": bytes(4),
    "OD": bytes(8),
    "OL": bytes(4),
    "OV": bytes(8),
    "UN": bytes(2),
}
_TIMES = {"DA": STUDY_DATE, "TM": "101112", "DT": f"{STUDY_DATE}101112"}


@cache
def _table(name: str) -> Any:
    return json.loads(files("highdicom").joinpath("_standard", name).read_text())


def every_iod_objects() -> Iterator[tuple[str, bytes]]:
    """Yield the objects of every SOP class that PS3.3 has attributes for."""
    for sop_class, iod in iod_by_sop_class().items():
        modules = _table("iod_module_map.json").get(iod)
        if modules is None or iod in _INDEXES:
            continue
        for kind in _TYPES:
            name = f"{kind}/{iod}-{sop_class.removeprefix('1.2.840.10008.5.1.4.')}"
            yield name, _object(sop_class, iod, modules, kind)


def _object(sop_class: str, iod: str, modules: list[dict[str, str]], kind: str) -> bytes:
    top: _Level = {}
    levels: dict[tuple[str, ...], _Level] = {(): top}
    for module in modules:
        if kind == "mandatory" and module["usage"] != "M":
            continue
        for attribute in _table("module_attribute_map.json").get(module["key"], ()):
            keyword = attribute["keyword"]
            if keyword == "CodeValue" or (attribute["type"] in _TYPES[kind] and keyword not in _ALTERNATIVES):
                _add(levels, keyword, tuple(attribute["path"]), kind != "mandatory" or attribute["type"] in {"1", "1C"})
    modality = next((value for part, value in _MODALITIES.items() if part in iod), "OT")
    sop_uid = uid(sop_class, kind)
    top |= _planted()
    for tag, vr, value in ((0x00080016, "UI", sop_class), (0x00080018, "UI", sop_uid), (0x00080060, "CS", modality)):
        top[tag] = _encoded(DataElement(tag, vr, value))
    return _head(sop_class, sop_uid) + _joined(top)


def _head(sop_class: str, sop_uid: str) -> bytes:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, sop_uid
    file = written(dataset)
    return file[: file.index(b"\x08\x00\x16\x00UI")]


@cache
def _planted() -> dict[int, bytes]:
    """Return what all objects share, encoded; pydicom is too slow to write the hundred thousands of elements here."""
    encoded = {}
    for element in plant(Dataset()):
        encoded[int(element.tag)] = _encoded(element)
    return encoded


def _joined(level: "_Level") -> bytes:
    """Return a data set; the levels are a few, so recursion does."""
    chunks = []
    for tag, content in sorted(level.items()):
        if isinstance(content, bytes):
            chunks.append(content)
            continue
        body = _joined(content)
        chunks.append(
            struct.pack("<HH2sHLHHL", tag >> 16, tag & 0xFFFF, b"SQ", 0, len(body) + 8, 0xFFFE, 0xE000, len(body))
        )
        chunks.append(body)
    return b"".join(chunks)


def _add(levels: "dict[tuple[str, ...], _Level]", keyword: str, path: tuple[str, ...], filled: bool) -> None:
    """Add an attribute to the item at a path; a Type 2 sequence of a mandatory object has no item."""
    level = levels.get(path)
    tag = tag_for_keyword(keyword)
    if level is None or tag is None or tag in level or tag >> 16 < _FIRST_GROUP:
        return
    if not filled:
        level[tag] = _empty(tag, _one_vr(dictionary_VR(tag)))
    elif dictionary_VR(tag) == "SQ":
        level[tag] = levels[*path, keyword] = {}
    elif dictionary_VR(tag) not in {"SV", "UV"}:  # dciodvfy aborts on them
        level[tag] = _element(tag, keyword, dictionary_VR(tag))


@cache
def _element(tag: int, keyword: str, vr: str) -> bytes:
    return _encoded(DataElement(tag, _one_vr(vr), _value(tag, keyword, vr)))


@cache
def _empty(tag: int, vr: str) -> bytes:
    return _encoded(DataElement(tag, vr, [] if vr == "SQ" else None))


def _encoded(element: DataElement) -> bytes:
    dataset = Dataset()
    dataset.add(element)
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, dataset)
    return buffer.getvalue()


@cache
def _one_vr(vr: str) -> str:
    return vr.split(" or ", maxsplit=1)[0] if vr != "OB or OW" else "OW"


def _value(tag: int, keyword: str, vr: str) -> object:  # noqa: PLR0911
    if keyword in _VALUES:
        return _VALUES[keyword]
    vr = _one_vr(vr)
    if vr in _NUMBERS:
        count = dictionary_VM(tag).split("-")[0]
        return [_NUMBERS[vr]] * int(count) if count.isdecimal() and count != "1" else _NUMBERS[vr]
    if vr in _BYTES:
        return _BYTES[vr]
    if vr in _TIMES:
        return _TIMES[vr]
    if vr == "AT":
        return 0x00209057
    if vr == "AS":
        return "088Y"
    if vr == "UI":
        if keyword.endswith("ClassUID"):
            return CTImageStorage
        return uid(keyword, root=DEVICE_UID_ROOT) if is_of_device(tag) else uid(keyword)
    return _text(tag, keyword, vr)


def _text(tag: int, keyword: str, vr: str) -> str:
    if vr == "PN":
        return NAME if keyword == "PatientName" else PHYSICIAN if tag & 1 else OPERATOR
    row = confidentiality_by_tag().get(tag)
    if row is None or is_of_device(tag) or "K" in row.options.values():
        return "https://example.org" if vr == "UR" else "NEUTRAL"
    if vr in {"CS", "AE"}:
        return FAMILY.upper()
    if vr == "SH":
        return PATIENT_ID
    if vr == "UR":
        return f"https://example.org/{FAMILY}"
    return f"{FAMILY} {ADDRESS}" if tag & 1 else f"Seen by Dr {PHYSICIAN.split('^')[0]}"
