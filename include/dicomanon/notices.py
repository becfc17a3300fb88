"""Hands messages to people: as files for somebody to pass on, and by e-mail where the site has a server for it."""

import os
import smtplib
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Annotated, Protocol

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from dicomanon.errors import Fatal, Retriable

_SECONDS = 30


class SmtpServer(BaseModel):
    """Where e-mail is handed in, and as whom."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    sender: str
    starttls: bool = True
    """Whether the connection is encrypted before anything is said; switch it off for a relay on this machine only."""
    username: str = ""
    password: SecretStr = SecretStr("")


class Notifier(Protocol):
    """A way to reach people; the same message, sent again after a break, has the same Message-ID."""

    @property
    def means(self) -> str:
        """How, in a word."""
        ...

    def send(self, message: EmailMessage) -> None:
        """Hand a message over.

        Raises
        ------
        Retriable, Fatal
            It was not taken.
        """
        ...


class FolderNotifier:
    """Writes messages as files that any e-mail program opens (RFC 5322), named by their Message-ID."""

    means = "folder"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, message: EmailMessage) -> None:
        """Write a message; one that is there already stays."""
        name = str(message["Message-ID"]).strip("<>").partition("@")[0]
        target = self._folder / f"{name}.eml"
        if target.exists():
            return
        incoming = self._folder / f".{name}.{os.getpid()}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o750)
            incoming.write_bytes(message.as_bytes(policy=SMTP))
            incoming.chmod(0o440)
            incoming.rename(target)
        except OSError as error:
            raise Fatal(f"a notice cannot be written: {type(error).__name__}") from None


class SmtpNotifier:
    """Sends by SMTP (RFC 5321) with STARTTLS."""

    means = "e-mail"

    def __init__(self, server: SmtpServer) -> None:
        self._server = server

    def send(self, message: EmailMessage) -> None:
        """Send a message to whom it is addressed."""
        server = self._server
        try:
            with smtplib.SMTP(server.host, server.port, timeout=_SECONDS) as connection:
                if server.starttls:
                    connection.starttls(context=ssl.create_default_context())
                if server.username:
                    connection.login(server.username, server.password.get_secret_value())
                connection.send_message(message)
        except smtplib.SMTPAuthenticationError:
            raise Fatal("the e-mail server refuses the login: see the DICOMANON_SMTP__ settings") from None
        except ssl.SSLError:
            raise Fatal("the e-mail server's certificate is not trusted, or it has no STARTTLS as it should") from None
        except (smtplib.SMTPException, OSError) as error:
            # Its text may quote addresses.
            raise Retriable(f"the e-mail server did not take a notice ({type(error).__name__})") from None
