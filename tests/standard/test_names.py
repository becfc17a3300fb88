"""What people type finds the attribute or SOP class that they mean, and nothing else."""

import pytest

from dicomanon.standard.names import (
    attribute_named,
    keyword_of,
    similar_keywords,
    similar_sop_classes,
    sop_class_keyword,
    sop_class_named,
    tag_named,
)

CT = "1.2.840.10008.5.1.4.1.1.2"


@pytest.mark.parametrize("text", ["0010,0010", "(0010,0010)", "00100010", "0010, 0010", "PatientName", " patientname "])
def test_tags_and_keywords_in_all_their_spellings(text: str) -> None:
    assert tag_named(text) == 0x00100010


def test_attributes_newer_than_the_dictionary_have_their_keyword_of_table_e1_1() -> None:
    assert keyword_of(0x3004007F) == "DoseCalculationModelName"
    assert tag_named("DoseCalculationModelName") == 0x3004007F


@pytest.mark.parametrize("text", ["", "PatientsName", "0010", "0010,00100", "GEMS_PARM_01,0043,27"])
def test_what_is_no_attribute_is_none(text: str) -> None:
    assert tag_named(text) is None


def test_what_was_meant_is_offered() -> None:
    assert "PatientName" in similar_keywords("PatientNam")
    assert "CTImageStorage" in similar_sop_classes("CT Imag")
    assert similar_keywords("qqqqqqqq") == ()


@pytest.mark.parametrize("text", [CT, "CTImageStorage", "CT Image Storage", "ct image", "CT-Image"])
def test_sop_classes_by_uid_keyword_and_name(text: str) -> None:
    assert sop_class_named(text) == CT


@pytest.mark.parametrize("text", ["", "Verification", "1.2.840.10008.1.1", "1.2.3"])
def test_what_stores_nothing_is_no_sop_class(text: str) -> None:
    assert sop_class_named(text) is None


def test_keyword_of_a_sop_class() -> None:
    assert sop_class_keyword(CT) == "CTImageStorage"
    assert sop_class_keyword("1.2.3") == "1.2.3"


def test_elements_of_repeating_groups_have_their_keyword() -> None:
    assert keyword_of(0x60023000) == "OverlayData"
    assert keyword_of(0x00091001) == ""


@pytest.mark.parametrize("text", ["Patient's Name", "patients name", "PATIENT\u2019S NAME", "PatientName", "0010,0010"])
def test_an_attribute_is_also_meant_by_its_name(text: str) -> None:
    assert attribute_named(text) == 0x0010_0010


def test_a_name_that_no_attribute_has_means_none() -> None:
    assert attribute_named("Patient's Shoe Size") is None
    assert attribute_named("") is None
    assert attribute_named("'") is None
