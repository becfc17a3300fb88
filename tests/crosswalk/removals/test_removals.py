"""What the database itself refuses about removals, whichever program asks."""

from dataclasses import replace

import psycopg
import pytest
from tests.crosswalk.scenario import DOE, ROE, Run, deidentified, discover, research, sightings

from dicomanon.crosswalk import people
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.patients import Withdrawn
from dicomanon.crosswalk.removals.rows import Removal, RemovalKind, RemovalReceipt, Requester, Step
from dicomanon.errors import Fatal, Held
from dicomanon.reasons import HoldReason

UID = "1.2.826.0.1.3680043.1"
ADA = Requester("ada")
WHY = {"reason": "asked by letter", "ticket": "DPO-17"}


@pytest.fixture
def stored(crosswalk: Crosswalk) -> Run:
    discover(crosswalk, UID, sightings(UID, 3))
    run = Run(crosswalk)
    run.complete()
    return run


def request(crosswalk: Crosswalk, kind: RemovalKind = RemovalKind.WITHDRAWAL, by: Requester = ADA) -> Removal:
    pseudonym = str(crosswalk.patients.get_or_create(DOE).pseudonym)
    return crosswalk.removals.request_of_patient(kind, pseudonym, by, **WHY)


def refused(dsn: str, statement: str) -> None:
    with psycopg.connect(dsn) as connection, pytest.raises(psycopg.errors.RestrictViolation):
        connection.execute(statement)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "change",
    [
        "state = 'withdrawn'",
        "state = 'held', reason = 'recalled'",
        "state = 'discovered'",
        "output_digest = 'x'",
        "research_sop_uid = '2.25.' || id",
        "action_counts_id = NULL",
        "batch_id = NULL",
    ],
)
def test_stored_stays_stored_without_a_removal(crosswalk_dsn: str, stored: Run, change: str) -> None:
    refused(crosswalk_dsn, f"UPDATE crosswalk.instance SET {change}")


@pytest.mark.parametrize("other", ["state = 'discovered'", "state = 'held', reason = 'recalled'"])
def test_a_removal_lets_pass_only_what_its_kind_means(
    crosswalk: Crosswalk, crosswalk_dsn: str, stored: Run, other: str
) -> None:
    removal = request(crosswalk)
    with psycopg.connect(crosswalk_dsn) as connection:
        connection.execute(
            "INSERT INTO crosswalk.former_object SELECT %s, id, state, 'D', 'x', 'x', research_sop_uid, output_digest,"
            " recipe_id FROM crosswalk.instance",
            (removal.id,),
        )
    refused(crosswalk_dsn, f"UPDATE crosswalk.instance SET {other}")


def test_withdrawn_is_final_for_instances_and_the_patient(
    crosswalk: Crosswalk, crosswalk_dsn: str, stored: Run
) -> None:
    crosswalk.removals.mark(request(crosswalk))
    assert stored.states() == ["withdrawn"] * 3
    refused(crosswalk_dsn, "UPDATE crosswalk.instance SET state = 'discovered'")
    refused(crosswalk_dsn, "UPDATE crosswalk.patient SET withdrawn_by = NULL")


def test_every_row_about_removals_is_only_added(crosswalk: Crosswalk, crosswalk_dsn: str, stored: Run) -> None:
    release = crosswalk.releases.create("P", "ada", b"d", [row.instance_id for row in stored.sources()])
    removal = request(crosswalk)
    crosswalk.removals.approve(removal, "bob", "seen")
    crosswalk.removals.mark(removal)
    crosswalk.removals.record_receipts(removal, [RemovalReceipt(stored.sources()[0].instance_id, True, "x")])
    crosswalk.removals.record_notice(removal, release.id, "folder", ())
    for table in ("removal", "removal_approval", "former_object", "removal_receipt", "tombstone", "removal_notice"):
        refused(crosswalk_dsn, f"DELETE FROM crosswalk.{table}")
    refused(crosswalk_dsn, "TRUNCATE crosswalk.removal_step")


