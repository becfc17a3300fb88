"""Removals and decisions about identities: a person withdraws as a whole, and a split ends in a re-issue."""

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

import psycopg
import pytest
from tests.crosswalk.scenario import DOE, ROE, Run, deidentified, discover, research, sightings

from dicomanon.crosswalk import people
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.decisions.rows import KeyChange, Signed
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.patients import Withdrawn
from dicomanon.crosswalk.removals.rows import Removal, RemovalKind, Requester
from dicomanon.crosswalk.rows import Patient
from dicomanon.errors import Fatal, Retriable
from dicomanon.identity import PatientIdentity

ONE, TWO = "1.2.826.0.1.3680043.1", "1.2.826.0.1.3680043.2"
ADA = Requester("ada")
WHY = {"reason": "asked by letter", "ticket": "DPO-17"}
ADMIN = Signed("admin", "asked the ward")
WITHDRAWAL, RE_ISSUE = RemovalKind.WITHDRAWAL, RemovalKind.RE_ISSUE


@pytest.fixture
def both(crosswalk: Crosswalk, monkeypatch: pytest.MonkeyPatch) -> tuple[Patient, Patient]:
    """Two patients, each with a stored study of two instances."""
    monkeypatch.setattr(people, "CACHE_SECONDS", 0.0)
    for uid, identity in ((ONE, DOE), (TWO, ROE)):
        discover(crosswalk, uid, sightings(uid, 2))
        run = Run(crosswalk)
        accession = identity.patient_id
        facts = replace(deidentified(run.sources()[0], UUID(int=0)).facts, accession_number=accession)
        run.complete(identity, facts=facts)
    return crosswalk.patients.get_or_create(DOE), crosswalk.patients.get_or_create(ROE)


@pytest.fixture
def connection(crosswalk_dsn: str, crosswalk: Crosswalk) -> Iterator[psycopg.Connection]:
    with psycopg.connect(crosswalk_dsn, autocommit=True) as opened:
        yield opened


def request(crosswalk: Crosswalk, patient: Patient, kind: RemovalKind = WITHDRAWAL) -> Removal:
    return crosswalk.removals.request_of_patient(kind, str(patient.pseudonym), ADA, **WHY)


def mark(crosswalk: Crosswalk, patient: Patient, kind: RemovalKind = WITHDRAWAL) -> Removal:
    removal = request(crosswalk, patient, kind)
    crosswalk.removals.mark(removal)
    return removal


