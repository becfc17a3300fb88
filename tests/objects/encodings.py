"""The same objects in every encoding: transfer syntaxes, lengths, UN, wrong VRs, private blocks, deep nesting."""

from collections.abc import Iterator

import numpy as np
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)
from tests.objects.bases import ct, report, written
from tests.objects.planting import (
    ACCESSION,
    BIRTH_DATE,
    FAMILY,
    INSTITUTION,
    NAME,
    PATIENT_ID,
    PHYSICIAN,
    TELEPHONE,
    uid,
)

from dicomanon.sample.headers import item, items
from dicomanon.standard.tables import read_table

_SYNTAXES = {
    "implicit": ImplicitVRLittleEndian,
    "big-endian": ExplicitVRBigEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
}
_DEPTH = 10


def encoding_objects() -> Iterator[tuple[str, bytes]]:
    """Yield a slice and a report in each encoding."""
    for name, syntax in _SYNTAXES.items():
        for kind, make in (("ct", ct), ("sr", report)):
            dataset = make()
            dataset.file_meta.TransferSyntaxUID = syntax
            if name == "big-endian" and kind == "ct":
                dataset.PixelData = np.frombuffer(dataset.PixelData, "<i2").astype(">i2").tobytes()
            yield f"encoding/{kind}-{name}", written(dataset)
    yield "encoding/ct-rle", written(ct(RLELossless, size=64))
    yield "encoding/undefined-lengths", written(_undefined(report()))
    yield "encoding/no-preamble-text", written(_with_preamble(ct()))
    yield "encoding/un", written(_unknown_vrs(ct()))
    yield "encoding/un-implicit", written(_implicit(_unknown_vrs(ct())))
    yield "encoding/wrong-vr", written(_wrong_vrs(ct()))
    yield "encoding/unknown-attributes", written(_unknown_attributes(ct()))
    yield "encoding/nested-deep", written(_nested(ct()))
    yield "encoding/nested-deep-undefined", written(_undefined(_nested(ct())))
    yield "encoding/group-lengths", written(_with_group_lengths(ct()))
    yield "private/unknown", written(_private(ct()))
    yield "private/unknown-implicit", written(_implicit(_private(ct())))
    yield "private/un-sequence", written(_private_un_sequence(ct()))
    yield "private/two-blocks-of-a-creator", written(_two_blocks(ct()))
    yield "private/creator-absent", written(_orphans(ct()))
    yield "private/block-identifying", written(_declared_safe(ct()))
    for creator in dict.fromkeys(row["private_creator"] for row in read_table("ps3_15_table_e3_10_1_safe_private")):
        yield f"private/safe-{creator.replace(' ', '_')}", written(_safe(ct(), creator))


def _implicit(dataset: Dataset) -> Dataset:
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    return dataset


def _undefined(dataset: Dataset) -> Dataset:
    pending = [dataset]
    while pending:
        level = pending.pop()
        for element in level:
            if element.VR == "SQ":
                element.is_undefined_length = True
                for each in element.value:
                    each.is_undefined_length_sequence_item = True
                    pending.append(each)
    return dataset


def _with_preamble(dataset: Dataset) -> Dataset:
    dataset.preamble = f"{NAME} {PATIENT_ID}".encode().ljust(128, b"\0")
    return dataset


def _padded(text: str) -> bytes:
    data = text.encode()
    return data + b" " * (len(data) & 1)


def _unknown_vrs(dataset: Dataset) -> Dataset:
    """Write standard attributes as UN, as a node does that does not know them (PS3.5 6.2.2)."""
    for tag, text in (
        (0x00100010, NAME), (0x00081030, f"Dr {PHYSICIAN}"), (0x00080080, INSTITUTION), (0x00102154, TELEPHONE),
        (0x00100030, BIRTH_DATE), (0x00180015, "CHEST"), (0x00180060, "120"),
    ):  # fmt: skip
        dataset[tag] = DataElement(tag, "UN", _padded(text))
    return dataset


def _wrong_vrs(dataset: Dataset) -> Dataset:
    """Give attributes a VR that their tag does not have."""
    for tag, vr, value in (
        (0x00080080, "UT", INSTITUTION), (0x00081030, "PN", NAME), (0x00180060, "LO", FAMILY),
        (0x00181110, "LT", PATIENT_ID), (0x00104000, "OB", _padded(FAMILY)), (0x00180015, "LO", ACCESSION),
        (0x00280008, "UT", PATIENT_ID), (0x00181030, "UC", NAME),
    ):  # fmt: skip
        dataset[tag] = DataElement(tag, vr, value)
    return dataset


def _unknown_attributes(dataset: Dataset) -> Dataset:
    """Add tags of no dictionary: E.1-1 rows too new for pydicom among them, and of DICONDE and DICOS."""
    for tag, vr in (
        (0x00080002, "LO"), (0x00101F01, "LO"), (0x4010FFFE, "LT"), (0x00140023, "CS"), (0x00140042, "ST"),
        (0x00100015, "LT"), (0x0040E012, "UC"), (0x00081302, "LO"), (0x7FDF0010, "OB"), (0x60220022, "LO"),
    ):  # fmt: skip
        text = FAMILY.upper()
        dataset.add_new(tag, vr, _padded(text) if vr == "OB" else text)
    return dataset


