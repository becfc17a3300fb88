"""When a batch is closed, and what stays in staging."""

import pytest
from tests.site import Run, Site, slices, study

from dicomanon.errors import Fatal


def test_a_batch_is_closed_when_every_instance_is_settled(site: Site) -> None:
    site.load(*slices(study("closed")))
    run = Run()
    (batch,) = run.pulled()
    with pytest.raises(Fatal, match="3 instances"):
        run.update(batch)
    assert len(site.staged_files()) == 3, "what is needed again is not thrown away"
    run.validate(batch)
    run.store(batch)
    assert run.update(batch) == {"stored": 3, "held": 0, "filtered": 0, "withdrawn": 0, "unsettled": 0}
    assert site.staged_files() == []


def test_what_a_later_run_took_over_does_not_stay_in_staging(site: Site) -> None:
    site.load(*slices(study("abandoned")))
    (abandoned,) = Run().pulled()
    assert (site.staging / f"batch-{abandoned['id']}").exists()
    Run().complete()
    assert list(site.staging.iterdir()) == []


def test_what_a_failed_batch_of_this_run_needs_stays_in_staging(site: Site) -> None:
    site.load(*slices(study("failed")))
    run = Run()
    run.pulled()
    with pytest.raises(Exception, match="do not balance"):
        run.reconcile()
    assert len(site.staged_files()) == 3
