"""A crosswalk with something in it, a key, and a place for backups."""

from pathlib import Path

import pytest
from tests.crosswalk.scenario import DOE, ROE, Run, discover, sightings

from dicomanon.backup.key import BackupKey
from dicomanon.crosswalk.database import Crosswalk


@pytest.fixture
def key(tmp_path: Path) -> BackupKey:
    return BackupKey.generate(tmp_path / "backup.key")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture
def filled(crosswalk: Crosswalk) -> Crosswalk:
    """Two patients: one with everything stored, one de-identified."""
    discover(crosswalk, "1.2.3", sightings("1.2.3", 3))
    Run(crosswalk).complete(DOE)
    discover(crosswalk, "1.2.4", sightings("1.2.4", 2))
    Run(crosswalk).record(ROE)
    return crosswalk
