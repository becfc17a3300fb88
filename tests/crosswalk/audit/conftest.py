"""Events to append, and an owner of the database who does what no writer may."""

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from dicomanon.crosswalk.audit.events import AccessEvent, Subject, SubjectKind
from dicomanon.crosswalk.keyring import Keyring

REASON = "Mrs Thistlemantle asked"


def events(count: int, actor: str = "ada") -> list[AccessEvent]:
    """Return events of every form: about nothing, about a pseudonym, with letters that take several bytes."""
    return [
        AccessEvent(
            actor,
            "pixels.review" if number % 2 else "naïve, 7:x",
            REASON,
            number,
            Subject(SubjectKind.PSEUDONYM, f"DTEST{number}") if number % 3 else None,
        )
        for number in range(count)
    ]


Tamper = Callable[[str], None]


@pytest.fixture
def tamper(crosswalk_dsn: str) -> Tamper:
    """Run a statement with all triggers off, as whoever owns the table can."""

    def run(statement: str) -> None:
        with psycopg.connect(crosswalk_dsn) as connection:
            connection.execute("ALTER TABLE crosswalk.access_event DISABLE TRIGGER USER")
            connection.execute(statement)  # type: ignore[arg-type]
            connection.execute("ALTER TABLE crosswalk.access_event ENABLE TRIGGER USER")

    return run


@pytest.fixture
def keyring_file(tmp_path: Path) -> Path:
    path = tmp_path / "keyring.json"
    Keyring.generate(path)
    return path
