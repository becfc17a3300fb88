"""Cuts what is not settled yet into batches that a mapped task can carry."""

import csv
from collections.abc import Iterator
from functools import cache
from importlib import resources
from itertools import groupby
from uuid import UUID

from dicomanon.crosswalk.rows import PlannedInstance
from dicomanon.pipeline.profiles import site_profile
from dicomanon.pipeline.runtime import Runtime
from dicomanon.values import BatchId

MOST_BATCHES = 1000
"""Airflow refuses more than 1,024 mapped instances of a task; what is left over waits for the next run."""

SMALLEST_SHARE = 100
SMALLEST_SHARE_MEGABYTES = 200
"""Instances and megabytes below which a batch is not split for the sake of work at once: a task has its own price."""

USUAL_MEGABYTES = 1

Batch = list[PlannedInstance]


def plan_batches(runtime: Runtime, run_id: UUID) -> list[BatchId]:
    """Assign every unsettled instance to a batch of this run; calling it again returns the same batches."""
    ledger, settings = runtime.crosswalk.ledger, runtime.settings
    opened = [batch.id for batch in ledger.batches(run_id)]
    # A try that was killed half-way left some batches; what they hold is not handed out again.
    rest = cut(
        ledger.unplanned(run_id),
        instances=settings.batch_instances,
        megabytes=settings.batch_megabytes,
        at_once=settings.batches_at_once,
        whole_series=site_profile(runtime).defaces,
    )
    for number, members in enumerate(rest[: MOST_BATCHES - len(opened)], start=len(opened) + 1):
        opened.append(ledger.open_batch(run_id, number, [member.instance_id for member in members]))
    return opened


def cut(
    planned: list[PlannedInstance], *, instances: int, megabytes: int, at_once: int, whole_series: bool = False
) -> list[Batch]:
    """Cut ``planned``, which comes study by study, series by series, into batches.

    Parameters
    ----------
    instances, megabytes
        What a batch may hold at most; a study stays whole where it fits, a larger one spans several. Megabytes are
        those usual for the SOP class, since QIDO-RS does not tell sizes; one larger instance makes a batch.
    at_once
        How many batches are worked on at once: smaller ones than allowed are made to keep them all busy.
    whole_series
        Whether a series stays in one batch, however large that makes it: a face is found in a whole volume only.
    """
    share = min(instances, max(SMALLEST_SHARE, -(-len(planned) // at_once)))
    share_megabytes = min(megabytes, max(SMALLEST_SHARE_MEGABYTES, -(-_megabytes(planned) // at_once)))
    batches: list[Batch] = []
    current: Batch = []
    size = 0
    for study in _by_study(planned):
        for part in _parts(study, instances, megabytes, whole_series=whole_series):
            weight = _megabytes(part)
            if current and (len(current) + len(part) > share or size + weight > share_megabytes):
                batches.append(current)
                current, size = [], 0
            current += part
            size += weight
    return [*batches, current] if current else batches


def _parts(study: Batch, instances: int, megabytes: int, *, whole_series: bool) -> Iterator[Batch]:
    part: Batch = []
    size = 0
    for unit in _series_of(study) if whole_series else ([instance] for instance in study):
        weight = _megabytes(unit)
        if part and (len(part) + len(unit) > instances or size + weight > megabytes):
            yield part
            part, size = [], 0
        part += unit
        size += weight
    yield part


def _by_study(planned: list[PlannedInstance]) -> list[Batch]:
    return [[*members] for _, members in groupby(planned, key=lambda instance: instance.study_id)]


def _series_of(study: Batch) -> list[Batch]:
    return [[*members] for _, members in groupby(study, key=lambda instance: instance.series_id)]


def _megabytes(batch: Batch) -> int:
    return sum(map(_weight, batch))


def _weight(instance: PlannedInstance) -> int:
    return typical_megabytes().get(instance.sop_class_uid, USUAL_MEGABYTES)


@cache
def typical_megabytes() -> dict[str, int]:
    """Return the usual size of an instance by SOP Class UID, for the classes whose instances are large."""
    text = resources.files(__package__).joinpath("typical_megabytes.csv").read_text()
    return {row["sop_class_uid"]: int(row["megabytes"]) for row in csv.DictReader(text.splitlines())}
