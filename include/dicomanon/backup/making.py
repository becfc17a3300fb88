"""Makes a backup: one snapshot of the whole crosswalk through pg_dump, encrypted before it meets a disk."""

import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from dicomanon import __version__
from dicomanon.backup.checks import count_rows, keyring_fingerprints
from dicomanon.backup.key import BackupKey
from dicomanon.backup.manifest import DUMP, MANIFEST, Backup, Manifest, backup_name
from dicomanon.backup.programs import running
from dicomanon.backup.streams import encrypt
from dicomanon.crosswalk.roles.assuming import assume
from dicomanon.crosswalk.roles.grants import SCHEMAS
from dicomanon.crosswalk.roles.role import Role
from dicomanon.crosswalk.session import translated
from dicomanon.errors import Fatal
from dicomanon.local_stack.postgres import BINARIES

_INCOMING = "incoming-"


def make_backup(dsn: str, root: Path, key: BackupKey, programs: Path = BINARIES) -> Backup:
    """Dump the crosswalk as it is at one moment, while others go on working with it.

    The folder gets its name when everything in it is on disk: what was broken off is never taken for a backup. Counted
    and dumped is as the role ``backup``, for which row-level security hides nothing.

    Parameters
    ----------
    programs
        Where ``pg_dump`` is.

    Raises
    ------
    Fatal
        The crosswalk is not migrated, the login may not act as ``backup``, or the folder cannot be written.
    Retriable
        The database cannot be reached.
    """
    begun = datetime.now(UTC)
    folder = root / f"{_INCOMING}{backup_name(begun)}"
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        _clear_broken_off(root)
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise Fatal(f"the backup folder cannot be written: {error.strerror}") from None
    with translated(), psycopg.connect(dsn, application_name="dicomanon", connect_timeout=10) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        assume(connection, Role.BACKUP)
        # One at a time: a second one would be another's work done twice.
        if not _value(connection, "SELECT pg_try_advisory_xact_lock(hashtext('crosswalk backup'))"):
            raise Fatal("another backup of this crosswalk is being made")
        manifest = Manifest(
            made_at=begun,
            dicomanon=__version__,
            postgresql=connection.info.server_version,
            migration=_value(connection, "SELECT max(number) FROM crosswalk.migration"),
            keyring=keyring_fingerprints(connection),
            rows=count_rows(connection),
            sha256="",
            bytes=0,
        )
        # The counts and the dump are of the same moment, whatever is written meanwhile.
        snapshot = _value(connection, "SELECT pg_export_snapshot()")
        arguments = [
            "--format=custom", *(f"--schema={schema}" for schema in SCHEMAS), "--no-unlogged-table-data",
            f"--role={Role.BACKUP.group}", f"--snapshot={snapshot}", "--lock-wait-timeout=60s",
        ]  # fmt: skip
        with running("pg_dump", arguments, dsn, programs) as dump:
            assert dump.stdout is not None
            digest, size = encrypt(dump.stdout, folder / DUMP, key)
    backup = Backup(folder, manifest.model_copy(update={"sha256": digest, "bytes": size}))
    write_manifest(backup)
    final = root / backup_name(begun)
    folder.rename(final)
    _force_to_disk(root)
    return replace(backup, folder=final)


def write_manifest(backup: Backup) -> None:
    """Write a backup's manifest: the old one or the new one is there, never half of it."""
    incoming = backup.folder / f"{MANIFEST}.incoming"
    try:
        with os.fdopen(os.open(incoming, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(backup.manifest.model_dump_json(indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
        incoming.replace(backup.folder / MANIFEST)
    except OSError as error:
        raise Fatal(f"the backup's manifest cannot be written: {error.strerror}") from None
    _force_to_disk(backup.folder)


def _clear_broken_off(root: Path) -> None:
    """Remove what a killed backup of another day left; a younger one may still be at work."""
    yesterday = datetime.now(UTC).timestamp() - 24 * 3600
    for folder in root.glob(f"{_INCOMING}*"):
        if folder.stat().st_mtime < yesterday:
            shutil.rmtree(folder)


def _force_to_disk(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _value(connection: psycopg.Connection[tuple[object, ...]], query: str) -> object:
    row = connection.execute(query).fetchone()
    return row[0] if row else None
