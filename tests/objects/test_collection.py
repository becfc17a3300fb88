"""The test objects are readable, the same every time, and full of what must not come out again."""

import warnings
from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.uid import UID
from tests.objects import PLANTED, all_objects, find_planted
from tests.objects.charsets import charset_objects
from tests.objects.planting import DEVICE_UID_ROOT, NAME, UID_ROOT
from tests.objects.written_by_highdicom import highdicom_objects

from dicomanon.standard.iods import iod_by_sop_class

WITHOUT_OBJECTS = {"1.2.840.10008.1.3.10", "1.2.840.10008.5.1.4.1.1.201.1"}


def test_all_are_read_by_another_library() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, data in all_objects().items():
            assert dcmread(BytesIO(data), stop_before_pixels=True).file_meta.TransferSyntaxUID, name


def test_every_object_is_full_of_planted_strings() -> None:
    assert {name: count for name, data in all_objects().items() if (count := len(find_planted(data))) < 15} == {}


def test_every_planted_string_is_in_some_object() -> None:
    found = {planted for data in all_objects().values() for planted in find_planted(data)}
    assert found == set(PLANTED)


def test_every_storage_sop_class_has_an_object() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        classes = {
            str(dcmread(BytesIO(data), specific_tags=["SOPClassUID"]).get("SOPClassUID"))
            for data in all_objects().values()
        }
    assert set(iod_by_sop_class()) - classes == WITHOUT_OBJECTS


@pytest.mark.parametrize("make", [charset_objects, highdicom_objects])
def test_objects_are_the_same_every_time(make) -> None:  # type: ignore[no-untyped-def]
    assert dict(make()) == dict(make())


def test_strings_are_found_in_other_character_sets_and_in_deflated_objects() -> None:
    assert {"Zephyrinth", "Белозёровская"} <= set(find_planted(all_objects()["charset/ISO_IR 144"]))
    assert "風間山川" in find_planted(all_objects()["charset/ISO 2022 IR 87"])
    assert NAME.split("^")[0] in find_planted(all_objects()["encoding/ct-deflated"])


def test_uids_of_devices_are_told_apart() -> None:
    assert not DEVICE_UID_ROOT.startswith(UID_ROOT)
    assert UID(f"{UID_ROOT}{0:025}").is_valid
