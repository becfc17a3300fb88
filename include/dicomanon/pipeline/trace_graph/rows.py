"""Cuts a trace into rows that a picture has room for: instances; else series; else batches; else all of one state."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from dicomanon.crosswalk.trace import Trace, TracedInstance, TracedSeries, TracedStudy, TraceSummary

MOST_ROWS: Final = 40
"""Rows that fit on a screen or a page."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A verdict or a receipt that instances of a row share; without a batch where it is not told by batch."""

    good: bool
    instances: int
    batch_id: int | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """Instances that are drawn as one."""

    name: str
    """Research UID, or what else they are called."""
    kind: str
    """What ``name`` names: instance, series, batch or all."""
    modality: str
    instances: int
    state: str
    reason: str
    batch_id: int | None
    source: str
    """``sealed``, or what else the trace says of it."""
    input_digest: str = ""
    output_digest: str = ""
    input_bytes: int = 0
    output_bytes: int = 0
    made_by: str = ""
    verdicts: tuple[Outcome, ...] = ()
    receipts: tuple[Outcome, ...] = ()
    releases: tuple[UUID, ...] = ()


_Placed = tuple[TracedStudy, TracedSeries, TracedInstance]


def rows_of(trace: Trace) -> list[Row]:
    """Return the rows of the finest grain that fits."""
    if trace.summary is not None:
        return list(_of_summary(trace, trace.summary))
    placed = [
        (study, series, instance) for study in trace.studies for series in study.series for instance in series.instances
    ]
    grains: list[tuple[str, Callable[[_Placed], Hashable]]] = [
        ("instance", lambda one: one[2].instance_id),
        (
            "series",
            lambda one: (one[0].study_id, one[1].research_series_uid, one[2].batch_id, one[2].state, one[2].reason),
        ),
        ("batch", lambda one: (one[2].batch_id, one[2].state, one[2].reason)),
    ]
    for kind, key in grains:
        groups = _grouped(placed, key)
        if len(groups) <= MOST_ROWS:
            return [_row(kind, group) for group in groups]
    return [_row("all", group) for group in _grouped(placed, lambda one: (one[2].state, one[2].reason))][:MOST_ROWS]


def _grouped(placed: list[_Placed], key: Callable[[_Placed], Hashable]) -> list[list[_Placed]]:
    groups: dict[Hashable, list[_Placed]] = {}
    for one in placed:
        groups.setdefault(key(one), []).append(one)
    return list(groups.values())


def _row(kind: str, group: list[_Placed]) -> Row:
    _, series, first = group[0]
    instances = [instance for _, _, instance in group]
    names = {
        "instance": first.research_sop_uid or "",
        "series": series.research_series_uid or "",
        "batch": str(first.batch_id or ""),
    }
    by_batch = kind != "all"
    makers = {f"{one.profile_version}, code {one.code_version}" for one in instances if one.profile_version}
    return Row(
        name=names.get(kind, ""),
        kind=kind,
        modality="/".join(sorted({series.modality for _, series, _ in group if series.modality})),
        instances=len(instances),
        state=first.state,
        reason=first.reason,
        batch_id=first.batch_id if by_batch else None,
        source="/".join(sorted({one.source for one in instances})),
        input_digest=first.input_digest if kind == "instance" else "",
        output_digest=first.output_digest if kind == "instance" else "",
        input_bytes=sum(one.input_bytes for one in instances),
        output_bytes=sum(one.output_bytes for one in instances),
        made_by="; ".join(sorted(makers)),
        verdicts=_outcomes(
            (one.passed, one.batch_id if by_batch else None, one.reason) for each in instances for one in each.verdicts
        ),
        receipts=_outcomes(
            (
                one.accepted and one.confirmed,
                one.batch_id if by_batch else None,
                "" if one.accepted else f"refused, status {one.status}",
            )
            for each in instances
            for one in each.receipts
        ),
        releases=tuple(dict.fromkeys(release for one in instances for release in one.releases)),
    )


def _outcomes(found: Iterator[tuple[bool, int | None, str]]) -> tuple[Outcome, ...]:
    return tuple(Outcome(good, count, batch, detail) for (good, batch, detail), count in Counter(found).items())


def _of_summary(trace: Trace, summary: TraceSummary) -> Iterator[Row]:
    """Yield a row for each series and state, as far as they fit; of the rest one row a state."""
    fine = [(series, state, count) for series in summary.series for state, count in series.states.items()]
    if len(fine) > MOST_ROWS:
        fine = fine[: MOST_ROWS - len(summary.states)]
    rest = Counter(summary.states)
    made_by = "; ".join(summary.made_by)
    source = "/".join(sorted({study.source for study in trace.studies}))
    for series, state, count in fine:
        rest[state] -= count
        yield Row(
            series.research_series_uid or "", "series", series.modality, count, state, "", None, source,
            made_by=made_by,
        )  # fmt: skip
    for state, count in (+rest).items():
        yield Row("", "all", "", count, state, "", None, source, made_by=made_by)


def totals_of(summary: TraceSummary) -> tuple[tuple[Outcome, ...], tuple[Outcome, ...]]:
    """Return verdicts and receipts of all instances together, where they are not told by row."""
    verdicts = tuple(Outcome(name == "passed", count, None) for name, count in summary.verdicts.items())
    receipts = tuple(Outcome(name == "confirmed", count, None) for name, count in summary.receipts.items())
    return verdicts, receipts
