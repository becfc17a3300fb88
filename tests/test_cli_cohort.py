"""``dicomanon cohort``, as people type it."""

import json
from pathlib import Path

import pytest
from tests.test_cli_project import login, run

from dicomanon.console import FATAL
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.projects.requests import CohortOf
from dicomanon.crosswalk.projects.rows import ApprovalFor

__all__ = ["login"]

RUN = "manual__2026-11-26T10:00:00+00:00"


@pytest.fixture
def waiting(login: str, crosswalk_dsn: str, tmp_path: Path) -> Crosswalk:
    with Crosswalk(crosswalk_dsn, Keyring.load(tmp_path / "keyring.json")) as crosswalk:
        cohort = CohortOf("LUNG", f"cohort_extraction/{RUN}", False, ((1, 2, 3),))
        crosswalk.requests.hold(cohort, "ravi", [ApprovalFor.OVERLAP], asked={"sex": 1}, purpose="to learn")
    return crosswalk


def test_what_waits_is_listed_and_shown_until_it_is_answered(
    waiting: Crosswalk, crosswalk_dsn: str, tmp_path: Path
) -> None:
    assert f"{RUN}  LUNG  by ravi" in run("cohort", "requests").stdout
    (listed,) = json.loads(run("cohort", "requests", "--json").stdout)
    assert (listed["patients"], listed["held_for"], listed["asked"]) == (3, ["overlap"], {"sex": 1})
    shown = run("cohort", "show", RUN).stdout
    for line in (
        "purpose    to learn",
        "leads to   3 patients, to be released",
        "asks by    sex (1)",
        "waits for  overlap",
    ):
        assert line in shown
    with Crosswalk(crosswalk_dsn, Keyring.load(tmp_path / "keyring.json")) as crosswalk:
        crosswalk.requests.decide(f"cohort_extraction/{RUN}", approved=False, actor="ada", reason="too near")
    assert "no request waits" in run("cohort", "requests").stdout
    assert "refused by ada" in run("cohort", "requests", "--all").stdout
    assert "reason     too near" in run("cohort", "show", RUN).stdout


def test_a_request_that_never_waited_is_not_shown(login: str) -> None:
    done = run("cohort", "show", "manual__1")
    assert (done.returncode, "no such request" in done.stderr) == (FATAL, True)
