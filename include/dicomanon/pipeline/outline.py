"""A trace as an outline that people read; research identifiers, digests and counts only."""

from collections.abc import Iterator

from dicomanon.crosswalk.trace import Trace, TracedBatch, TracedInstance
from dicomanon.pipeline.profile_text import publication_line, standing

MOST_INSTANCES = 20
"""Instances that are told in full; for more there is ``--json``."""


def outline(trace: Trace) -> Iterator[str]:
    """Yield the lines of the outline, indented by two spaces a level."""
    yield f"{trace.kind} {trace.identifier}"
    yield f"  pseudonym {trace.pseudonym or '-'}"
    instances = trace.instances()
    for study in trace.studies:
        yield f"  study {study.research_study_uid or '-'} (source {study.source})"
        for series in study.series:
            size = len(series.instances)
            yield f"    series {series.research_series_uid or '-'} {series.modality or '-'}: {size} instances"
    for instance in instances[:MOST_INSTANCES]:
        yield from _instance(instance)
    if len(instances) > MOST_INSTANCES:
        yield f"  … and {len(instances) - MOST_INSTANCES} more instances: --json has them all"
    yield from _profiles(trace)
    for batch in trace.batches:
        yield from _batch(batch)
    for release in trace.releases:
        when = f"{release.created_at:%Y-%m-%d %H:%M}"
        yield f"  release {release.project}/{release.number:04d} for {release.requester}, {when}"


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


def _profiles(trace: Trace) -> Iterator[str]:
    """Yield who stands for the rules that made the objects, as far as it is known here."""
    published = {publication.version: publication for publication in trace.profiles}
    for version in sorted({instance.profile_version for instance in trace.instances() if instance.profile_version}):
        publication = published.get(version)
        yield f"  profile {version} {publication_line(publication) if publication else standing(version, None, 1)}"
    if trace.action_counts:
        yield f"  actions {', '.join(f'{count} {action}' for action, count in trace.action_counts.items())}"


def _batch(batch: TracedBatch) -> Iterator[str]:
    yield f"  batch {batch.number} of {batch.dag_id} run {batch.run_id}"
    for event in batch.events:
        counts = ", ".join(f"{name} {value}" for name, value in event.counts.items())
        yield (
            f"    {event.recorded_at:%H:%M:%S} {event.task_id} try {event.try_number} {event.event}"
            f" on {event.worker}{': ' + counts if counts else ''}{' ' + event.error if event.error else ''}"
        )
