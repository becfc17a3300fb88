"""Whoever has a release and the public key can tell whether it is whole; nobody else can make one."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cohort.test_manifest import instances

from dicomanon.cohort.attestation import attestation, check_release, salted
from dicomanon.cohort.manifest import manifest_table
from dicomanon.cohort.release_files import write_release
from dicomanon.errors import Fatal
from dicomanon.signing import SigningKey
from dicomanon.statements import sign_statement, statement


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return SigningKey.generate(tmp_path / "key.pem")


@pytest.fixture
def folder(tmp_path: Path, key: SigningKey) -> Path:
    """A release; its files may be changed here."""
    made = tmp_path / "releases" / "lung" / "0001"
    write_release(
        tmp_path / "releases",
        made,
        manifest_table(instances()),
        group_by="study",
        facts={"number": 1},
        attest=lambda files: attestation(key, files, {"project": "lung"}),
    )
    for path in made.iterdir():
        path.chmod(0o640)
    return made


def test_a_release_as_it_was_written_fits(folder: Path, key: SigningKey) -> None:
    checked = check_release(folder, key.public)
    assert (checked.misfits, checked.has_ended, checked.predicate) == ((), False, {"project": "lung"})
    signed = {path.name for path in folder.iterdir()} - {"attestation.json"}
    assert {"release.json", "manifest.parquet", "manifest.csv", "data_dictionary.csv"} <= signed


def _append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b" ")


def _link(path: Path) -> None:
    moved = path.rename(path.parents[2] / "elsewhere.csv")
    path.symlink_to(moved)


@pytest.mark.parametrize(
    ("change", "misfit"),
    [
        (lambda folder: _append(folder / "manifest.csv"), "manifest.csv was changed"),
        (lambda folder: _append(folder / "release.json"), "release.json was changed"),
        (lambda folder: (folder / "studies.csv").unlink(), "studies.csv is missing"),
        (lambda folder: _link(folder / "studies.csv"), "studies.csv is no file"),
        (lambda folder: (folder / "notes.txt").write_text("mine"), "notes.txt is not part of the release"),
        (lambda folder: (folder / "images").mkdir(), "images is not part of the release"),
    ],
)
def test_whatever_does_not_fit_is_named(
    folder: Path, key: SigningKey, change: Callable[[Path], object], misfit: str
) -> None:
    change(folder)
    assert check_release(folder, key.public).misfits == (misfit,)


def test_a_tombstone_is_no_misfit_but_an_end(folder: Path, key: SigningKey) -> None:
    (folder / "TOMBSTONE.json").write_text("{}")
    checked = check_release(folder, key.public)
    assert (checked.misfits, checked.has_ended) == ((), True)


def test_what_another_key_signed_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="another key signed it"):
        check_release(folder, SigningKey.generate(tmp_path / "other.pem").public)


def test_a_changed_statement_is_refused(folder: Path, key: SigningKey) -> None:
    file = folder / "attestation.json"
    envelope = json.loads(file.read_text())
    file.write_text(json.dumps(envelope | {"payload": "e30="}))
    with pytest.raises(Fatal, match="does not fit"):
        check_release(folder, key.public)


@pytest.mark.parametrize("content", ["[]", "{}", "no JSON"])
def test_what_is_no_envelope_is_refused(folder: Path, key: SigningKey, content: str) -> None:
    (folder / "attestation.json").write_text(content)
    with pytest.raises(Fatal, match="not a signed statement"):
        check_release(folder, key.public)


def test_a_folder_without_an_attestation_is_refused(folder: Path, key: SigningKey) -> None:
    (folder / "attestation.json").unlink()
    with pytest.raises(Fatal, match="it is no release"):
        check_release(folder, key.public)


def test_a_certificate_of_something_else_is_refused(folder: Path, key: SigningKey) -> None:
    other = sign_statement(key, statement([("a", "0")], "urn:dicomanon:removal-certificate:1", {}))
    (folder / "attestation.json").write_text(json.dumps(other))
    with pytest.raises(Fatal, match="not about a release"):
        check_release(folder, key.public)


def test_inputs_are_told_by_salted_digests_in_no_order() -> None:
    digests = [hashlib.sha256(bytes([number])).digest() for number in range(5)]
    told = salted(digests, b"salt")
    assert told == salted(reversed(digests), b"salt")
    assert told != salted(digests, b"other")
    assert len(told.split()) == 5
    assert all(digest.hex() not in told for digest in digests)
