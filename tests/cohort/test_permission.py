"""Who may ask what for a project: each refusal says what to do, and repeats nothing."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from dicomanon.cohort.permission import Standing, is_allowed_profile, reasons_to_hold, require_allowed
from dicomanon.crosswalk.projects.rows import ApprovalFor, ProjectTerms, ProjectVersion
from dicomanon.errors import Fatal

LAST_DAY = date(2026, 12, 31)
TERMS = ProjectTerms("Nodules", "Ada", "EK 1", LAST_DAY, 365, (), None, 10, frozenset(ApprovalFor))
PROJECT = ProjectVersion("LUNG", 1, TERMS, "ada", datetime(2026, 1, 1, tzinfo=UTC))


def of(**changes: object) -> ProjectVersion:
    return replace(PROJECT, terms=replace(TERMS, **changes))  # type: ignore[arg-type]


def test_a_member_may_ask_on_the_last_day_of_the_approval() -> None:
    assert require_allowed(Standing(PROJECT, is_member=True), {"patient_ids"}, LAST_DAY) is PROJECT


@pytest.mark.parametrize(
    ("standing", "asked_by", "told"),
    [
        (Standing(None, is_member=False), {"sex"}, "no such project"),
        (Standing(None, is_member=True), {"sex"}, "no such project"),
        (Standing(PROJECT, is_member=False), {"sex"}, "does not ask for this project"),
        (Standing(of(ethics_expires=date(2026, 12, 30)), is_member=True), {"sex"}, "ethics approval has ended"),
        (Standing(of(criteria=("sex",)), is_member=True), {"sex", "age_to", "patient_ids"}, "by age_to, patient_ids:"),
        (Standing(of(criteria=()), is_member=True), {"sex"}, "by sex:"),
    ],
)
def test_refused_with_what_to_do(standing: Standing, asked_by: set[str], told: str) -> None:
    with pytest.raises(Fatal, match=told):
        require_allowed(standing, asked_by, LAST_DAY)


def test_what_selects_nobody_is_never_refused() -> None:
    project = of(criteria=("modality",))
    asked_by = {"project", "purpose", "modality", "limit", "split_train", "dry_run", "group_by"}
    assert require_allowed(Standing(project, is_member=True), asked_by, LAST_DAY) is project


def test_profiles_are_allowed_by_name_or_by_version() -> None:
    assert is_allowed_profile(TERMS, "research@0123456789ab")
    for allowed in ("research", "research@0123456789ab"):
        assert is_allowed_profile(of(profiles=(allowed,)).terms, "research@0123456789ab")
    for other in ("strict", "research@ba9876543210", "res"):
        assert not is_allowed_profile(of(profiles=(other,)).terms, "research@0123456789ab")


@pytest.mark.parametrize(
    ("asked_by", "patients", "dry_run", "is_near", "reasons"),
    [
        ({"sex"}, 10, False, False, set()),
        ({"sex", "patient_ids"}, 10, False, False, {ApprovalFor.IDENTIFIERS}),
        ({"exclude_accession_numbers"}, 10, True, False, {ApprovalFor.IDENTIFIERS}),
        ({"sex"}, 9, False, False, {ApprovalFor.SMALL_COHORT}),
        ({"sex"}, 0, False, False, {ApprovalFor.SMALL_COHORT}),
        ({"sex"}, 9, True, False, set()),
        ({"sex"}, 99, True, True, {ApprovalFor.OVERLAP}),
        ({"index_dates", "pull_missing"}, 99, False, False, {ApprovalFor.IDENTIFIERS, ApprovalFor.PULL}),
        ({"index_dates", "pull_missing"}, 99, True, False, {ApprovalFor.IDENTIFIERS}),
        ({"index_dates", "pull_missing"}, 1, False, True, set(ApprovalFor)),
    ],
)
def test_what_has_to_wait(
    asked_by: set[str], patients: int, dry_run: bool, is_near: bool, reasons: set[ApprovalFor]
) -> None:
    facts = {"patients": patients, "dry_run": dry_run, "is_near": is_near}
    assert reasons_to_hold(TERMS, asked_by, **facts) == reasons  # type: ignore[arg-type]
    for needed in ApprovalFor:
        terms = of(approval_for=frozenset({needed})).terms
        assert reasons_to_hold(terms, asked_by, **facts) == reasons & {needed}  # type: ignore[arg-type]
