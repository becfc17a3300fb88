"""The manifest of a release as a table, and what is counted of it: research values only; pure."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Final

import pyarrow as pa
import pyarrow.parquet

from dicomanon.cohort.fields import Columns, Field, fields, manifest_fields
from dicomanon.cohort.parameters import SortBy
from dicomanon.crosswalk.rows import CohortInstance
from dicomanon.errors import Fatal

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


def manifest_table(
    instances: Iterable[CohortInstance],
    *,
    columns: Columns = MappingProxyType({}),
    sort_by: SortBy = "patient",
    not_told: Container[str] = (),
) -> pa.Table:
    """Return the manifest in the order asked for, whatever the order that the rows come in: one row an instance.

    Parameters
    ----------
    columns
        What the request brings, beside the columns of every manifest (:mod:`dicomanon.cohort.fields`).
    not_told
        Columns of every manifest that this one does not have.
    """
    shown = manifest_fields(columns, not_told)
    schema = pa.schema([one.arrow for one in shown])
    batches = [_batch(rows, shown, columns, schema) for rows in _some_at_once(instances)]
    return pa.Table.from_batches(batches, schema).sort_by(ORDERS[sort_by]).combine_chunks()


def kept_columns(folder: Path) -> Columns:
    """Return what a request brought to the manifest in a folder; nothing if there is none.

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
    studies = table["StudyInstanceUID"].to_pylist()
    brought = {one.name for one in fields() if one.source == "request"}
    return {
        name: dict(zip(studies, table[name].to_pylist(), strict=True)) for name in table.schema.names if name in brought
    }


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


def _some_at_once(instances: Iterable[CohortInstance]) -> Iterator[list[CohortInstance]]:
    remaining = iter(instances)
    while rows := list(islice(remaining, _ROWS_AT_ONCE)):
        yield rows


def _batch(
    instances: Sequence[CohortInstance], shown: Sequence[Field], columns: Columns, schema: pa.Schema
) -> pa.RecordBatch:
    arrays = [pa.array(map(one.reader(columns), instances), one.arrow.type) for one in shown]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


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