def test_a_research_uid_that_was_removed_is_not_stored_again(
    crosswalk: Crosswalk, stored: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "CACHE_SECONDS", 0.0)
    crosswalk.removals.mark(request(crosswalk, RemovalKind.RE_ISSUE))
    run = Run(crosswalk)
    run.record()
    assert run.states() == ["held"] * 3
    (trace,) = {instance.reason for instance in crosswalk.lineage.trace(research(UID + ".0.0")).instances()}  # type: ignore[union-attr]
    assert trace == HoldReason.RECALLED


def test_a_reissue_leaves_held_what_was_recalled_unless_it_is_asked_for(crosswalk: Crosswalk, stored: Run) -> None:
    ids = [row.instance_id for row in stored.sources()]
    crosswalk.releases.create("P", "ada", b"d", ids)
    leak = research(UID + ".0.0")
    crosswalk.removals.mark(crosswalk.removals.request_recall("P", 1, ADA, research_sop_uids=[leak], **WHY))
    reissue = request(crosswalk, RemovalKind.RE_ISSUE)
    extent = crosswalk.removals.extent(reissue)
    assert ({str(state): count for state, count in extent.instances.items()}, extent.recalled) == ({"stored": 2}, 1)
    crosswalk.removals.mark(reissue)
    assert _states(crosswalk) == ["discovered", "discovered", "held"]
    pseudonym = str(crosswalk.patients.get_or_create(DOE).pseudonym)
    reissue = crosswalk.removals.request_of_patient(RemovalKind.RE_ISSUE, pseudonym, ADA, **WHY, with_recalled=True)
    assert crosswalk.removals.find(reissue.id).with_recalled
    extent = crosswalk.removals.extent(reissue)
    assert ({str(state): count for state, count in extent.instances.items()}, extent.recalled) == ({"held": 1}, 1)
    crosswalk.removals.mark(reissue)
    assert _states(crosswalk) == ["discovered"] * 3
    with pytest.raises(Fatal, match="only a re-issue"):
        crosswalk.removals.request_of_patient(RemovalKind.WITHDRAWAL, pseudonym, ADA, **WHY, with_recalled=True)


def _states(crosswalk: Crosswalk) -> list[str]:
    with crosswalk.patients._session.transaction() as connection:
        return sorted(row[0] for row in connection.execute("SELECT state::text FROM crosswalk.instance"))


def test_a_reissue_salts_the_patient_and_no_other(crosswalk: Crosswalk, crosswalk_dsn: str, stored: Run) -> None:
    crosswalk.patients.get_or_create(ROE)
    crosswalk.removals.mark(request(crosswalk, RemovalKind.RE_ISSUE))
    with psycopg.connect(crosswalk_dsn) as connection:
        rows = connection.execute("SELECT uid_salt FROM crosswalk.patient ORDER BY created_at").fetchall()
    assert [row[0] is None or len(row[0]) for row in rows] == [16, True]


def test_who_has_withdrawn_is_held_and_not_learned_about(crosswalk: Crosswalk, crosswalk_dsn: str) -> None:
    crosswalk.patients.get_or_create(replace(DOE, sex=""))
    pseudonym = str(crosswalk.patients.get_or_create(replace(DOE, sex="")).pseudonym)
    removal = crosswalk.removals.request_of_patient(RemovalKind.WITHDRAWAL, pseudonym, ADA, **WHY)
    crosswalk.removals.mark(removal)
    with Crosswalk(crosswalk_dsn, crosswalk.patients._session.keyring) as fresh:
        for _ in range(2):
            with pytest.raises(Withdrawn) as withdrawn:
                fresh.patients.get_or_create(DOE)
        assert withdrawn.value.reason is HoldReason.CONSENT_WITHDRAWN
        with pytest.raises(Held, match="identity-conflict"):
            fresh.patients.get_or_create(replace(DOE, name="OTHER^NAME"))


def test_no_row_enters_as_stored_under_a_research_uid_that_was_removed(
    crosswalk: Crosswalk, crosswalk_dsn: str, stored: Run
) -> None:
    crosswalk.removals.mark(request(crosswalk, RemovalKind.RE_ISSUE))
    refused(
        crosswalk_dsn,
        "INSERT INTO crosswalk.instance (study_id, series_id, state, sop_index, uid_sealed, enrolled_at,"
        " state_changed_at, output_digest, research_sop_uid, recipe_id) SELECT i.study_id, i.series_id, 'stored',"
        " 'another', 'x', now(), now(), 'x', f.research_sop_uid, f.recipe_id FROM crosswalk.instance i"
        " JOIN crosswalk.former_object f ON f.instance_id = i.id LIMIT 1",
    )


