"""What the options of a profile let stay passes; what they do not, and leaks in what stays, are found."""

from collections.abc import Callable

import pytest
from pydicom import Dataset
from pydicom.sequence import Sequence
from tests.validate.support import RESEARCH_OPTIONS, SHIFT, SYNTAXES, code, encoded, expected, research_uid

from dicomanon.validate.allowed import AllowedAttributes
from dicomanon.validate.examine import Findings, examine
from dicomanon.validate.overrides import Allowance, Effect
from dicomanon.validate.search import KnownValueSearch

Check = Callable[..., Findings]
STUDY_DESCRIPTION = 0x00081030
PATIENT_COMMENTS = 0x00104000


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_clean_object_with_descriptions_and_characteristics_has_no_finding(
    check_research: Check, research: Dataset, syntax: str
) -> None:
    assert check_research(research, syntax=syntax).counts == {}


# -- text -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Known Parkinson disease, Foley catheter in situ", ("Parkinson", "Foley")),
        ("Parkinson's disease", ("Parkinson",)),
        ("CT HEAD W CONTRAST", ("Head", "Hand")),
        ("Gray-white differentiation preserved", ("Gray", "White")),
        ("Baker cyst left knee", ("Baker",)),
        ("Swan-Ganz tip", ("Ganz", "Swan")),
        ("Morbus Crohn", ("Crohn",)),
        ("non-Hodgkin lymphoma", ("Hodgkin",)),
        ("Parkinsonian gait", ("Parkin",)),
        ("XR HAND", ("Hand",)),
    ],
)
def test_word_of_medicine_that_is_a_known_name_is_a_note(
    check_research: Check, research: Dataset, text: str, names: tuple[str, ...]
) -> None:
    for name in names:
        research.StudyDescription = text
        findings = check_research(research, name)
        assert findings.passed, (text, name)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("CT CHEST W CONTRAST Gray", ("Gray",)),
        ("T2 FLAIR H. Gray", ("Gray",)),
        ("Parkinson, Dorothea", ("Parkinson", "Dorothea")),
        ("Parkinson disease of Dorothea Parkinson", ("Parkinson", "Dorothea")),
        ("Dr Baker cyst clinic", ("Baker",)),
        ("seen by Foley", ("Foley",)),
        ("seen by W Head", ("Head",)),
        ("Foley", ("Foley",)),
        ("Brown LUMBAR SPINE", ("Brown",)),
        ("Okonkwo disease", ("Okonkwo",)),
        ("Featherstonehaugh", ("Featherstone",)),
    ],
)
def test_word_of_medicine_that_names_a_person_is_found(
    check_research: Check, research: Dataset, text: str, names: tuple[str, ...]
) -> None:
    research.StudyDescription = text
    assert check_research(research, *names).counts["known-text"] >= 1


def test_eponym_alone_is_a_note_as_the_label_of_a_structure_only(check_research: Check, research: Dataset) -> None:
    roi = Dataset()
    roi.ROIName = "Foley"
    research.StructureSetROISequence = Sequence([roi])
    assert check_research(research, "Foley").passed
    roi.ROIName = "GTV Foley"
    assert check_research(research, "Foley").counts == {"known-text": 1}


def test_word_of_medicine_is_a_finding_where_the_profile_puts_no_text(check_research: Check, research: Dataset) -> None:
    research.StationName = "Parkinson disease"
    assert check_research(research, "Parkinson").counts["known-text"] == 1


