"""Writes the objects of a release as ZIP files, one a study, to carry to where no DICOMweb client goes.

Made of the release folder and the research PACS alone. A file has its name only when it is whole, so that whatever
breaks the work off, the next try goes on with the study that was being written. The same release gives the same bytes.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Final
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from dicomanon.at_once import at_once
from dicomanon.cohort.release_files import sha256_of
from dicomanon.cohort.released import Released, Retrieve, objects_of, read_object, require_current
from dicomanon.errors import Fatal

CHECKSUMS: Final = "SHA256SUMS"
_UNFINISHED: Final = ".unfinished"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The first moment that a ZIP file can name: when an object was written down is no business of who reads it."""


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
    written: dict[Path, str] = {}
    size = instances = kept = 0
    try:
        require_current(release)
        target.mkdir(parents=True, exist_ok=True, mode=0o750)
        known = _known(target)
        for path, of_study in groupby(objects_of(release), key=_file):
            objects = list(of_study)
            file = target / path
            is_there = file.exists()
            if not is_there:
                _write_study(file, objects, retrieve, threads)
            written[path] = sha256_of(file)
            if is_there and written[path] != known.get(path, written[path]):
                raise Fatal(f"{path} is not what it was when it was written: remove it, and run this again")
            instances, size, kept = instances + len(objects), size + file.stat().st_size, kept + is_there
        _write_checksums(target, written)
    except OSError as error:
        raise Fatal(f"the archive cannot be written: {error.strerror or type(error).__name__}") from None
    return ArchiveCounts(len(written), instances, size, kept)


def _file(one: Released) -> Path:
    return Path(one.pseudonym, f"{one.study_uid}.zip")


def _write_study(file: Path, objects: list[Released], retrieve: Retrieve, threads: int) -> None:
    file.parent.mkdir(exist_ok=True, mode=0o750)
    unfinished = file.with_suffix(_UNFINISHED)
    unfinished.unlink(missing_ok=True)  # it may be read-only already
    with ZipFile(unfinished, "w", ZIP_STORED) as archive:
        for one, data in zip(objects, at_once(threads, partial(read_object, retrieve), objects), strict=True):
            # The archive gives a member its place in ZIP64 by itself where it needs one.
            archive.writestr(ZipInfo(f"{one.series_uid}/{one.sop_uid}.dcm", _EPOCH), data)
    with unfinished.open("rb+") as whole:
        os.fsync(whole.fileno())
    unfinished.chmod(0o440)
    unfinished.rename(file)


def _known(target: Path) -> dict[Path, str]:
    """Return what an archive that was whole once says of its files."""
    try:
        lines = (target / CHECKSUMS).read_text("ascii").splitlines()
    except FileNotFoundError:
        return {}
    return {Path(path): digest for digest, _, path in (line.partition("  ") for line in lines)}


def _write_checksums(target: Path, digests: Mapping[Path, str]) -> None:
    unfinished = target / (CHECKSUMS + _UNFINISHED)
    unfinished.unlink(missing_ok=True)
    unfinished.write_text("".join(f"{digest}  {path}\n" for path, digest in sorted(digests.items())), "ascii")
    unfinished.chmod(0o440)
    unfinished.rename(target / CHECKSUMS)
