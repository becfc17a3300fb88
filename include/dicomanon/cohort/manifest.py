"""Writes the manifest of a release: research identifiers only, the same bytes for the same cohort."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from uuid import uuid4

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from dicomanon.cohort.parameters import GroupBy, SortBy
from dicomanon.crosswalk.rows import CohortInstance
from dicomanon.errors import Fatal

SCHEMA: Final = pa.schema(
    [
        pa.field("pseudonym", pa.string(), nullable=False),
        pa.field("StudyInstanceUID", pa.string(), nullable=False),
        pa.field("SeriesInstanceUID", pa.string(), nullable=False),
        pa.field("SOPInstanceUID", pa.string(), nullable=False),
        pa.field("Modality", pa.string(), nullable=False),
        pa.field("SOPClassUID", pa.string(), nullable=False),
        pa.field("output_digest", pa.string(), nullable=False),
        pa.field("patient", pa.string(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
    ]
)
"""One row for each instance: the research identifiers, SHA-256 (hexadecimal) and length of the de-identified object.

``pseudonym`` is the one in the object, ``patient`` the one that the person is known by: they differ for objects made
before two patients were found to be one. Whoever splits a cohort by patient goes by ``patient``. There are further
columns where they were asked for: ``split`` (train, validation, test) and ``group`` (case, control).
"""

ORDER: Final = [
    (name, "ascending") for name in ("pseudonym", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
]
ORDERS: Final[Mapping[SortBy, list[tuple[str, str]]]] = MappingProxyType(
    {"patient": ORDER, "modality": [("Modality", "ascending"), *ORDER], "size": [("bytes", "descending"), *ORDER]}
)
"""None of them tells anything of real dates or identifiers."""

_ROWS_AT_ONCE: Final = 50_000


@dataclass(frozen=True, slots=True)
class ManifestCounts:
    """How much a manifest holds."""

    patients: int
    studies: int
    series: int
    instances: int
    bytes: int


Columns = Mapping[str, Callable[[CohortInstance], str]]
"""Further columns of a manifest, by what they say of an instance."""


def manifest_table(
    instances: Iterable[CohortInstance], *, columns: Columns = MappingProxyType({}), sort_by: SortBy = "patient"
) -> pa.Table:
    """Return the manifest in the order asked for, whatever the order that the rows come in."""
    schema = _schema(columns)
    batches: list[pa.RecordBatch] = []
    rows: list[tuple[Any, ...]] = []
    for instance in instances:
        rows.append(_row(instance) + tuple(tell(instance) for tell in columns.values()))
        if len(rows) == _ROWS_AT_ONCE:
            batches.append(_batch(rows, schema))
            rows = []
    if rows:
        batches.append(_batch(rows, schema))
    return pa.Table.from_batches(batches, schema).sort_by(ORDERS[sort_by]).combine_chunks()


def kept_columns(folder: Path) -> Columns:
    """Return what the manifest in a folder says beside the columns of every manifest; nothing if there is none.

    Raises
    ------
    Fatal
        It cannot be read.
    """
    path = folder / "manifest.parquet"
    if not path.exists():
        return {}
    try:
        table = pyarrow.parquet.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise Fatal(f"the manifest of a release cannot be read: {type(error).__name__}") from None
    uids = table["SOPInstanceUID"].to_pylist()
    return {
        name: partial(_looked_up, dict(zip(uids, table[name].to_pylist(), strict=True)))
        for name in table.schema.names
        if name not in SCHEMA.names
    }


def _looked_up(told: Mapping[str, str], instance: CohortInstance) -> str:
    return told.get(instance.research_sop_uid, "")


def _schema(columns: Columns) -> pa.Schema:
    return pa.schema([*SCHEMA, *(pa.field(name, pa.string(), nullable=False) for name in columns)])


def counts(table: pa.Table) -> ManifestCounts:
    """Count what a manifest holds."""
    return ManifestCounts(
        patients=len(table["patient"].unique()),
        studies=len(table["StudyInstanceUID"].unique()),
        series=len(table["SeriesInstanceUID"].unique()),
        instances=table.num_rows,
        bytes=sum(table["bytes"].to_pylist()),
    )


def by_study(table: pa.Table) -> pa.Table:
    """Return one row for each study: pseudonym, research UID, modalities, series, instances, bytes."""
    return _grouped(table, ["pseudonym", "StudyInstanceUID"], ["SeriesInstanceUID"])


def by_series(table: pa.Table) -> pa.Table:
    """Return one row for each series: pseudonym, research UIDs, modality, instances, bytes."""
    return _grouped(table, ["pseudonym", "StudyInstanceUID", "SeriesInstanceUID"], [])


def by_patient(table: pa.Table) -> pa.Table:
    """Return one row for each person: surviving pseudonym, modalities, studies, series, instances, bytes."""
    return _grouped(table, ["patient"], ["StudyInstanceUID", "SeriesInstanceUID"])


def write_manifest(folder: Path, table: pa.Table, *, group_by: GroupBy, facts: Mapping[str, Any]) -> None:
    """Write ``manifest.parquet``, ``manifest.csv``, the tables by patient, study or series, and ``release.json``.

    Parameters
    ----------
    folder
        An empty folder; its files become read-only, since a release never changes.
    facts
        What ``release.json`` says beside the counts and the digests of the other files.
    """
    pyarrow.parquet.write_table(table, folder / "manifest.parquet", compression="zstd")
    _write_csv(table, folder / "manifest.csv")
    _write_csv(by_study(table), folder / "studies.csv")
    if group_by == "patient":
        _write_csv(by_patient(table), folder / "patients.csv")
    if group_by == "series":
        _write_csv(by_series(table), folder / "series.csv")
    files = {path.name: _file_facts(path) for path in sorted(folder.iterdir())}
    held = counts(table)
    document = {
        **facts,
        "group_by": group_by,
        "patients": held.patients,
        "studies": held.studies,
        "series": held.series,
        "instances": held.instances,
        "bytes": held.bytes,
        "modalities": sorted(set(table["Modality"].to_pylist())),
        "files": files,
    }
    (folder / "release.json").write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    for path in folder.iterdir():
        path.chmod(0o440)
        with path.open("rb") as written:
            os.fsync(written.fileno())


def write_release(
    release_dir: Path, target: Path, table: pa.Table, *, group_by: GroupBy, facts: Mapping[str, Any]
) -> None:
    """Write a release into a folder that is complete from the moment that it exists.

    Raises
    ------
    Fatal
        It cannot be written.
    """
    incoming = release_dir / f".incoming-{uuid4().hex}"
    try:
        incoming.mkdir(parents=True, mode=0o750)
        write_manifest(incoming, table, group_by=group_by, facts=facts)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        incoming.rename(target)
    except OSError as error:
        shutil.rmtree(incoming, ignore_errors=True)
        raise Fatal(f"the release could not be written to the release folder: {type(error).__name__}") from None


def _row(instance: CohortInstance) -> tuple[Any, ...]:
    return (
        instance.pseudonym,
        instance.research_study_uid,
        instance.research_series_uid,
        instance.research_sop_uid,
        instance.modality,
        instance.sop_class_uid,
        instance.output_digest.hex(),
        instance.patient,
        instance.output_bytes,
    )


def _batch(rows: list[tuple[Any, ...]], schema: pa.Schema) -> pa.RecordBatch:
    columns = zip(*rows, strict=True)
    return pa.RecordBatch.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
    )


def _grouped(table: pa.Table, keys: list[str], distinct: list[str]) -> pa.Table:
    names = {"StudyInstanceUID": "studies", "SeriesInstanceUID": "series"}
    grouped = table.group_by(keys).aggregate(
        [("Modality", "distinct"), *((column, "count_distinct") for column in distinct),
         ("SOPInstanceUID", "count"), ("bytes", "sum")]
    )  # fmt: skip
    columns = {key: grouped[key] for key in keys}
    columns["modalities"] = pa.array(
        ["\\".join(sorted(set(values))) for values in grouped["Modality_distinct"].to_pylist()], pa.string()
    )
    columns |= {names[column]: grouped[f"{column}_count_distinct"] for column in distinct}
    columns |= {"instances": grouped["SOPInstanceUID_count"], "bytes": grouped["bytes_sum"]}
    return pa.table(columns).sort_by([(key, "ascending") for key in keys])


def _write_csv(table: pa.Table, path: Path) -> None:
    pyarrow.csv.write_csv(table, path)


def _file_facts(path: Path) -> dict[str, Any]:
    with path.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return {"sha256": digest, "bytes": path.stat().st_size}
