"""Converts the volumes of a release to NIfTI with sidecars of BIDS, by dcm2niix, for programs that read no DICOM.

Each series has a folder of its own, which is there only when it is whole: whatever breaks the work off, the next try
goes on with the series that was being converted. What became of every series is in ``conversion.csv``, written last.
"""

import csv
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import dcm2niix

from dicomanon.at_once import at_once
from dicomanon.cohort.released import Released, Retrieve, objects_of, read_object, require_current
from dicomanon.errors import Fatal

CONVERSION: Final = "conversion.csv"
_VOLUMES: Final = frozenset({"CT", "MR", "PT", "NM"})
"""Modalities (PS3.3 C.7.3.1.1.1) whose series are volumes; of others a NIfTI file would say what nobody measured."""
_HEADINGS: Final = ("pseudonym", "StudyInstanceUID", "SeriesInstanceUID", "Modality", "instances", "images", "outcome")
_LONGEST_SECONDS: Final = 3600
_OPTIONS: Final = ("-b", "y", "-ba", "y", "-z", "y", "-f", "image", "-w", "0", "-v", "0")
"""A sidecar for each image, without what could tell who it is; compressed; nothing overwritten, little said."""


@dataclass(frozen=True, slots=True)
class Converted:
    """What became of a series: a row of ``conversion.csv``."""

    pseudonym: str
    study_uid: str
    series_uid: str
    modality: str
    instances: int
    images: int
    outcome: str


@dataclass(frozen=True, slots=True)
class NiftiCounts:
    """How many series a release has, and how many of them were converted, into how many images."""

    series: int
    converted: int
    images: int
    kept_series: int


def write_nifti(release: Path, target: Path, retrieve: Retrieve, *, threads: int) -> NiftiCounts:
    """Convert what is missing.

    Parameters
    ----------
    release
        The release's folder, with its manifest.
    target
        ``<pseudonym>/<study>/<series>/image*.nii.gz`` with ``.json`` beside each.
    retrieve
        Reads an object from the research PACS.
    threads
        How many objects are read at once.

    Raises
    ------
    Fatal
        The release has ended or cannot be read; the folder cannot be written to; the PACS gives other bytes than were
        stored.
    Retriable
        The PACS cannot answer now, or has an object no more that it had.
    """
    require_current(release)
    told: list[Converted] = []
    kept = 0
    try:
        target.mkdir(parents=True, exist_ok=True, mode=0o750)
        for _, of_series in groupby(objects_of(release), key=lambda one: (one.study_uid, one.series_uid)):
            objects = list(of_series)
            folder = target / objects[0].pseudonym / objects[0].study_uid / objects[0].series_uid
            is_there = folder.exists()
            outcome = "converted" if is_there else _convert(target, folder, objects, retrieve, threads)
            told.append(_told(objects, folder, outcome))
            kept += is_there
        _write_table(target, told)
    except OSError as error:
        raise Fatal(f"the images cannot be written: {error.strerror or type(error).__name__}") from None
    return NiftiCounts(
        len(told), sum(one.outcome == "converted" for one in told), sum(one.images for one in told), kept
    )


def _convert(target: Path, folder: Path, objects: list[Released], retrieve: Retrieve, threads: int) -> str:
    """Return what became of a series: converted, or why not."""
    if objects[0].modality not in _VOLUMES:
        return "no volume"
    with _rooms(target) as (source, result):
        for number, data in enumerate(at_once(threads, partial(read_object, retrieve), objects)):
            (source / f"{number:06d}.dcm").write_bytes(data)
        try:
            done = subprocess.run(
                [dcm2niix.bin, *_OPTIONS, "-o", result, source],
                capture_output=True,
                check=False,
                timeout=_LONGEST_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return "took too long"
        if done.returncode or not list(result.glob("*.nii.gz")):
            return "not convertible"
        for path in result.iterdir():
            path.chmod(0o440)
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        result.rename(folder)
    return "converted"


@contextmanager
def _rooms(target: Path) -> Iterator[tuple[Path, Path]]:
    """Make two folders, on the file system of the result: it is put in its place by its name."""
    with TemporaryDirectory(dir=target, prefix=".converting-", ignore_cleanup_errors=True) as room:
        source, result = Path(room, "source"), Path(room, "result")
        source.mkdir()
        result.mkdir(mode=0o750)
        yield source, result


def _told(objects: list[Released], folder: Path, outcome: str) -> Converted:
    one = objects[0]
    images = len(list(folder.glob("*.nii.gz"))) if folder.exists() else 0
    return Converted(one.pseudonym, one.study_uid, one.series_uid, one.modality, len(objects), images, outcome)


def _write_table(target: Path, told: list[Converted]) -> None:
    unfinished = target / f".{CONVERSION}"
    with unfinished.open("w", newline="", encoding="ascii") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_HEADINGS)
        writer.writerows(astuple(one) for one in told)
    unfinished.replace(target / CONVERSION)
