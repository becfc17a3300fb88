"""``dicomanon cohort``, as people type it."""

import json
from datetime import date
from pathlib import Path

import pytest
from tests.test_cli_project import login, run
from typer.testing import CliRunner

from dicomanon import cli_cohort
from dicomanon.cli import app
from dicomanon.console import FATAL
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.projects.requests import CohortOf
from dicomanon.crosswalk.projects.rows import ApprovalFor
from dicomanon.crosswalk.projects.standing import StandingState

__all__ = ["login"]

RUN = "manual__2026-11-26T10:00:00+00:00"


@pytest.fixture
def waiting(login: str, crosswalk_dsn: str, tmp_path: Path) -> Crosswalk:
    with Crosswalk(crosswalk_dsn, Keyring.load(tmp_path / "keyring.json")) as crosswalk:
        cohort = CohortOf("LUNG", f"cohort_extraction/{RUN}", False, ((1, 2, 3),))
        crosswalk.requests.hold(cohort, "ravi", [ApprovalFor.OVERLAP], asked={"sex": 1}, purpose="to learn")
    return crosswalk


@pytest.fixture
def standing(login: str, crosswalk_dsn: str, tmp_path: Path) -> None:
    with Crosswalk(crosswalk_dsn, Keyring.load(tmp_path / "keyring.json")) as crosswalk:
        cohort = CohortOf("LUNG", f"cohort_extraction/{RUN}", False, ((),))
        crosswalk.standing.open(cohort, "ravi", {"project": "LUNG"}, date(2030, 1, 31), None)
        (one,) = crosswalk.standing.all()
        crosswalk.standing.change(one, StandingState.PAUSED, "the ethics approval has ended", by="pipeline")


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


def test_one_that_nobody_answered_in_time_waits_no_more(waiting: Crosswalk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_cohort, "APPROVAL_DAYS", 0)
    shown = CliRunner().invoke(app, ["cohort", "requests"])
    assert "no request waits" in shown.stdout
    assert "nobody answered" in CliRunner().invoke(app, ["cohort", "requests", "--all"]).stdout


def test_every_reason_to_wait_is_told_in_words() -> None:
    assert cli_cohort.WHY.keys() == set(ApprovalFor)


def test_a_request_that_never_waited_is_not_shown(login: str) -> None:
    done = run("cohort", "show", "manual__1")
    assert (done.returncode, "no such request" in done.stderr) == (FATAL, True)


@pytest.mark.usefixtures("standing")
def test_what_stays_open_is_listed_with_why_it_is_paused_until_it_is_ended() -> None:
    shown = run("cohort", "standing", "list").stdout
    assert f"{RUN}  LUNG  by ravi  until 2030-01-31  nothing released yet" in shown
    assert "paused since" in shown
    assert "the ethics approval has ended" in shown
    assert "it has ended" in run("cohort", "standing", "end", RUN, "--reason", "done").stdout
    assert "no request stays open" in run("cohort", "standing", "list").stdout
    (ended,) = json.loads(run("cohort", "standing", "list", "--all", "--json").stdout)
    assert (ended["state"], ended["request_key"]) == ("ended", f"cohort_extraction/{RUN}")
    again = run("cohort", "standing", "end", RUN, "--reason", "done")
    assert (again.returncode, "no such request stands" in again.stderr) == (FATAL, True)
