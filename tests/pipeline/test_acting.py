"""Tasks act as the role of their DAG; a DAG without one does nothing."""

from pathlib import Path

import pytest
from tests.site import Run, Site

from dicomanon.crosswalk.roles.role import Role
from dicomanon.errors import Fatal
from dicomanon.pipeline.acting import role_of
from dicomanon.pipeline.runtime import Runtime
from dicomanon.pipeline.task import TaskKey, run_step

DAGS = Path(__file__).resolve().parents[2] / "dags"


def whom(runtime: Runtime) -> str:
    with runtime.crosswalk.ledger._session.transaction() as connection:
        row = connection.execute("SELECT current_user").fetchone()
    assert row
    return str(row[0])


@pytest.mark.parametrize("dag_id", sorted(path.stem for path in DAGS.glob("*.py")))
def test_every_dag_has_a_role_of_programs(dag_id: str) -> None:
    assert role_of(dag_id) in {Role.INGEST, Role.COHORT, Role.REMOVAL, Role.AUDITOR}


def test_a_dag_that_nobody_gave_a_role_has_none() -> None:
    with pytest.raises(Fatal, match="no role"):
        role_of("somebody_elses")


@pytest.mark.parametrize(
    ("dag_id", "role"),
    [
        ("ingest_studies", "dicomanon_ingest"),
        ("cohort_extraction", "dicomanon_cohort"),
        ("standing_cohorts", "dicomanon_cohort"),
        ("withdraw_patient", "dicomanon_removal"),
        ("recall_release", "dicomanon_removal"),
        ("audit_head", "dicomanon_auditor"),
        ("lineage_load", "dicomanon_ingest"),
        ("reconcile_archives", "dicomanon_ingest"),
        ("backup_crosswalk", "dicomanon_auditor"),
    ],
)
def test_a_step_acts_as_the_role_of_its_dag(site: Site, dag_id: str, role: str) -> None:
    seen = []

    def step(runtime: Runtime) -> dict[str, int]:
        seen.append(whom(runtime))
        return {}

    run_step(step, TaskKey(dag_id, Run().name, "step"))
    assert seen == [role]
