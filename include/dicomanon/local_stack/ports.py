"""Loopback ports: which are free, and a clear word when one is not."""

import socket

from dicomanon.errors import Fatal


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def require_free_port(port: int, service: str) -> None:
    """Refuse a port that is taken.

    Raises
    ------
    Fatal
        Somebody listens on ``port``.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            variable = f"DICOMANON_{service.upper().replace(' ', '_').replace('-', '_')}_PORT"
            raise Fatal(
                f"port {port} for {service} is in use: stop what listens on it, or set {variable} to another port"
            ) from None
