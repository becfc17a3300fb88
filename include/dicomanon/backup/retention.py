"""Which backups may go: never one that is needed to have as many verified ones as were asked for."""

import shutil
from collections.abc import Sequence

from dicomanon.backup.manifest import Backup


def superseded(backups: Sequence[Backup], keep: int, *, verified_only: bool = True) -> list[Backup]:
    """Return what is older than the ``keep`` newest that count; nothing before there are as many.

    Parameters
    ----------
    verified_only
        Whether only backups count that were restored and found whole.
    """
    in_order = sorted(backups, key=lambda backup: backup.name)
    counting = [backup.name for backup in in_order if backup.manifest.verified_at or not verified_only]
    if len(counting) < keep:
        return []
    return [backup for backup in in_order if backup.name < counting[-keep]]


def remove(backups: Sequence[Backup]) -> None:
    """Remove backups."""
    for backup in backups:
        shutil.rmtree(backup.folder)
