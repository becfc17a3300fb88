"""Orthancs with the settings that only this room's tests need."""

import secrets
from collections.abc import Callable, Iterator

import pytest

from dicomanon.local_stack.orthanc import OrthancServer, start_orthanc
from dicomanon.local_stack.ports import free_port


@pytest.fixture(scope="module")
def _clamping_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, OrthancServer]]:
    servers: dict[str, OrthancServer] = {}
    yield servers
    for server in servers.values():
        server.stop()


@pytest.fixture
def clamping_orthanc(
    _clamping_servers: dict[str, OrthancServer], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., OrthancServer]:
    """Start an Orthanc that never shows more than so many results; or empty the one that runs."""

    def start(**limits: int) -> OrthancServer:
        key = str(sorted(limits.items()))
        if key not in _clamping_servers:
            _clamping_servers[key] = start_orthanc(
                tmp_path_factory.mktemp("clamping"),
                "clamping",
                free_port(),
                None,
                "reader",
                secrets.token_hex(12),
                extra=dict(limits),
                detach=False,
            )
        _clamping_servers[key].clear()
        return _clamping_servers[key]

    return start
