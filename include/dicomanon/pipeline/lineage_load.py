"""The task of the DAG ``lineage_load``."""

from dataclasses import asdict

from dicomanon.openlineage.loading import load
from dicomanon.pipeline.runtime import Runtime
from dicomanon.pipeline.task import Counts, TaskKey, run_step


def load_events(key: TaskKey) -> Counts:
    """Bring OpenLineage events into the crosswalk, and make up for those that never arrived."""

    def step(runtime: Runtime) -> Counts:
        return asdict(load(runtime.crosswalk, runtime.settings))

    return run_step(step, key)
