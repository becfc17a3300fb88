"""Brings the schema to this version: numbered SQL files, forward only, each applied once."""

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

from dicomanon.crosswalk.session import Connection
from dicomanon.errors import Fatal

SET_ASIDE = "crosswalk_until_"
"""How the schema of a crosswalk is named from when it was set aside for another one."""

SCHEMA_LOCK = 0x0D1C0A17
"""Advisory lock of whoever changes the schema or its privileges: PostgreSQL lets two that do so collide, not wait."""
_FILE_NAME = re.compile(r"(\d{4})_[a-z_]+\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema."""

    number: int
    name: str
    sql: bytes

    @property
    def checksum(self) -> bytes:
        """SHA-256 of the file."""
        return hashlib.sha256(self.sql).digest()


@cache
def migrations() -> tuple[Migration, ...]:
    """Return the steps that belong to this version, in order."""
    folder = resources.files("dicomanon.crosswalk").joinpath("migrations")
    found = []
    for file in folder.iterdir():
        match = _FILE_NAME.fullmatch(file.name)
        if match:
            found.append(Migration(int(match[1]), file.name, file.read_bytes()))
    found.sort(key=lambda step: step.number)
    if [step.number for step in found] != list(range(1, len(found) + 1)):
        raise Fatal("the crosswalk's migration files are not numbered from 1 without a gap")
    return tuple(found)


def migrate(connection: Connection) -> int:
    """Apply what is missing, each step in a transaction of its own; return how many steps were applied.

    Safe to call twice and by several processes at once: they wait for each other.

    Raises
    ------
    Fatal
        The database was migrated by a newer version, or with files other than these; or a restore was broken off.
    """
    connection.autocommit = True
    connection.execute("SELECT pg_advisory_lock(%s)", (SCHEMA_LOCK,))
    try:
        with connection.transaction():
            _refuse_a_second_life(connection)
            connection.execute("CREATE SCHEMA IF NOT EXISTS crosswalk")
            connection.execute("REVOKE ALL ON SCHEMA crosswalk FROM PUBLIC")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS crosswalk.migration (number integer PRIMARY KEY, name text NOT NULL,"
                " checksum bytea NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
            )
        missing = unapplied(connection)
        for step in missing:
            with connection.transaction():
                connection.execute(step.sql)
                connection.execute(
                    "INSERT INTO crosswalk.migration (number, name, checksum) VALUES (%s, %s, %s)",
                    (step.number, step.name, step.checksum),
                )
    finally:
        if not connection.broken:
            connection.execute("SELECT pg_advisory_unlock(%s)", (SCHEMA_LOCK,))
    return len(missing)


def _refuse_a_second_life(connection: Connection) -> None:
    """Refuse to begin an empty crosswalk where one was set aside: every patient would get a second pseudonym."""
    row = connection.execute(
        "SELECT count(*) FROM pg_namespace WHERE starts_with(nspname, %s)"
        " AND NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'crosswalk')",
        (SET_ASIDE,),
    ).fetchone()
    if row and row[0]:
        raise Fatal(
            f"a restore was broken off: a crosswalk was set aside as {SET_ASIDE}… and none is in its place; restore "
            "again, or rename that schema back to crosswalk, and research… to research"
        )


def unapplied(connection: Connection) -> list[Migration]:
    """Return the steps that the database lacks, in order.

    Raises
    ------
    Fatal
        The database was migrated by a newer version, or with files other than these.
    """
    applied: dict[int, bytes] = dict(connection.execute("SELECT number, checksum FROM crosswalk.migration").fetchall())
    steps = {step.number: step for step in migrations()}
    if applied.keys() - steps.keys():
        raise Fatal("the crosswalk was migrated by a newer version: use that version or a newer one")
    for number, checksum in applied.items():
        if steps[number].checksum != checksum:
            raise Fatal(f"migration {number:04d} was applied with another content than this version has")
    return [step for number, step in steps.items() if number not in applied]
