"""Messages reach a folder and an e-mail server, once, and no address gets into an error."""

import socketserver
import threading
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest

from dicomanon.errors import Fatal, Retriable
from dicomanon.notices import FolderNotifier, SmtpNotifier, SmtpServer


def message() -> EmailMessage:
    made = EmailMessage()
    made["Message-ID"] = "<removal-1@dicomanon>"
    made["From"], made["To"], made["Subject"] = "dpo@example.org", "ada@example.org", "A release has ended"
    made.set_content("Delete it.")
    made.add_attachment("SOPInstanceUID\n2.25.1\n", subtype="csv", filename="removed.csv")
    return made


class Desk(socketserver.StreamRequestHandler):
    """As much of an SMTP server (RFC 5321) as takes one message; without STARTTLS."""

    def handle(self) -> None:
        self.say(220)
        while line := self.rfile.readline().strip():
            verb = line[:4].upper()
            if verb == b"DATA":
                self.say(354)
                self.server.taken.append(b"".join(iter(self.rfile.readline, b".\r\n")))  # type: ignore[attr-defined]
            self.say(221 if verb == b"QUIT" else self.server.answer if verb == b"RCPT" else 250)  # type: ignore[attr-defined]

    def say(self, code: int) -> None:
        self.wfile.write(f"{code} ok\r\n".encode())


@pytest.fixture
def desk() -> Iterator[socketserver.ThreadingTCPServer]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Desk) as server:
        server.daemon_threads = True
        server.taken, server.answer = [], 250  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def at(desk: socketserver.ThreadingTCPServer, **settings: object) -> SmtpNotifier:
    given = {"host": "127.0.0.1", "port": desk.server_address[1], "sender": "dpo@example.org", "starttls": False}
    return SmtpNotifier(SmtpServer.model_validate(given | settings))


def test_a_file_is_a_whole_message(tmp_path: Path) -> None:
    notifier = FolderNotifier(tmp_path / "notices")
    notifier.send(message())
    notifier.send(message())
    (file,) = (tmp_path / "notices").iterdir()
    read = message_from_bytes(file.read_bytes(), policy=default)
    assert (file.name, read["To"]) == ("removal-1.eml", "ada@example.org")
    (attached,) = read.iter_attachments()
    assert attached.get_content().splitlines() == ["SOPInstanceUID", "2.25.1"]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "notices").write_text("a file")
    with pytest.raises(Fatal, match="cannot be written"):
        FolderNotifier(tmp_path / "notices").send(message())


def test_a_server_gets_it(desk: socketserver.ThreadingTCPServer) -> None:
    at(desk).send(message())
    (taken,) = desk.taken  # type: ignore[attr-defined]
    assert message_from_bytes(taken, policy=default)["Message-ID"] == "<removal-1@dicomanon>"


def test_a_refusal_is_tried_again_and_names_nobody(desk: socketserver.ThreadingTCPServer) -> None:
    desk.answer = 450  # type: ignore[attr-defined]
    with pytest.raises(Retriable, match="SMTPRecipientsRefused") as refused:
        at(desk).send(message())
    assert "example.org" not in str(refused.value)


def test_nothing_is_said_in_clear_where_encryption_is_asked_for(desk: socketserver.ThreadingTCPServer) -> None:
    with pytest.raises(Retriable, match="SMTPNotSupportedError"):
        at(desk, starttls=True).send(message())
    assert desk.taken == []  # type: ignore[attr-defined]


def test_a_server_that_is_away_is_tried_again(desk: socketserver.ThreadingTCPServer) -> None:
    away = at(desk, port=1)
    with pytest.raises(Retriable):
        away.send(message())
