"""As much of an SMTP server (RFC 5321) as takes messages; without STARTTLS."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast


class Desk(socketserver.ThreadingTCPServer):
    """Keeps what it takes; ``answer`` is what it says to every recipient."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.taken: list[bytes] = []
        self.answer = 250

    @property
    def port(self) -> int:
        return self.server_address[1]


class _Talk(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        desk = cast(Desk, self.server)
        self.say(220)
        while line := self.rfile.readline().strip():
            verb = line[:4].upper()
            if verb == b"DATA":
                self.say(354)
                desk.taken.append(b"".join(iter(self.rfile.readline, b".\r\n")))
            self.say({b"QUIT": 221, b"RCPT": desk.answer}.get(verb, 250))

    def say(self, code: int) -> None:
        self.wfile.write(f"{code} ok\r\n".encode())


@contextmanager
def mail_desk() -> Iterator[Desk]:
    with Desk() as desk:
        threading.Thread(target=desk.serve_forever, daemon=True).start()
        yield desk
        desk.shutdown()
