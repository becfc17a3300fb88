"""``dicomanon project`` and ``dicomanon crosswalk roles``, as people type them."""

import json
import subprocess
from pathlib import Path

import psycopg
import pytest
from tests.command import dicomanon

from dicomanon.console import DONE, FATAL
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.roles.granting import roles_sql

TERMS = """
project = "LUNG"
title = "Nodules"
lead = "Ada"
ethics_number = "EK 1"
ethics_expires = 2030-01-31
retention_days = 365
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return dicomanon(*arguments)


@pytest.fixture
def login(crosswalk_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A site of which the environment names crosswalk and keyring, and nothing else; a login of its server."""
    Keyring.generate(tmp_path / "keyring.json")
    with Crosswalk(crosswalk_dsn, Keyring.load(tmp_path / "keyring.json")) as crosswalk:
        crosswalk.migrate()
    monkeypatch.setenv("DICOMANON_CROSSWALK_DSN", crosswalk_dsn)
    monkeypatch.setenv("DICOMANON_KEYRING_FILE", str(tmp_path / "keyring.json"))
    return str(psycopg.conninfo.conninfo_to_dict(crosswalk_dsn)["user"])


def test_members_come_and_go_and_leave_a_trace(login: str, crosswalk_dsn: str) -> None:
    assert "no members" in run("project", "members").stdout
    assert f"{login} is now a member of LUNG" in run("project", "add", "LUNG", login, "--reason", "asked for").stdout
    assert "was already" in run("project", "add", "LUNG", login, "--reason", "asked for").stdout
    (member,) = json.loads(run("project", "members", "LUNG", "--json").stdout)
    assert (member["project"], member["login"]) == ("LUNG", login)
    assert f"LUNG  {login}  added by" in run("project", "members").stdout
    assert "no members" in run("project", "members", "HEART").stdout
    assert "is no longer" in run("project", "remove", "LUNG", login, "--reason", "left").stdout
    assert "was not" in run("project", "remove", "LUNG", login, "--reason", "left").stdout
    with psycopg.connect(crosswalk_dsn) as connection:
        rows = connection.execute("SELECT action, count FROM crosswalk.access_event ORDER BY recorded_at").fetchall()
    assert rows == [
        ("project.add-member", 1), ("project.add-member", 0), ("project.remove-member", 1), ("project.remove-member", 0)
    ]  # fmt: skip


def test_terms_are_set_from_a_file_shown_and_listed(login: str, tmp_path: Path) -> None:
    file = tmp_path / "lung.toml"
    assert "no projects" in run("project", "list").stdout
    assert "no such project" in run("project", "show", "LUNG").stdout
    file.write_text(TERMS)
    assert "LUNG: version 1 holds now" in run("project", "set", str(file), "--reason", "approved").stdout
    assert "LUNG: version 1 was already so" in run("project", "set", str(file), "--reason", "approved").stdout
    file.write_text(TERMS + "minimum_patients = 20\n")
    assert "version 2 holds now" in run("project", "set", str(file), "--reason", "few").stdout
    assert "LUNG  Nodules  Ada  ethics approval until 2030-01-31" in run("project", "list").stdout
    shown = run("project", "show", "LUNG").stdout
    assert "smallest count     20 patients" in shown
    assert "needs an approval  identifiers, overlap, pull, small-cohort" in shown
    assert shown.count("was set by") == 2
    (newest, first) = json.loads(run("project", "show", "LUNG", "--json").stdout)
    assert (newest["version"], newest["minimum_patients"], first["minimum_patients"]) == (2, 20, 10)
    assert json.loads(run("project", "list", "--json").stdout) == [newest]


def test_a_file_that_says_what_cannot_hold_sets_nothing(login: str, tmp_path: Path) -> None:
    file = tmp_path / "lung.toml"
    file.write_text(TERMS + "minimum_patients = 1\n")
    done = run("project", "set", str(file), "--reason", "approved")
    assert (done.returncode, "minimum_patients" in done.stderr) == (FATAL, True)
    assert "no projects" in run("project", "list").stdout


def test_logins_of_airflow_are_members_who_ask(login: str) -> None:
    done = run("project", "add", "LUNG", "ravi", "--airflow", "--reason", "asked for")
    assert "ravi is now a requester of LUNG" in done.stdout
    assert "LUNG  ravi (Airflow)  added by" in run("project", "members").stdout
    (member,) = json.loads(run("project", "members", "--json").stdout)
    assert (member["login"], member["where"]) == ("ravi", "airflow")
    assert "was not a requester" in run("project", "remove", "LUNG", "eve", "--airflow", "--reason", "left").stdout
    assert "is no longer" in run("project", "remove", "LUNG", "ravi", "--airflow", "--reason", "left").stdout


def test_a_login_that_the_server_does_not_know_is_refused(login: str) -> None:
    done = run("project", "add", "LUNG", "nobody-of-this-name", "--reason", "asked for")
    assert done.returncode == FATAL
    assert "no such login" in done.stderr


def test_roles_are_printed_as_they_are_run() -> None:
    done = run("crosswalk", "roles")
    assert (done.returncode, done.stdout) == (DONE, roles_sql())
