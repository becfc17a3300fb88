"""A trace as an outline that people read; research identifiers, digests and counts only."""

from collections.abc import Iterator

from dicomanon.crosswalk.trace import Trace, TracedBatch, TracedEvent, TracedInstance, TraceSummary
from dicomanon.pipeline.profile_text import publication_line, standing

MOST_INSTANCES = 20
"""Instances that are told in full; for more there is ``--json``."""
MOST_BATCHES = 20
"""Batches that are told with their tasks."""


def outline(trace: Trace) -> Iterator[str]:
    """Yield the lines of the outline, indented by two spaces a level."""
    yield f"{trace.kind} {trace.identifier}"
    yield f"  pseudonym {trace.pseudonym or '-'}"
    for merged in trace.pseudonyms[1:]:
        yield f"    also {merged}, merged"
    if trace.summary is not None:
        yield from _summary(trace.summary)
    else:
        yield from _studies(trace)
    instances = trace.instances()
    for instance in instances[:MOST_INSTANCES]:
        yield from _instance(instance)
    total = trace.summary.instances if trace.summary else len(instances)
    if total > MOST_INSTANCES:
        whole = "--json --full" if trace.summary else "--json"
        yield f"  … and {total - min(len(instances), MOST_INSTANCES)} more instances: {whole} has them all"
    yield from _profiles(trace)
    for event in trace.events:
        yield f"  {_event(event)}"
    for batch in trace.batches[-MOST_BATCHES:]:
        yield from _batch(batch)
    if len(trace.batches) > MOST_BATCHES:
        yield f"  … and {len(trace.batches) - MOST_BATCHES} earlier batches"
    yield from _removals(trace)
    for release in trace.releases:
        when = f"{release.created_at:%Y-%m-%d %H:%M}"
        yield f"  release {release.project}/{release.number:04d} for {release.requester}, {when}"
    for look in trace.looks:
        when = f"{look.recorded_at:%Y-%m-%d %H:%M:%S}"
        yield f"  {look.action} of {look.research_sop_uid or f'instance {look.instance_id}'} by {look.actor}, {when}"


def _studies(trace: Trace) -> Iterator[str]:
    for study in trace.studies:
        yield f"  study {study.research_study_uid or '-'} (source {study.source})"
        if trace.pseudonym and study.pseudonym not in {None, trace.pseudonym}:
            yield f"    bears {study.pseudonym}"
        for series in study.series:
            size = len(series.instances)
            yield f"    series {series.research_series_uid or '-'} {series.modality or '-'}: {size} instances"


def _summary(summary: TraceSummary) -> Iterator[str]:
    yield f"  {summary.instances} instances, {summary.patients} patients, {summary.series_count} series"
    yield f"    {_counts(summary.states)}"
    yield f"    {summary.input_bytes} bytes in, {summary.output_bytes} bytes out, in {summary.batch_count} batches"
    yield f"    verdicts {_counts(summary.verdicts)}; store {_counts(summary.receipts)}"
    for made_by, count in summary.made_by.items():
        yield f"    {count} made by profile {made_by}"
    for series in summary.series[:MOST_INSTANCES]:
        yield f"    series {series.research_series_uid or '-'} {series.modality or '-'}: {_counts(series.states)}"
    if summary.series_count > MOST_INSTANCES:
        yield f"    … and {summary.series_count - MOST_INSTANCES} more series"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "none"


def _instance(instance: TracedInstance) -> Iterator[str]:
    why = f" ({instance.reason})" if instance.reason else ""
    yield f"  instance {instance.research_sop_uid or '-'} is {instance.state}{why}"
    yield f"    source {instance.source}, {instance.input_bytes} bytes, SHA-256 {instance.input_digest[:16] or '-'}…"
    yield f"    output {instance.output_bytes} bytes, SHA-256 {instance.output_digest[:16] or '-'}…"
    yield f"    made by profile {instance.profile_version or '-'}, code {instance.code_version or '-'}"
    for verdict in instance.verdicts:
        found = ", ".join(f"{count} {rule}" for rule, count in verdict.findings.items()) or "no findings"
        word = "passed" if verdict.passed else "failed"
        yield f"    verdict {word}: {found} ({verdict.recorded_at:%Y-%m-%d %H:%M:%S})"
    for receipt in instance.receipts:
        said = "accepted" if receipt.accepted else f"refused ({receipt.status})"
        shown = "confirmed by QIDO-RS" if receipt.confirmed else "not shown by QIDO-RS"
        yield f"    store {said}, {shown} ({receipt.recorded_at:%Y-%m-%d %H:%M:%S})"


def _removals(trace: Trace) -> Iterator[str]:
    for one in trace.removals[:MOST_INSTANCES]:
        when = f"{one.gone_at:%Y-%m-%d %H:%M}" if one.gone_at else "not yet confirmed"
        yield f"  removed {one.research_sop_uid} of {one.pseudonym}: {one.kind} {one.removal_id}, ticket {one.ticket}"
        yield f"    was SHA-256 {one.output_digest[:16]}… by profile {one.profile_version}, code {one.code_version}"
        yield f"    marked {one.marked_at:%Y-%m-%d %H:%M}, gone from the research PACS {when}"
    if len(trace.removals) > MOST_INSTANCES:
        yield f"  … and {len(trace.removals) - MOST_INSTANCES} more removed objects: --json has them all"


def _profiles(trace: Trace) -> Iterator[str]:
    """Yield who stands for the rules that made the objects, as far as it is known here."""
    published = {publication.version: publication for publication in trace.profiles}
    for version in sorted({instance.profile_version for instance in trace.instances() if instance.profile_version}):
        publication = published.get(version)
        yield f"  profile {version} {publication_line(publication) if publication else standing(version, None, 1)}"
    if trace.action_counts:
        yield f"  actions {', '.join(f'{count} {action}' for action, count in trace.action_counts.items())}"


def _batch(batch: TracedBatch) -> Iterator[str]:
    yield f"  batch {batch.number} ({batch.id}) of {batch.dag_id} run {batch.run_id}"
    for event in batch.events:
        yield f"    {_event(event)}"


def _event(event: TracedEvent) -> str:
    counts = ", ".join(f"{name} {value}" for name, value in event.counts.items())
    return (
        f"{event.recorded_at:%H:%M:%S} {event.task_id} try {event.try_number} {event.event}"
        f" on {event.worker}{': ' + counts if counts else ''}{' ' + event.error if event.error else ''}"
    )
