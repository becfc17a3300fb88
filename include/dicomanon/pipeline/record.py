"""Closes a batch in the crosswalk: what it came to, and nothing of it left in staging."""

from dicomanon.errors import Fatal
from dicomanon.pipeline.runtime import Runtime
from dicomanon.pipeline.staging import Staging, staged_batches
from dicomanon.values import BatchId

Counts = dict[str, int]


def update_crosswalk(runtime: Runtime, batch_id: BatchId) -> Counts:
    """Count the batch's instances by state and remove its staging folder once every one of them is settled.

    Raises
    ------
    Fatal
        Instances are left that no step has settled.
    """
    counts: Counts = {"stored": 0, "held": 0, "filtered": 0, "withdrawn": 0, "unsettled": 0}
    for source in runtime.crosswalk.ledger.batch_sources(batch_id):
        counts[source.state if source.state.terminal else "unsettled"] += 1
    if counts["unsettled"]:
        raise Fatal(f"{counts['unsettled']} instances of the batch are not settled: start the DAG again")
    Staging(runtime.settings.staging_dir, batch_id).clear()
    return counts


def clear_abandoned(runtime: Runtime) -> None:
    """Remove what batches have left in staging whose instances are all settled, or were taken over by a later run."""
    for batch_id in staged_batches(runtime.settings.staging_dir):
        sources = runtime.crosswalk.ledger.batch_sources(batch_id)
        if all(source.state.terminal for source in sources):
            Staging(runtime.settings.staging_dir, batch_id).clear()