@pytest.mark.parametrize(
    "text",
    ["Abdomen^Routine", "Head^HeadSeq", "Spine^LSpine", "CHEST^ROUTINE", "LSPINE^W_WO", "CarAngio^CaSc", "KNIE^LINKS"],
)
def test_protocol_with_a_caret_is_no_name(check_research: Check, research: Dataset, text: str) -> None:
    research.ProtocolName = text
    assert check_research(research).counts == {}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Okonkwo^Ada", "pattern-person-name"),
        ("reviewed with Dr. Okonkwo", "pattern-titled-name"),
        ("see https://portal.hospital.example/p/474", "pattern-url"),
        ("sent from workstation 10.228.186.23", "pattern-network-address"),
        ("93 year old male", "age-over-maximum"),
        ("93-year-old", "age-over-maximum"),
        ("aged 93", "age-over-maximum"),
    ],
)
def test_identifying_text_of_nobody_known_is_found(
    check_research: Check, research: Dataset, text: str, rule: str
) -> None:
    research.StudyDescription = text
    assert check_research(research).counts == {rule: 1}


@pytest.mark.parametrize("text", ["DR. Chest", "60 Gy, 93 mm", "89 year old", "Dr. in attendance", "aged 93 mm"])
def test_text_that_only_looks_so_is_not(check_research: Check, research: Dataset, text: str) -> None:
    research.StudyDescription = text
    assert check_research(research).counts == {}


# -- dates and ages ---------------------------------------------------------------------------------------------------


def test_moved_date_in_a_description_is_no_finding_and_the_original_is(
    check_research: Check, research: Dataset
) -> None:
    research.StudyDescription = "THORAX compared 2014-11-27"
    assert check_research(research).counts == {}
    for written in ("2019-01-05", "5/1/2019", "5. Januar 2019", "Jan 5 2019", "05.01.19"):
        research.StudyDescription = f"THORAX compared {written}"
        assert check_research(research).counts == {"known-date": 1}, written


def test_moved_date_in_a_description_that_equals_another_original_one_is_a_note(
    check_research: Check, research: Dataset
) -> None:
    assert SHIFT == -1500
    research.StudyDescription = "compared 01/05/2019"
    known = ("20190105", "20230213")
    assert check_research(research, *known).counts == {"known-value-by-chance": 1}
    assert check_research(research, *known, date_shift_days=None).counts == {"known-date": 1}


def test_date_pattern_is_found_where_dates_are_removed(check_research: Check, research: Dataset) -> None:
    research.StudyDescription = "THORAX 2014-11-27"
    research.LongitudinalTemporalInformationModified = "REMOVED"
    research.StudyDate = "19000101"
    del research.DeidentificationMethodCodeSequence[4]
    without = RESEARCH_OPTIONS - {"retain-longitudinal-modified-dates"}
    assert check_research(research, options=without).counts == {"pattern-date": 1}
    research.StudyDate = "20141127"
    assert check_research(research, options=without).counts == {"pattern-date": 1, "date-not-removed": 1}


def test_full_dates_may_stay_but_for_the_birth_date(check_research: Check, research: Dataset) -> None:
    full = RESEARCH_OPTIONS - {"retain-longitudinal-modified-dates"} | {"retain-longitudinal-full-dates"}
    research.DeidentificationMethodCodeSequence[4].CodeValue = "113106"
    research.LongitudinalTemporalInformationModified = "UNMODIFIED"
    research.StudyDate = "20190105"
    research.StudyDescription = "THORAX 2019-01-05"
    assert check_research(research, options=full).counts == {}
    research.StudyDescription = "THORAX 22 July 1948"
    assert check_research(research, options=full).counts == {"known-date": 1}
    research.StudyDescription = "THORAX"
    research.PatientBirthDate = "19480722"
    assert check_research(research, options=full).counts == {"known-date": 1}


def test_date_that_an_option_keeps_is_found_where_dates_move(check_research: Check, research: Dataset) -> None:
    research.DateOfLastCalibration = "20190105"
    research.DeidentificationMethodCodeSequence.append(code("113109", "Retain Device Identity Option"))
    options = RESEARCH_OPTIONS | {"retain-device-identity"}
    assert check_research(research, options=options).counts == {"known-date": 1}


@pytest.mark.parametrize(("age", "found"), [("089Y", False), ("090Y", True), ("999M", False), ("990W", False)])
def test_age_above_the_maximum_is_found(check_research: Check, research: Dataset, age: str, found: bool) -> None:
    research.PatientAge = age
    assert check_research(research).counts == ({"age-over-maximum": 1} if found else {})


