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
    ],
)
def test_refusal_names_the_parameter_and_no_value(parameters: dict[str, object], named: str) -> None:
    with pytest.raises(Fatal) as caught:
        CohortCriteria.read(parameters)
    assert named in str(caught.value)
    assert CANARY not in str(caught.value)
    assert caught.value.__suppress_context__


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
