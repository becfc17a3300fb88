"""A removal and the destruction of keys, in either order: the patient stays barred, and nothing is linked anew."""

import psycopg
import pytest
from tests.crosswalk.removals.test_removals import ADA, UID, WHY, refused, request
from tests.crosswalk.scenario import DOE, Run, discover, sightings

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.removals.rows import Removal, RemovalKind
from dicomanon.errors import Fatal, Held
from dicomanon.identity import PatientIdentity
from dicomanon.reasons import HoldReason

LATER = f"{UID}.9"


@pytest.fixture
def stored(crosswalk: Crosswalk) -> Run:
    discover(crosswalk, UID, sightings(UID, 3))
    run = Run(crosswalk)
    run.complete()
    return run


def destroy(crosswalk: Crosswalk, removal: Removal) -> None:
    crosswalk.keys.destroy(str(removal.pseudonym), actor="ada", reason="after the withdrawal")


def withdraw(crosswalk: Crosswalk, removal: Removal) -> None:
    assert crosswalk.removals.mark(removal)["instances"] == 3


def states(dsn: str) -> list[tuple[str, str]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(
            "SELECT state, reason FROM crosswalk.instance ORDER BY id",
        ).fetchall()


@pytest.mark.parametrize(
    "order", [(withdraw, destroy), (destroy, withdraw)], ids=["withdrawn first", "destroyed first"]
)
def test_who_has_withdrawn_and_whose_keys_are_destroyed_stays_barred(
    crosswalk: Crosswalk, crosswalk_dsn: str, keyring: Keyring, stored: Run, order: tuple[object, ...]
) -> None:
    removal = request(crosswalk)
    for step in order:
        step(crosswalk, removal)  # type: ignore[operator]
    assert states(crosswalk_dsn) == [("withdrawn", "")] * 3
    assert len(crosswalk.removals.objects(removal)) == 3
    with Crosswalk(crosswalk_dsn, keyring) as fresh:
        for identity in (DOE, PatientIdentity(DOE.patient_id)):
            with pytest.raises(Held) as barred:
                fresh.patients.get_or_create(identity)
            assert barred.value.reason is HoldReason.KEYS_DESTROYED
        assert list(fresh.mapping.studies_for_cohort()) == []
    refused(crosswalk_dsn, "UPDATE crosswalk.patient SET withdrawn_by = NULL")
    assert crosswalk.removals.find(removal.id).keys_destroyed_at is not None


def test_a_worker_that_knew_the_patient_links_nothing_to_who_is_withdrawn_and_destroyed(
    crosswalk: Crosswalk, crosswalk_dsn: str, stored: Run
) -> None:
    discover(crosswalk, LATER, sightings(LATER, 2))
    run = Run(crosswalk)
    outcomes = run.outcomes()
    removal = request(crosswalk)
    withdraw(crosswalk, removal)
    destroy(crosswalk, removal)
    crosswalk.mapping.record(run.batch, outcomes)
    assert states(crosswalk_dsn)[3:] == [("held", "keys-destroyed")] * 2
    with psycopg.connect(crosswalk_dsn) as connection:
        rows = connection.execute("SELECT count(*) FROM crosswalk.study WHERE patient_id IS NOT NULL").fetchone()
    assert rows == (1,)


def test_nothing_is_made_anew_of_whose_keys_were_destroyed(crosswalk: Crosswalk, stored: Run) -> None:
    removal = request(crosswalk, RemovalKind.RE_ISSUE)
    destroy(crosswalk, removal)
    with pytest.raises(Fatal, match="keys of the patient were destroyed"):
        crosswalk.removals.mark(removal)


def test_the_salt_goes_with_the_keys_and_nothing_comes_back(
    crosswalk: Crosswalk, crosswalk_dsn: str, stored: Run
) -> None:
    removal = request(crosswalk, RemovalKind.RE_ISSUE)
    crosswalk.removals.mark(removal)
    destroy(crosswalk, removal)
    with psycopg.connect(crosswalk_dsn) as connection:
        assert connection.execute("SELECT uid_salt FROM crosswalk.patient").fetchone() == (None,)
    for change in ("uid_salt = 'x'", "key_wrapped = 'x'", "identity_sealed = 'x'", "key_destroyed_at = now()"):
        refused(crosswalk_dsn, f"UPDATE crosswalk.patient SET {change}")


def test_what_was_at_work_when_the_keys_were_destroyed_is_looked_for(crosswalk: Crosswalk, crosswalk_dsn: str) -> None:
    discover(crosswalk, UID, sightings(UID, 3))
    run = Run(crosswalk)
    run.record()
    run.validate()
    removal = request(crosswalk)
    destroy(crosswalk, removal)
    withdraw(crosswalk, removal)
    assert len(crosswalk.removals.objects(removal)) == 3


def test_a_recall_takes_what_is_stored_of_whose_keys_were_destroyed(
    crosswalk: Crosswalk, crosswalk_dsn: str, stored: Run
) -> None:
    crosswalk.releases.create("P", "ada", b"d", [row.instance_id for row in stored.sources()])
    destroy(crosswalk, request(crosswalk))
    recall = crosswalk.removals.request_recall("P", 1, ADA, **WHY)
    assert crosswalk.removals.mark(recall)["objects"] == 3
    assert states(crosswalk_dsn) == [("held", "recalled")] * 3
