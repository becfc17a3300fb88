"""``dicomanon release``, as people type it."""

import json
import os
import pwd
import subprocess
from pathlib import Path

import pytest
from tests.cohort.conftest import declare
from tests.command import dicomanon
from tests.promises.removing import Clinic, clinic
from tests.site import Site, judge_by_counts, slices, study

from dicomanon.cohort.extract import CohortRequest, extract
from dicomanon.cohort.parameters import COHORT_DAG_ID
from dicomanon.cohort.sealing import seal_conf
from dicomanon.console import DONE, FATAL, PARTLY
from dicomanon.crosswalk.audit.trail import Wanted
from dicomanon.crosswalk.roles.role import Role
from dicomanon.pipeline import validate
from dicomanon.signing import SigningKey

ME = pwd.getpwuid(os.getuid()).pw_name


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return dicomanon(*arguments)


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
    inside = run("release", "archive", "lung-ai/1", filled.folder(1) / "archive")
    assert inside.returncode == 2
    assert "a release never changes" in " ".join(inside.stderr.split())
    assert not (filled.folder(1) / "archive").exists()
    assert not (tmp_path / "archive").exists()


@pytest.fixture
def folder(site: Site, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A release as ``cohort_extraction`` makes it."""
    monkeypatch.setattr(validate, "run_checkpoint", judge_by_counts)
    site.ingest(*slices(study("released")))
    with site.crosswalk() as crosswalk:
        declare(crosswalk, "lung-ai")
    with site.runtime(Role.COHORT) as runtime:
        conf = {"project": "lung-ai", "body_part": ["CHEST"]}
        sealed = seal_conf(runtime.keyring.request_public_key, COHORT_DAG_ID, conf)
        extract(runtime, CohortRequest(COHORT_DAG_ID, "manual__1", "researcher", sealed))
    return site.folder / "releases" / "lung-ai" / "0001"


def test_a_release_is_verified_by_whoever_has_the_public_key(
    folder: Path, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = tmp_path / "public.pem"
    public.write_text(SigningKey.load(site.folder / "audit_key.pem").public.pem())
    for name in site.environment():
        monkeypatch.delenv(name)
    good = run("release", "verify", folder, "--public-key", public)
    assert good.returncode == DONE, good.stderr
    assert "release lung-ai/0001" in good.stdout
    assert "every file is as it was signed" in good.stdout

    table = folder / "manifest.csv"
    table.chmod(0o640)
    table.write_text(table.read_text().replace("passed", "failed"))
    (folder / "more.csv").write_text("")
    bad = run("release", "verify", folder, "--public-key", public)
    assert bad.returncode == PARTLY
    assert bad.stderr.splitlines() == ["manifest.csv was changed", "more.csv is not part of the release"]
    told = json.loads(run("release", "verify", folder, "--public-key", public, "--json").stdout)
    assert told["misfits"] == bad.stderr.splitlines()
    assert told["attestation"]["counts"]["instances"] == 3

    public.write_text(SigningKey.generate(tmp_path / "other.pem").public.pem())
    other = run("release", "verify", folder, "--public-key", public)
    assert other.returncode == FATAL
    assert "another key signed it" in other.stderr


def test_a_release_is_written_again_by_its_id_and_that_is_in_the_trail(
    folder: Path, site: Site, tmp_path: Path
) -> None:
    release = json.loads((folder / "release.json").read_text())["release"]
    again = tmp_path / "again"
    done = run("release", "write", release, again, "--reason", "the disk was lost")
    assert done.returncode == DONE, done.stderr
    assert {path.name: path.read_bytes() for path in again.iterdir()} == {
        path.name: path.read_bytes() for path in folder.iterdir()
    }
    with site.crosswalk() as crosswalk:
        (entry,) = crosswalk.audit.newest(Wanted(action="release.write"), 2)
    assert (entry.actor, entry.subject, entry.count) == (ME, release, 3)
    assert run("release", "verify", again).returncode == DONE
    taken = run("release", "write", release, again, "--reason", "once more")
    assert taken.returncode == 2
    assert "something of this name" in taken.stderr


def test_an_id_that_is_none_is_said(folder: Path, tmp_path: Path) -> None:
    done = run("release", "write", "00000000-0000-4000-8000-000000000000", tmp_path / "again", "--reason", "why")
    assert done.returncode == FATAL
    assert "no release of this id" in done.stderr
