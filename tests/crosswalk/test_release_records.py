"""What a release is made of is entered once, sealed, and says how it differs from the one before."""

from dataclasses import replace
from uuid import uuid4

import psycopg
import pytest
from tests.crosswalk.scenario import DOE, ROE, Run, discover, sightings

from dicomanon.crosswalk import people
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.removals.rows import RemovalKind, Requester
from dicomanon.errors import Fatal
from dicomanon.reasons import HoldReason

RECORD = {"salt": "PLANTED", "facts": {"split": {}}}
WHY = {"reason": "by letter", "ticket": "T-1"}


def stored(crosswalk: Crosswalk, uid: str = "1.2", instances: int = 3) -> list[int]:
    discover(crosswalk, uid, sightings(uid, instances))
    run = Run(crosswalk)
    run.complete()
    return [source.instance_id for source in run.sources()]


def test_a_record_is_entered_with_its_release_and_sealed(crosswalk: Crosswalk, crosswalk_dsn: str) -> None:
    made = crosswalk.releases.create("LUNG", "ada", b"d", stored(crosswalk), record=RECORD)
    found = crosswalk.releases.find(made.id)
    assert (found.row, found.criteria_digest, found.record, found.has_ended) == (made, b"d", RECORD, False)
    with psycopg.connect(crosswalk_dsn) as connection:
        ((sealed,),) = connection.execute("SELECT record_sealed FROM crosswalk.release_record").fetchall()
    assert b"PLANTED" not in sealed


def test_of_two_records_the_first_counts(crosswalk: Crosswalk) -> None:
    ids = stored(crosswalk)
    made = crosswalk.releases.create("LUNG", "ada", b"d", ids, request_key="r", record=RECORD)
    assert crosswalk.releases.create("LUNG", "ada", b"d", ids, request_key="r", record={"salt": "other"}) == made
    assert crosswalk.releases.enter_record(made.id, {"salt": "another"}) == RECORD
    assert crosswalk.releases.find(made.id).record == RECORD


def test_a_release_from_before_has_none_until_one_is_entered(crosswalk: Crosswalk) -> None:
    made = crosswalk.releases.create("LUNG", "ada", b"d", stored(crosswalk))
    assert crosswalk.releases.find(made.id).record is None
    assert crosswalk.releases.enter_record(made.id, RECORD) == RECORD


def test_a_record_of_another_release_does_not_open(crosswalk: Crosswalk, crosswalk_dsn: str) -> None:
    ids = stored(crosswalk)
    first, second = (crosswalk.releases.create("LUNG", "ada", b"d", ids, record={"n": n}) for n in (1, 2))
    with psycopg.connect(crosswalk_dsn) as connection:
        connection.execute("ALTER TABLE crosswalk.release_record DISABLE TRIGGER release_record_append_only")
        connection.execute(
            "UPDATE crosswalk.release_record t SET record_sealed = o.record_sealed FROM crosswalk.release_record o"
            " WHERE t.release_id = %s AND o.release_id = %s",
            (first.id, second.id),
        )
    with pytest.raises(Fatal, match="does not open"):
        crosswalk.releases.find(first.id)


def test_a_record_is_never_changed(crosswalk: Crosswalk, crosswalk_dsn: str) -> None:
    crosswalk.releases.create("LUNG", "ada", b"d", stored(crosswalk), record=RECORD)
    for change in ("UPDATE crosswalk.release_record SET recorded_at = now()", "DELETE FROM crosswalk.release_record"):
        with psycopg.connect(crosswalk_dsn) as connection, pytest.raises(psycopg.errors.RestrictViolation):
            connection.execute(change)  # type: ignore[call-overload]


def test_what_nobody_released_is_not_found(crosswalk: Crosswalk) -> None:
    with pytest.raises(Fatal, match="no release of this id"):
        crosswalk.releases.find(uuid4())


def test_the_version_before_is_of_the_same_project_and_criteria(crosswalk: Crosswalk) -> None:
    ids = stored(crosswalk)
    first = crosswalk.releases.create("LUNG", "ada", b"d", ids)
    crosswalk.releases.create("LUNG", "ada", b"other", ids)
    crosswalk.releases.create("HEART", "ada", b"d", ids)
    third = crosswalk.releases.create("LUNG", "bob", b"d", ids)
    assert crosswalk.releases.former_version(first.id) is None
    assert crosswalk.releases.former_version(third.id) == first


def test_uids_are_those_of_the_time_whatever_was_made_anew_since(
    crosswalk: Crosswalk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "CACHE_SECONDS", 0.0)
    ids = stored(crosswalk)
    first = crosswalk.releases.create("LUNG", "ada", b"d", ids)
    before = crosswalk.releases.released_uids(first.id)
    pseudonym = str(crosswalk.patients.get_or_create(DOE).pseudonym)
    crosswalk.removals.mark(
        crosswalk.removals.request_of_patient(RemovalKind.RE_ISSUE, pseudonym, Requester("ada"), **WHY)
    )
    again = Run(crosswalk)
    anew = {source.instance_id: f"2.25.77{source.instance_id}" for source in again.sources()}
    made = again.outcomes(research_study_uid="2.25.771", research_series_uid="2.25.772")
    outcomes = [replace(one, research_sop_uid=anew[one.instance_id]) for one in made]
    crosswalk.mapping.record(again.batch, outcomes)
    again.validate()
    again.store()
    second = crosswalk.releases.create("LUNG", "ada", b"d", ids)
    assert crosswalk.releases.released_uids(second.id) == anew
    assert crosswalk.releases.released_uids(first.id) == before
    assert set(before) == set(anew)
    assert set(before.values()).isdisjoint(anew.values())
    assert crosswalk.releases.find(first.id).has_ended


def test_what_is_left_out_is_counted_by_reason_of_studies_whose_patients_stay(crosswalk: Crosswalk) -> None:
    study = discover(crosswalk, "1.2", sightings("1.2", 4))
    run = Run(crosswalk)
    outcomes = run.record()
    crosswalk.mapping.hold(run.batch, [outcomes[0].instance_id, outcomes[1].instance_id], HoldReason.RECOGNIZABLE_FACE)
    left = crosswalk.releases.left_out_of([study, uuid4()])
    assert {(one.state, one.reason): one.instances for one in left} == {
        ("held", "recognizable-face"): 2, ("deidentified", ""): 2}  # fmt: skip
    assert {one.research_study_uid for one in left} == {outcomes[0].research_study_uid}
    pseudonym = str(crosswalk.patients.get_or_create(DOE).pseudonym)
    crosswalk.removals.mark(
        crosswalk.removals.request_of_patient(RemovalKind.WITHDRAWAL, pseudonym, Requester("ada"), **WHY)
    )
    assert crosswalk.releases.left_out_of([study]) == []


def test_inputs_are_the_digests_of_the_source_objects(crosswalk: Crosswalk) -> None:
    discover(crosswalk, "1.2", sightings("1.2", 2))
    run = Run(crosswalk)
    outcomes = run.record(ROE)
    run.validate()
    run.store()
    made = crosswalk.releases.create("LUNG", "ada", b"d", [one.instance_id for one in outcomes])
    assert sorted(crosswalk.releases.input_digests(made.id)) == sorted(one.input_digest for one in outcomes)
