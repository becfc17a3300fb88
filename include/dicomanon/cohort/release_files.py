"""Writes the files of a release into a folder that is complete from the moment that it exists, and never changes."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Protocol
from uuid import uuid4

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from dicomanon.cohort.fields import data_dictionary
from dicomanon.cohort.manifest import by_patient, by_series, by_study, counts
from dicomanon.cohort.parameters import GroupBy
from dicomanon.errors import Fatal

ATTESTATION: Final = "attestation.json"
RELEASE: Final = "release.json"
TOMBSTONE: Final = "TOMBSTONE.json"
"""Put beside them when a removal has ended the release."""

Attest = Callable[[Mapping[str, str]], str]
"""Returns a signed statement about files, each by its SHA-256 in hexadecimal."""


class Numbered(Protocol):
    """A release, as far as its folder is named by it."""

    @property
    def project(self) -> str:
        """Whose it is."""
        ...

    @property
    def number(self) -> int:
        """Which of the project's it is, from 1."""
        ...


def release_folder(release_dir: Path, release: Numbered) -> Path:
    """Return where a release is."""
    return release_dir / release.project / f"{release.number:04d}"


def write_release(
    release_dir: Path,
    target: Path,
    table: pa.Table,
    *,
    group_by: GroupBy,
    facts: Mapping[str, Any],
    beside: Mapping[str, str] = MappingProxyType({}),
    attest: Attest | None = None,
) -> None:
    """Write a release.

    Parameters
    ----------
    release_dir
        Where an unfinished folder may be, on the file system of ``target``.
    facts, beside, attest
        As :func:`write_manifest` takes them.

    Raises
    ------
    Fatal
        It cannot be written.
    """
    incoming = release_dir / f".incoming-{uuid4().hex}"
    try:
        incoming.mkdir(parents=True, mode=0o750)
        write_manifest(incoming, table, group_by=group_by, facts=facts, beside=beside, attest=attest)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        incoming.rename(target)
    except OSError as error:
        shutil.rmtree(incoming, ignore_errors=True)
        raise Fatal(f"the release could not be written to the release folder: {type(error).__name__}") from None


def write_manifest(
    folder: Path,
    table: pa.Table,
    *,
    group_by: GroupBy,
    facts: Mapping[str, Any],
    beside: Mapping[str, str] = MappingProxyType({}),
    attest: Attest | None = None,
) -> None:
    """Write the manifest as Parquet and CSV, what its columns mean, tables beside it, and ``release.json``.

    Parameters
    ----------
    folder
        An empty folder; its files become read-only, since a release never changes.
    facts
        What ``release.json`` says beside the counts and the digests of the other files.
    beside
        Further files, by name.
    attest
        Signs for all of them, in ``attestation.json``.
    """
    pyarrow.parquet.write_table(table, folder / "manifest.parquet", compression="zstd")
    tables = {"manifest.csv": table, "studies.csv": by_study(table), "delivered.csv": by_series(table)}
    if group_by == "patient":
        tables["patients.csv"] = by_patient(table)
    if group_by == "series":
        tables["series.csv"] = by_series(table)
    for name, one in tables.items():
        pyarrow.csv.write_csv(one, folder / name)
    for name, text in ({"data_dictionary.csv": data_dictionary(table.schema.names)} | dict(beside)).items():
        (folder / name).write_text(text, encoding="utf-8")
    digests = {path.name: sha256_of(path) for path in sorted(folder.iterdir())}
    document = {
        **facts,
        "group_by": group_by,
        **asdict(counts(table)),
        "modalities": sorted(table["Modality"].unique().to_pylist()),
        "instances_without_facts": table["LongitudinalTemporalInformationModified"].null_count,
        "files": {
            name: {"sha256": digest, "bytes": (folder / name).stat().st_size} for name, digest in digests.items()
        },
    }
    (folder / RELEASE).write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    if attest is not None:
        signed = attest(digests | {RELEASE: sha256_of(folder / RELEASE)})
        (folder / ATTESTATION).write_text(signed, encoding="ascii")
    for path in folder.iterdir():
        path.chmod(0o440)
        with path.open("rb") as written:
            os.fsync(written.fileno())


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
