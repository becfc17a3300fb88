"""``dicomanon token``, as people type it."""

import json
import subprocess
from pathlib import Path

import psycopg
import pytest
from tests.command import dicomanon

from dicomanon.console import DONE, FATAL
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.gateway.tokens import PREFIX, digest_of
from dicomanon.crosswalk.keyring import Keyring

WRONG_LINE = 2


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return dicomanon(*arguments)


@pytest.fixture
def member(crosswalk_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A site of which the environment names crosswalk and keyring, and nothing else; a member of LUNG."""
    Keyring.generate(tmp_path / "keyring.json")
    login = str(psycopg.conninfo.conninfo_to_dict(crosswalk_dsn)["user"])
    with Crosswalk(crosswalk_dsn, Keyring.load(tmp_path / "keyring.json")) as crosswalk:
        crosswalk.migrate()
        crosswalk.projects.add("LUNG", login, actor="ada", reason="asked for")
    monkeypatch.setenv("DICOMANON_CROSSWALK_DSN", crosswalk_dsn)
    monkeypatch.setenv("DICOMANON_KEYRING_FILE", str(tmp_path / "keyring.json"))
    monkeypatch.setenv("DICOMANON_GATEWAY_TOKEN_HOURS", "48")
    return login


def test_made_named_and_revoked(member: str, crosswalk_dsn: str) -> None:
    assert "no tokens" in run("token", "list").stdout
    made = run("token", "create", "LUNG", member, "--reason", "for the segmentation")
    secret = made.stdout.strip()
    assert made.returncode == DONE
    assert secret.startswith(PREFIX)
    (token,) = json.loads(run("token", "list", "LUNG", "--json").stdout)
    assert (token["project"], token["login"], token["state"], token["last_used_at"]) == ("LUNG", member, "good", None)
    assert token["id"] in made.stderr
    assert secret not in run("token", "list").stdout
    assert "good, until" in run("token", "list").stdout
    assert "is revoked" in run("token", "revoke", token["id"][:8], "--reason", "left").stdout
    assert "was already revoked" in run("token", "revoke", token["id"], "--reason", "left").stdout
    assert "revoked, until" in run("token", "list").stdout
    with psycopg.connect(crosswalk_dsn) as connection:
        kept = connection.execute("SELECT token_digest, expires_at - made_at FROM crosswalk.gateway_token").fetchone()
        actions = connection.execute(
            "SELECT action, subject, count FROM crosswalk.access_event WHERE action LIKE 'token.%' ORDER BY number"
        ).fetchall()
    assert kept
    assert kept[0] == digest_of(secret)
    assert kept[1].total_seconds() == 48 * 3600
    assert actions == [("token.create", "LUNG", 1), ("token.revoke", "LUNG", 1), ("token.revoke", "LUNG", 0)]


def test_no_longer_than_the_site_allows(member: str) -> None:
    assert run("token", "create", "LUNG", member, "--reason", "x", "--hours", "49").returncode == WRONG_LINE
    made = json.loads(run("token", "create", "LUNG", member, "--reason", "x", "--hours", "48", "--json").stdout)
    assert made["token"].startswith(PREFIX)


def test_only_for_a_member(member: str) -> None:
    done = run("token", "create", "HEART", member, "--reason", "x")
    assert done.returncode == FATAL
    assert "a member of the project" in done.stderr
