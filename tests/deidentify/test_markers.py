"""What a result says of itself is true, complete, and the same for the same source."""

from dataclasses import dataclass
from io import BytesIO

import pytest
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from dicomanon import __version__
from dicomanon.deidentify import markers as module
from dicomanon.deidentify.codec import BIG_EXPLICIT, LITTLE_EXPLICIT, LITTLE_IMPLICIT, Codec
from dicomanon.deidentify.markers import CONTRIBUTING_EQUIPMENT, markers
from dicomanon.standard import EDITION
from dicomanon.standard.confidentiality import MethodCode, method_codes

CODECS = (LITTLE_EXPLICIT, LITTLE_IMPLICIT, BIG_EXPLICIT)


@dataclass(frozen=True)
class Compiled:
    """As much of a compiled profile as markers look at."""

    modifies_dates: bool = False
    keeps_dates: bool = False
    version: str = "test@0123456789ab"
    method_codes: tuple[MethodCode, ...] = (
        method_codes()[""],
        method_codes()["retain-longitudinal-modified-dates"],
    )


def marked(profile: Compiled = Compiled(), codec: Codec = LITTLE_EXPLICIT, **options: object) -> Dataset:
    elements = markers(profile, "D7Q2M8K4ZX1P", codec, **options)  # type: ignore[arg-type]
    assert [tag for tag, _ in elements] == sorted(tag for tag, _ in elements)
    data = b"".join(chunk for _, chunk in elements)
    return read_dataset(BytesIO(data), not codec.explicit, codec.little)


def _equipment(codec: Codec, *models: str) -> bytes:
    bodies = [codec.element(0x00080070, "LO", b"Nordlys") + codec.element(0x00081090, "LO", m.encode()) for m in models]
    return codec.sequence(CONTRIBUTING_EQUIPMENT, bodies)


@pytest.mark.parametrize("codec", CODECS)
def test_identity_is_replaced_and_said_to_be_removed(codec: Codec) -> None:
    result = marked(codec=codec)
    assert (str(result.PatientName), result.PatientID) == ("D7Q2M8K4ZX1P", "D7Q2M8K4ZX1P")
    assert result.PatientIdentityRemoved == "YES"


def test_method_names_system_profile_version_and_edition() -> None:
    assert list(marked().DeidentificationMethod) == ["DICOManon", "test@0123456789ab", EDITION]


def test_codes_are_those_that_the_profile_carries_out() -> None:
    codes = marked().DeidentificationMethodCodeSequence
    assert [(item.CodeValue, item.CodingSchemeDesignator) for item in codes] == [("113100", "DCM"), ("113107", "DCM")]
    assert codes[0].CodeMeaning == "Basic Application Confidentiality Profile"


@pytest.mark.parametrize(
    ("profile", "before", "said"),
    [
        (Compiled(), "", "REMOVED"),
        (Compiled(), "UNMODIFIED", "REMOVED"),
        (Compiled(modifies_dates=True), "", "MODIFIED"),
        (Compiled(modifies_dates=True), "REMOVED", "REMOVED"),
        (Compiled(keeps_dates=True), "", "UNMODIFIED"),
        (Compiled(keeps_dates=True), "MODIFIED", "MODIFIED"),
        (Compiled(keeps_dates=True), "REMOVED", "REMOVED"),
        (Compiled(keeps_dates=True), "nonsense", "UNMODIFIED"),
    ],
)
def test_dates_are_said_to_be_what_they_are_after_all_that_was_done(profile: Compiled, before: str, said: str) -> None:
    assert marked(profile, dates_before=before).LongitudinalTemporalInformationModified == said


@pytest.mark.parametrize("codec", CODECS)
def test_contributing_equipment_names_this_system_its_version_and_the_profile(codec: Codec) -> None:
    (item,) = marked(codec=codec).ContributingEquipmentSequence
    (purpose,) = item.PurposeOfReferenceCodeSequence
    assert (purpose.CodeValue, purpose.CodingSchemeDesignator) == ("109104", "DCM")
    assert purpose.CodeMeaning == "De-identifying Equipment"
    assert (item.Manufacturer, item.ManufacturerModelName) == ("DICOManon", "DICOManon")
    assert item.SoftwareVersions == __version__
    assert "test@0123456789ab" in item.ContributionDescription


def test_no_date_of_processing_so_that_a_second_run_gives_the_same_bytes() -> None:
    assert "ContributionDateTime" not in marked().ContributingEquipmentSequence[0]


@pytest.mark.parametrize("codec", CODECS)
def test_equipment_of_the_source_stays_before_ours(codec: Codec) -> None:
    result = marked(codec=codec, equipment=_equipment(codec, "Gateway", "Merger"))
    models = [item.ManufacturerModelName for item in result.ContributingEquipmentSequence]
    assert models == ["Gateway", "Merger", "DICOManon"]


@pytest.mark.parametrize("codec", CODECS)
def test_our_own_item_of_an_earlier_pass_is_replaced(codec: Codec) -> None:
    result = marked(codec=codec, equipment=_equipment(codec, "DICOManon", "Gateway"))
    models = [item.ManufacturerModelName for item in result.ContributingEquipmentSequence]
    assert models == ["Gateway", "DICOManon"]


def test_empty_equipment_sequence_gets_our_item_only() -> None:
    assert len(marked(equipment=_equipment(LITTLE_EXPLICIT)).ContributingEquipmentSequence) == 1


def test_nothing_is_claimed_of_pixels_that_nobody_looked_at() -> None:
    result = marked()
    assert "BurnedInAnnotation" not in result
    assert "RecognizableVisualFeatures" not in result


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize(("may_show", "said"), [(True, "YES"), (False, "NO")])
def test_a_face_that_may_show_or_was_taken_out_is_said_to(codec: Codec, may_show: bool, said: str) -> None:
    result = marked(codec=codec, may_show_face=may_show)
    assert result.RecognizableVisualFeatures == said
    claimed = {item.CodeValue for item in result.DeidentificationMethodCodeSequence}
    assert ("113102" in claimed) is not may_show


def test_what_is_remembered_of_another_object_is_not_told_of_this_one() -> None:
    told = [
        (result.LongitudinalTemporalInformationModified, len(result.ContributingEquipmentSequence))
        for result in (
            marked(),
            marked(Compiled(modifies_dates=True)),
            marked(equipment=_equipment(LITTLE_EXPLICIT, "Gateway")),
            marked(Compiled(keeps_dates=True), dates_before="MODIFIED"),
            marked(Compiled(keeps_dates=True)),
            marked(),
        )
    ]
    assert told == [
        ("REMOVED", 1), ("MODIFIED", 1), ("REMOVED", 2), ("MODIFIED", 1), ("UNMODIFIED", 1), ("REMOVED", 1),
    ]  # fmt: skip
    other = markers(Compiled(), "ANOTHER", LITTLE_EXPLICIT)  # type: ignore[arg-type]
    assert b"D7Q2M8K4ZX1P" not in b"".join(chunk for _, chunk in other)


def test_long_equipment_is_written_and_not_kept() -> None:
    kept = module._of_series.cache_info()
    models = [f"Gateway {number}" for number in range(200)]
    assert len(marked(equipment=_equipment(LITTLE_EXPLICIT, *models)).ContributingEquipmentSequence) == 201
    assert module._of_series.cache_info() == kept