# -- other options ----------------------------------------------------------------------------------------------------


def test_uids_may_stay_where_an_option_keeps_them(check_research: Check, research: Dataset) -> None:
    uid = "1.2.276.0.7230010.3.1.2.8323329.4711.1"
    research.FrameOfReferenceUID = uid
    research.DeidentificationMethodCodeSequence.append(code("113110", "Retain UIDs Option"))
    assert check_research(research, options=RESEARCH_OPTIONS | {"retain-uids"}).counts == {}
    research.StudyDescription = f"see {uid}"
    assert check_research(research, options=RESEARCH_OPTIONS | {"retain-uids"}).counts["known-uid"] == 1


def test_attribute_whose_value_is_hidden_in_bytes_is_found(check_research: Check, research: Dataset) -> None:
    research.add_new(0x00180015, "CS", "CHEST ")
    data = encoded(research).replace(b"\x18\0\x15\0CS\x06\0", b"\x18\0\x15\0UN\0\0\x06\0\0\0")
    allowed = AllowedAttributes.for_options(RESEARCH_OPTIONS)
    assert examine(data, expected(data), KnownValueSearch(()), allowed).counts == {"undecoded": 1}


def test_description_of_our_own_contribution_may_stay_word_for_word(check_research: Check, research: Dataset) -> None:
    strict = frozenset({"retain-longitudinal-modified-dates"})
    del research.StudyDescription, research.ProtocolName, research.EthnicGroup
    del research.PatientAge, research.PatientSize, research.PatientWeight
    research.PatientSex = ""
    research.DeidentificationMethodCodeSequence = Sequence([code("113100", "x"), code("113107", "x")])
    item = Dataset()
    item.ContributionDescription = "De-identified with profile research@1f3a9c0b7d2e, PS3.15 2026d"
    research.ContributingEquipmentSequence = Sequence([item])
    assert check_research(research, options=strict).counts == {}
    item.ContributionDescription += " for someone"
    assert check_research(research, options=strict).counts == {"attribute-not-allowed": 1}


# -- overrides --------------------------------------------------------------------------------------------------------


def test_override_decides_what_may_stay(check_research: Check, research: Dataset) -> None:
    research.StudyDescription = "seen by Featherstone"
    assert check_research(research).counts == {"known-text": 1}
    kept = Allowance(Effect.KEPT, STUDY_DESCRIPTION)
    assert check_research(research, overrides=(kept,)).counts == {}
    elsewhere = Allowance(Effect.KEPT, STUDY_DESCRIPTION, sop_class_uid="1.2.840.10008.5.1.4.1.1.4")
    assert check_research(research, overrides=(elsewhere,)).counts == {"known-text": 1}
    nested = Allowance(Effect.KEPT, STUDY_DESCRIPTION, path=(0x00081110,))
    assert check_research(research, overrides=(nested,)).counts == {"known-text": 1}
    removed = Allowance(Effect.REMOVED, STUDY_DESCRIPTION, modality="CT")
    assert "attribute-not-allowed" in check_research(research, overrides=(kept, removed)).counts


def test_override_lets_a_removed_attribute_stay_cleaned(check_research: Check, research: Dataset) -> None:
    research.PatientAddress = "Springfield"
    assert check_research(research).counts == {"attribute-not-allowed": 1}
    cleaned = Allowance(Effect.CLEANED, 0x00101040)
    assert check_research(research, overrides=(cleaned,)).counts == {}
    research.PatientAddress = "St Ninian Infirmary"
    assert check_research(research, overrides=(cleaned,)).counts == {"known-text": 1}


def test_reference_to_our_uid_passes(check_research: Check, research: Dataset) -> None:
    research.FrameOfReferenceUID = research_uid("another")
    assert check_research(research).counts == {}