def states(connection: psycopg.Connection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT state::text FROM crosswalk.instance")}


def withdrawn(crosswalk: Crosswalk, identity: PatientIdentity) -> UUID:
    with pytest.raises(Withdrawn) as held:
        crosswalk.patients.get_or_create(identity)
    return held.value.patient.id


class TestMergedPatients:
    @pytest.mark.parametrize("named", [0, 1], ids=["survivor", "merged"])
    def test_withdraw_together_whichever_is_named(
        self, crosswalk: Crosswalk, connection: psycopg.Connection, both: tuple[Patient, Patient], named: int
    ) -> None:
        crosswalk.identities.merge([one.pseudonym for one in both], ADMIN)
        assert sum(crosswalk.removals.extent(request(crosswalk, both[named])).instances.values()) == 4
        removal = mark(crosswalk, both[named])
        assert states(connection) == {"withdrawn"}
        assert {one.pseudonym for one in crosswalk.removals.objects(removal)} == {one.pseudonym for one in both}
        assert withdrawn(crosswalk, DOE) == withdrawn(crosswalk, ROE) == both[0].id
        assert list(crosswalk.mapping.studies_for_cohort()) == []

    def test_a_second_request_under_the_other_pseudonym_is_the_first(
        self, crosswalk: Crosswalk, both: tuple[Patient, Patient]
    ) -> None:
        crosswalk.identities.merge([one.pseudonym for one in both], ADMIN)
        assert request(crosswalk, both[1]).id == request(crosswalk, both[0]).id

    def test_who_was_merged_after_the_request_withdraws_too(
        self, crosswalk: Crosswalk, connection: psycopg.Connection, both: tuple[Patient, Patient]
    ) -> None:
        removal = request(crosswalk, both[1])
        crosswalk.identities.merge([one.pseudonym for one in both], ADMIN)
        crosswalk.removals.mark(removal)
        assert states(connection) == {"withdrawn"}

    def test_any_key_of_the_person_is_barred_one_that_comes_later_too(
        self, crosswalk: Crosswalk, both: tuple[Patient, Patient]
    ) -> None:
        new = replace(DOE, patient_id="NEW-1")
        mark(crosswalk, both[0])
        crosswalk.identities.merge_keys(KeyChange(("", DOE.patient_id), ("", new.patient_id)), ADMIN)
        assert withdrawn(crosswalk, new) == both[0].id
        assert crosswalk.removals.pseudonym_of("", new.patient_id, actor="ada", reason="why") == both[0].pseudonym

    def test_a_patient_id_leads_to_the_surviving_pseudonym(
        self, crosswalk: Crosswalk, both: tuple[Patient, Patient]
    ) -> None:
        crosswalk.identities.merge([one.pseudonym for one in both], ADMIN)
        assert crosswalk.removals.pseudonym_of("", ROE.patient_id, actor="ada", reason="why") == both[0].pseudonym

    def test_are_reissued_under_one_salt(
        self, crosswalk: Crosswalk, connection: psycopg.Connection, both: tuple[Patient, Patient]
    ) -> None:
        crosswalk.identities.merge([one.pseudonym for one in both], ADMIN)
        mark(crosswalk, both[1], RE_ISSUE)
        assert states(connection) == {"discovered"}
        study_of_roe = connection.execute(
            "SELECT id FROM crosswalk.study WHERE patient_id = %s", (both[1].id,)
        ).fetchone()
        assert study_of_roe is not None
        one, other = crosswalk.patients.get_or_create(DOE), crosswalk.patients.get_or_create(ROE, study_of_roe[0])
        assert (one.id, other.id) == (both[0].id, both[1].id), "each study keeps its pseudonym"
        assert one.uid_salt is not None and one.uid_salt == other.uid_salt


class TestDecisionsAboutWhoHasWithdrawn:
    def test_a_merge_with_another_is_refused_until_that_one_has_withdrawn_too(
        self, crosswalk: Crosswalk, both: tuple[Patient, Patient]
    ) -> None:
        mark(crosswalk, both[0])
        pair = [one.pseudonym for one in both]
        with pytest.raises(Fatal, match=f"{pair[0]} has withdrawn: .* `dicomanon removal withdraw {pair[1]}`"):
            crosswalk.identities.merge(pair, ADMIN)
        with pytest.raises(Fatal, match="has withdrawn"):
            crosswalk.identities.merge_keys(KeyChange(("", ROE.patient_id), ("", DOE.patient_id)), ADMIN)
        mark(crosswalk, both[1])
        assert crosswalk.identities.merge(pair, ADMIN).survivor == pair[0]

    def test_the_database_refuses_half_a_person(
        self, crosswalk: Crosswalk, connection: psycopg.Connection, both: tuple[Patient, Patient]
    ) -> None:
        mark(crosswalk, both[0])
        decision = connection.execute(
            "INSERT INTO crosswalk.identity_decision (id, kind, decided_by, reason_sealed)"
            " VALUES (gen_random_uuid(), 'merge', 'x', 'x') RETURNING id"
        ).fetchone()
        assert decision is not None
        connection.execute(
            "INSERT INTO crosswalk.patient_merge (decision_id, patient_id, into_id) VALUES (%s, %s, %s)",
            (decision[0], both[1].id, both[0].id),
        )
        with pytest.raises(psycopg.errors.RestrictViolation, match="has withdrawn, the other has not"):
            connection.execute("UPDATE crosswalk.patient SET merged_into = %s WHERE id = %s", (both[0].id, both[1].id))

    def test_nothing_is_taken_from_them_or_given_to_them(
        self, crosswalk: Crosswalk, both: tuple[Patient, Patient]
    ) -> None:
        crosswalk.identities.merge([one.pseudonym for one in both], ADMIN)
        mark(crosswalk, both[0])
        for decide in (
            lambda: crosswalk.identities.unmerge(both[1].pseudonym, ADMIN),
            lambda: crosswalk.identities.split([research(ONE)], ADMIN),
        ):
            with pytest.raises(Fatal, match="has withdrawn, which is final"):
                decide()

    def test_a_study_that_is_theirs_is_split_off_to_a_new_patient_who_withdraws(
        self, crosswalk: Crosswalk, connection: psycopg.Connection, both: tuple[Patient, Patient]
    ) -> None:
        doe, roe = both
        mark(crosswalk, doe)
        with pytest.raises(Fatal, match="split off to a new patient"):
            crosswalk.identities.split([research(TWO)], ADMIN, to=doe.pseudonym)
        done = crosswalk.identities.split([research(TWO)], ADMIN)
        removal = crosswalk.removals.request_of_patient(WITHDRAWAL, str(done.survivor), ADA, **WHY)
        crosswalk.removals.mark(removal)
        assert states(connection) == {"withdrawn"}
        assert {one.pseudonym for one in crosswalk.removals.objects(removal)} == {roe.pseudonym}
        assert crosswalk.identities.open_reissues() == []
        assert crosswalk.patients.get_or_create(ROE) == roe, "who is not theirs comes as before"


def test_what_another_process_remembers_ends_with_the_mark(
    crosswalk: Crosswalk, crosswalk_dsn: str, keyring: Keyring, both: tuple[Patient, Patient]
) -> None:
    with Crosswalk(crosswalk_dsn, keyring) as other:
        assert other.patients.get_or_create(DOE).uid_salt is None
        mark(crosswalk, both[0], RE_ISSUE)
        assert other.patients.get_or_create(DOE).uid_salt is not None
        mark(crosswalk, both[0])
        assert withdrawn(other, DOE) == both[0].id


class TestOpenReissues:
    @pytest.fixture
    def split(self, crosswalk: Crosswalk, both: tuple[Patient, Patient]) -> str:
        """Give the second study to a new patient; return that one's pseudonym."""
        return str(crosswalk.identities.split([research(TWO)], ADMIN).survivor)

    def test_are_requested_once_and_closed_by_the_mark(
        self, crosswalk: Crosswalk, connection: psycopg.Connection, both: tuple[Patient, Patient], split: str
    ) -> None:
        (removal,) = crosswalk.removals.request_owed(ADA, **WHY)
        assert [one.id for one in crosswalk.removals.request_owed(ADA, **WHY)] == [removal.id]
        assert (removal.kind, removal.pseudonym) == (RE_ISSUE, split)
        assert crosswalk.removals.mark(removal)["objects"] == 2
        assert crosswalk.identities.open_reissues() == []
        assert crosswalk.removals.request_owed(ADA, **WHY) == []
        assert {one.pseudonym for one in crosswalk.removals.objects(removal)} == {both[1].pseudonym}
        (kept,) = {row.pseudonym for row in crosswalk.mapping.cohort_instances(_studies(connection))}
        assert kept == both[0].pseudonym

    def test_the_former_object_bears_what_it_bore_before_the_first_of_several_splits(
        self, crosswalk: Crosswalk, both: tuple[Patient, Patient], split: str
    ) -> None:
        crosswalk.identities.split([research(TWO)], ADMIN, to=both[0].pseudonym)
        (removal,) = crosswalk.removals.request_owed(ADA, **WHY)
        assert removal.pseudonym == both[0].pseudonym
        crosswalk.removals.mark(removal)
        bore = {one.research_study_uid: one.pseudonym for one in crosswalk.removals.objects(removal)}
        assert bore == {research(ONE): both[0].pseudonym, research(TWO): both[1].pseudonym}

    def test_a_recall_ends_the_debt_and_a_next_version_takes_nothing_that_waits(
        self, crosswalk: Crosswalk, connection: psycopg.Connection, both: tuple[Patient, Patient]
    ) -> None:
        rows = connection.execute("SELECT id, research_sop_uid FROM crosswalk.instance ORDER BY id").fetchall()
        release = crosswalk.releases.create("P", "ada", b"d", [row[0] for row in rows])
        crosswalk.identities.split([research(TWO)], ADMIN)
        recall = crosswalk.removals.request_recall("P", 1, ADA, research_sop_uids=[rows[0][1]], **WHY)
        crosswalk.removals.mark(recall)
        (tombstone,) = crosswalk.removals.tombstones(release_id=release.id)
        assert tombstone.replaced_by is not None
        left = crosswalk.removals.release_instances(tombstone.replaced_by.id)
        assert [one.instance_id for one in left] == [rows[1][0]]
        recall = crosswalk.removals.request_recall("P", 1, ADA, research_sop_uids=[row[1] for row in rows[2:]], **WHY)
        crosswalk.removals.mark(recall)
        assert crosswalk.identities.open_reissues() == []
        assert {one.pseudonym for one in crosswalk.removals.objects(recall)} == {both[1].pseudonym}

    def test_what_a_batch_makes_under_the_former_salt_is_too_late(
        self, crosswalk: Crosswalk, both: tuple[Patient, Patient]
    ) -> None:
        study_id = discover(crosswalk, ONE, sightings(ONE, 3))
        run = Run(crosswalk)
        outcomes = run.outcomes(DOE)
        assert len(outcomes) == 1
        mark(crosswalk, both[0], RE_ISSUE)
        crosswalk.mapping.record(run.batch, outcomes)
        (account,) = crosswalk.ledger.balance([study_id])
        assert (account.pending, account.research_study_uid) == (3, None)

    def test_what_is_made_under_the_former_salt_of_a_study_that_is_new_is_made_again(
        self, crosswalk: Crosswalk, both: tuple[Patient, Patient]
    ) -> None:
        new = "1.2.826.0.1.3680043.3"
        study_id = discover(crosswalk, new, sightings(new, 2))
        run = Run(crosswalk)
        outcomes = run.outcomes(DOE)
        mark(crosswalk, both[0], RE_ISSUE)
        with pytest.raises(Retriable, match="re-issued meanwhile"):
            crosswalk.mapping.record(run.batch, outcomes)
        (account,) = crosswalk.ledger.balance([study_id])
        assert (account.pending, account.research_study_uid) == (2, None)
        run.complete(DOE)
        assert run.states() == ["stored"] * 2


def _studies(connection: psycopg.Connection) -> list[UUID]:
    return [row[0] for row in connection.execute("SELECT id FROM crosswalk.study")]
