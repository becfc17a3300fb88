"""``dicomanon release``, as people type it."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.promises.removing import Clinic, clinic
from tests.site import Site, judge_by_counts

from dicomanon.console import DONE, FATAL
from dicomanon.pipeline import validate

COMMAND = Path(sys.executable).parent / "dicomanon"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([COMMAND, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stdout + done.stderr
    return done


@pytest.fixture
def filled(site: Site, monkeypatch: pytest.MonkeyPatch) -> Clinic:
    monkeypatch.setattr(validate, "run_checkpoint", judge_by_counts)
    return clinic(site)


def test_a_release_is_archived_and_who_did_is_in_the_trail(filled: Clinic, tmp_path: Path) -> None:
    target = tmp_path / "archive"
    done = run("release", "archive", "lung-ai/1", target)
    assert done.returncode == DONE, done.stderr
    assert "2 studies with 5 objects" in done.stdout
    assert len(list(target.glob("*/*.zip"))) == 2
    assert "2 were there before" in run("release", "archive", "lung-ai/0001", target).stdout
    entries = filled.site.rows("SELECT count FROM crosswalk.access_event WHERE action = 'release.archive'")
    assert entries == [(5,), (5,)]


def test_a_release_is_converted_to_nifti(filled: Clinic, tmp_path: Path) -> None:
    done = run("release", "nifti", "lung-ai/1", tmp_path / "nifti")
    assert done.returncode == DONE, done.stderr
    assert "2 of 2 series in 2 images" in done.stdout
    assert len(list((tmp_path / "nifti").glob("*/*/*/image.nii.gz"))) == 2
    entries = filled.site.rows("SELECT count FROM crosswalk.access_event WHERE action = 'release.nifti'")
    assert entries == [(5,)]


def test_what_is_no_release_is_told(filled: Clinic, tmp_path: Path) -> None:
    done = run("release", "archive", "lung-ai/7", tmp_path / "archive")
    assert done.returncode == FATAL
    assert "no such release" in done.stderr
    assert run("release", "archive", "../lung-ai", tmp_path / "archive").returncode == 2
    assert not (tmp_path / "archive").exists()