def _nested(dataset: Dataset) -> Dataset:
    inner = item(PatientName=NAME, PatientID=PATIENT_ID, InstitutionName=INSTITUTION, TextValue=f"For {FAMILY}")
    for level in range(_DEPTH):
        outer = item(PatientName=NAME, StudyDescription=f"Level {level} of {FAMILY}", ContentDate="20220517")
        block = outer.private_block(0x0011, "TARNFEATHER 1.0", create=True)
        block.add_new(0x01, "LO", ACCESSION)
        # Sequences that the profile keeps and looks into, and one that it removes.
        keyword = ("ContentSequence", "ReferencedSeriesSequence", "ReferencedImageSequence")[level % 3]
        setattr(outer, keyword, items(inner, item(PatientName=PHYSICIAN)))
        inner = outer
    dataset.DerivationImageSequence = items(inner)
    dataset.SourceImageSequence = items(item(PatientID=PATIENT_ID, DerivationImageSequence=items(inner)))
    return dataset


def _with_group_lengths(dataset: Dataset) -> Dataset:
    for group in (0x0008, 0x0010, 0x0018, 0x0020, 0x0028):
        dataset.add_new(group << 16, "UL", 0x4D524E37)
    return dataset


def _private(dataset: Dataset) -> Dataset:
    block = dataset.private_block(0x0009, "TARNFEATHER 1.0", create=True)
    for offset, (vr, value) in enumerate((
        ("LO", NAME.replace("^", " ")), ("PN", PHYSICIAN), ("DA", BIRTH_DATE), ("UI", uid("private")),
        ("OB", _padded(FAMILY)), ("UN", _padded(PATIENT_ID)), ("LT", f"Call {TELEPHONE}"), ("UC", INSTITUTION),
    )):  # fmt: skip
        block.add_new(offset + 1, vr, value)
    inner = item(PatientName=NAME)
    inner.private_block(0x0009, "TARNFEATHER 1.0", create=True).add_new(0x01, "SH", ACCESSION)
    block.add_new(0x20, "SQ", items(inner, item(StudyDescription=FAMILY)))
    return dataset


def _private_un_sequence(dataset: Dataset) -> Dataset:
    """Write a private sequence as UN of undefined length, whose content is Implicit VR (PS3.5 6.2.2 note 4)."""
    block = dataset.private_block(0x0029, "TARNFEATHER 2.0", create=True)
    text = _padded(NAME)
    element = b"\x10\x00\x10\x00" + len(text).to_bytes(4, "little") + text
    body = b"\xfe\xff\x00\xe0" + len(element).to_bytes(4, "little") + element + b"\xfe\xff\xdd\xe0\0\0\0\0"
    block.add_new(0x10, "UN", body[:-8])
    dataset[block.get_tag(0x10)].is_undefined_length = True
    return dataset


def _two_blocks(dataset: Dataset) -> Dataset:
    """Reserve two blocks for one creator, and one for a creator with a name of ours (PS3.5 7.8.1)."""
    for block, creator in ((0x10, "SIEMENS MR HEADER"), (0x42, "SIEMENS MR HEADER"), (0x43, FAMILY)):
        dataset.add_new(0x00190000 | block, "LO", creator)
        dataset.add_new(0x00190000 | block << 8 | 0x0C, "IS", "1000")
        dataset.add_new(0x00190000 | block << 8 | 0x0D, "CS", "DIRECTIONAL" if block != 0x43 else FAMILY.upper())
        dataset.add_new(0x00190000 | block << 8 | 0x99, "LO", PATIENT_ID)
    return dataset


def _orphans(dataset: Dataset) -> Dataset:
    dataset.add_new(0x00191008, "LO", PATIENT_ID)
    dataset.add_new(0x00290001, "LO", NAME)
    return dataset


def _declared_safe(dataset: Dataset) -> Dataset:
    """Declare all blocks safe that are not (0008,0300), which only a profile that trusts the sender believes."""
    _private(dataset)
    dataset.PrivateDataElementCharacteristicsSequence = items(
        item(
            PrivateGroupReference=0x0009,
            PrivateCreatorReference="TARNFEATHER 1.0",
            BlockIdentifyingInformationStatus="SAFE",
        )
    )
    return dataset


def _safe(dataset: Dataset, creator: str) -> Dataset:
    """Add all attributes of a creator of PS3.15 Table E.3.10-1, identifiers where their VR lets them hold any."""
    for row in read_table("ps3_15_table_e3_10_1_safe_private"):
        if row["private_creator"] != creator:
            continue
        block = dataset.private_block(int(row["group"], 16), creator, create=True)
        vr = (row["vr"] or "UN")[:2]
        value: object = {
            "SQ": items(item(PatientName=NAME, PatientID=PATIENT_ID)), "UI": uid(row["element"]), "DA": "20220517",
            "TM": "101112", "DT": "20220517101112", "PN": PHYSICIAN, "DS": "1.5", "IS": "3", "FD": 1.0, "FL": 1.0,
            "US": 1, "UL": 1, "SS": 1, "SL": 1, "OB": bytes(2), "OW": bytes(2), "UN": bytes(2), "AS": "044Y",
            "CS": "YES", "SH": "TEXT", "LO": f"Ward of {FAMILY}", "ST": f"Dr {PHYSICIAN.split('^')[0]}",
            "LT": f"Call {TELEPHONE}", "UT": f"Seen {PATIENT_ID}", "AE": "ROOM", "OF": bytes(4), "AT": 0x00100010,
        }[vr]  # fmt: skip
        block.add_new(int(row["element"][-2:], 16), vr, value)
    return dataset
