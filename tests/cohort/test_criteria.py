"""A request is understood or refused, and never quoted."""

from datetime import date

import pytest

from dicomanon.cohort.criteria import CohortCriteria, split_patient_id
from dicomanon.cohort.parameters import COHORT_DAG_ID, PARAMETERS
from dicomanon.errors import Fatal

CANARY = "Zz-CANARY-1931"


def test_fields_are_the_parameters_of_the_dag() -> None:
    assert set(CohortCriteria.model_fields) == {parameter.name for parameter in PARAMETERS[COHORT_DAG_ID]}


def test_form_values_are_read() -> None:
    criteria = CohortCriteria.read({
        "project": "ONC-7", "modality": None, "study_date_from": "20200131", "study_date_to": "2020-02-29",
        "description_words": ["Thorax", ""], "patient_ids": [" 12 ", "", "34^^^SITE"], "accession_numbers": None,
        "group_by": "study",
    })  # fmt: skip
    assert (criteria.study_date_from, criteria.study_date_to) == (date(2020, 1, 31), date(2020, 2, 29))
    assert criteria.patient_ids == ("12", "34^^^SITE")
    assert criteria.modality == ()
    assert criteria.description_words == ("Thorax",)


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"patient_ids": ["1"]}, "project"),
        ({"project": CANARY + " or so", "patient_ids": ["1"]}, "project"),
        ({"project": "P"}, "at least one criterion"),
        ({"project": "P", "patient_ids": [], "modality": []}, "at least one criterion"),
        ({"project": "P", "study_date_from": CANARY}, "study_date_from: write a date as YYYY-MM-DD"),
        ({"project": "P", "study_date_from": 19310101}, "study_date_from"),
        ({"project": "P", "study_date_from": "2020-02-01", "study_date_to": "2020-01-01"}, "is after"),
        ({"project": "P", "patient_ids": ["1", {"a": CANARY}]}, "patient_ids (entry 2)"),
        ({"project": "P", "patient_ids": ["1", CANARY * 30]}, "patient_ids (entry 2)"),
        ({"project": "P", "patient_ids": {"a": CANARY}}, "patient_ids"),
        ({"project": "P", "modality": [CANARY]}, "modality (entry 1)"),
        ({"project": "P", "patient_ids": ["1"], "group_by": CANARY}, "group_by"),
        ({"project": "P", "patient_ids": ["1"], CANARY: 1}, "does not exist"),
        ({"project": "P", "exclude_patient_ids": ["1"]}, "at least one criterion"),
        ({"project": "P", "patient_ids": [f"{CANARY},MRN", "a,1", "b"]}, "patient_ids (entry 2)"),
        ({"project": "P", "index_dates": [f"1,{CANARY}"], "days_after": 1}, "index_dates: write Patient ID, date"),
        ({"project": "P", "index_dates": ["1,2020-01-01"]}, "go together"),
        ({"project": "P", "patient_ids": ["1"], "days_before": 3}, "go together"),
        (
            {"project": "P", "index_dates": ["1,2020-01-01"], "days_after": CANARY},
            "days_after: Input should be a valid",
        ),
        (
            {"project": "P", "sex": ["F"], "pull_missing": True},
            "asks for patient_ids, index_dates or accession_numbers",
        ),
        ({"project": "P", "pull_missing": True}, "at least one criterion"),
        ({"project": "P", "patient_ids": ["1"], "pull_missing": "yes"}, "pull_missing"),
        ({"project": "P", "patient_ids": ["1", f"{CANARY}*"], "pull_missing": True}, "patient_ids (entry 2)"),
        ({"project": "P", "accession_numbers": [f"{CANARY}?"], "pull_missing": True}, "accession_numbers (entry 1)"),
        ({"project": "P", "accession_numbers": [f"1\\{CANARY}"], "pull_missing": True}, "accession_numbers (entry 1)"),
        (
            {"project": "P", "index_dates": [f"{CANARY}*,2020-01-01"], "days_after": 1, "pull_missing": True},
            "index_dates (entry 1)",
        ),
        ({"project": "P", "names_with_birth_dates": [CANARY]}, "not so: entry 1"),
        ({"project": "P", "names_with_birth_dates": [3]}, "names_with_birth_dates: write name"),
        ({"project": "P", "age_from": CANARY}, "age_from: write an age as 18 (years)"),
        ({"project": "P", "age_from": "2Y", "age_to": "18M"}, "age_from is after age_to"),
        ({"project": "P", "sex": [CANARY]}, "sex (entry 1)"),
        ({"project": "P", "contrast": CANARY}, "contrast: Input should be 'any', 'yes' or 'no'"),
        ({"project": "P", "slice_thickness_to": -1}, "slice_thickness_to"),
        ({"project": "P", "images_from": 1.5}, "images_from"),
        ({"project": "P", "patient_ids": ["1"], "dry_run": CANARY}, "dry_run"),
        ({"project": "P", "patient_ids": ["1"], "split_train": 80, "split_test": 10}, "do not add up to 100"),
        ({"project": "P", "patient_ids": ["1"], "control_patient_ids": [CANARY]}, "controls_per_case"),
        ({"project": "P", "patient_ids": ["1"], "limit": 0}, "limit"),
        ({"project": "P", "limit": 3, "split_train": 100}, "at least one criterion"),
        ({"project": "P", "patient_ids": ["1"] * 100_001}, "at most 100000 items"),
    ],
)
def test_refusal_names_the_parameter_and_no_value(parameters: dict[str, object], named: str) -> None:
    with pytest.raises(Fatal) as caught:
        CohortCriteria.read(parameters)
    assert named in str(caught.value)
    assert CANARY not in str(caught.value)
    assert caught.value.__suppress_context__


