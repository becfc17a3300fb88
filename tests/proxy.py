"""Stands between us and a real PACS and spoils some of its answers: the faults that Orthanc cannot be made to show."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from dicomanon.local_stack.orthanc import OrthancServer, fresh_session


@dataclass
class Reply:
    """An answer on its way back; what a test changes of it is what arrives."""

    method: str
    path: str
    status: int
    content_type: str
    body: bytes
    cut: int | None = None
    """Send only so many bytes of the body that the header announces, then hang up."""

    @property
    def is_wado(self) -> bool:
        return self.content_type.startswith("multipart/related")

    def parts(self) -> list[bytes]:
        """The objects of a WADO-RS answer."""
        return [part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for part in self._pieces()[1:-1]]

    def replace_parts(self, objects: list[bytes]) -> None:
        delimiter = self._delimiter()
        head = delimiter + b"\r\nContent-Type: application/dicom\r\n\r\n"
        self.body = b"".join(head + one + b"\r\n" for one in objects) + delimiter + b"--\r\n"

    def fail(self, status: int) -> None:
        self.status, self.content_type, self.body = status, "text/plain", b""

    def _delimiter(self) -> bytes:
        found = re.search(r'boundary="?([^";]+)', self.content_type)
        assert found is not None
        return b"--" + found[1].encode()

    def _pieces(self) -> list[bytes]:
        return self.body.split(self._delimiter())


@dataclass
class Proxy:
    """``url`` is the root of the DICOMweb services; ``change`` may be set anew at any time."""

    url: str
    change: Callable[[Reply], None]
    paths: list[str] = field(default_factory=list)


@contextmanager
def proxy(upstream: OrthancServer, change: Callable[[Reply], None]) -> Iterator[Proxy]:
    session = fresh_session()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            wanted = ("Accept", "Authorization", "Content-Type")
            headers = {name: self.headers[name] for name in wanted if name in self.headers}
            answer = session.request(
                self.command, upstream.url + self.path, data=body, headers=headers, timeout=60, allow_redirects=False
            )
            reply = Reply(
                self.command, self.path, answer.status_code, answer.headers.get("Content-Type", ""), answer.content
            )
            standing.paths.append(self.path)
            standing.change(reply)
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.content_type)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body[: reply.cut])
            self.close_connection = True

        do_GET = _serve
        do_POST = _serve

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    standing = Proxy(f"http://127.0.0.1:{server.server_port}/dicom-web", change)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield standing
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        session.close()
