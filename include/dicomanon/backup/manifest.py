"""What a backup says of itself beside its encrypted file: digests and counts, and which keyring it belongs to."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from dicomanon.errors import Fatal

DUMP = "crosswalk.dump.age"
MANIFEST = "manifest.json"
_NAME = re.compile(r"crosswalk-\d{8}T\d{6}Z")


class Manifest(BaseModel):
    """Nothing in it is secret or about a patient."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    made_at: datetime
    dicomanon: str
    """The version that made it."""
    postgresql: int
    """Version number of the server, such as 180006."""
    migration: int
    """The last migration that was applied to the schema."""
    keyring: dict[str, str]
    """Fingerprint of each key of the keyring, in hexadecimal; the keyring itself is in no backup."""
    rows: dict[str, int]
    """Rows of every table, at the moment of the dump."""
    sha256: str
    """Of the encrypted file."""
    bytes: int
    """Size of the encrypted file."""
    verified_at: datetime | None = None
    """When it was restored into a server of its own and found whole."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A finished backup: a folder with the encrypted dump and its manifest."""

    folder: Path
    manifest: Manifest

    @property
    def name(self) -> str:
        """When it was begun, in UTC: ``crosswalk-20260301T120000Z``."""
        return self.folder.name

    @property
    def dump(self) -> Path:
        """The encrypted file."""
        return self.folder / DUMP

    @classmethod
    def read(cls, folder: Path) -> "Backup":
        """Read a backup's manifest.

        Raises
        ------
        Fatal
            There is none, or this version cannot read it.
        """
        try:
            return cls(folder, Manifest.model_validate_json((folder / MANIFEST).read_bytes()))
        except OSError as error:
            raise Fatal(f"this is no backup: its {MANIFEST} cannot be read ({type(error).__name__})") from None
        except ValidationError:
            raise Fatal(f"the {MANIFEST} of this backup is damaged, or of a newer version") from None


def backup_name(at: datetime) -> str:
    """Return the name of a backup that is begun now; names sort by time."""
    return f"crosswalk-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def stored_backups(root: Path) -> Iterator[Backup]:
    """Yield the finished backups of a folder, oldest first; what was broken off has another name and is left out."""
    for folder in sorted(root.glob("crosswalk-*")):
        if _NAME.fullmatch(folder.name) and (folder / MANIFEST).exists():
            yield Backup.read(folder)
