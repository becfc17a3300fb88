"""What few patients are counted as reaches nobody: neither as a result, nor in a log, nor as lineage."""

import logging

import pytest
from tests.cohort.conftest import Study, admit, declare
from tests.site import Site

from dicomanon.cohort.extract import CohortRequest, extract
from dicomanon.cohort.parameters import COHORT_DAG_ID
from dicomanon.cohort.sealing import seal_conf
from dicomanon.pipeline.task import TaskKey, run_step

FEW = 7
OTHERS = 13


def test_counts_of_few_do_not_leave_the_task(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with site.crosswalk() as crosswalk:
        admit(crosswalk, [
            Study(f"F{number}", "20200101", f"F-{number}", "XRAYWORD", instances=1, birth_date="19500101",
                  sex="F" if number < FEW else "M")
            for number in range(FEW + OTHERS)
        ])  # fmt: skip
        declare(crosswalk, minimum_patients=10)
    asked = {"project": "P", "sex": ["F"], "description_words": ["XRAYWORD"], "dry_run": True}
    sealed = seal_conf(site.keyring.request_public_key, COHORT_DAG_ID, asked)
    request = CohortRequest(COHORT_DAG_ID, "manual__1", "researcher", sealed)
    key = TaskKey(COHORT_DAG_ID, "manual__1", "resolve_and_release")
    counts = run_step(lambda runtime: extract(runtime, request), key)
    assert counts["studies_after_00_identified"] == FEW + OTHERS
    assert {counts[name] for name in ("patients", "studies", "series", "instances", "bytes")} == {None}
    (line,) = [record.message for record in caplog.records if record.message.startswith("resolve_and_release:")]
    assert "patients few, studies few" in line
    assert not {str(FEW), str(OTHERS)} & set(line.replace(",", " ").split())
    ((kept,),) = site.rows("SELECT counts FROM crosswalk.task_event WHERE event = 'succeeded'")
    assert kept == {name: value for name, value in counts.items() if value is not None}
    assert not {FEW, OTHERS} & set(kept.values())
