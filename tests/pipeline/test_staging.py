"""The folder between pull and store: what is in it, and under which name."""

from pathlib import Path

import pytest

from dicomanon.pipeline.staging import Staging, staged_batches
from dicomanon.values import BatchId, ResearchUid

UID = ResearchUid("2.25.1")


@pytest.fixture
def staging(tmp_path: Path) -> Staging:
    return Staging(tmp_path / "staging", BatchId(7))


def test_a_written_object_is_not_there_until_it_is_published(staging: Staging) -> None:
    staging.write(UID, [b"data"])
    assert not staging.holds(UID)
    staging.publish(UID)
    assert staging.holds(UID)
    assert staging.path(UID).read_bytes() == b"data"


def test_publishing_again_replaces_the_object_at_once(staging: Staging) -> None:
    for data in (b"old", b"new"):
        staging.write(UID, [data])
        staging.publish(UID)
    assert staging.path(UID).read_bytes() == b"new"
    assert [path.name for path in staging.folder.iterdir()] == ["2.25.1.dcm"]


def test_nothing_is_published_that_was_not_written(staging: Staging) -> None:
    staging.write(ResearchUid("2.25.2"), [b"data"])
    with pytest.raises(FileNotFoundError):
        staging.publish(UID)


def test_only_its_owner_may_look_into_a_batch(staging: Staging) -> None:
    staging.write(UID, [b"data"])
    assert staging.folder.stat().st_mode & 0o077 == 0


def test_removing_and_clearing_may_be_repeated(staging: Staging) -> None:
    staging.write(UID, [b"data"])
    staging.publish(UID)
    for _ in range(2):
        staging.remove(UID)
        assert not staging.holds(UID)
    for _ in range(2):
        staging.clear()
        assert not staging.folder.exists()


def test_batches_with_a_folder_are_found_and_nothing_else(tmp_path: Path) -> None:
    assert staged_batches(tmp_path / "absent") == []
    for name in ("batch-3", "batch-12", "batch-x", "lost+found", "batch-4.old"):
        (tmp_path / name).mkdir()
    assert sorted(staged_batches(tmp_path)) == [3, 12]
