"""The risk of a release says how few patients are alike in what somebody may know of them."""

from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from dicomanon.cohort.manifest import manifest_table
from dicomanon.cohort.risk import Risk, risk_plots, risk_report, risks


def row(patient: str, study: int = 1, **other: Any) -> dict[str, Any]:
    said = {"age_years": 41.0, "PatientSex": "F", "BodyPartExamined": "CHEST", "ManufacturerModelName": "Prisma"}
    return {
        "patient": patient, "StudyInstanceUID": f"{patient}.{study}", "StudyDate": date(2020, 1, study),
        "Modality": "CT", **said, **other,
    }  # fmt: skip


def found(*rows: dict[str, Any]) -> dict[tuple[str, ...], Risk]:
    return {one.known: one for one in risks(pa.Table.from_pylist(list(rows)))}


ALIKE = [row(f"P{number}") for number in range(12)]


def test_who_is_like_all_others_is_one_of_many() -> None:
    for one in found(*ALIKE).values():
        assert (one.k, one.diversity) == (12, 1)
        assert one.sizes == {"alone": 0, "of 2 to 4": 0, "of 5 to 9": 0, "of 10 and more": 12}


@pytest.mark.parametrize(
    ("other", "alone_in"),
    [
        ([row("X", age_years=46.0)], {"age"}),
        ([row("X", PatientSex="M")], {"sex"}),
        ([row("X", BodyPartExamined="TOE")], {"body_parts"}),
        ([row("X", ManufacturerModelName="One of a kind")], {"devices"}),
        ([row("X", ManufacturerModelName=None)], {"devices"}),
        ([row("X"), row("X", study=9)], {"intervals"}),
    ],
    ids=["age", "sex", "rare body part", "rare device", "unknown device", "interval"],
)
def test_one_thing_that_nobody_else_has_singles_out(other: list[dict[str, Any]], alone_in: set[str]) -> None:
    for known, one in found(*ALIKE, *other).items():
        assert one.k == (1 if alone_in & set(known) else 13)
        assert one.sizes["alone"] == (1 if alone_in & set(known) else 0)


def test_neighbours_in_age_are_alike() -> None:
    assert found(row("A", age_years=40.0), row("B", age_years=44.9))["age", "sex"].k == 2


def test_people_who_were_examined_alike_are_told_by_anyone_of_them() -> None:
    mixed = found(*ALIKE[:6], *(row(f"Q{number}", BodyPartExamined="HEAD") for number in range(6)))
    assert mixed["age", "sex"].diversity == 2
    assert mixed["age", "sex", "body_parts"].diversity == 1


def test_the_report_and_its_plots_say_the_same() -> None:
    told = risks(pa.Table.from_pylist(ALIKE))
    report = risk_report(told)
    assert [one["k"] for one in report["risks"]] == [12] * 4
    assert [dict(plot.bars) for plot in risk_plots(told)] == [one["patients"] for one in report["risks"]]
    assert "k = 12, l = 1" in risk_plots(told)[0].title


def test_of_nobody_there_is_no_risk() -> None:
    assert risks(manifest_table([])) == ()
