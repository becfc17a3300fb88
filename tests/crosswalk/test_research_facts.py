"""What objects say is kept of those that passed the check, once, and for as long as they are what they were."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from tests.crosswalk.scenario import DOE, Run, discover, sightings

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.removals.rows import RemovalKind, Requester
from dicomanon.crosswalk.rows import Verdict
from dicomanon.reasons import HoldReason

SAYS: Mapping[str, str | int | float] = {"BodyPartExamined": "CHEST", "Rows": 512, "SliceThickness": 0.625}
OTHER = {**SAYS, "Rows": 256}


def judged(run: Run, *said: Mapping[str, str | int | float], passed: bool = True) -> None:
    staged = run.crosswalk.mapping.staged(run.batch)
    reason = None if passed else HoldReason.RESIDUAL_PHI
    run.crosswalk.mapping.record_verdicts(
        run.batch,
        [
            Verdict(row.instance_id, passed, {}, reason, row.output_digest, said[n % len(said)])
            for n, row in enumerate(staged)
        ],
    )


def recorded(crosswalk: Crosswalk, instances: int = 4, series: int = 1, uid: str = "1.2.3") -> Run:
    discover(crosswalk, uid, sightings(uid, instances, series))
    run = Run(crosswalk)
    run.record()
    return run


def kept(dsn: str) -> list[tuple[Any, ...]]:
    """Return what is kept, and of how many instances."""
    with psycopg.connect(dsn) as connection:
        return connection.execute(
            "SELECT f.facts, count(i.id) FROM crosswalk.research_facts f"
            " LEFT JOIN crosswalk.instance i ON i.research_facts_id = f.id GROUP BY f.id ORDER BY f.id"
        ).fetchall()


def test_objects_of_a_series_that_say_the_same_share_a_row(crosswalk: Crosswalk, crosswalk_dsn: str) -> None:
    run = recorded(crosswalk, 6, series=2)
    judged(run, SAYS)
    assert kept(crosswalk_dsn) == [(SAYS, 3), (SAYS, 3)]
    run.store()
    assert kept(crosswalk_dsn) == [(SAYS, 3), (SAYS, 3)]


def test_of_what_did_not_pass_nothing_is_kept(crosswalk: Crosswalk, crosswalk_dsn: str) -> None:
    judged(recorded(crosswalk), {"SeriesDescription": "DOE^JOHN"}, passed=False)
    assert kept(crosswalk_dsn) == []


def test_what_is_held_after_it_passed_is_forgotten(crosswalk: Crosswalk, crosswalk_dsn: str) -> None:
    run = recorded(crosswalk, 2)
    judged(run, SAYS, OTHER)
    (first, _) = run.sources()
    crosswalk.mapping.hold(run.batch, [first.instance_id], HoldReason.STORE_REFUSED)
    assert kept(crosswalk_dsn) == [(OTHER, 1)]


def test_what_is_made_anew_says_what_it_says_then(crosswalk: Crosswalk, crosswalk_dsn: str) -> None:
    run = recorded(crosswalk, 2)
    judged(run, SAYS)
    run.record(output_digest=b"other bytes")
    assert kept(crosswalk_dsn) == []
    judged(run, OTHER)
    assert kept(crosswalk_dsn) == [(OTHER, 2)]


def test_a_recall_forgets_what_no_other_object_says(crosswalk: Crosswalk, crosswalk_dsn: str) -> None:
    run = recorded(crosswalk, 3)
    judged(run, OTHER, SAYS, SAYS)
    run.store()
    rows = run.crosswalk.mapping.staged(run.batch)
    release = crosswalk.releases.create("LUNG", "ada", b"d", [row.instance_id for row in rows])
    removals = crosswalk.removals
    recall = removals.request_recall(
        "LUNG",
        1,
        Requester("ada"),
        research_sop_uids=[row.research_sop_uid for row in rows[:2]],
        reason="r",
        ticket="T",
    )
    removals.mark(recall)
    assert kept(crosswalk_dsn) == [(SAYS, 1)]
    assert [(one.facts, one.passed) for one in removals.release_instances(release.id)] == [(SAYS, True)]


def test_a_withdrawal_forgets_all(crosswalk: Crosswalk, crosswalk_dsn: str) -> None:
    run = recorded(crosswalk, 3)
    judged(run, OTHER, SAYS)
    run.store()
    pseudonym = str(crosswalk.patients.get_or_create(DOE).pseudonym)
    why = {"reason": "by letter", "ticket": "T"}
    crosswalk.removals.mark(
        crosswalk.removals.request_of_patient(RemovalKind.WITHDRAWAL, pseudonym, Requester("ada"), **why)
    )
    assert kept(crosswalk_dsn) == []


def test_a_release_tells_what_its_objects_say_and_what_the_check_said(crosswalk: Crosswalk) -> None:
    run = recorded(crosswalk, 2)
    judged(run, SAYS)
    run.store()
    old = recorded(crosswalk, 1, uid="1.2.4")
    judged(old, {})  # as validation did before anything was kept
    old.store()
    ids = [source.instance_id for one in (run, old) for source in one.sources()]
    release = crosswalk.releases.create("LUNG", "ada", b"d", ids)
    told = {one.instance_id: (one.facts, one.passed) for one in crosswalk.removals.release_instances(release.id)}
    assert told == dict.fromkeys(ids[:2], (SAYS, True)) | {ids[2]: (None, True)}


def test_what_a_stored_object_says_is_never_changed(crosswalk: Crosswalk, crosswalk_dsn: str) -> None:
    run = recorded(crosswalk, 1)
    judged(run, SAYS)
    run.store()
    for change in ("instance SET research_facts_id = NULL", "research_facts SET facts = '{}'"):
        with psycopg.connect(crosswalk_dsn) as connection, pytest.raises(psycopg.errors.RestrictViolation):
            connection.execute(f"UPDATE crosswalk.{change}")  # type: ignore[call-overload]


def test_batches_that_bring_the_same_at_once_share_a_row(crosswalk: Crosswalk, crosswalk_dsn: str) -> None:
    discover(crosswalk, "1.2.3", sightings("1.2.3", 8))
    run = Run(crosswalk)
    run.record()
    staged = crosswalk.mapping.staged(run.batch)

    def judge(row: Any) -> None:
        crosswalk.mapping.record_verdicts(
            run.batch, [Verdict(row.instance_id, True, {}, None, row.output_digest, SAYS)]
        )

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(judge, staged))
    assert kept(crosswalk_dsn) == [(SAYS, 8)]


@pytest.mark.parametrize("links_first", [True, False])
def test_what_one_forgets_while_another_links_it_is_there_for_the_other(
    crosswalk: Crosswalk, crosswalk_dsn: str, links_first: bool
) -> None:
    run = recorded(crosswalk, 2)
    first, second = crosswalk.mapping.staged(run.batch)
    passed = [Verdict(one.instance_id, True, {}, None, one.output_digest, SAYS) for one in (first, second)]
    crosswalk.mapping.record_verdicts(run.batch, passed[:1])
    forget = "UPDATE crosswalk.instance SET state = 'held', reason = 'x' WHERE id = %s"
    link = (
        "UPDATE crosswalk.instance SET state = 'validated',"
        " research_facts_id = (SELECT id FROM crosswalk.research_facts) WHERE id = %s"
    )
    with psycopg.connect(crosswalk_dsn) as connection, ThreadPoolExecutor(1) as pool:
        if links_first:
            connection.execute(link, (second.instance_id,))
            other = pool.submit(crosswalk.mapping.hold, run.batch, [first.instance_id], HoldReason.UNEXPECTED)
        else:
            connection.execute(forget, (first.instance_id,))
            other = pool.submit(crosswalk.mapping.record_verdicts, run.batch, passed[1:])
        with pytest.raises(TimeoutError):
            other.result(0.5)
        connection.commit()
        other.result(30)
    assert kept(crosswalk_dsn) == [(SAYS, 1)]
