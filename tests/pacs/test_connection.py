"""Faults become one of three errors, and neither they nor any log line show a URL, a UID or a password."""

import logging
import socket
import time
from collections.abc import Iterator

import pytest
from tests.pacs.archive import Answer, Request, faulty_server
from tests.patience import HUNG

from dicomanon.errors import Fatal, Retriable
from dicomanon.local_stack.ports import free_port
from dicomanon.pacs import connection
from dicomanon.pacs.endpoint import PacsEndpoint
from dicomanon.pacs.query import ClinicalPacs

STUDY = "1.2.840.99.4711"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BACKOFF_SECONDS", 0.0)


@pytest.fixture
def _everything_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Log as loudly as can be, as somebody who hunts a fault would."""
    names = ["urllib3", "urllib3.connectionpool", "dicomweb_client", "dicomweb_client.web", "requests"]
    for name in names:
        caplog.set_level(logging.DEBUG, logger=name)
    caplog.set_level(logging.DEBUG)
    yield
    assert STUDY not in caplog.text
    assert "/studies" not in caplog.text
    assert "20200101" not in caplog.text


@pytest.mark.usefixtures("_everything_logged")
class TestErrors:
    @pytest.mark.parametrize(
        ("status", "error"),
        [
            (400, Fatal),
            (401, Fatal),
            (403, Fatal),
            (408, Retriable),
            (429, Retriable),
            (500, Retriable),
            (503, Retriable),
        ],
    )
    def test_status_decides_and_nothing_else_is_told(self, status: int, error: type[Exception]) -> None:
        page = Answer(f"Doe^Jane {STUDY}".encode(), status=status, headers={"Retry-After": "0"})
        with faulty_server(lambda _: page) as server, ClinicalPacs(server.endpoint()) as pacs:
            for call in (
                lambda: list(pacs.retrieve_study(STUDY)),
                lambda: pacs.list_instances(STUDY),
                lambda: list(pacs.find_studies()),
            ):
                with pytest.raises(error) as caught:
                    call()
                assert str(status) in str(caught.value)
                for secret in (STUDY, "Doe", "/studies", server.url):
                    assert secret not in str(caught.value)
                assert caught.value.__suppress_context__

    def test_retriable_when_nobody_listens(self) -> None:
        pacs = ClinicalPacs(PacsEndpoint(name="clinical", url=f"http://127.0.0.1:{free_port()}", timeout_seconds=1))
        with pacs, pytest.raises(Retriable) as caught:
            list(pacs.retrieve_study(STUDY))
        assert STUDY not in str(caught.value)

    def test_retriable_when_the_server_is_silent(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}"
            pacs = ClinicalPacs(PacsEndpoint(name="clinical", url=url, timeout_seconds=0.1))
            with pacs, pytest.raises(Retriable):
                list(pacs.retrieve_study(STUDY))

    def test_fatal_when_redirected(self) -> None:
        page = Answer(status=302, headers={"Location": f"http://elsewhere.example/{STUDY}"})
        with faulty_server(lambda _: page) as server, ClinicalPacs(server.endpoint()) as pacs:
            with pytest.raises(Fatal, match="redirects"):
                list(pacs.retrieve_study(STUDY))
            assert len(server.requests) == 1


@pytest.mark.usefixtures("_everything_logged")
class TestRetries:
    def test_a_get_is_tried_again_while_the_server_is_busy(self) -> None:
        def answer(request: Request) -> Answer:
            return Answer(status=503, headers={"Retry-After": "0"}) if len(server.requests) < 3 else Answer(b"[]")

        with faulty_server(answer) as server, ClinicalPacs(server.endpoint()) as pacs:
            assert pacs.list_instances(STUDY) == []
            assert len(server.requests) == 4  # three for the first answer, and one for the study's total

    def test_gives_up_after_the_third_repetition(self) -> None:
        page = Answer(status=503, headers={"Retry-After": "0"})
        with faulty_server(lambda _: page) as server, ClinicalPacs(server.endpoint()) as pacs:
            begun = time.monotonic()
            with pytest.raises(Retriable):
                pacs.list_instances(STUDY)
            assert len(server.requests) == 4
            assert time.monotonic() - begun < HUNG


def test_environment_proxies_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("no_proxy", "")
    with faulty_server(lambda _: Answer(b"[]")) as server, ClinicalPacs(server.endpoint()) as pacs:
        assert list(pacs.find_studies()) == []


class TestEndpoint:
    def test_the_password_is_not_shown(self) -> None:
        assert "secret" not in repr(PacsEndpoint(name="clinical", url="https://pacs.example", password="secret"))

    @pytest.mark.parametrize("url", ["ftp://pacs", "https://user:secret@pacs.example", "pacs.example", ""])
    def test_an_unusable_url_is_refused_without_repeating_it(self, url: str) -> None:
        with pytest.raises(ValueError, match="url") as caught:
            PacsEndpoint(name="clinical", url=url)
        assert "secret" not in str(caught.value)
