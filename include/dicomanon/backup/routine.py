"""A backup from beginning to end: made, verified, and older ones let go."""

from dicomanon.backup.key import BackupKey
from dicomanon.backup.making import make_backup
from dicomanon.backup.manifest import Backup, stored_backups
from dicomanon.backup.restoring import verify
from dicomanon.backup.retention import remove, superseded
from dicomanon.backup.settings import BackupSettings

Counts = dict[str, int]


def back_up(settings: BackupSettings) -> tuple[Backup, Counts]:
    """Make a backup, and where the site wants it, restore it into a server of its own.

    Raises
    ------
    Fatal, Retriable
        As :func:`~dicomanon.backup.making.make_backup` and :func:`~dicomanon.backup.restoring.verify`; nothing was
        removed then.
    """
    key = BackupKey.load(settings.backup_key_file)
    dsn = settings.crosswalk_dsn.get_secret_value()
    backup = make_backup(dsn, settings.backup_dir, key, settings.backup_programs)
    if settings.backup_verify:
        backup = verify(backup, key)
    old = superseded(
        list(stored_backups(settings.backup_dir)), settings.backup_keep, verified_only=settings.backup_verify
    )
    remove(old)
    manifest = backup.manifest
    return backup, {
        "tables": len(manifest.rows),
        "rows": sum(manifest.rows.values()),
        "bytes": manifest.bytes,
        "verified": int(manifest.verified_at is not None),
        "removed": len(old),
    }
