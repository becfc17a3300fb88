"""Serves the gateway: its database, its PACS, its trail, one process, until it is told to end."""

import contextlib
import ctypes
import ipaddress
import signal
import socket
from collections.abc import Callable
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from dicomanon.crosswalk.gateway.showing import Showing
from dicomanon.errors import Fatal
from dicomanon.gateway.app import ROOT, create_app
from dicomanon.gateway.trail import Trail
from dicomanon.pacs.connection import Connection
from dicomanon.settings import GatewayDoor, GatewaySettings

_ENDING_SECONDS: Final = 30
_WAITING_TOO: Final = 4
"""Connections beyond those that are answered at once, as a multiple: they wait; more are turned away."""
_KEPT: Final = 75
_M_ARENA_MAX: Final = -8
"""Of mallopt(3)."""


def run(settings: GatewaySettings, say: Callable[[str], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; what is being answered then has half a minute to end.

    Raises
    ------
    Fatal
        It cannot listen there, would send tokens and images in the clear, or may not act as the gateway.
    Retriable
        The crosswalk cannot be reached.
    """
    limits = settings.gateway
    scheme = _scheme(limits)
    _share_heaps()
    dsn = settings.crosswalk_dsn.get_secret_value()
    with (
        _bound(limits.host, limits.port) as listening,
        Showing(dsn, connections=min(limits.at_once, 16)) as showing,
        Trail(showing.record) as trail,
        Connection(settings.research) as pacs,
    ):
        port = listening.getsockname()[1]
        host = f"[{limits.host}]" if ":" in limits.host else limits.host
        say(f"{scheme}://{host}:{port}{ROOT}")
        _serve(create_app(showing, pacs, trail, settings), limits, listening)


def _serve(app: ASGIApp, limits: GatewayDoor, listening: socket.socket) -> None:
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            # Addresses hold research UIDs, and whoever reads is in the audit trail.
            log_config=None,
            log_level="critical",
            access_log=False,
            ws="none",
            server_header=False,
            limit_concurrency=limits.at_once * _WAITING_TOO + _KEPT,
            timeout_keep_alive=_KEPT,
            timeout_graceful_shutdown=_ENDING_SECONDS,
            ssl_certfile=limits.certificate,
            ssl_keyfile=limits.certificate_key,
        )
    )
    # The server ends in good order first, and then raises the signal again: let it end this function, not the process.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listening])


def _share_heaps() -> None:
    """Have threads take memory from two heaps: in one for each, pieces that were sent long since would stay."""
    with contextlib.suppress(AttributeError, OSError):  # Other C libraries have no such choice.
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def _scheme(limits: GatewayDoor) -> str:
    if limits.certificate is not None:
        return "https"
    try:
        is_loopback = ipaddress.ip_address(limits.host).is_loopback
    except ValueError:
        is_loopback = limits.host == "localhost"
    if not (is_loopback or limits.behind_tls):
        raise Fatal(
            "the gateway would send tokens and images over the network in the clear: give it a certificate "
            "(DICOMANON_GATEWAY__CERTIFICATE), or say that TLS ends before it (DICOMANON_GATEWAY__BEHIND_TLS)"
        )
    return "http"


def _bound(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise Fatal(f"the gateway cannot listen at {host}, port {port} ({error.strerror})") from None
