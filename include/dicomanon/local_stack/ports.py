"""Loopback ports: which are free, and a clear word when one is not."""

import random
import socket

from dicomanon.errors import Fatal

_RANGE = range(20_000, 32_000)
"""Below what Linux takes for the near end of connections, which would be in the way of who wants to listen there."""


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on, and that is given to no other living process.

    Whoever asks starts a server only later, when another that asked may have been told the same port.
    """
    for port in random.sample(_RANGE, len(_RANGE)):
        claim = socket.socket(socket.AF_UNIX)
        try:
            # A name in Linux's own space: taken once, and let go of by the end of the process.
            claim.bind(f"\0dicomanon-port-{port}")
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        # Held as long as this process lives.
        claim.detach()
        return port
    raise Fatal(f"no port from {_RANGE.start} to {_RANGE.stop} is free")


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
