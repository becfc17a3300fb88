"""The step of the DAG ``audit_head``: signs with the site's key, and is red where the trail does not hold."""

from pathlib import Path

import psycopg
import pytest
from tests.site import Site

from dicomanon.crosswalk.audit.events import AccessEvent
from dicomanon.errors import Fatal
from dicomanon.pipeline.audit_head import newest_head, sign_site_head
from dicomanon.pipeline.task import TaskKey, run_step
from dicomanon.signing import SigningKey

KEY = TaskKey("audit_head", "scheduled__1", "sign")


@pytest.fixture
def heads(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "heads"
    folder.mkdir()
    SigningKey.generate(tmp_path / "audit.pem")
    monkeypatch.setenv("DICOMANON_AUDIT_KEY_FILE", str(tmp_path / "audit.pem"))
    monkeypatch.setenv("DICOMANON_AUDIT_HEAD_DIR", str(folder))
    with site.crosswalk() as crosswalk:
        crosswalk.audit.record([AccessEvent("ada", "export maps", "asked for")] * 3)
    return folder


def test_signs_and_says_the_head_in_its_log(site: Site, heads: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        assert run_step(sign_site_head, KEY) == {"verified": 3, "signed_entry": 3}
    newest = newest_head(heads, SigningKey.load(heads.parent / "audit.pem").public)
    assert newest is not None
    assert newest.to_json() in caplog.text


def test_is_red_where_the_trail_does_not_hold(site: Site, heads: Path) -> None:
    with psycopg.connect(site.dsn) as connection:
        connection.execute("ALTER TABLE crosswalk.access_event DISABLE TRIGGER USER")
        connection.execute("DELETE FROM crosswalk.access_event WHERE number = 2")
    with pytest.raises(Fatal, match="does not hold: entry 2: it is missing"):
        run_step(sign_site_head, KEY)
    assert list(heads.iterdir()) == []


def test_without_a_key_says_what_to_set(site: Site, heads: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DICOMANON_AUDIT_KEY_FILE")
    with pytest.raises(Fatal, match="DICOMANON_AUDIT_KEY_FILE"):
        run_step(sign_site_head, KEY)
