"""What an original object is known by is gathered at every level, and what identifies nobody is left out."""

import io
import struct

import pytest
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence
from tests.validate.support import CT, SYNTAXES, encoded

from dicomanon.validate.known_values import collect_known_values, name_forms


@pytest.fixture
def original() -> Dataset:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.SOPClassUID = CT
    dataset.SOPInstanceUID = "1.2.3.4.5"
    dataset.StudyInstanceUID = "1.2.3.4"
    dataset.StudyDate = "20190105"
    dataset.AcquisitionDateTime = "20190106101500.000-0500"
    dataset.StudyTime = "101500"
    dataset.AccessionNumber = "ACC12345"
    dataset.InstitutionName = "St Ninian Infirmary"
    dataset.InstitutionAddress = "12 Mill Lane\r\nV5Z 4E6 Vancouver"
    dataset.StudyDescription = "CT chest with contrast"
    dataset.ReferringPhysicianName = "Ng^Li^^Dr^MD"
    dataset.PatientName = "Müllerström^Anna-Maria"
    dataset.PatientID = "MRN0048213"
    dataset.PatientBirthDate = "19480722"
    dataset.PatientSex = "F"
    dataset.PatientAge = "070Y"
    dataset.PatientTelephoneNumbers = "604-555-0199"
    dataset.EthnicGroup = "White"
    dataset.TimezoneOffsetFromUTC = "-0800"
    inner = Dataset()
    inner.PersonName = "Okonkwo^Ada"
    outer = Dataset()
    outer.add_new(0x0040A073, "SQ", Sequence([inner]))
    dataset.add_new(0x0040A730, "SQ", Sequence([outer]))
    dataset.add_new(0x00091001, "PN", "Private^Person")
    return dataset


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("as_bytes", [True, False])
def test_identifying_values_are_gathered(original: Dataset, syntax: str, as_bytes: bool) -> None:
    data = encoded(original, syntax)
    values = collect_known_values(data if as_bytes else dcmread(io.BytesIO(data)))
    assert {
        "Müllerström^Anna-Maria", "Müllerström", "Anna-Maria", "Anna", "Maria", "Müllerström, Anna-Maria",
        "MRN0048213", "19480722", "20190105", "20190106", "ACC12345", "St Ninian Infirmary", "12 Mill Lane",
        "604-555-0199", "1.2.3.4", "1.2.3.4.5", "Ng Li", "Ng^Li", "Okonkwo", "Ada",
    } <= values  # fmt: skip


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_what_identifies_nobody_is_left_out(original: Dataset, syntax: str) -> None:
    values = {value.lower() for value in collect_known_values(encoded(original, syntax))}
    assert not values & {
        "f", "070y", "li", "ng", "dr", "md", "white", "-0800", "101500", "ct chest with contrast", CT,
    }  # fmt: skip


def test_private_names_are_gathered(original: Dataset) -> None:
    assert "Private" in collect_known_values(encoded(original))


@pytest.mark.parametrize("filler", ["ANONYMOUS", "Unknown", "REMOVED", "None"])
def test_fillers_and_our_own_dummies_are_left_out(original: Dataset, filler: str) -> None:
    original.PatientName = filler
    original.StudyDate = "19000101"
    values = {value.lower() for value in collect_known_values(encoded(original))}
    assert not values & {filler.lower(), "19000101"}


@pytest.mark.parametrize("label", ["Radiology", "MRI", "CT1", "XR 2", "Emergency Department", "Nuclear Medicine"])
@pytest.mark.parametrize("keyword", ["InstitutionalDepartmentName", "StationName", "StationAETitle"])
def test_labels_that_every_hospital_has_are_left_out(original: Dataset, keyword: str, label: str) -> None:
    setattr(original, keyword, label)
    assert label not in collect_known_values(original)


def test_device_that_is_called_after_its_model_is_left_out(original: Dataset) -> None:
    original.StationName = "SKYRA_2"
    assert "SKYRA_2" in collect_known_values(original)
    original.ManufacturerModelName = "MAGNETOM Skyra"
    assert "SKYRA_2" not in collect_known_values(original)
    assert "SKYRA_2" not in collect_known_values(encoded(original, next(iter(SYNTAXES))))


@pytest.mark.parametrize(
    ("keyword", "label"),
    [
        ("StationName", "CTNINIAN1"), ("StationAETitle", "CT_4711"), ("InstitutionName", "Imaging Center"),
        ("InstitutionalDepartmentName", "Ninian Radiology"), ("DeviceSerialNumber", "12-345-678"), ("PatientID", "CT1"),
    ],
)  # fmt: skip
def test_labels_that_say_which_are_gathered(original: Dataset, keyword: str, label: str) -> None:
    setattr(original, keyword, label)
    assert label in collect_known_values(original)


def test_data_set_is_not_changed(original: Dataset) -> None:
    dataset = dcmread(io.BytesIO(encoded(original)))
    before = {tag: type(dataset.get_item(tag)) for tag in dataset.keys()}  # noqa: SIM118 - items stay raw
    collect_known_values(dataset)
    assert {tag: type(dataset.get_item(tag)) for tag in dataset.keys()} == before  # noqa: SIM118


def test_unreadable_object_gives_what_was_read() -> None:
    assert collect_known_values(b"no DICOM") == frozenset()


def test_sequence_cut_short_gives_what_was_read(original: Dataset) -> None:
    data = encoded(original)
    assert "MRN0048213" in collect_known_values(data[:-20])
    assert "MRN0048213" in collect_known_values(data + struct.pack("<L", 7))


def test_short_names_are_known_together() -> None:
    assert set(name_forms("Ng^Li")) >= {"Ng^Li", "Ng Li", "Li Ng", "Ng, Li"}


def test_a_place_that_is_called_like_the_maker_is_left_out(original: Dataset) -> None:
    original.Manufacturer, original.InstitutionName = "TOSHIBA_MEC", "TOSHIBA"
    assert "TOSHIBA" not in collect_known_values(original)
    original.Manufacturer = original.InstitutionName = "Wolkenstein"
    assert "Wolkenstein" in collect_known_values(original)
    original.Manufacturer, original.InstitutionName = "TOSHIBA", "TOSHIBA Wolkenstein"
    assert "TOSHIBA Wolkenstein" in collect_known_values(original)
