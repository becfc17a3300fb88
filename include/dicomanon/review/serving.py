"""Serves the page on this machine alone, by a process that the kernel lets write to no file."""

import contextlib
import os
import resource
import socket
import threading
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from dicomanon.errors import Fatal

HOST = "127.0.0.1"
_ENDING_SECONDS = 2
_LAST_SECONDS = 5.0
_MOST_REQUESTS = 64


def bound(port: int) -> socket.socket:
    """Return a socket that listens on the loopback interface; ``0`` takes a free port.

    Raises
    ------
    Fatal
        The port is taken.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port))
        # Whoever opens the address as soon as it is printed waits, and is not refused.
        listening.listen()
    except OSError as error:
        listening.close()
        raise Fatal(f"port {port} cannot be had ({error.strerror}): choose another with --port") from None
    return listening


def serve(app: ASGIApp, listening: socket.socket) -> None:
    """Serve until Ctrl-C; from here on this process writes to no file, and leaves no core."""
    forbid_files()
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            log_level="critical",
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_MOST_REQUESTS,
            timeout_graceful_shutdown=_ENDING_SECONDS,
        )
    )
    # The server ends in good order first, and then raises the signal again.
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listening])


class _Server(uvicorn.Server):
    """A server that a silent PACS does not keep from ending."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End in good order, or else all the same."""
        super().handle_exit(sig, frame)
        # Threads that wait for the PACS cannot be stopped, and the interpreter would wait for them.
        last = threading.Timer(_LAST_SECONDS, os._exit, (0,))
        last.daemon = True
        last.start()


def forbid_files() -> None:
    """Have the kernel refuse every byte that this process would write to a file, and a core dump, for good.

    Pipes, sockets and terminals are no files. Pictures cannot come to a disk, whatever a library does.
    """
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
