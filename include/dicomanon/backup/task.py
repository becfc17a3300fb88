"""The task of the DAG ``backup_crosswalk``."""

import logging

from dicomanon.backup.routine import back_up as make_one
from dicomanon.backup.settings import BackupSettings
from dicomanon.pipeline.runtime import Runtime
from dicomanon.pipeline.task import Counts, TaskKey, run_step

log = logging.getLogger(__name__)


def back_up(key: TaskKey) -> Counts:
    """Make, verify, let old ones go; recorded in the lineage as every task."""

    def step(_: Runtime) -> Counts:
        backup, counts = make_one(BackupSettings.load())
        log.info("%s, SHA-256 %s", backup.name, backup.manifest.sha256)
        return counts

    return run_step(step, key)
