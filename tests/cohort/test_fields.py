"""The columns of a manifest are data: each has a meaning, and none tells more than the object may."""

import csv
from dataclasses import replace

import pytest
from tests.cohort.test_manifest import SAYS, instances

from dicomanon.cohort.fields import (
    DAYS_SINCE_INDEX_DATE,
    age_in_years,
    data_dictionary,
    fact_keywords,
    fields,
    manifest_fields,
)
from dicomanon.cohort.manifest import by_patient, by_series, by_study, manifest_table


def test_every_column_of_every_table_is_in_the_data_dictionary() -> None:
    brought = {name: {} for name in ("split", "group", DAYS_SINCE_INDEX_DATE)}
    table = manifest_table(instances(), columns=brought)
    rows = list(csv.DictReader(data_dictionary(table.column_names).splitlines()))
    told = [row["name"] for row in rows]
    assert told[: table.num_columns] == table.column_names
    beside = {name for one in (by_study(table), by_series(table), by_patient(table)) for name in one.column_names}
    assert beside <= set(told)
    assert len(told) == len(set(told))
    assert all(row["meaning"] and row["type"] for row in rows)


def test_what_was_not_asked_for_is_no_column() -> None:
    assert {one.source for one in manifest_fields()} == {"crosswalk", "object"}
    assert "split" not in data_dictionary([one.name for one in manifest_fields()])


def test_only_columns_that_may_lack_a_value_are_nullable() -> None:
    assert {one.name for one in fields() if one.arrow.nullable} >= {"StudyDate", "verdict", DAYS_SINCE_INDEX_DATE}
    assert not any(one.arrow.nullable for one in fields() if one.name in {"patient", "SOPInstanceUID", "bytes"})


def test_of_objects_nothing_is_kept_that_no_column_shows() -> None:
    identifying = {"PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "StudyTime", "InstitutionName"}
    assert fact_keywords() >= {"StudyDate", "PatientAge", "Rows"}
    assert fact_keywords().isdisjoint(identifying)


@pytest.mark.parametrize(
    ("age", "years"),
    [("061Y", 61.0), ("018M", 1.5), ("002W", 0.04), ("010D", 0.03), ("089Y", 89.0), ("090Y", 90.0), ("104Y", 90.0)],
)
def test_ages_of_90_and_more_are_90_whatever_the_object_says(age: str, years: float) -> None:
    assert age_in_years(age) == years


@pytest.mark.parametrize("age", ["61", "61Y", "abcY", "0611Y", ""])
def test_what_is_no_age_is_none(age: str) -> None:
    assert age_in_years(age) is None


def test_no_interval_brings_back_dates_that_the_profile_took_away() -> None:
    kept, removed, old, *_ = instances()
    removed = replace(removed, facts={**SAYS, "LongitudinalTemporalInformationModified": "REMOVED"})
    old = replace(old, facts=None)
    columns = {DAYS_SINCE_INDEX_DATE: {kept.research_study_uid: -12}}
    told = manifest_table([kept, removed, old], columns=columns)
    assert sorted(told[DAYS_SINCE_INDEX_DATE].to_pylist(), key=str) == [-12, None, None]


def test_a_date_that_is_none_is_not_shown() -> None:
    (one, *_) = instances()
    assert manifest_table([replace(one, facts={"StudyDate": "someday"})])["StudyDate"].to_pylist() == [None]
