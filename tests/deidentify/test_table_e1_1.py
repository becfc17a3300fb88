"""Every row of PS3.15 Table E.1-1 does what its Basic code says, read here straight from the table."""

import csv
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from tests.deidentify.builders import CONTEXT, CT, EXPLICIT, IMPLICIT, PSEUDONYM, Instance, Leaf, Nest, Node

import dicomanon.standard
from dicomanon.deidentify import Deidentified, deidentify, encode, parse
from dicomanon.errors import Held
from dicomanon.profile import CompiledProfile
from dicomanon.reasons import HoldReason

DATA = Path(dicomanon.standard.__file__).parent / "data"
TOKEN = "ZQXJKVWPTOKEN"
RT_PLAN = "1.2.840.10008.5.1.4.1.1.481.5"
INVENTORY = "1.2.840.10008.5.1.4.1.1.201.1"
# Referenced Series Sequence is not in the table: what is inside gets the rules for nested attributes.
KEPT_SEQUENCE = 0x00081115


def _rows(name: str) -> list[dict[str, str]]:
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


ROWS = _rows("ps3_15_table_e1_1")
# These go with the attribute that they may stand beside only; test_conditions has them.
DEPENDENT = {row["tag"] for row in _rows("attribute_conditions") if row["condition"] == "only-with"}
CONCRETE = [row for row in ROWS if "x" not in row["tag"] and "gggg" not in row["tag"] and row["tag"] not in DEPENDENT]
TYPES = {
    (row["sop_class_uid"], row["tag"], row["level"]): row["resolved_action"] for row in _rows("ps3_3_types_for_e1_1")
}
CONFLICTS = {
    (uid, row["tag"], row["level"]): {"1": "D", "2": "Z"}[row["ps3_3_type"]]
    for row in _rows("ps3_3_type_conflicts_with_basic_profile")
    if row["ps3_3_type"] in {"1", "2"}
    for uid in row["sop_class_uids"].split(";")
}
IMAGES = {row["sop_class_uid"]: row for row in _rows("burned_in_risk_sop_classes")}


def _tag(text: str) -> int:
    return int(text.replace(",", ""), 16)


def _expected(row: dict[str, str], sop_class: str, level: str) -> str:
    key = (sop_class, row["tag"], level)
    if key in CONFLICTS:
        return CONFLICTS[key]
    return TYPES.get(key, "X") if "/" in row["basic_profile"] else row["basic_profile"]


def _sop_classes(row: dict[str, str], level: str) -> list[str]:
    """CT, and for a row with a choice one SOP class for each way in which it can come out."""
    if row["keyword"] == "DateOfSecondaryCapture":
        return [RT_PLAN]  # in an image it is a signal of burned-in text, and the instance is held
    chosen = {_expected(row, CT, level): CT}
    for (sop_class, tag, at), action in TYPES.items():
        releasable = IMAGES[sop_class]["risk_class"] in {"low", "medium", "no-pixels"} and sop_class != INVENTORY
        if tag == row["tag"] and at == level and releasable:
            chosen.setdefault(action, sop_class)
    return list(chosen.values())


def _planted(row: dict[str, str]) -> Node:
    tag, vr = _tag(row["tag"]), row["vr"]
    if vr == "SQ":
        return Nest(tag, ((Leaf(0x00080104, "LO", TOKEN), Leaf(0x00081155, "UI", "1.2.3.4.5.6")),))
    if vr == "UI":
        return Leaf(tag, vr, "1.2.3.4.5.6")
    if vr in {"DA", "DT", "TM"}:
        return Leaf(tag, vr, {"DA": "20240229", "DT": "20240229101112", "TM": "101112"}[vr])
    if vr == "AS":
        return Leaf(tag, vr, "067Y")
    if vr == "US":
        return Leaf(tag, vr, b"\x2a\x00")
    return Leaf(tag, vr, TOKEN)


def _check(row: dict[str, str], code: str, before: Node, dataset: pydicom.Dataset, data: bytes) -> None:
    tag = _tag(row["tag"])
    if row["keyword"] in {"PatientName", "PatientID"}:
        assert dataset[tag].value == PSEUDONYM
        return
    if code in {"K+recurse", "U"} and row["vr"] == "SQ":
        assert dataset[tag].value[0].ReferencedSOPInstanceUID == CONTEXT.uids("1.2.3.4.5.6")
        return
    assert TOKEN.encode() not in data
    if code == "X":
        assert tag not in dataset
    elif code == "Z":
        assert dataset[tag].is_empty
    elif code == "U":
        assert dataset[tag].value == CONTEXT.uids("1.2.3.4.5.6")
    else:
        assert code == "D"
        assert not dataset[tag].is_empty
        if isinstance(before, Leaf):
            encoded = before.value.encode() if isinstance(before.value, str) else before.value
            assert str(dataset[tag].value).encode() != encoded
        else:
            assert len(dataset[tag].value) == 1


def _deidentify(instance: Instance, profile: CompiledProfile) -> tuple[pydicom.Dataset, bytes]:
    outcome = deidentify(parse(instance.raw()), profile, CONTEXT)
    assert isinstance(outcome, Deidentified), outcome
    data = encode(outcome)
    return pydicom.dcmread(BytesIO(data)), data


