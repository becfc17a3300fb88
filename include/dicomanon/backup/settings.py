"""What it takes to back up and restore: the crosswalk, a folder and a key."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from dicomanon.local_stack.postgres import BINARIES
from dicomanon.settings import CrosswalkSettings


class BackupSettings(CrosswalkSettings):
    """Each field is the environment variable ``DICOMANON_<FIELD>``."""

    backup_dir: Path
    backup_key_file: Path
    """An age key file. Keep copies of it where the keyring's copies are, and not where the backups are."""
    backup_keep: Annotated[int, Field(ge=1)] = 14
    """How many verified backups are kept."""
    backup_verify: bool = True
    """Whether each backup is restored into a server of its own, which takes as much disk as the database."""
    backup_programs: Path = BINARIES
    """Folder of ``pg_dump`` and ``pg_restore``; those that come with us speak no TLS."""
