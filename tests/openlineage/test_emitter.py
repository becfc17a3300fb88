"""An event that cannot be sent: the task goes on, and it is said and counted."""

import json
import logging
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any, ClassVar

import pytest
from tests.openlineage.official import faults
from tests.site import Site

from dicomanon.errors import Fatal
from dicomanon.local_stack.ports import free_port
from dicomanon.pipeline.task import TaskKey, run_step
from dicomanon.settings import Settings

KEY = TaskKey("ingest_studies", "manual__1", "discover")
PATH = "/api/v1/lineage"


class Collector(BaseHTTPRequestHandler):
    """Takes events as Marquez does."""

    received: ClassVar[list[tuple[str, str, dict[str, Any]]]] = []
    answer: ClassVar[int] = 201

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.received.append((self.path, self.headers["authorization"], json.loads(body)))
        self.send_response(self.answer)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Collector]]:
    Collector.received.clear()
    Collector.answer = 201
    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("DICOMANON_OPENLINEAGE__TRANSPORT", "http")
    monkeypatch.setenv("DICOMANON_OPENLINEAGE__URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("DICOMANON_OPENLINEAGE__API_KEY", "open-sesame")
    yield Collector
    server.shutdown()
    thread.join()
    server.server_close()


def told(site: Site) -> list[tuple[str, dict[str, int]]]:
    return [
        (event, counts) for event, counts in site.rows("SELECT event, counts FROM crosswalk.task_event ORDER BY id")
    ]


def test_a_server_gets_what_files_would(site: Site, collector: type[Collector]) -> None:
    run_step(lambda _: {"instances": 3}, KEY)
    assert [(path, key) for path, key, _ in collector.received] == [(PATH, "Bearer open-sesame")] * 3
    assert [event["eventType"] for _, _, event in collector.received] == ["START", "RUNNING", "COMPLETE"]
    assert [fault for _, _, event in collector.received for fault in faults(event)] == []
    assert [event for event, _ in told(site)] == ["started", "succeeded"]
    assert not (site.folder / "openlineage").exists()


def test_a_refusing_server_stops_no_task(
    site: Site, collector: type[Collector], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    collector.answer = 500
    assert run_step(lambda _: {"instances": 3}, KEY) == {"instances": 3}
    assert len(collector.received) == 3, "each is sent once"
    assert told(site)[-1] == ("unsent", {"openlineage_events": 3})
    assert [message.partition(": ")[2] for message in caplog.messages] == ["HTTPError"] * 3
    assert "127.0.0.1" not in caplog.text
    assert "open-sesame" not in caplog.text


def test_a_server_that_is_away_stops_no_task(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICOMANON_OPENLINEAGE__TRANSPORT", "http")
    monkeypatch.setenv("DICOMANON_OPENLINEAGE__URL", f"http://127.0.0.1:{free_port()}")
    assert run_step(lambda _: {"instances": 3}, KEY) == {"instances": 3}
    assert told(site) == [("started", {}), ("succeeded", {"instances": 3}), ("unsent", {"openlineage_events": 3})]


def test_a_folder_that_cannot_be_written_stops_no_task(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    (site.folder / "file").write_text("")
    monkeypatch.setenv("DICOMANON_OPENLINEAGE__FOLDER", str(site.folder / "file" / "events"))
    assert run_step(lambda _: {"instances": 3}, KEY) == {"instances": 3}
    assert told(site)[-1] == ("unsent", {"openlineage_events": 3})


@pytest.mark.parametrize(
    "wrong",
    [
        {"TRANSPORT": "http"},
        {"TRANSPORT": "kafka"},
        {"TRANSPORT": "http", "URL": "http://user:secret@marquez"},
        {"NAMESPACE": "two words"},
        {"TIMEOUT_SECONDS": "0"},
    ],
)
def test_settings_that_make_no_sense_are_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, str]
) -> None:
    for name, value in wrong.items():
        monkeypatch.setenv(f"DICOMANON_OPENLINEAGE__{name}", value)
    with pytest.raises(Fatal, match="DICOMANON_OPENLINEAGE") as refused:
        Settings.load()
    assert "secret" not in str(refused.value)


def test_what_the_environment_tells_the_client_is_not_heard(
    site: Site, monkeypatch: pytest.MonkeyPatch, collector: type[Collector]
) -> None:
    """The client's own settings can add environment variables, passwords among them, to every event."""
    monkeypatch.setenv("OPENLINEAGE__FACETS__ENVIRONMENT_VARIABLES", '["DICOMANON_CROSSWALK_DSN"]')
    monkeypatch.setenv("OPENLINEAGE__TAGS__JOB__OWNER", "Rosa Quillfeather")
    run_step(lambda _: {}, KEY)
    assert "postgresql" not in json.dumps(collector.received)
    assert "Quillfeather" not in json.dumps(collector.received)