def _in_data_set(row: dict[str, str]) -> bool:
    return row["tag"][:4] not in {"0000", "0002", "0004"}


@pytest.mark.parametrize("row", [row for row in CONCRETE if _in_data_set(row)], ids=lambda row: row["tag"])
def test_row_does_what_its_basic_code_says(row: dict[str, str], strict: CompiledProfile) -> None:
    node = _planted(row)
    for sop_class in _sop_classes(row, "top"):
        for syntax in (EXPLICIT, IMPLICIT):
            pixels = bytes(32) if IMAGES[sop_class]["has_pixel_data"] == "Y" else None
            if row["keyword"] in {"SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"}:
                node = Leaf(_tag(row["tag"]), "UI", "1.2.3.4.5.6")
            instance = Instance(extra=(node,), sop_class=sop_class, syntax=syntax, pixels=pixels)
            dataset, data = _deidentify(instance, strict)
            _check(row, _expected(row, sop_class, "top"), node, dataset, data)


@pytest.mark.parametrize(
    "row",
    [row for row in CONCRETE if _in_data_set(row) and row["tag"][:4] not in {"FFFA", "FFFC"}],
    ids=lambda row: row["tag"],
)
def test_row_does_so_two_levels_down(row: dict[str, str], strict: CompiledProfile) -> None:
    node = _planted(row)
    for sop_class in _sop_classes(row, "nested"):
        pixels = bytes(32) if IMAGES[sop_class]["has_pixel_data"] == "Y" else None
        outer = Nest(KEPT_SEQUENCE, ((Nest(KEPT_SEQUENCE, ((node,),), undefined=True),),))
        dataset, data = _deidentify(Instance(extra=(outer,), sop_class=sop_class, pixels=pixels), strict)
        inner = dataset[KEPT_SEQUENCE].value[0][KEPT_SEQUENCE].value[0]
        _check(row, _expected(row, sop_class, "nested"), node, inner, data)


@pytest.mark.parametrize("row", [row for row in CONCRETE if not _in_data_set(row)], ids=lambda row: row["tag"])
def test_row_of_a_message_or_directory_does_not_come_through(row: dict[str, str], strict: CompiledProfile) -> None:
    instance = Instance(extra=(_planted(row),))
    if row["tag"].startswith("0004"):
        with pytest.raises(Held) as held:
            parse(instance.raw())
        assert held.value.reason is HoldReason.DIRECTORY
        return
    if row["tag"] == "0002,0003":
        dataset, _ = _deidentify(Instance(), strict)
        assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
        return
    dataset, data = _deidentify(instance, strict)
    assert _tag(row["tag"]) not in dataset
    assert b"1.2.3.4.5.6" not in data


@pytest.mark.parametrize("group", range(0x5000, 0x5020, 2))
def test_row_50xx_curves_are_removed(group: int, strict: CompiledProfile) -> None:
    curve = (Leaf(group << 16 | 0x0022, "LO", TOKEN), Leaf(group << 16 | 0x3000, "OW", TOKEN.encode()))
    _, data = _deidentify(Instance(extra=curve), strict)
    assert TOKEN.encode() not in data


@pytest.mark.parametrize("group", range(0x6000, 0x6020, 2))
def test_rows_60xx_overlays_are_removed_with_their_group(group: int, strict: CompiledProfile) -> None:
    overlay = (
        Leaf(group << 16 | 0x0010, "US", b"\4\0"),
        Leaf(group << 16 | 0x0022, "LO", TOKEN),
        Leaf(group << 16 | 0x3000, "OW", b"\xff\xff"),
        Leaf(group << 16 | 0x4000, "LT", TOKEN),
    )
    dataset, data = _deidentify(Instance(extra=overlay), strict)
    assert TOKEN.encode() not in data
    assert not dataset.group_dataset(group)


@pytest.mark.parametrize("group", [0x5020, 0x50FE, 0x6020, 0x60FE])
def test_groups_beyond_the_repeating_ones_are_unknown_and_removed(group: int, strict: CompiledProfile) -> None:
    _, data = _deidentify(Instance(extra=(Leaf(group << 16 | 0x3000, "OW", TOKEN.encode()),)), strict)
    assert TOKEN.encode() not in data


@pytest.mark.parametrize("group", [0x0009, 0x0019, 0x5001, 0x6001, 0x7FE1, 0xFFFB])
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_private_row_removes_creator_and_elements(group: int, syntax: str, strict: CompiledProfile) -> None:
    private = (
        Leaf(group << 16 | 0x0010, "LO", f"CREATOR {TOKEN}"),
        Leaf(group << 16 | 0x1001, "UN", TOKEN.encode()),
        Nest(group << 16 | 0x1002, ((Leaf(0x00100010, "PN", TOKEN),),)),
        Nest(group << 16 | 0x1003, ((Leaf(0x00100010, "PN", TOKEN),),), undefined=True),
    )
    dataset, data = _deidentify(Instance(extra=private, syntax=syntax), strict)
    assert TOKEN.encode() not in data
    assert not dataset.group_dataset(group)


def test_table_has_all_657_rows() -> None:
    covered = len(CONCRETE) + 4 + len({row["tag"] for row in ROWS} & DEPENDENT)
    assert covered == len(ROWS) == 657
