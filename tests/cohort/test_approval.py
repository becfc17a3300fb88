"""A request that has to be approved tells and releases nothing until somebody else has, whatever Airflow says."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.cohort.conftest import Study, admit, declare
from tests.cohort.test_extract import Services, Site, request

from dicomanon.cohort.approval import WAITS, answer, weigh
from dicomanon.cohort.extract import CohortRequest, extract
from dicomanon.cohort.parameters import APPROVAL_REASON, COHORT_DAG_ID
from dicomanon.cohort.sealing import seal_parameter
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.projects.rows import ApprovalFor
from dicomanon.errors import Fatal
from dicomanon.signing import SigningKey

NEEDED = "needs an approval"
WOMEN, MEN = 12, 15


@pytest.fixture
def services(crosswalk: Crosswalk, keyring: Keyring, signing_key: SigningKey, tmp_path: Path) -> Services:
    """Twelve women and fifteen men; counts of fewer than ten are small, and everything waits that can."""
    admit(crosswalk, [
        Study(f"F{number}", "20200101", f"F-{number}", instances=1, birth_date="19500101",
              sex="F" if number < WOMEN else "M", description="CT Thorax" if number % 2 else "CT Head")
        for number in range(WOMEN + MEN)
    ])  # fmt: skip
    declare(crosswalk, minimum_patients=10, approval_for=frozenset(ApprovalFor))
    return Services(Site(tmp_path / "releases"), keyring, crosswalk)


def say(
    services: Services,
    asked: CohortRequest,
    *,
    approved: bool = True,
    by: str = "engineer",
    covers_versions: bool = False,
) -> None:
    reason = seal_parameter(services.keyring.request_public_key, COHORT_DAG_ID, APPROVAL_REASON, "seen the protocol")
    answer(services, asked, approved=approved, by=by, reason=reason, covers_versions=covers_versions)


def waits(services: Services, asked: CohortRequest) -> bool:
    return bool(weigh(services, asked)[WAITS])


def held_for(services: Services) -> frozenset[ApprovalFor]:
    return services.crosswalk.requests.held()[0].held_for


def test_a_large_cohort_by_what_identifies_nobody_does_not_wait(services: Services) -> None:
    asked = request(services, sex=["F"])
    assert not waits(services, asked)
    assert extract(services, asked)["patients"] == WOMEN


@pytest.mark.parametrize(
    ("conf", "reasons"),
    [
        ({"patient_ids": [f"F{number}" for number in range(WOMEN)]}, {ApprovalFor.IDENTIFIERS}),
        ({"sex": ["F"], "exclude_patient_ids": ["nobody"]}, {ApprovalFor.IDENTIFIERS}),
        ({"sex": ["M"], "birth_date_from": "1900-01-01"}, {ApprovalFor.IDENTIFIERS}),
        ({"patient_ids": ["F1"]}, {ApprovalFor.IDENTIFIERS, ApprovalFor.SMALL_COHORT}),
        ({"patient_ids": ["F1"], "dry_run": True}, {ApprovalFor.IDENTIFIERS}),
        ({"patient_ids": ["nobody"]}, {ApprovalFor.IDENTIFIERS, ApprovalFor.SMALL_COHORT}),
        ({"sex": ["F"], "description_words": ["Head"]}, {ApprovalFor.SMALL_COHORT}),
        ({"sex": ["O"]}, {ApprovalFor.SMALL_COHORT}),
    ],
)
def test_what_waits_is_told_nothing_until_it_is_approved(
    services: Services, conf: dict[str, Any], reasons: set[ApprovalFor]
) -> None:
    asked = request(services, **conf)
    with pytest.raises(Fatal, match=NEEDED):
        extract(services, asked)
    assert weigh(services, asked) == {WAITS: 1}
    assert held_for(services) == reasons
    with pytest.raises(Fatal, match=NEEDED) as refused:
        extract(services, asked)
    assert not any(reason in str(refused.value) for reason in ApprovalFor)
    assert not services.settings.release_dir.exists()
    say(services, asked)
    assert not waits(services, asked)
    extract(services, asked)


@pytest.mark.parametrize("dry_run", [True, False])
def test_few_cases_do_not_hide_among_many_controls(services: Services, dry_run: bool) -> None:
    controls = {"controls_per_case": 6, "control_description_words": ["Thorax"]}
    asked = request(services, sex=["F"], description_words=["Head"], limit=2, dry_run=dry_run, **controls)
    assert waits(services, asked) is not dry_run
    if dry_run:
        told = extract(services, asked)
        assert {told[name] for name in ("patients", "studies", "series", "instances", "controls")} == {None}


def test_a_small_dry_run_is_told_as_few_and_does_not_wait(services: Services) -> None:
    asked = request(services, sex=["O"], dry_run=True)
    assert not waits(services, asked)
    assert extract(services, asked)["patients"] is None


@pytest.mark.parametrize("first_is_dry", [True, False])
@pytest.mark.parametrize("second_is_dry", [True, False])
def test_a_pair_that_differs_by_few_waits_whoever_of_the_project_asks(
    services: Services, first_is_dry: bool, second_is_dry: bool
) -> None:
    declare(services.crosswalk, "P", "researcher", "colleague", minimum_patients=10,
            approval_for=frozenset({ApprovalFor.OVERLAP}))  # fmt: skip
    extract(services, request(services, sex=["F"], dry_run=first_is_dry))
    conf = {"sex": ["F"], "exclude_patient_ids": ["F3"], "dry_run": second_is_dry}
    second = replace(request(services, "manual__2", **conf), requester="colleague")
    assert waits(services, second)
    assert held_for(services) == {ApprovalFor.OVERLAP}
    with pytest.raises(Fatal, match=NEEDED):
        extract(services, second)


def test_a_pair_is_found_where_the_first_was_told_after_the_second_was_weighed(services: Services) -> None:
    declare(services.crosswalk, minimum_patients=10, approval_for=frozenset({ApprovalFor.OVERLAP}))
    one, other = request(services, sex=["F"]), request(services, "manual__2", sex=["F"], exclude_patient_ids=["F3"])
    assert not waits(services, one)
    assert not waits(services, other)
    extract(services, one)
    with pytest.raises(Fatal, match=NEEDED):
        extract(services, other)
    assert waits(services, other)


def test_the_same_cohort_again_does_not_wait(services: Services) -> None:
    extract(services, request(services, sex=["F"], dry_run=True))
    again = request(services, "manual__2", sex=["F"])
    assert not waits(services, again)
    assert extract(services, again)["release"] == 1


def test_an_approval_is_for_what_it_was_held_for(services: Services) -> None:
    """Approved as identifying; then an earlier cohort comes to differ from it by few."""
    asked = request(services, patient_ids=[f"F{number}" for number in range(WOMEN - 1)])
    assert waits(services, asked)
    say(services, asked)
    extract(services, request(services, "manual__2", sex=["F"]))
    with pytest.raises(Fatal, match=NEEDED):
        extract(services, asked)
    assert waits(services, asked)
    assert held_for(services) == {ApprovalFor.IDENTIFIERS, ApprovalFor.OVERLAP}


def test_what_was_refused_stays_so(services: Services) -> None:
    asked = request(services, sex=["O"])
    assert waits(services, asked)
    say(services, asked, approved=False)
    assert not waits(services, asked)
    with pytest.raises(Fatal, match="was refused"):
        extract(services, asked)


def test_the_requester_does_not_answer(services: Services) -> None:
    asked = request(services, sex=["O"])
    assert waits(services, asked)
    with pytest.raises(Fatal, match="nobody approves what they requested"):
        say(services, asked, by="researcher")
    with pytest.raises(Fatal, match=NEEDED):
        extract(services, asked)


@pytest.mark.parametrize("reason", [None, "", "in clear words", 7])
def test_a_reason_that_did_not_pass_the_door_is_refused(services: Services, reason: Any) -> None:
    asked = request(services, sex=["O"])
    assert waits(services, asked)
    with pytest.raises(Fatal, match="sealed"):
        answer(services, asked, approved=True, by="engineer", reason=reason)


def test_a_project_that_needs_none_waits_for_nothing(services: Services) -> None:
    declare(services.crosswalk, minimum_patients=10)
    asked = request(services, patient_ids=["F1"])
    assert not waits(services, asked)
    assert extract(services, asked)["patients"] == 1


def test_a_member_who_was_removed_while_it_waited_gets_nothing(services: Services) -> None:
    asked = request(services, patient_ids=["F1"])
    assert waits(services, asked)
    say(services, asked)
    services.crosswalk.projects.remove_requester("P", "researcher", actor="ada", reason="left")
    with pytest.raises(Fatal, match="does not ask for this project"):
        extract(services, asked)
