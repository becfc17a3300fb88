"""The tasks of the DAGs ``withdraw_patient`` and ``recall_release``; what travels between them is a removal's id."""

import logging
from collections.abc import Callable
from uuid import UUID

from dicomanon.cohort.parameters import RECALL_DAG_ID
from dicomanon.crosswalk.removals.rows import Removal, Step
from dicomanon.crosswalk.roles.role import Role
from dicomanon.errors import Retriable
from dicomanon.guard import no_values_escape
from dicomanon.pipeline.removal.asking import RemovalRun, recall, withdraw
from dicomanon.pipeline.removal.steps import STEPS
from dicomanon.pipeline.runtime import Runtime, open_runtime
from dicomanon.pipeline.task import Counts, TaskKey, run_step

log = logging.getLogger(__name__)

_WORK: dict[Step, Callable[[Runtime, UUID], Counts]] = dict(STEPS)


def request(key: TaskKey, run: RemovalRun) -> str:
    """Enter what the run asks for; return the removal's id. Asked again by the same run, it is the same."""
    entered: list[Removal] = []

    def step(runtime: Runtime) -> Counts:
        if run.dag_id == RECALL_DAG_ID:
            entered.append(recall(runtime.crosswalk, runtime.keyring, run))
        else:
            issuer = runtime.settings.default_issuer
            entered.append(withdraw(runtime.crosswalk, runtime.keyring, run, issuer))
        extent = runtime.crosswalk.removals.extent(entered[0])
        return {**{str(state): count for state, count in extent.instances.items()}, "releases": len(extent.releases)}

    run_step(step, key)
    log.info("removal %s is requested: `dicomanon removal approve %s --reason WHY`", entered[0].id, entered[0].id)
    return str(entered[0].id)


def is_approved(removal_id: str) -> bool:
    """Tell whether enough persons stand for a removal; not yet, where the crosswalk cannot be asked."""
    try:
        with no_values_escape(), open_runtime(Role.REMOVAL) as runtime:
            found = runtime.crosswalk.removals.find(removal_id)
            return not found.approvals_left(runtime.settings.removal_approvals)
    except Retriable as error:
        # The sensor waits for days: a failure counts as one of few tries, whenever it happens, and nobody would carry
        # out what is approved afterwards.
        log.warning("asked again in a minute: %s", error)
        return False


def do(key: TaskKey, step: str, removal_id: str) -> Counts:
    """Do one step of a removal."""
    return run_step(_WORK[Step(step)], key, None, UUID(removal_id))
