"""The task of the DAG ``reconcile_archives``."""

from dicomanon.pipeline.archives.check import check_archives, require_nothing_lost
from dicomanon.pipeline.runtime import Runtime
from dicomanon.pipeline.task import Counts, TaskKey, run_step


def reconcile_archives(key: TaskKey, *, minutes: int | None, digests: int) -> Counts:
    """Check the archives, and be red when something that was stored is missing, or as the site asks.

    Raises
    ------
    Fatal
        Somebody has to look; the list of differences is entered.
    """

    def step(runtime: Runtime) -> Counts:
        counts = check_archives(runtime, minutes=minutes, digests=digests)
        require_nothing_lost(counts, runtime.settings.archives_red)
        return counts

    return run_step(step, key)
