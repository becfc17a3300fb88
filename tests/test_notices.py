"""Messages reach a folder and an e-mail server, once, and no address gets into an error."""

from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest
from tests.mail import Desk, mail_desk

from dicomanon.errors import Fatal, Retriable
from dicomanon.notices import FolderNotifier, SmtpNotifier, SmtpServer


def message() -> EmailMessage:
    made = EmailMessage()
    made["Message-ID"] = "<removal-1@dicomanon>"
    made["From"], made["To"], made["Subject"] = "dpo@example.org", "ada@example.org", "A release has ended"
    made.set_content("Delete it.")
    made.add_attachment("SOPInstanceUID\n2.25.1\n", subtype="csv", filename="removed.csv")
    return made


@pytest.fixture
def desk() -> Iterator[Desk]:
    with mail_desk() as standing:
        yield standing


def at(desk: Desk, **settings: object) -> SmtpNotifier:
    given = {"host": "127.0.0.1", "port": desk.port, "sender": "dpo@example.org", "starttls": False}
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


def test_a_server_gets_it(desk: Desk) -> None:
    at(desk).send(message())
    (taken,) = desk.taken
    assert message_from_bytes(taken, policy=default)["Message-ID"] == "<removal-1@dicomanon>"


def test_a_refusal_is_tried_again_and_names_nobody(desk: Desk) -> None:
    desk.answer = 450
    with pytest.raises(Retriable, match="SMTPRecipientsRefused") as refused:
        at(desk).send(message())
    assert "example.org" not in str(refused.value)


def test_nothing_is_said_in_clear_where_encryption_is_asked_for(desk: Desk) -> None:
    with pytest.raises(Retriable, match="SMTPNotSupportedError"):
        at(desk, starttls=True).send(message())
    assert desk.taken == []


def test_a_server_that_is_away_is_tried_again(desk: Desk) -> None:
    away = at(desk, port=1)
    with pytest.raises(Retriable):
        away.send(message())
