"""``dicomanon reidentify`` as people run it: with one account a person can ask, and no more."""

import json
import os
import pwd
import subprocess
from pathlib import Path

import pytest
from tests.command import dicomanon, without_settings
from tests.crosswalk.scenario import DOE

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring

DONE, FATAL = 0, 3
ME = pwd.getpwuid(os.getuid()).pw_name


class Command:
    """Runs ``dicomanon reidentify`` at a site that knows one patient."""

    def __init__(self, folder: Path, dsn: str) -> None:
        self.folder, self.dsn, self.keyring = folder, dsn, Keyring.load(folder / "keyring.json")
        self.environment = without_settings() | {
            "DICOMANON_STATE_DIR": str(folder / "state"),
            "DICOMANON_CROSSWALK_DSN": dsn,
            "DICOMANON_KEYRING_FILE": str(folder / "keyring.json"),
        }
        with Crosswalk(dsn, self.keyring) as crosswalk:
            crosswalk.migrate()
            self.pseudonym = crosswalk.patients.get_or_create(DOE).pseudonym

    def __call__(self, *arguments: str, typed: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        environment = self.environment | variables
        return dicomanon("reidentify", *arguments, environment=environment, cwd=self.folder, typed=typed)

    def ask(self, **variables: str) -> str:
        done = self("ask", self.pseudonym, "--reason", "incidental finding", "--ticket", "INC-7", **variables)
        assert done.returncode == DONE, done.stderr
        return done.stdout.split()[0]


@pytest.fixture
def command(tmp_path: Path, crosswalk_dsn: str) -> Command:
    Keyring.generate(tmp_path / "keyring.json")
    return Command(tmp_path, crosswalk_dsn)


def test_asked_approved_by_another_account_and_shown_once(command: Command) -> None:
    request = command.ask()
    own = command("approve", request[:8], "--reason", "mine")
    assert own.returncode == FATAL
    assert "second person" in own.stderr
    early = command("show", request)
    assert (early.returncode, early.stdout) == (FATAL, "")
    # The second person has an account of their own, which a test does not.
    with Crosswalk(command.dsn, command.keyring) as crosswalk:
        crosswalk.reidentification.decide(request, approved=True, actor="bob", reason="read the ticket")
    assert command("show", request[:8]).stdout == f"{DOE.patient_id}\n"
    again = command("show", request)
    assert (again.returncode, again.stdout) == (FATAL, "")
    assert "is shown" in again.stderr


def test_the_list_tells_how_requests_stand_and_no_value(command: Command) -> None:
    request = command.ask()
    assert command("refuse", request, "--reason", "no need").stdout == "refused\n"
    text = command("list").stdout
    assert f"{request[:8]}  refused  pseudonym {command.pseudonym}" in text
    assert f"decided by {ME}" in text
    assert "INC-7: incidental finding" in text
    (row,) = json.loads(command("list", "--json").stdout)
    assert (row["id"], row["state"], row["requested_by"]) == (request, "refused", ME)
    assert DOE.patient_id not in text + str(row)


def test_what_is_left_out_is_asked_for_and_so_in_no_list_of_processes(command: Command) -> None:
    done = command("ask", command.pseudonym, typed="a finding in Mrs Doe\nINC-8\n")
    assert done.returncode == DONE
    assert "INC-8: a finding in Mrs Doe" in command("list").stdout


def test_the_site_says_how_many_a_day_and_how_long(command: Command) -> None:
    command.ask(DICOMANON_REIDENTIFY_PER_DAY="1", DICOMANON_REIDENTIFY_HOURS="2")
    refused = command(
        "ask", command.pseudonym, "--reason", "more", "--ticket", "x", DICOMANON_REIDENTIFY_PER_DAY="1"
    )  # fmt: skip
    assert refused.returncode == FATAL
    assert "1 re-identifications in 24 hours" in refused.stderr


def test_a_source_value_is_refused_and_not_repeated(command: Command) -> None:
    done = command("ask", DOE.patient_id, "--reason", "x", "--ticket", "x")
    assert done.returncode == FATAL
    assert DOE.patient_id not in done.stderr
