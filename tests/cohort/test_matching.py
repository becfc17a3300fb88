"""Each criterion takes what meets it, series by series, and says of how many studies it could not tell."""

from typing import Any

import pytest

from dicomanon.cohort.criteria import CohortCriteria
from dicomanon.cohort.matching import CRITERIA
from dicomanon.cohort.parameters import COHORT_DAG_ID, PARAMETERS
from dicomanon.cohort.resolve import Resolution, resolve
from dicomanon.crosswalk.database import Crosswalk


def resolved(crosswalk: Crosswalk, **criteria: Any) -> Resolution:
    return resolve(crosswalk, CohortCriteria.read({"project": "P", **criteria}), "HOME")


def found(crosswalk: Crosswalk, **criteria: Any) -> str:
    """Return the studies found, and of each how many series."""
    series = {one.study.study_id: len(one.series) for one in resolved(crosswalk, **criteria).found}
    return " ".join(
        sorted(
            f"{one.facts.accession_number.removeprefix('W-')}:{series[one.study_id]}"
            for one in crosswalk.mapping.studies_for_cohort()
            if one.study_id in series
        )
    )


EVERYTHING = {"study_date_from": "1900-01-01"}


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        ({"sex": ["F"]}, "1:2 2:1"),
        ({"sex": ["M", "O"]}, "3:1"),
        ({"birth_date_from": "2002-03-01"}, "3:1"),
        ({"birth_date_to": "1950-01-20"}, "1:2 2:1"),
        ({"age_from": "70"}, "2:1"),  # she turned 70 five days after the first
        ({"age_to": "069Y"}, "1:2 3:1"),
        ({"age_from": "18", "age_to": "18"}, "3:1"),
        ({"age_from": "217M"}, "1:2 2:1"),
        ({"names_with_birth_dates": ["Ngata, Hana, 1950-01-20", "Moreau^Luc;19991231"]}, "1:2 2:1"),
        ({"names_with_birth_dates": ["birth date\tname", "2002-03-01\tLuc Moreau"]}, "3:1"),
        ({"index_dates": ["P1, 2020-01-01", "P2, 2020-01-01"], "days_after": 60}, "1:2 3:1"),
        ({"index_dates": ["P1, 2020-01-01", "P1, 2020-05-01"], "days_before": 11}, "2:1"),
        ({"index_dates": ["P1, 2020-01-15"], "days_before": 0}, "1:2"),
        ({"referring_service_words": ["oncology", "cardiology"]}, "1:2"),
        ({"body_part": ["CHEST"]}, "1:2"),
        ({"laterality": ["L"]}, "3:1"),
        ({"contrast": "yes"}, "1:1"),
        ({"contrast": "no"}, "1:1 2:1"),
        ({"slice_thickness_to": 2.5}, "1:1 2:1"),
        ({"slice_thickness_from": 2.5, "slice_thickness_to": 3}, "2:1"),
        ({"slice_thickness_from": 0, "slice_thickness_to": 0}, ""),
        ({"images_from": 3}, "2:1"),
        ({"images_to": 1}, "4:1"),
        ({"manufacturer": ["acme", "nobody"]}, "1:2"),
        ({"manufacturer": ["ACME One"]}, "1:2"),
        ({"protocol_words": ["thorax", "DOSE"]}, "1:1"),
        # one series has to meet all of it
        ({"contrast": "yes", "slice_thickness_from": 5}, ""),
        ({"modality": ["CT"], "body_part": ["CHEST", "BREAST"], "sex": ["F"]}, "1:2"),
        # what is left out
        ({**EVERYTHING, "exclude_patient_ids": ["P1", "P9"]}, "3:1 4:1"),
        ({**EVERYTHING, "exclude_accession_numbers": ["W-2"]}, "1:2 3:1 4:1"),
        ({**EVERYTHING, "exclude_description_words": ["abdomen", "MG"]}, "1:2 4:1"),
        ({**EVERYTHING, "exclude_names_with_birth_dates": ["NGATA^HANA, 19500120"]}, "3:1"),
    ],
)  # fmt: skip
def test_each_criterion_takes_what_meets_it(ward: Crosswalk, criteria: dict[str, Any], expected: str) -> None:
    assert found(ward, **criteria) == expected


def test_what_is_not_known_is_not_met_and_is_counted(ward: Crosswalk) -> None:
    steps = {step.criterion: step for step in resolved(ward, sex=["F"], contrast="no", modality=["CT", "MR"]).attrition}
    assert list(steps) == ["identified", "sex", "stored", "modality", "contrast"]
    assert (steps["identified"].patients, steps["identified"].studies) == (3, 4)
    sex = steps["sex"]
    assert (sex.patients, sex.studies, sex.not_known) == (1, 2, 1)
    assert (steps["contrast"].studies, steps["contrast"].not_known) == (2, 0)
    lateral = resolved(ward, laterality=["R"]).attrition[-1]
    assert (lateral.studies, lateral.not_known) == (0, 3)


def test_a_patient_is_dropped_where_the_last_study_is(ward: Crosswalk) -> None:
    steps = resolved(ward, sex=["F", "M"], study_date_to="2020-03-31", body_part=["ABDOMEN", "BREAST"]).attrition
    assert [(step.criterion, step.patients, step.studies) for step in steps] == [
        ("identified", 3, 4), ("study_date", 3, 3), ("sex", 2, 2), ("stored", 2, 2), ("body_part", 1, 1)]  # fmt: skip


def test_whoever_was_not_found_is_told_by_place(ward: Crosswalk) -> None:
    resolution = resolved(
        ward,
        names_with_birth_dates=["Name,Birth date", "Luc Moreau,2002-03-02", "Hana Ngata,1950-01-20", "Luc,2002-03-01"],
        index_dates=["MRN;Date", "P8;2020-01-01", "P1;2020-01-01"],
        exclude_patient_ids=["P7", "P2"],
        days_after=30,
    )
    assert resolution.unmatched["names_with_birth_dates"] == (1, 3)
    assert resolution.unmatched["index_dates"] == (1,)
    assert resolution.unmatched["exclude_patient_ids"] == (1,)


def test_every_criterion_is_a_parameter() -> None:
    names = {parameter.name for parameter in PARAMETERS[COHORT_DAG_ID]}
    for criterion in CRITERIA:
        if criterion.name != "stored":
            assert not names.isdisjoint((criterion.name, f"{criterion.name}_from"))
