"""Dummies are what their VR and PS3.3 want, the same for everybody, and there is one wherever one is asked for."""

import csv
import string
from io import BytesIO
from pathlib import Path

import pytest
from pydicom.config import RAISE
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.valuerep import validate_value

import dicomanon.standard
from dicomanon.deidentify.codec import BIG_EXPLICIT, LITTLE_EXPLICIT, LITTLE_IMPLICIT, Codec
from dicomanon.deidentify.dummies import dummy_sequence, dummy_value
from dicomanon.standard.tables import parse_tag

DATA = Path(dicomanon.standard.__file__).parent / "data"
UID = "2.25.1234"
CODECS = (LITTLE_EXPLICIT, LITTLE_IMPLICIT, BIG_EXPLICIT)
NUMERIC_BYTES = {"AT": 4, "FD": 8, "FL": 4, "SL": 4, "SS": 2, "SV": 8, "UL": 4, "US": 2, "UV": 8}


def _rows(name: str) -> list[dict[str, str]]:
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


REPLACED = [
    (parse_tag(row["tag"]), row["vr"].split("/", maxsplit=1)[0])
    for row in _rows("ps3_15_table_e1_1")
    if "D" in row["basic_profile"]
]
VRS = sorted({row["vr"] for row in _rows("dummy_values")})


def _elements(tag: int, codec: Codec) -> Dataset:
    return read_dataset(BytesIO(dummy_sequence(tag, codec, UID)), not codec.explicit, codec.little)


@pytest.mark.parametrize("vr", [vr for vr in VRS if vr not in NUMERIC_BYTES and not vr.startswith("O") and vr != "UN"])
def test_text_dummies_are_valid_for_their_vr_and_ascii_in_every_character_set(vr: str) -> None:
    value = dummy_value(vr, True)
    assert value
    assert set(value.decode("ascii")) <= set(string.ascii_letters + string.digits + "@:-.")
    validate_value(vr, value.decode("ascii"), RAISE)


@pytest.mark.parametrize("vr", sorted(NUMERIC_BYTES))
def test_numeric_dummies_have_the_length_of_one_value(vr: str) -> None:
    assert len(dummy_value(vr, True)) == len(dummy_value(vr, False)) == NUMERIC_BYTES[vr]


@pytest.mark.parametrize(("tag", "vr"), REPLACED)
def test_every_attribute_that_the_table_replaces_has_a_dummy(tag: int, vr: str) -> None:
    if vr == "SQ":
        for codec in CODECS:
            assert len(_elements(tag, codec)[tag].value) == 1
    elif vr != "UI":
        assert dummy_value(vr, True, tag)


def test_enumerated_attribute_gets_one_of_its_values() -> None:
    assert dummy_value("CS", True, 0x04000565) == b"CORRECT"


@pytest.mark.parametrize("codec", CODECS)
def test_items_have_no_attribute_of_a_wrong_vr(codec: Codec) -> None:
    for tag in {tag for tag, vr in REPLACED if vr == "SQ"}:
        pending = list(_elements(tag, codec)[tag].value)
        while pending:
            for element in pending.pop():
                assert dictionary_VR(element.tag) == element.VR
                if element.VR == "SQ":
                    pending.extend(element.value)


def test_verifying_observer_has_its_type_2_code_sequence() -> None:
    observer = _elements(0x0040A073, LITTLE_EXPLICIT)[0x0040A073].value[0]
    assert len(observer.VerifyingObserverIdentificationCodeSequence) == 0


def test_reference_in_a_dummy_leads_nowhere() -> None:
    step = _elements(0x00081111, LITTLE_EXPLICIT)[0x00081111].value[0]
    assert step.ReferencedSOPInstanceUID == UID
