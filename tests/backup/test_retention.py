"""Which backups may go."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from dicomanon.backup.manifest import Backup, Manifest
from dicomanon.backup.retention import superseded

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def backup(day: int, *, verified: bool = True) -> Backup:
    manifest = Manifest(
        made_at=NOW, dicomanon="0", postgresql=180000, migration=1, keyring={}, rows={}, sha256="", bytes=0,
        verified_at=NOW if verified else None,
    )  # fmt: skip
    return Backup(Path(f"crosswalk-202603{day:02}T000000Z"), manifest)


def gone(backups: list[Backup], keep: int, *, verified_only: bool = True) -> list[int]:
    return [int(one.name[16:18]) for one in superseded(backups, keep, verified_only=verified_only)]


def test_the_newest_stay() -> None:
    assert gone([backup(day) for day in (3, 1, 4, 2)], 2) == [1, 2]


def test_nothing_goes_before_there_are_enough() -> None:
    assert gone([backup(1), backup(2)], 3) == []


def test_what_was_not_verified_does_not_count_and_goes_with_its_time() -> None:
    backups = [backup(1), backup(2), backup(3, verified=False), backup(4), backup(5, verified=False)]
    assert gone(backups, 2) == [1]
    assert gone(backups, 1) == [1, 2, 3]


@pytest.mark.parametrize("keep", [1, 3])
def test_backups_that_nobody_verified_push_none_out(keep: int) -> None:
    assert gone([backup(1), *(backup(day, verified=False) for day in range(2, 9))], keep) == []


def test_all_count_where_the_site_does_not_verify() -> None:
    assert gone([backup(day, verified=False) for day in (1, 2, 3)], 2, verified_only=False) == [1]
