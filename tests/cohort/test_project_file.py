"""A project's file says what it may do; what it leaves out is strict, what it says wrong is named."""

from datetime import date
from pathlib import Path

import pytest

from dicomanon.cohort.criteria import CohortCriteria
from dicomanon.cohort.permission import FREE, IDENTIFYING
from dicomanon.cohort.project_file import RESTRICTABLE, ProjectFile
from dicomanon.crosswalk.projects.rows import ApprovalFor
from dicomanon.errors import Fatal

LEAST = """
project = "lung-ai"
title = "Nodules"
lead = "Ada"
ethics_number = "EK 1"
ethics_expires = 2030-01-31
retention_days = 365
"""


def test_what_is_left_out_is_strict() -> None:
    read = ProjectFile.parse(LEAST)
    terms = read.terms()
    assert (read.project, terms.title, terms.ethics_expires) == ("lung-ai", "Nodules", date(2030, 1, 31))
    assert (terms.minimum_patients, terms.criteria, terms.profiles) == (10, None, ())
    assert terms.approval_for == set(ApprovalFor)
    assert not terms.own_pseudonyms


def test_order_and_doubles_mean_nothing() -> None:
    one = ProjectFile.parse(LEAST + 'criteria = ["sex", "modality", "sex"]\nprofiles = ["b", "a@0123456789ab"]')
    other = ProjectFile.parse(LEAST + 'criteria = ["modality", "sex"]\nprofiles = ["a@0123456789ab", "b"]')
    assert one.terms() == other.terms()


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("minimum_patients = 1", "minimum_patients"),
        ("minimum_patients = true", "minimum_patients"),
        ('criteria = ["favourite_colour"]', "criteria"),
        ('criteria = ["dry_run"]', "criteria"),
        ('approval_for = ["everything"]', "approval_for"),
        ('profiles = ["Not A Profile"]', "profiles"),
        ('owner = "nobody"', "owner"),
        ("own_pseudonyms = 1", "own_pseudonyms"),
        ("criteria = [", "TOML"),
    ],
)
def test_what_cannot_hold_is_named(line: str, named: str) -> None:
    with pytest.raises(Fatal, match=named):
        ProjectFile.parse(LEAST + line)


@pytest.mark.parametrize("name", ["project", "lead", "ethics_number", "ethics_expires", "retention_days"])
def test_nothing_that_somebody_answers_for_is_left_out(name: str) -> None:
    text = "\n".join(line for line in LEAST.splitlines() if not line.startswith(f"{name} "))
    with pytest.raises(Fatal, match=name):
        ProjectFile.parse(text)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="cannot be read"):
        ProjectFile.read(tmp_path / "none.toml")


def test_what_is_free_and_what_identifies_are_parameters() -> None:
    assert set(CohortCriteria.model_fields) == RESTRICTABLE | FREE
    assert IDENTIFYING < RESTRICTABLE
