"""Merges, splits and overruled conflicts: what they change, what they leave, and what they free."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from tests.crosswalk.scenario import (
    DOE,
    FACTS,
    ROE,
    Run,
    deidentified,
    discover,
    held,
    in_processes,
    merge_in_process,
    research,
    sightings,
)

from dicomanon.crosswalk import people
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.decisions.rows import KeyChange, Signed
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.patients import IdentityConflict
from dicomanon.crosswalk.rows import IdentityEvent, Patient
from dicomanon.errors import Fatal, Held, Retriable
from dicomanon.identity import PatientIdentity

ADMIN = Signed("admin", "asked the ward")
DRY = Signed("admin", "only looking", dry_run=True)
JONES = replace(DOE, name="JONES^JOHN")
OTHER_FACTS = replace(FACTS, accession_number="ACC-2")


@pytest.fixture(autouse=True)
def _decisions_are_noticed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "CACHE_SECONDS", 0.0)


@pytest.fixture
def both(crosswalk: Crosswalk) -> tuple[Patient, Patient]:
    return crosswalk.patients.get_or_create(DOE), crosswalk.patients.get_or_create(ROE)


@pytest.fixture
def connection(crosswalk_dsn: str, crosswalk: Crosswalk) -> Iterator[psycopg.Connection]:
    with psycopg.connect(crosswalk_dsn, autocommit=True) as opened:
        yield opened


def study(crosswalk: Crosswalk, uid: str, identity: PatientIdentity, instances: int = 2, **changes: object) -> UUID:
    """Store a study as the pipeline does, the patient asked for with the study."""
    row = discover(crosswalk, uid, sightings(uid, instances))
    run = Run(crosswalk)
    record(crosswalk, run, identity, only=row, **changes)
    run.validate()
    run.store()
    return row


def record(
    crosswalk: Crosswalk, run: Run, identity: PatientIdentity, *, only: UUID | None = None, **changes: object
) -> None:
    outcomes = []
    for source in run.sources():
        if only not in {None, source.study_id}:
            continue
        try:
            patient = crosswalk.patients.get_or_create(identity, source.study_id)
        except IdentityConflict as conflict:
            outcome = deidentified(source, uuid4(), **changes)
            outcomes.append(
                held(outcome, "identity-conflict", conflict.detail, patient_id=None, event_id=conflict.event_id)
            )
        else:
            outcomes.append(deidentified(source, patient.id, keyed_patient_id=patient.keyed_id, **changes))
    crosswalk.mapping.record(run.batch, outcomes)


def pseudonyms(crosswalk: Crosswalk, *studies: UUID) -> list[str]:
    """Return the pseudonym in the objects of each study."""
    by_study = {row.study_id: str(row.pseudonym) for row in crosswalk.mapping.cohort_instances(studies)}
    return [by_study[row] for row in studies]


def only_event(crosswalk: Crosswalk) -> IdentityEvent:
    (event,) = crosswalk.identities.events()
    return event


class TestMerge:
    def test_either_id_leads_to_the_older_pseudonym_from_now_on(
        self, crosswalk: Crosswalk, both: tuple[Patient, Patient]
    ) -> None:
        doe, roe = both
        done = crosswalk.identities.merge([roe.pseudonym, doe.pseudonym], ADMIN)
        assert (done.survivor, done.others) == (doe.pseudonym, (roe.pseudonym,))
        for identity in (DOE, ROE):
            found = crosswalk.patients.get_or_create(identity)
            assert (found.pseudonym, found.date_shift_days) == (doe.pseudonym, doe.date_shift_days)

    def test_the_other_pseudonym_may_be_kept(self, crosswalk: Crosswalk, both: tuple[Patient, Patient]) -> None:
        doe, roe = both
        crosswalk.identities.merge([doe.pseudonym, roe.pseudonym], ADMIN, keep=roe.pseudonym)
        assert crosswalk.patients.get_or_create(DOE).pseudonym == roe.pseudonym

    def test_what_either_was_called_is_no_conflict_afterwards(
        self, crosswalk: Crosswalk, both: tuple[Patient, Patient]
    ) -> None:
        crosswalk.identities.merge([one.pseudonym for one in both], ADMIN)
        crosswalk.patients.get_or_create(replace(DOE, name=ROE.name, sex=ROE.sex, birth_date=ROE.birth_date))
        with pytest.raises(Held):
            crosswalk.patients.get_or_create(replace(DOE, name="SOMEBODY^ELSE"))

    def test_a_study_keeps_its_pseudonym_and_a_new_one_gets_the_survivors(self, crosswalk: Crosswalk) -> None:
        first, second = study(crosswalk, "1.2.1", DOE), study(crosswalk, "1.2.2", ROE, facts=OTHER_FACTS)
        doe, roe = pseudonyms(crosswalk, first, second)
        done = crosswalk.identities.merge([doe, roe], ADMIN)
        assert done.studies == (second,)
        discover(crosswalk, "1.2.2", sightings("1.2.2", 4))
        run = Run(crosswalk)
        record(crosswalk, run, ROE, facts=OTHER_FACTS)
        run.validate()
        run.store()
        third = study(crosswalk, "1.2.3", ROE, facts=OTHER_FACTS)
        assert pseudonyms(crosswalk, first, second, third) == [doe, roe, doe]
        assert crosswalk.identities.events() == []

    def test_cohorts_and_traces_treat_both_as_one_person(self, crosswalk: Crosswalk) -> None:
        first, second = study(crosswalk, "1.2.1", DOE), study(crosswalk, "1.2.2", ROE, facts=OTHER_FACTS)
        doe, roe = pseudonyms(crosswalk, first, second)
        crosswalk.identities.merge([doe, roe], ADMIN)
        for identity in (DOE, ROE):
            found = list(crosswalk.mapping.studies_for_cohort([("", identity.patient_id)]))
            assert {one.study_id for one in found} == {first, second}
            assert len({one.patient_id for one in found}) == 1
        assert {row.patient for row in crosswalk.mapping.cohort_instances([first, second])} == {doe}
        for pseudonym in (doe, roe):
            trace = crosswalk.lineage.trace(pseudonym)
            assert trace is not None
            assert (trace.pseudonym, trace.pseudonyms) == (doe, (doe, roe))
            assert {one.study_id: one.pseudonym for one in trace.studies} == {first: doe, second: roe}

    def test_two_ids_in_one_study_are_freed(self, crosswalk: Crosswalk, both: tuple[Patient, Patient]) -> None:
        study(crosswalk, "1.2.1", DOE)
        discover(crosswalk, "1.2.1", sightings("1.2.1", 3))
        run = Run(crosswalk)
        record(crosswalk, run, ROE)
        event = only_event(crosswalk)
        assert (event.kind, event.held) == ("two-patients-in-study", 1)
        assert run.states() == ["held"]
        done = crosswalk.identities.merge_event(event.id, ADMIN)
        assert (done.freed, done.settled) == (1, (event.id,))
        run = Run(crosswalk)
        record(crosswalk, run, ROE)
        assert run.states() == ["deidentified"]
        assert crosswalk.identities.events() == []

    def test_a_dry_run_says_the_same_and_changes_nothing(
        self, crosswalk: Crosswalk, both: tuple[Patient, Patient], connection: psycopg.Connection
    ) -> None:
        names = [one.pseudonym for one in both]
        said = crosswalk.identities.merge(names, DRY)
        assert connection.execute("SELECT count(*) FROM crosswalk.identity_decision").fetchone() == (0,)
        assert crosswalk.patients.get_or_create(ROE).pseudonym == names[1]
        assert replace(said, dry_run=False) == crosswalk.identities.merge(names, ADMIN)

    def test_signed_sealed_and_audited(
        self, crosswalk: Crosswalk, both: tuple[Patient, Patient], connection: psycopg.Connection
    ) -> None:
        crosswalk.identities.merge([one.pseudonym for one in both], ADMIN)
        row = connection.execute("SELECT decided_by, database_login, reason_sealed FROM crosswalk.identity_decision")
        (decided_by, login, sealed) = row.fetchone() or ("", "", b"")
        assert decided_by == "admin"
        assert login == connection.info.user
        assert b"ward" not in sealed
        assert connection.execute("SELECT actor, action FROM crosswalk.access_event").fetchall() == [
            ("admin", "identity.merge")
        ]

    @pytest.mark.parametrize("signed", [Signed("", "why"), Signed("admin", " ")])
    def test_refused_without_who_and_why(
        self, crosswalk: Crosswalk, both: tuple[Patient, Patient], signed: Signed
    ) -> None:
        with pytest.raises(Fatal):
            crosswalk.identities.merge([one.pseudonym for one in both], signed)

    def test_circles_and_repetitions_are_refused(self, crosswalk: Crosswalk, both: tuple[Patient, Patient]) -> None:
        names = [one.pseudonym for one in both]
        crosswalk.identities.merge(names, ADMIN)
        with pytest.raises(Fatal, match="one patient already"):
            crosswalk.identities.merge(names[::-1], ADMIN)
        with pytest.raises(Fatal, match="no patient"):
            crosswalk.identities.merge([names[0], "D0"], ADMIN)

    def test_the_database_refuses_merges_without_a_decision_and_circles(
        self, crosswalk: Crosswalk, both: tuple[Patient, Patient], connection: psycopg.Connection
    ) -> None:
        doe, roe = (one.id for one in both)
        update = "UPDATE crosswalk.patient SET merged_into = %s WHERE id = %s"
        with pytest.raises(psycopg.errors.RestrictViolation, match="no decision"):
            connection.execute(update, (doe, roe))
        with pytest.raises(psycopg.errors.RestrictViolation):
            connection.execute("UPDATE crosswalk.patient SET survivor_id = %s WHERE id = %s", (doe, roe))
        crosswalk.identities.merge([both[0].pseudonym, both[1].pseudonym], ADMIN)
        connection.execute(
            "INSERT INTO crosswalk.patient_merge (decision_id, patient_id, into_id)"
            " SELECT id, %s, %s FROM crosswalk.identity_decision",
            (doe, roe),
        )
        with pytest.raises(psycopg.errors.RestrictViolation, match="circle"):
            connection.execute(update, (roe, doe))

    def test_a_chain_of_merges_leads_to_its_end(self, crosswalk: Crosswalk) -> None:
        people_ = [crosswalk.patients.get_or_create(PatientIdentity(f"P{number}")) for number in range(4)]
        first, *others = people_
        for older, newer in zip(people_[2::-1], people_[:0:-1], strict=True):
            crosswalk.identities.merge([older.pseudonym, newer.pseudonym], ADMIN)
        assert {crosswalk.patients.get_or_create(PatientIdentity(f"P{number}")).id for number in range(4)} == {first.id}
        crosswalk.identities.unmerge(others[1].pseudonym, ADMIN)
        found = [crosswalk.patients.get_or_create(PatientIdentity(f"P{number}")).id for number in range(4)]
        assert found == [first.id, first.id, others[1].id, others[1].id]


class TestChangeOfIdentifier:
    CHANGE = KeyChange(old=("", DOE.patient_id), new=("", "MRN-NEW"))

    def test_an_identifier_that_comes_later_is_the_same_patients(self, crosswalk: Crosswalk) -> None:
        doe = crosswalk.patients.get_or_create(DOE)
        done = crosswalk.identities.merge_keys(self.CHANGE, ADMIN)
        assert (done.survivor, done.new_keys) == (doe.pseudonym, 1)
        assert crosswalk.patients.get_or_create(replace(DOE, patient_id="MRN-NEW")).id == doe.id

    def test_remembered_where_nobody_has_been_seen_yet(self, crosswalk: Crosswalk) -> None:
        assert crosswalk.identities.merge_keys(self.CHANGE, ADMIN).new_keys == 2
        new = crosswalk.patients.get_or_create(replace(DOE, patient_id="MRN-NEW"))
        assert crosswalk.patients.get_or_create(DOE).id == new.id

    def test_known_patients_are_merged(self, crosswalk: Crosswalk) -> None:
        doe = crosswalk.patients.get_or_create(DOE)
        crosswalk.patients.get_or_create(replace(DOE, patient_id="MRN-NEW"))
        assert crosswalk.identities.merge_keys(self.CHANGE, ADMIN).survivor == doe.pseudonym
        assert crosswalk.patients.get_or_create(replace(DOE, patient_id="MRN-NEW")).id == doe.id

    def test_said_twice_it_is_decided_once(self, crosswalk: Crosswalk, connection: psycopg.Connection) -> None:
        crosswalk.patients.get_or_create(DOE)
        crosswalk.identities.merge_keys(self.CHANGE, ADMIN)
        assert crosswalk.identities.merge_keys(self.CHANGE, ADMIN).new_keys == 0
        assert connection.execute("SELECT count(*) FROM crosswalk.identity_decision").fetchone() == (1,)

    def test_does_not_print_identifiers(self) -> None:
        assert DOE.patient_id not in repr(self.CHANGE)


class TestUnmerge:
    def test_the_patient_is_their_own_again(self, crosswalk: Crosswalk, both: tuple[Patient, Patient]) -> None:
        doe, roe = both
        crosswalk.identities.merge([doe.pseudonym, roe.pseudonym], ADMIN)
        done = crosswalk.identities.unmerge(roe.pseudonym, ADMIN)
        assert (done.survivor, done.others) == (roe.pseudonym, (doe.pseudonym,))
        assert crosswalk.patients.get_or_create(ROE) == roe
        assert crosswalk.patients.get_or_create(DOE) == doe
        crosswalk.identities.merge([doe.pseudonym, roe.pseudonym], ADMIN)
        assert crosswalk.patients.get_or_create(ROE).id == doe.id

    def test_what_was_made_meanwhile_is_to_be_reissued(self, crosswalk: Crosswalk) -> None:
        doe, roe = crosswalk.patients.get_or_create(DOE), crosswalk.patients.get_or_create(ROE)
        crosswalk.identities.merge([doe.pseudonym, roe.pseudonym], ADMIN)
        row = study(crosswalk, "1.2.1", ROE)
        ids = [one.instance_id for one in crosswalk.mapping.cohort_instances([row])]
        crosswalk.releases.create("liver", "me", b"", ids)
        done = crosswalk.identities.unmerge(roe.pseudonym, ADMIN)
        assert (done.studies, done.reissues) == ((row,), 2)
        assert [(one.project, one.number) for one in done.releases] == [("liver", 1)]
        assert [one.instance_id for one in crosswalk.identities.open_reissues()] == ids
        assert list(crosswalk.mapping.cohort_instances([row])) == [], "no new release takes them"

    def test_refused_for_who_was_not_merged(self, crosswalk: Crosswalk) -> None:
        with pytest.raises(Fatal, match="not merged"):
            crosswalk.identities.unmerge(crosswalk.patients.get_or_create(DOE).pseudonym, ADMIN)


class TestOverrule:
    def test_a_name_by_marriage_is_known_from_now_on_and_frees_what_waited(self, crosswalk: Crosswalk) -> None:
        study(crosswalk, "1.2.1", DOE)
        discover(crosswalk, "1.2.2", sightings("1.2.2", 3))
        run = Run(crosswalk)
        record(crosswalk, run, JONES, facts=OTHER_FACTS)
        event = only_event(crosswalk)
        assert (event.kind, event.parts, event.held) == ("patient-differs", ("name",), 3)
        assert crosswalk.identities.overrule(event.id, ADMIN).freed == 3
        run = Run(crosswalk)
        record(crosswalk, run, JONES, facts=OTHER_FACTS)
        assert run.states() == ["deidentified"] * 3
        assert crosswalk.identities.events() == []
        assert crosswalk.patients.get_or_create(DOE).id == crosswalk.patients.get_or_create(JONES).id

    def test_frees_nothing_else(self, crosswalk: Crosswalk) -> None:
        crosswalk.patients.get_or_create(DOE)
        for uid, identity in (("1.2.1", JONES), ("1.2.2", replace(DOE, name="SMITH^JOHN"))):
            discover(crosswalk, uid, sightings(uid, 2))
            record(crosswalk, Run(crosswalk), identity)
        first, _ = crosswalk.identities.events()
        assert crosswalk.identities.overrule(first.id, ADMIN).freed == 2
        (left,) = crosswalk.identities.events()
        assert left.held == 2

    def test_one_decision_an_event(self, crosswalk: Crosswalk) -> None:
        crosswalk.patients.get_or_create(DOE)
        with pytest.raises(Held):
            crosswalk.patients.get_or_create(JONES)
        event = only_event(crosswalk)
        crosswalk.identities.overrule(event.id, ADMIN)
        with pytest.raises(Fatal, match="decided before"):
            crosswalk.identities.uphold(event.id, ADMIN)
        with pytest.raises(Fatal, match="no such"):
            crosswalk.identities.overrule(uuid4(), ADMIN)

    def test_another_id_in_a_study_goes_with_the_study_only(self, crosswalk: Crosswalk) -> None:
        doe = study(crosswalk, "1.2.1", DOE)
        crosswalk.patients.get_or_create(ROE)
        discover(crosswalk, "1.2.1", sightings("1.2.1", 3))
        record(crosswalk, Run(crosswalk), ROE)
        assert crosswalk.identities.overrule(only_event(crosswalk).id, ADMIN).freed == 1
        run = Run(crosswalk)
        record(crosswalk, run, ROE)
        run.validate()
        run.store()
        assert run.states() == ["stored"]
        elsewhere = study(crosswalk, "1.2.9", ROE, facts=OTHER_FACTS)
        one, other = pseudonyms(crosswalk, doe, elsewhere)
        assert one != other
        with pytest.raises(Held):
            crosswalk.patients.get_or_create(replace(DOE, name=ROE.name))

    def test_other_content_of_a_stored_instance_is_to_be_reissued(self, crosswalk: Crosswalk) -> None:
        discover(crosswalk, "1.2.1", sightings("1.2.1", 1))
        run = Run(crosswalk)
        run.complete()
        run.record(input_digest=b"other")
        event = only_event(crosswalk)
        assert event.kind == "uid-reused"
        assert crosswalk.identities.overrule(event.id, ADMIN).reissues == 1

    def test_a_uid_of_another_instance_can_only_be_upheld(self, crosswalk: Crosswalk) -> None:
        listing = sightings("1.2.1", 1)
        discover(crosswalk, "1.2.1", listing)
        discover(crosswalk, "1.2.2", listing)
        event = only_event(crosswalk)
        assert event.held == 1
        with pytest.raises(Fatal, match="uphold"):
            crosswalk.identities.overrule(event.id, ADMIN)
        crosswalk.identities.uphold(event.id, ADMIN)
        assert crosswalk.identities.events() == []
        assert crosswalk.identities.events(open_only=False)[0].decided == "uphold"


class TestUphold:
    def test_holds_what_comes_later_without_asking_again(self, crosswalk: Crosswalk) -> None:
        crosswalk.patients.get_or_create(DOE)
        discover(crosswalk, "1.2.1", sightings("1.2.1", 1))
        record(crosswalk, Run(crosswalk), JONES)
        assert crosswalk.identities.uphold(only_event(crosswalk).id, ADMIN).freed == 0
        discover(crosswalk, "1.2.2", sightings("1.2.2", 1))
        run = Run(crosswalk)
        record(crosswalk, run, JONES)
        assert run.states() == ["held"]
        assert crosswalk.identities.events() == []


class TestAccessionNumber:
    def test_one_order_of_one_patient_may_have_several_studies(self, crosswalk: Crosswalk) -> None:
        study(crosswalk, "1.2.1", DOE)
        study(crosswalk, "1.2.2", DOE)
        assert crosswalk.identities.events() == []

    def test_another_patients_is_held_and_recorded(self, crosswalk: Crosswalk) -> None:
        first = study(crosswalk, "1.2.1", DOE)
        second = discover(crosswalk, "1.2.2", sightings("1.2.2", 2))
        run = Run(crosswalk)
        record(crosswalk, run, ROE)
        event = only_event(crosswalk)
        assert (event.kind, event.study_id, event.other_study_id, event.held) == ("accession-reused", second, first, 2)
        assert run.states() == ["held"] * 2

    def test_noticed_within_one_batch(self, crosswalk: Crosswalk) -> None:
        for uid in ("1.2.1", "1.2.2"):
            discover(crosswalk, uid, sightings(uid, 1))
        run = Run(crosswalk)
        patients = [crosswalk.patients.get_or_create(identity) for identity in (DOE, ROE)]
        crosswalk.mapping.record(
            run.batch, [deidentified(one, who.id) for one, who in zip(run.sources(), patients, strict=True)]
        )
        assert sorted(run.states()) == ["deidentified", "held"]

    def test_two_issuers_number_their_orders_by_themselves(self, crosswalk: Crosswalk) -> None:
        study(crosswalk, "1.2.1", replace(DOE, issuer="HERE"))
        study(crosswalk, "1.2.2", replace(ROE, issuer="THERE"))
        assert crosswalk.identities.events() == []

    def test_overruled_the_study_has_it_and_the_next_one_is_asked_for(self, crosswalk: Crosswalk) -> None:
        study(crosswalk, "1.2.1", DOE)
        discover(crosswalk, "1.2.2", sightings("1.2.2", 2))
        record(crosswalk, Run(crosswalk), ROE)
        assert crosswalk.identities.overrule(only_event(crosswalk).id, ADMIN).freed == 2
        run = Run(crosswalk)
        record(crosswalk, run, ROE)
        assert run.states() == ["deidentified"] * 2
        third = discover(crosswalk, "1.2.3", sightings("1.2.3", 1))
        record(crosswalk, Run(crosswalk), PatientIdentity("P3"), only=third)
        assert only_event(crosswalk).held == 1

    def test_a_number_of_no_order_is_settled_for_all(self, crosswalk: Crosswalk) -> None:
        study(crosswalk, "1.2.1", DOE)
        for number in range(2, 5):
            discover(crosswalk, f"1.2.{number}", sightings(f"1.2.{number}", 1))
            record(crosswalk, Run(crosswalk), PatientIdentity(f"P{number}"))
        first, *_ = crosswalk.identities.events()
        done = crosswalk.identities.overrule(first.id, ADMIN, shared=True)
        assert (len(done.settled), done.freed) == (3, 3)
        study(crosswalk, "1.2.9", PatientIdentity("P9"))
        assert crosswalk.identities.events() == []

    def test_merged_it_is_one_patients_order(self, crosswalk: Crosswalk) -> None:
        study(crosswalk, "1.2.1", DOE)
        discover(crosswalk, "1.2.2", sightings("1.2.2", 2))
        record(crosswalk, Run(crosswalk), ROE)
        assert crosswalk.identities.merge_event(only_event(crosswalk).id, ADMIN).freed == 2
        run = Run(crosswalk)
        record(crosswalk, run, ROE)
        assert run.states() == ["deidentified"] * 2


class TestSplit:
    def test_a_second_person_under_one_id_gets_a_pseudonym_of_their_own(self, crosswalk: Crosswalk) -> None:
        impostor = replace(ROE, patient_id=DOE.patient_id)
        first = study(crosswalk, "1.2.1", DOE)
        second = discover(crosswalk, "1.2.2", sightings("1.2.2", 2))
        record(crosswalk, Run(crosswalk), impostor, facts=OTHER_FACTS)
        event = only_event(crosswalk)
        done = crosswalk.identities.split([], ADMIN, event_id=event.id)
        assert (done.studies, done.freed, done.reissues) == ((second,), 2, 0)
        run = Run(crosswalk)
        record(crosswalk, run, impostor, facts=OTHER_FACTS)
        run.validate()
        run.store()
        one, other = pseudonyms(crosswalk, first, second)
        assert (one != other, other) == (True, done.survivor)
        assert crosswalk.identities.events() == []

    def test_stored_studies_are_to_be_reissued_and_their_releases_named(
        self, crosswalk: Crosswalk, connection: psycopg.Connection
    ) -> None:
        stays, goes = study(crosswalk, "1.2.1", DOE), study(crosswalk, "1.2.2", DOE)
        ids = [one.instance_id for one in crosswalk.mapping.cohort_instances([stays, goes])]
        crosswalk.releases.create("liver", "me", b"", ids)
        said = crosswalk.identities.split([research("1.2.2")], DRY)
        assert said.reissues == 2
        assert crosswalk.identities.open_reissues() == []
        done = crosswalk.identities.split([research("1.2.2")], ADMIN)
        assert (done.studies, done.reissues, [one.project for one in done.releases]) == ((goes,), 2, ["liver"])
        assert {one.study_id for one in crosswalk.identities.open_reissues()} == {goes}
        assert [row.study_id for row in crosswalk.mapping.cohort_instances([stays, goes])] == [stays] * 2
        with pytest.raises(Fatal, match=r"2 instances .* to be made anew"):
            crosswalk.releases.create("liver", "me", b"", ids)
        assert crosswalk.patients.get_or_create(DOE, goes).pseudonym == done.survivor
        assert crosswalk.patients.get_or_create(DOE).pseudonym != done.survivor
        connection.execute("UPDATE crosswalk.reissue SET closed_at = now()")
        with pytest.raises(psycopg.errors.RestrictViolation):
            connection.execute("UPDATE crosswalk.reissue SET closed_at = NULL")

    def test_what_is_made_but_not_stored_is_made_again(self, crosswalk: Crosswalk) -> None:
        row = discover(crosswalk, "1.2.1", sightings("1.2.1", 2))
        run = Run(crosswalk)
        record(crosswalk, run, DOE)
        crosswalk.identities.split([str(row)], ADMIN)
        assert run.states() == ["discovered"] * 2
        assert crosswalk.mapping.staged(run.batch) == []

    def test_a_misfiled_study_goes_to_a_known_patient_and_may_bear_the_old_name(self, crosswalk: Crosswalk) -> None:
        study(crosswalk, "1.2.1", DOE)
        goes = study(crosswalk, "1.2.2", DOE)
        roe = crosswalk.patients.get_or_create(ROE)
        crosswalk.identities.split([research("1.2.2")], ADMIN, to=roe.pseudonym)
        assert crosswalk.patients.get_or_create(DOE, goes).id == roe.id
        with pytest.raises(Held):
            crosswalk.patients.get_or_create(replace(ROE, name=DOE.name))

    def test_a_study_that_began_with_the_wrong_id_goes_to_the_second(self, crosswalk: Crosswalk) -> None:
        row = study(crosswalk, "1.2.1", DOE)
        roe = crosswalk.patients.get_or_create(ROE)
        discover(crosswalk, "1.2.1", sightings("1.2.1", 3))
        record(crosswalk, Run(crosswalk), ROE)
        event = only_event(crosswalk)
        with pytest.raises(Fatal, match="--to"):
            crosswalk.identities.split([], ADMIN, event_id=event.id)
        done = crosswalk.identities.split([], ADMIN, event_id=event.id, to=roe.pseudonym)
        assert (done.freed, done.reissues) == (1, 2)
        assert crosswalk.patients.get_or_create(DOE, row).id == roe.id

    def test_an_examination_filed_under_the_wrong_id_goes_to_whose_order_it_was(self, crosswalk: Crosswalk) -> None:
        study(crosswalk, "1.2.1", DOE)
        goes = discover(crosswalk, "1.2.2", sightings("1.2.2", 2))
        record(crosswalk, Run(crosswalk), ROE)
        event, doe = only_event(crosswalk), crosswalk.patients.get_or_create(DOE)
        assert crosswalk.identities.split([], ADMIN, event_id=event.id, to=doe.pseudonym).freed == 2
        run = Run(crosswalk)
        record(crosswalk, run, ROE)
        assert run.states() == ["deidentified"] * 2
        assert crosswalk.patients.get_or_create(ROE, goes).id == doe.id
        assert crosswalk.identities.events() == []

    def test_an_event_about_content_is_no_reason(self, crosswalk: Crosswalk) -> None:
        listing = sightings("1.2.1", 1)
        discover(crosswalk, "1.2.1", listing)
        discover(crosswalk, "1.2.2", listing)
        with pytest.raises(Fatal, match="content"):
            crosswalk.identities.split([], ADMIN, event_id=only_event(crosswalk).id)

    def test_refused_for_what_is_not_there(self, crosswalk: Crosswalk) -> None:
        with pytest.raises(Fatal, match="not in the crosswalk"):
            crosswalk.identities.split(["2.25.1"], ADMIN)
        with pytest.raises(Fatal, match="no study"):
            crosswalk.identities.split([], ADMIN)

    def test_no_study_changes_its_patient_without_a_decision(
        self, crosswalk: Crosswalk, connection: psycopg.Connection
    ) -> None:
        row = study(crosswalk, "1.2.1", DOE)
        roe = crosswalk.patients.get_or_create(ROE)
        for value in (roe.id, None):
            with pytest.raises(psycopg.errors.RestrictViolation):
                connection.execute("UPDATE crosswalk.study SET patient_id = %s WHERE id = %s", (value, row))


class TestShow:
    def test_recorded_before_it_is_shown(self, crosswalk: Crosswalk, connection: psycopg.Connection) -> None:
        crosswalk.patients.get_or_create(DOE)
        discover(crosswalk, "1.2.1", sightings("1.2.1", 1))
        record(crosswalk, Run(crosswalk), JONES)
        event = only_event(crosswalk)
        with pytest.raises(Fatal):
            crosswalk.identities.show(event.id, actor="admin", reason=" ")
        shown = crosswalk.identities.show(event.id, actor="admin", reason="ward calls")
        assert connection.execute("SELECT actor, action FROM crosswalk.access_event").fetchall() == [
            ("admin", "identity.show")
        ]
        assert shown.known.reveal() == (DOE,)
        assert shown.seen.reveal() == JONES
        assert [uid.reveal() for uid in shown.study_uids] == ["1.2.1"]
        assert "JONES" not in repr(shown)


class TestAtTheSameTime:
    def test_made_before_a_merge_it_is_not_recorded_after_it(
        self, crosswalk: Crosswalk, both: tuple[Patient, Patient]
    ) -> None:
        discover(crosswalk, "1.2.1", sightings("1.2.1", 2))
        run = Run(crosswalk)
        outcomes = [deidentified(source, both[1].id) for source in run.sources()]
        crosswalk.identities.merge([one.pseudonym for one in both], ADMIN)
        with pytest.raises(Retriable, match="made anew"):
            crosswalk.mapping.record(run.batch, outcomes)
        assert run.states() == ["discovered"] * 2
        record(crosswalk, run, ROE)
        assert run.states() == ["deidentified"] * 2

    def test_a_cache_elsewhere_learns_of_a_merge(
        self, crosswalk_dsn: str, keyring: Keyring, crosswalk: Crosswalk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(people, "CACHE_SECONDS", 0.2)
        with Crosswalk(crosswalk_dsn, keyring) as another_process:
            doe, roe = (another_process.patients.get_or_create(one) for one in (DOE, ROE))
            crosswalk.identities.merge([doe.pseudonym, roe.pseudonym], ADMIN)
            time.sleep(0.25)
            assert another_process.patients.get_or_create(ROE).id == doe.id

    def test_a_decision_waits_for_what_is_being_recorded_for_its_event(
        self, crosswalk: Crosswalk, connection: psycopg.Connection
    ) -> None:
        crosswalk.patients.get_or_create(DOE)
        discover(crosswalk, "1.2.1", sightings("1.2.1", 2))
        run = Run(crosswalk)
        with pytest.raises(IdentityConflict) as conflict:
            crosswalk.patients.get_or_create(JONES)
        event_id = conflict.value.event_id
        outcomes = [
            held(deidentified(one, uuid4()), "identity-conflict", patient_id=None, event_id=event_id)
            for one in run.sources()
        ]
        crosswalk.identities.overrule(event_id, ADMIN)
        with pytest.raises(Retriable, match="decided meanwhile"):
            crosswalk.mapping.record(run.batch, outcomes)
        assert run.states() == ["discovered"] * 2, "nothing is held for what is settled"

    def test_of_merges_at_once_in_both_directions_one_is_carried_out(
        self, crosswalk_dsn: str, keyring_file: Path
    ) -> None:
        with Crosswalk(crosswalk_dsn, Keyring.load(keyring_file)) as crosswalk:
            crosswalk.migrate()
            one, other = (crosswalk.patients.get_or_create(each).pseudonym for each in (DOE, ROE))
            answers = in_processes(
                merge_in_process,
                [(crosswalk_dsn, keyring_file, one, other, keep) for keep in (one, other, one, other)],
            )
            assert sorted(answers) == ["done", "refused", "refused", "refused"]
            assert len({crosswalk.patients.get_or_create(each).id for each in (DOE, ROE)}) == 1

    def test_merges_while_others_ask_and_record_end_with_one_pseudonym_for_what_is_new(
        self, crosswalk: Crosswalk, crosswalk_dsn: str, keyring: Keyring, both: tuple[Patient, Patient]
    ) -> None:
        for number in range(20):
            discover(crosswalk, f"1.2.{number}", sightings(f"1.2.{number}", 1))
        run = Run(crosswalk)
        refused: list[int] = []

        def work() -> None:
            with Crosswalk(crosswalk_dsn, keyring) as worker:
                for source in run.sources():
                    for attempt in range(5):
                        who = worker.patients.get_or_create(ROE, source.study_id)
                        outcome = deidentified(source, who.id, keyed_patient_id=who.keyed_id)
                        try:
                            worker.mapping.record(run.batch, [outcome])
                        except Retriable:
                            refused.append(attempt)
                            continue
                        break

        worker = threading.Thread(target=work)
        worker.start()
        crosswalk.identities.merge([one.pseudonym for one in both], ADMIN)
        worker.join()
        assert run.states() == ["deidentified"] * 20
        assert {row.pseudonym for row in crosswalk.mapping.staged(run.batch)} <= {one.pseudonym for one in both}
        assert crosswalk.patients.get_or_create(ROE).id == both[0].id


def test_the_search_for_known_values_knows_every_name_of_a_person(
    crosswalk: Crosswalk, both: tuple[Patient, Patient]
) -> None:
    row = study(crosswalk, "1.2.1", DOE)
    crosswalk.identities.merge([one.pseudonym for one in both], ADMIN)
    assert {"DOE", "ROE", DOE.patient_id, ROE.patient_id} <= crosswalk.mapping.known_values([row])[row]
