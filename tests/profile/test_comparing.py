import pytest
from tests.profile.making import CT, FULL_DATES, MODIFIED_DATES, profile

from dicomanon.profile import load_profile, shipped_profiles
from dicomanon.profile.comparing import Difference, compare


def by_subject(differences: list[Difference], kind: str) -> dict[str, Difference]:
    return {one.subject: one for one in differences if one.kind == kind}


@pytest.mark.parametrize("name", shipped_profiles())
def test_profile_does_not_differ_from_itself(name: str) -> None:
    assert compare(load_profile(name), load_profile(name)) == []


def test_texts_for_people_make_no_difference() -> None:
    assert compare(profile(), profile(title="Another", when_to_use="Another")) == []


def test_option_is_told_with_all_attributes_that_it_changes() -> None:
    differences = compare(profile(), profile("retain-institution-identity"))
    options = by_subject(differences, "option")
    assert options["retain-institution-identity"].effect == "PS3.15 E.3.11, 10 rows of Table E.1-1"
    attributes = by_subject(differences, "attribute")
    assert len(attributes) == 10
    name = attributes["(0008,0080) InstitutionName"]
    assert name.second == "keep"
    assert name.effect.endswith("Second: it stays as it is.")


def test_dates_differ_and_times_do_not_between_the_two_date_options() -> None:
    attributes = by_subject(compare(profile(MODIFIED_DATES), profile(FULL_DATES)), "attribute")
    study_date = attributes["(0008,0020) StudyDate"]
    assert (study_date.first, study_date.second) == ("shift-date", "keep-date")
    assert "(0008,0030) StudyTime" not in attributes


def test_switches_and_overrides_are_told() -> None:
    options = (MODIFIED_DATES, "retain-patient-characteristics")
    override = {"keyword": "StationName", "sop_class": CT, "action": "keep", "reason": "Scanners differ."}
    differences = compare(
        profile(*options), profile(*options, maximum_age=None, birth_date="shift", overrides=[override])
    )
    switches = by_subject(differences, "switch")
    assert (switches["maximum_age"].first, switches["maximum_age"].second) == ("89", "none")
    assert switches["birth_date"].second == "shift"
    (told,) = by_subject(differences, "override").values()
    assert (told.subject, told.first, told.second) == ("StationName in CTImageStorage", "none", "keep")
    assert told.effect == "Scanners differ."
    attributes = by_subject(differences, "attribute")
    assert set(attributes) == {"(0008,1010) StationName", "(0010,0030) PatientBirthDate"}


def test_private_attributes_are_compared_by_creator() -> None:
    attributes = by_subject(compare(profile(), profile("retain-safe-private")), "attribute")
    b_value = attributes["(0019,xx0C) SIEMENS MR HEADER"]
    assert (b_value.first, b_value.second) == ("remove", "keep-number")
    assert len(attributes) == 479 - 25


def test_difference_in_one_iod_only_is_found() -> None:
    attributes = by_subject(compare(profile(), profile(outside_iod="remove")), "attribute")
    assert all(one.second == "remove" for one in attributes.values())
    assert attributes
