"""Ports: a free one is free, and a taken one is named together with the variable that moves it."""

import socket

import pytest
from tests.processes import FRESH

from dicomanon.errors import Fatal
from dicomanon.local_stack import ports
from dicomanon.local_stack.config import Ports
from dicomanon.local_stack.ports import free_port, require_free_port

SERVICES = {
    "Airflow": "airflow",
    "clinical pacs": "clinical_pacs",
    "research pacs": "research_pacs",
    "clinical dimse": "clinical_dimse",
    "research dimse": "research_dimse",
    "Postgres": "postgres",
}


def test_a_free_port_can_be_taken() -> None:
    require_free_port(free_port(), "Airflow")


def test_no_port_is_given_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_RANGE", range(given := free_port(), given + 20))
    others = {free_port() for _ in range(5)}
    assert len(others) == 5
    assert given not in others
    with FRESH.Pool(1) as pool:
        assert pool.apply(_another_in, (given, given + 20)) not in {given, *others}


def _another_in(first: int, after: int) -> int:
    """Return a port of a range: the work of another process."""
    ports._RANGE = range(first, after)
    return free_port()


def test_that_none_is_free_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_RANGE", range(given := free_port(), given + 1))
    with pytest.raises(Fatal, match="is free"):
        free_port()


@pytest.mark.parametrize(("service", "field"), SERVICES.items())
def test_a_taken_port_is_refused_with_the_variable_that_is_really_read(
    service: str, field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Fatal, match=f"port {port} for {service} is in use") as refused:
            require_free_port(port, service)
    (variable,) = [word for word in str(refused.value).split() if word.startswith("DICOMANON_")]
    monkeypatch.setenv(variable, "12345")
    assert getattr(Ports.chosen(), field) == 12345