def test_what_is_settled_comes_into_no_other_batch_and_a_closed_run_stays_closed(
    crosswalk: Crosswalk, crosswalk_dsn: str, stored: Run
) -> None:
    ids = [row.instance_id for row in stored.sources()]
    crosswalk.releases.create("P", "ada", b"d", ids)
    crosswalk.removals.mark(crosswalk.removals.request_recall("P", 1, ADA, **WHY))
    crosswalk.ledger.close_run(stored.id, balanced=True)
    crosswalk.ledger.close_run(stored.id, balanced=False)
    mine = Run(crosswalk)
    refused(crosswalk_dsn, f"UPDATE crosswalk.instance SET batch_id = {mine.batch}")
    refused(crosswalk_dsn, "UPDATE crosswalk.run SET closed_at = NULL WHERE closed_at IS NOT NULL")
    assert {row.sop_uid.reveal() for row in stored.sources()} == {""}


def test_a_release_is_made_before_a_removal_or_after_it(crosswalk: Crosswalk, stored: Run) -> None:
    ids = [row.instance_id for row in stored.sources()]
    crosswalk.removals.mark(request(crosswalk))
    with pytest.raises(Fatal, match="3 instances of the release are not stored"):
        crosswalk.releases.create("P", "ada", b"d", ids)


def test_a_login_of_airflow_is_no_person(crosswalk: Crosswalk, stored: Run) -> None:
    removal = request(crosswalk, by=Requester("airflow:ada", account=False))
    with pytest.raises(Fatal, match="1 more must stand"):
        crosswalk.removals.mark(removal)
    crosswalk.removals.mark(crosswalk.removals.approve(removal, "ada", "it was me"))


def test_what_is_carried_out_is_not_approved_any_more(crosswalk: Crosswalk, stored: Run) -> None:
    removal = request(crosswalk)
    crosswalk.removals.mark(removal)
    with pytest.raises(Fatal, match="carried out already"):
        crosswalk.removals.approve(crosswalk.removals.find(removal.id), "bob", "late")


def test_a_request_is_one_however_often_it_is_made(crosswalk: Crosswalk, stored: Run) -> None:
    assert request(crosswalk) == request(crosswalk)
    ids = [row.instance_id for row in stored.sources()]
    crosswalk.releases.create("P", "ada", b"d", ids)
    key = {"request_key": "recall_release/manual__1"}
    first, second = (crosswalk.removals.request_recall("P", 1, ADA, **WHY, **key) for _ in range(2))
    assert first == second
    assert crosswalk.removals.request_recall("P", 1, ADA, **WHY) != first


def test_the_salted_patient_of_a_reissue_cannot_be_one_who_withdrew(crosswalk: Crosswalk, stored: Run) -> None:
    again = request(crosswalk, RemovalKind.RE_ISSUE)
    crosswalk.removals.mark(request(crosswalk))
    with pytest.raises(Fatal, match="has withdrawn"):
        crosswalk.removals.mark(again)


def test_the_extent_is_what_marking_takes(crosswalk: Crosswalk, stored: Run) -> None:
    removal = request(crosswalk)
    extent = crosswalk.removals.extent(removal)
    assert {str(state): count for state, count in extent.instances.items()} == {"stored": 3}
    assert crosswalk.removals.mark(removal)["instances"] == 3
    assert crosswalk.removals.extent(removal).instances == {}
    assert crosswalk.removals.find(str(removal.id)[:8]).state == Step.MARKED


def test_an_object_of_another_in_a_withdrawn_study_is_withdrawn_too(crosswalk: Crosswalk) -> None:
    discover(crosswalk, UID, sightings(UID, 2))
    run = Run(crosswalk)
    first, second = run.sources()
    doe, roe = crosswalk.patients.get_or_create(DOE), crosswalk.patients.get_or_create(ROE)
    crosswalk.mapping.record(run.batch, [deidentified(first, doe.id)])
    crosswalk.removals.mark(request(crosswalk))
    crosswalk.mapping.record(run.batch, [deidentified(second, roe.id)])
    assert run.states() == ["withdrawn"] * 2
