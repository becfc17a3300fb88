"""``dicomanon keys`` as an administrator runs it, on a crosswalk and a keyring file."""

import base64
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.command import dicomanon, without_settings
from tests.crosswalk.scenario import DOE, Run, discover, sightings

from dicomanon.console import DONE, FATAL
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.errors import Fatal

STUDY = "1.2.826.0.1.3680043.55771"
Keys = Callable[..., str]


@pytest.fixture
def keyring_file(crosswalk_dsn: str, tmp_path: Path) -> Path:
    """The keyring of a crosswalk with one patient."""
    path = tmp_path / "keyring.json"
    with Crosswalk(crosswalk_dsn, Keyring.generate(path)) as crosswalk:
        crosswalk.migrate()
        discover(crosswalk, STUDY, sightings(STUDY, 2))
        Run(crosswalk).complete(DOE)
    return path


@pytest.fixture
def keys(crosswalk_dsn: str, keyring_file: Path) -> Keys:
    """Run the command in an environment that names this site and no other."""

    def run(*arguments: str, ends: int = DONE, **settings: str) -> str:
        environment = without_settings() | {
            "DICOMANON_CROSSWALK_DSN": crosswalk_dsn,
            "DICOMANON_KEYRING_FILE": str(keyring_file),
        }
        environment |= {f"DICOMANON_{name.upper()}": value for name, value in settings.items()}
        done = dicomanon("keys", *arguments, environment=environment)
        assert done.returncode == ends, done.stderr
        return done.stdout + done.stderr

    return run


def status(keys: Keys, **settings: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(keys("status", "--json", **settings))
    return found


def actions(dsn: str) -> list[str]:
    """Return what is in the audit trail, in order."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute("SELECT action FROM crosswalk.access_event ORDER BY recorded_at").fetchall()
    return [row[0] for row in rows]


def pseudonym(dsn: str) -> str:
    with psycopg.connect(dsn) as connection:
        ((found,),) = connection.execute("SELECT pseudonym FROM crosswalk.patient").fetchall()
    return str(found)


def test_status_says_what_there_is_and_that_nothing_is_left_to_do(keys: Keys) -> None:
    said = keys("status")
    assert "opens 1 of 1 wrapping keys, in use" in said
    assert "wraps 3 data keys" in said
    assert "to do" not in said


def test_wrapping_key(keys: Keys, crosswalk_dsn: str) -> None:
    assert "wrapping key 2 is in use; 3 data keys were wrapped anew" in keys("rotate", "wrapping")
    assert [key["number"] for key in status(keys)["wrapping"]] == [2]
    assert actions(crosswalk_dsn) == ["keys.rotate_wrapping"]


def test_master_key_of_the_keyring_file(keys: Keys, crosswalk_dsn: str, keyring_file: Path) -> None:
    former = Keyring.load(keyring_file)
    assert "the keyring file was replaced" in keys("rotate", "master")
    assert "--finish, when every process has" in keys("status")
    with Crosswalk(crosswalk_dsn, former) as still_running:
        still_running.patients.get_or_create(DOE)
    between = keyring_file.read_bytes()
    assert "opens 0 more" in keys("rotate", "master")
    assert keyring_file.read_bytes() == between
    assert "1 slots of others were removed" in keys("rotate", "master", "--finish")
    assert "to do" not in keys("status")
    with pytest.raises(Fatal, match="no master key at hand"), Crosswalk(crosswalk_dsn, former):
        pass
    assert actions(crosswalk_dsn) == ["keys.rotate_master", "keys.rotate_master", "keys.rotate_master_finish"]
    with Crosswalk(crosswalk_dsn, Keyring.load(keyring_file)) as crosswalk:
        assert crosswalk.patients.get_or_create(DOE).pseudonym == pseudonym(crosswalk_dsn)


def test_master_key_moves_to_the_environment_and_to_another_one(keys: Keys) -> None:
    first, second = (base64.b64encode(secrets.token_bytes(32)).decode() for _ in range(2))
    one = {"master_key_from": "environment", "master_key": first}
    assert "opens 1 more" in keys("rotate", "master", **one)
    keys("rotate", "master", "--finish", **one)
    assert "no master key at hand" in keys("status", ends=FATAL)
    two = {"master_key_from": "environment", "master_key": second, "former_master_key": first}
    keys("rotate", "master", **two)
    keys("rotate", "master", "--finish", **two)
    left = status(keys, master_key_from="environment", master_key=second)
    assert [(master["opens"], master["in_use"]) for master in left["masters"]] == [(1, True)]
    assert "configure the new one first" in keys(
        "rotate", "master", ends=FATAL, master_key_from="environment", master_key=second
    )


def test_one_patient_gets_new_data_keys(keys: Keys, crosswalk_dsn: str) -> None:
    assert "1 patient, 1 studies" in keys("reseal", "--patient", pseudonym(crosswalk_dsn))
    assert "0 patients and 0 studies" in keys("reseal").replace("patients,", "patients and")


def test_destroyed_only_when_confirmed_and_recorded_with_who(keys: Keys, crosswalk_dsn: str) -> None:
    name = pseudonym(crosswalk_dsn)
    keys("destroy", name, "--reason", "asked for", ends=1)
    assert status(keys)["destroyed_patients"] == 0
    assert "of 1 studies with 2 instances" in keys("destroy", name, "--reason", "asked for", "--yes")
    assert status(keys)["destroyed_patients"] == 1
    assert "destroyed already" in keys("destroy", name, "--reason", "asked for", "--yes", ends=FATAL)
    with psycopg.connect(crosswalk_dsn) as connection:
        events = connection.execute("SELECT actor <> '', action, subject FROM crosswalk.access_event").fetchall()
    assert events == [(True, "keys.destroy", name)]
