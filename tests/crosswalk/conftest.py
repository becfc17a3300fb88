"""A keyring file beside the shared fixtures, for tests that work with several processes."""

from pathlib import Path

import pytest

from dicomanon.crosswalk.keyring import Keyring


@pytest.fixture
def keyring_file(tmp_path: Path) -> Path:
    path = tmp_path / "keyring.json"
    Keyring.generate(path)
    return path