def test_fifty_thousand_identifiers_are_read_and_a_thousand_mistakes_answered_in_short() -> None:
    assert (
        len(CohortCriteria.read({"project": "P", "patient_ids": [f"M{n}" for n in range(50_000)]}).patient_ids)
        == 50_000
    )
    with pytest.raises(Fatal) as caught:
        CohortCriteria.read({"project": "P", "patient_ids": [CANARY * 30] * 1000})
    assert len(str(caught.value)) < 3000


def test_tabs_around_an_identifier_are_not_part_of_it() -> None:
    assert CohortCriteria.read({"project": "P", "patient_ids": ["\t1\t", "\t"]}).patient_ids == ("1",)


def test_how_much_was_asked_is_told_without_what() -> None:
    asked = {"project": "P", "patient_ids": ["1", "2"], "age_from": "18", "purpose": CANARY, "group_by": "series"}
    assert CohortCriteria.read(asked).counts() == {"purpose": 1, "patient_ids": 2, "age_from": 1}


def test_purpose_and_dry_run_change_no_meaning() -> None:
    plain = {"project": "P", "index_dates": ["1,2020-01-01"], "days_after": 9}
    asked = CohortCriteria.read({**plain, "purpose": CANARY, "dry_run": True})
    assert asked.canonical() == CohortCriteria.read(plain).canonical()


def test_controls_meet_all_but_what_is_asked_of_cases() -> None:
    asked = CohortCriteria.read({
        "project": "P", "patient_ids": ["1"], "description_words": ["tumour"], "age_from": "18", "modality": ["CT"],
        "index_dates": ["1,2020-01-01"], "days_after": 9, "limit": 3, "exclude_patient_ids": ["2"],
        "controls_per_case": 2, "control_description_words": ["normal"], "split_train": 100,
    })  # fmt: skip
    assert asked.of_controls().given().keys() == {
        "project", "age_from", "modality", "exclude_patient_ids", "description_words"}  # fmt: skip
    assert asked.of_controls().description_words == ("normal",)


def test_printing_shows_nothing() -> None:
    criteria = CohortCriteria.read({"project": "P", "patient_ids": [CANARY]})
    assert CANARY not in f"{criteria} {criteria!r} {[criteria]}"
    assert CANARY not in str(criteria.counts())


def test_order_and_doubles_do_not_change_the_meaning() -> None:
    first = CohortCriteria.read({"project": "P", "patient_ids": ["1", "2", "1"]})
    second = CohortCriteria.read({"project": "P", "patient_ids": ["2", "1"], "modality": []})
    assert first.canonical() == second.canonical()
    assert first.canonical() != CohortCriteria.read({"project": "P", "accession_numbers": ["1", "2"]}).canonical()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("7", ("HOME", "7")), ("7^^^AWAY", ("AWAY", "7")), ("7^^^", ("HOME", "7")), ("7^8", ("HOME", "7^8"))],
)
def test_issuer_is_the_sites_unless_named(text: str, expected: tuple[str, str]) -> None:
    assert split_patient_id(text, "HOME") == expected
