"""The key file: standard, private, never overwritten."""

from pathlib import Path

import pytest

from dicomanon.backup.key import BackupKey
from dicomanon.errors import Fatal


def test_what_was_generated_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "key"
    made = BackupKey.generate(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert str(BackupKey.load(path).identity) == str(made.identity)


def test_it_is_a_key_file_of_age(tmp_path: Path) -> None:
    made = BackupKey.generate(tmp_path / "key")
    comment, secret = (tmp_path / "key").read_text().splitlines()
    assert comment == f"# public key: {made.identity.to_public()}"
    assert secret.startswith("AGE-SECRET-KEY-1")


def test_never_overwritten(tmp_path: Path) -> None:
    BackupKey.generate(tmp_path / "key")
    with pytest.raises(Fatal, match="never overwritten"):
        BackupKey.generate(tmp_path / "key")


@pytest.mark.parametrize("content", ["", "AGE-SECRET-KEY-1NONSENSE\n", "no key\n"])
def test_what_is_no_key_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "key"
    path.touch(mode=0o600)
    path.write_text(content)
    with pytest.raises(Fatal):
        BackupKey.load(path)


def test_open_to_others_is_refused(tmp_path: Path) -> None:
    BackupKey.generate(tmp_path / "key")
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(Fatal, match="open to others"):
        BackupKey.load(tmp_path / "key")


def test_it_does_not_print(tmp_path: Path) -> None:
    assert "SECRET" not in repr(BackupKey.generate(tmp_path / "key"))
