"""``withdraw_patient`` in a real Airflow, from sealed parameters to the certificate."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.promises.removing import Clinic, clinic
from tests.site import Site, judge_by_counts, read

from dicomanon.cohort.parameters import WITHDRAW_DAG_ID
from dicomanon.cohort.sealing import seal_conf
from dicomanon.errors import Fatal
from dicomanon.local_stack.ports import free_port
from dicomanon.pipeline import validate
from dicomanon.pipeline.removal.tasks import is_approved

REPOSITORY = Path(__file__).resolve().parents[2]
AIRFLOW = Path(sys.executable).with_name("airflow")


@pytest.fixture
def filled(site: Site, monkeypatch: pytest.MonkeyPatch) -> Clinic:
    monkeypatch.setattr(validate, "run_checkpoint", judge_by_counts)
    monkeypatch.setenv("DICOMANON_RESEARCH_ORTHANC_URL", site.research.url)
    return clinic(site)


def airflow(home: Path, *arguments: str) -> str:
    done = subprocess.run(
        [AIRFLOW, *arguments],
        env=os.environ
        | {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return done.stdout + done.stderr


def test_waiting_for_approval_outlasts_a_crosswalk_that_is_away(
    filled: Clinic, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    removal = str(filled.request().id)
    assert is_approved(removal)
    with monkeypatch.context() as away:
        away.setenv("DICOMANON_CROSSWALK_DSN", f"postgresql://nobody@127.0.0.1:{free_port()}/none?connect_timeout=1")
        assert not is_approved(removal)
    assert "cannot be reached" in caplog.text
    with pytest.raises(Fatal, match="no such removal"):
        is_approved("00000000")


def test_a_run_goes_all_the_way_and_tells_nothing(filled: Clinic, tmp_path: Path) -> None:
    source = read(filled.sources[0])
    patient = f"{source.PatientID}^^^{source.IssuerOfPatientID}"
    # Asked for by an account first, so that the run finds somebody who stands for it.
    removal = filled.request()
    public_key = filled.site.keyring.request_public_key
    conf = seal_conf(
        public_key, WITHDRAW_DAG_ID, {"patient_id": patient, "reason": "letter of J. Doe", "ticket": "DPO-17"}
    )
    home = tmp_path / "airflow"
    airflow(home, "db", "migrate")
    told = airflow(home, "dags", "test", WITHDRAW_DAG_ID, "--conf", json.dumps(conf))
    assert str(source.PatientID) not in told and "J. Doe" not in told
    assert set(filled.site.research_objects()) == filled.kept
    with filled.site.crosswalk() as crosswalk:
        assert crosswalk.removals.find(removal.id).state == "certified"
    done = filled.site.rows(
        "SELECT task_id FROM crosswalk.task_event WHERE event = 'succeeded' AND dag_id = %s", WITHDRAW_DAG_ID
    )
    assert {row[0] for row in done} == {"request", "mark", "replace_releases", "notify", "remove_objects", "certify"}
