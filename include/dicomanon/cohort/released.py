"""The objects of a release, by its manifest, as the research PACS gives them."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet

from dicomanon.cohort.release_files import TOMBSTONE
from dicomanon.errors import Fatal, Held, Retriable

_COLUMNS: Final = ("pseudonym", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "Modality")
_DIGEST: Final = "output_digest"
_ROWS_AT_ONCE: Final = 10_000

Retrieve = Callable[[str, str, str], Iterator[bytes]]
"""Yields the PS3.10 file of an instance by UIDs of study, series and instance."""


@dataclass(frozen=True, slots=True)
class Released:
    """An object of a release.

    Attributes
    ----------
    digest
        SHA-256 (hexadecimal) of what was stored; ``None`` where the project gets other bytes, which it is not told.
    """

    pseudonym: str
    study_uid: str
    series_uid: str
    sop_uid: str
    digest: str | None
    modality: str


def require_current(release: Path) -> None:
    """Refuse the folder of a release that has ended.

    Raises
    ------
    Fatal
    """
    if (release / TOMBSTONE).exists():
        raise Fatal(f"the release has ended: see its {TOMBSTONE}, which tells what replaces it")


def objects_of(release: Path) -> Iterator[Released]:
    """Yield what is in a release, by ascending pseudonyms and UIDs, whatever order its manifest has.

    Raises
    ------
    Fatal
        It has no manifest that can be read.
    """
    try:
        path = release / "manifest.parquet"
        has_digests = _DIGEST in pyarrow.parquet.read_schema(path).names
        table = pyarrow.parquet.read_table(path, columns=[*_COLUMNS, _DIGEST] if has_digests else list(_COLUMNS))
    except (OSError, pa.ArrowException) as error:
        raise Fatal(f"the manifest of the release cannot be read: {type(error).__name__}") from None
    for batch in table.sort_by([(name, "ascending") for name in _COLUMNS]).to_batches(max_chunksize=_ROWS_AT_ONCE):
        rows = zip(*(batch[name].to_pylist() for name in _COLUMNS), strict=True)
        digests = batch[_DIGEST].to_pylist() if has_digests else repeat(None)
        for (pseudonym, study, series, sop, modality), digest in zip(rows, digests, strict=False):
            yield Released(pseudonym, study, series, sop, digest, modality)


def read_object(retrieve: Retrieve, one: Released) -> bytes:
    """Return an object as it was stored, or as its project sees it.

    Raises
    ------
    Retriable
        The PACS cannot answer now, or has it no more.
    Fatal
        The PACS gives other bytes.
    """
    try:
        found = list(retrieve(one.study_uid, one.series_uid, one.sop_uid))
    except Held:
        found = []
    if len(found) != 1:
        raise Retriable(f"the research PACS does not give {one.sop_uid}: if it was removed, the release has ended")
    if one.digest is not None and hashlib.sha256(found[0]).hexdigest() != one.digest:
        raise Fatal(f"the research PACS gives other bytes of {one.sop_uid} than were stored")
    return found[0]
