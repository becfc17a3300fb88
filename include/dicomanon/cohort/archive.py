"""Writes the objects of a release as ZIP files, one a study, to carry to where no DICOMweb client goes.

Made of the release folder and the research PACS alone. A file has its name only when it is whole, so that whatever
breaks the work off, the next try goes on with the study that was being written. The same release gives the same bytes.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Final
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import pyarrow as pa
import pyarrow.parquet

from dicomanon.at_once import at_once
from dicomanon.cohort.tombstone import TOMBSTONE
from dicomanon.errors import Fatal, Held, Retriable

CHECKSUMS: Final = "SHA256SUMS"
_UNFINISHED: Final = ".unfinished"
_COLUMNS: Final = ("pseudonym", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "output_digest")
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The first moment that a ZIP file can name: when an object was written down is no business of who reads it."""

Retrieve = Callable[[str, str, str], Iterator[bytes]]
"""Yields the PS3.10 file of an instance by research UIDs of study, series and instance."""


@dataclass(frozen=True, slots=True)
class Released:
    """An object of a release, and the SHA-256 (hexadecimal) of what was stored."""

    pseudonym: str
    study_uid: str
    series_uid: str
    sop_uid: str
    digest: str

    @property
    def study_file(self) -> Path:
        """Return the ZIP file of its study, below the archive's folder."""
        return Path(self.pseudonym, f"{self.study_uid}.zip")


@dataclass(frozen=True, slots=True)
class ArchiveCounts:
    """How much an archive holds, and how many of its studies were there before."""

    studies: int
    instances: int
    bytes: int
    kept_studies: int


def write_archive(release: Path, target: Path, retrieve: Retrieve, *, threads: int) -> ArchiveCounts:
    """Write what is missing of a release's archive, and check what is there.

    Parameters
    ----------
    release
        The release's folder, with its manifest.
    target
        The archive's folder: ``<pseudonym>/<Study Instance UID>.zip`` with ``<series>/<instance>.dcm`` in each, and
        ``SHA256SUMS`` as the command of that name reads it, written last.
    retrieve
        Reads an object from the research PACS.
    threads
        How many objects are read at once; three times as many are in memory at most.

    Raises
    ------
    Fatal
        The release has ended or cannot be read; the folder cannot be written to; the PACS gives other bytes than were
        stored, or a file in the archive is not what it was when it was written.
    Retriable
        The PACS cannot answer now, or has an object no more that it had.
    """
    if (release / TOMBSTONE).exists():
        raise Fatal("the release has ended: see its TOMBSTONE.json, which tells what replaces it")
    written: dict[Path, str] = {}
    size = instances = kept = 0
    try:
        target.mkdir(parents=True, exist_ok=True, mode=0o750)
        known = _known(target)
        for path, of_study in groupby(_objects(release), key=lambda one: one.study_file):
            objects = list(of_study)
            file = target / path
            is_there = file.exists()
            if not is_there:
                _write_study(file, objects, retrieve, threads)
            written[path] = _digest(file)
            if is_there and written[path] != known.get(path, written[path]):
                raise Fatal(f"{path} is not what it was when it was written: remove it, and run this again")
            instances, size, kept = instances + len(objects), size + file.stat().st_size, kept + is_there
        _write_checksums(target, written)
    except OSError as error:
        raise Fatal(f"the archive cannot be written: {error.strerror or type(error).__name__}") from None
    return ArchiveCounts(len(written), instances, size, kept)


def _objects(release: Path) -> Iterator[Released]:
    """Yield what is in a release, by ascending pseudonyms and UIDs, whatever order its manifest has."""
    try:
        table = pyarrow.parquet.read_table(release / "manifest.parquet", columns=list(_COLUMNS))
    except (OSError, pa.ArrowException) as error:
        raise Fatal(f"the manifest of the release cannot be read: {type(error).__name__}") from None
    for batch in table.sort_by([(name, "ascending") for name in _COLUMNS]).to_batches(max_chunksize=10_000):
        for row in zip(*(batch[name].to_pylist() for name in _COLUMNS), strict=True):
            yield Released(*row)


def _write_study(file: Path, objects: list[Released], retrieve: Retrieve, threads: int) -> None:
    file.parent.mkdir(exist_ok=True, mode=0o750)
    unfinished = file.with_suffix(_UNFINISHED)
    with ZipFile(unfinished, "w", ZIP_STORED) as archive:
        for one, data in zip(objects, at_once(threads, partial(_read, retrieve), objects), strict=True):
            # The archive gives a member its place in ZIP64 by itself where it needs one.
            archive.writestr(ZipInfo(f"{one.series_uid}/{one.sop_uid}.dcm", _EPOCH), data)
    with unfinished.open("rb+") as whole:
        os.fsync(whole.fileno())
    unfinished.chmod(0o440)
    unfinished.rename(file)


def _read(retrieve: Retrieve, one: Released) -> bytes:
    try:
        found = list(retrieve(one.study_uid, one.series_uid, one.sop_uid))
    except Held:
        found = []
    if len(found) != 1:
        raise Retriable(f"the research PACS does not give {one.sop_uid}: if it was removed, the release has ended")
    if hashlib.sha256(found[0]).hexdigest() != one.digest:
        raise Fatal(f"the research PACS gives other bytes of {one.sop_uid} than were stored")
    return found[0]


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _known(target: Path) -> dict[Path, str]:
    """Return what an archive that was whole once says of its files."""
    try:
        lines = (target / CHECKSUMS).read_text("ascii").splitlines()
    except FileNotFoundError:
        return {}
    return {Path(path): digest for digest, _, path in (line.partition("  ") for line in lines)}


def _write_checksums(target: Path, digests: Mapping[Path, str]) -> None:
    unfinished = target / (CHECKSUMS + _UNFINISHED)
    unfinished.write_text("".join(f"{digest}  {path}\n" for path, digest in sorted(digests.items())), "ascii")
    unfinished.chmod(0o440)
    unfinished.rename(target / CHECKSUMS)
