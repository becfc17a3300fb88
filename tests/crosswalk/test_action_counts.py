"""How often each action was carried out is kept with every object, at the price of a number a row."""

import psycopg
from tests.crosswalk.scenario import ROE, Run, discover, held, research, sightings

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.reasons import HoldReason

STUDY = "1.2.88"
OFTEN = {"keep": 40, "remove": 12}
"""What the scenario's outcomes count."""


def count_rows(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT count(*) FROM crosswalk.action_counts").fetchone()
    assert row
    return int(row[0])


def test_instances_with_the_same_counts_share_a_row(crosswalk: Crosswalk, crosswalk_dsn: str) -> None:
    discover(crosswalk, STUDY, sightings(STUDY, 30))
    run = Run(crosswalk)
    outcomes = run.outcomes()
    crosswalk.mapping.record(run.batch, [*outcomes[:20]])
    crosswalk.mapping.record(run.batch, [*run.outcomes(action_counts={"remove": 12, "keep": 40})[20:]])
    assert count_rows(crosswalk_dsn) == 1


def test_a_trace_tells_them_of_each_object_and_in_sum(crosswalk: Crosswalk) -> None:
    discover(crosswalk, STUDY, sightings(STUDY, 3))
    run = Run(crosswalk)
    one, *_ = run.outcomes(action_counts={"keep": 1, "uid": 5})
    crosswalk.mapping.record(run.batch, [one, *run.outcomes()[1:]])
    trace = crosswalk.lineage.trace(research(STUDY))
    assert trace
    assert [instance.action_counts for instance in trace.instances()] == [{"keep": 1, "uid": 5}, OFTEN, OFTEN]
    assert trace.action_counts == {"keep": 81, "remove": 24, "uid": 5}


def test_a_run_has_them_in_sum_of_each_batch(crosswalk: Crosswalk) -> None:
    discover(crosswalk, STUDY, sightings(STUDY, 4))
    run = Run(crosswalk)
    run.record()
    discover(crosswalk, "1.2.99", sightings("1.2.99", 2))
    planned = [one.instance_id for one in crosswalk.ledger.unplanned(run.id)]
    run.batch = crosswalk.ledger.open_batch(run.id, 2, planned)
    run.record(ROE, action_counts={"keep": 7}, facts=None)
    assert crosswalk.lineage.actions("ingest_studies", run.name) == {1: {"keep": 160, "remove": 48}, 2: {"keep": 14}}
    assert crosswalk.lineage.actions("ingest_studies", "another") == {}


def test_what_was_held_has_none(crosswalk: Crosswalk, crosswalk_dsn: str) -> None:
    discover(crosswalk, STUDY, sightings(STUDY, 1))
    run = Run(crosswalk)
    (outcome,) = run.outcomes()
    crosswalk.mapping.record(run.batch, [held(outcome, HoldReason.BURNED_IN_RISK)])
    assert count_rows(crosswalk_dsn) == 0


def test_made_again_by_other_rules_they_are_the_new_ones(crosswalk: Crosswalk) -> None:
    discover(crosswalk, STUDY, sightings(STUDY, 1))
    run = Run(crosswalk)
    run.record()
    run.record(profile_version="strict@0123456789ab", action_counts={"remove": 30})
    trace = crosswalk.lineage.trace(research(STUDY))
    assert trace
    assert trace.action_counts == {"remove": 30}
