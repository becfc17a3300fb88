"""Who asks for a removal by DAG does not approve it, and carries out only what somebody stands for.

Each test takes its own patient out of its own release; every kind of work is done by its role's login.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import LiteralString
from uuid import uuid4

import psycopg
import pytest
from tests.crosswalk.roles.conftest import GONE, Filled
from tests.crosswalk.scenario import FACTS, Run, discover, sightings

from dicomanon.crosswalk import people
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.patients import Withdrawn
from dicomanon.crosswalk.releases import REMOVAL_LOCK
from dicomanon.crosswalk.removals.rows import Removal, RemovalKind, RemovalReceipt, Requester, Step
from dicomanon.crosswalk.roles.role import Role
from dicomanon.crosswalk.rows import ReleaseRow
from dicomanon.errors import Fatal
from dicomanon.identity import PatientIdentity

WHY = {"reason": "asked by letter", "ticket": "DPO-18"}
AIRFLOW, ADA = Requester("airflow:ada", account=False), Requester("ada")
PROGRAMS_AND_PEOPLE = [role for role in Role if role not in {Role.BACKUP, Role.RESEARCHER, Role.GATEWAY, Role.PAGES}]


@pytest.fixture
def by_role(filled: Filled, keyring: Keyring) -> Iterator[dict[Role, Crosswalk]]:
    with ExitStack() as stack:
        yield {
            role: stack.enter_context(Crosswalk(filled.logins[role], keyring, role=role))
            for role in PROGRAMS_AND_PEOPLE
        }


@dataclass
class Released:
    """Two patients in one release of the researcher's project, of whom the first is to leave."""

    identity: PatientIdentity
    pseudonym: str
    stored: list[int]
    kept: list[int]
    release: ReleaseRow


@pytest.fixture
def released(by_role: dict[Role, Crosswalk]) -> Released:
    ingest, name = by_role[Role.INGEST], uuid4().hex[:8].upper()
    ids, identities = [], [PatientIdentity(f"P-{name}-{n}", "", f"{name}^{n}", "19550101", "F") for n in (1, 2)]
    for number, identity in enumerate(identities, 1):
        uid = f"1.2.{int(name, 16)}.{number}"
        discover(ingest, uid, sightings(uid, 2))
        run = Run(ingest)
        run.complete(identity, facts=replace(FACTS, accession_number=f"{name}-{number}"))
        ingest.ledger.close_run(run.id, balanced=True)
        ids.append([row.instance_id for row in run.sources()])
    pseudonym = str(ingest.patients.get_or_create(identities[0]).pseudonym)
    release = by_role[Role.COHORT].releases.create("LUNG", "ada", b"d", ids[0] + ids[1], request_key=name)
    return Released(identities[0], pseudonym, ids[0], ids[1], release)


def request(crosswalk: Crosswalk, of: Released, by: Requester = AIRFLOW) -> Removal:
    return crosswalk.removals.request_of_patient(RemovalKind.WITHDRAWAL, of.pseudonym, by, **WHY)


def carry_out(by_role: dict[Role, Crosswalk], of: Released) -> Removal:
    """Ask as the DAG does, approve as an admin, go through every step as the DAG."""
    removals = by_role[Role.REMOVAL].removals
    removal = request(by_role[Role.REMOVAL], of)
    by_role[Role.ADMIN].removals.approve(removal, "bob", "seen the letter")
    assert removals.mark(removal) == {"instances": 2, "objects": 2, "releases": 1, "new_releases": 1}
    removals.wait_for_stores(removal)
    (tombstone,) = removals.tombstones(removal_id=removal.id)
    assert tombstone.replaced_by is not None
    kept = removals.release_instances(tombstone.replaced_by.id)
    assert [one.instance_id for one in kept] == of.kept
    releases, new = by_role[Role.REMOVAL].releases, tombstone.replaced_by.id
    assert releases.find(of.release.id).has_ended
    assert releases.find(new).record is None
    assert releases.enter_record(new, {"salt": "x"}) == {"salt": "x"}
    assert releases.former_version(new) == of.release
    assert set(releases.released_uids(new)) == set(of.kept)
    assert len(releases.input_digests(new)) == len(of.kept)
    assert releases.left_out_of([one.study_id for one in kept]) == []
    removals.record_notice(removal, of.release.id, "folder", ("pi@example.org",))
    removals.record_receipts(removal, [RemovalReceipt(one, True, "by hand") for one in of.stored])
    for step in Step:
        removals.record_step(removal, step, {})
    assert removals.notices(removal) and not removals.objects(removal, left=True)
    return removals.find(removal.id)


def test_the_role_of_the_dags_asks_and_carries_out(
    filled: Filled, keyring: Keyring, by_role: dict[Role, Crosswalk], released: Released
) -> None:
    removal = carry_out(by_role, released)
    assert (removal.state, removal.persons) == ("certified", 1)
    with Crosswalk(filled.logins[Role.INGEST], keyring, role=Role.INGEST) as ingest, pytest.raises(Withdrawn):
        ingest.patients.get_or_create(released.identity)


def test_it_recalls_and_re_issues_as_well(
    by_role: dict[Role, Crosswalk], released: Released, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "CACHE_SECONDS", 0.0)
    removals, admin = by_role[Role.REMOVAL].removals, by_role[Role.ADMIN].removals
    asked = [
        removals.request_recall("LUNG", released.release.number, AIRFLOW, **WHY),
        admin.request_of_patient(RemovalKind.RE_ISSUE, released.pseudonym, ADA, **WHY, with_recalled=True),
    ]
    admin.approve(asked[0], "bob", "a name burnt in")
    assert [removals.mark(one)["instances"] for one in asked] == [4, 2]
    again = Run(by_role[Role.INGEST])
    again.record(released.identity)
    assert again.states() == ["held"] * 2, "under UIDs that were removed: a run makes others, by the salt"


def test_it_finds_a_patient_by_an_identifier_that_it_has(by_role: dict[Role, Crosswalk], released: Released) -> None:
    who = {"actor": "airflow:ada", "reason": "why"}
    for role in (Role.REMOVAL, Role.ADMIN):
        assert by_role[role].removals.pseudonym_of("", released.identity.patient_id, **who) == released.pseudonym
        with pytest.raises(Fatal, match="knows no patient"):
            by_role[role].removals.pseudonym_of("ELSEWHERE", released.identity.patient_id, **who)


def test_it_approves_nothing_and_is_no_person(by_role: dict[Role, Crosswalk], released: Released) -> None:
    crosswalk = by_role[Role.REMOVAL]
    removal = request(crosswalk, released)
    with pytest.raises(Fatal, match="InsufficientPrivilege"):
        crosswalk.removals.approve(removal, "bob", "seen the letter")
    with pytest.raises(Fatal, match="InsufficientPrivilege"):
        crosswalk.removals.request_of_patient(RemovalKind.RE_ISSUE, released.pseudonym, ADA, **WHY)


CARRYING_OUT: dict[str, LiteralString] = {
    "former object": "INSERT INTO crosswalk.former_object (removal_id, instance_id, state, pseudonym,"
    " research_study_uid, research_series_uid, research_sop_uid, output_digest, recipe_id)"
    " SELECT %(removal)s, id, state, 'D', 'x', 'x', research_sop_uid, output_digest, recipe_id"
    " FROM crosswalk.instance WHERE id = ANY (%(instances)s)",
    "patient": "UPDATE crosswalk.patient SET withdrawn_by = %(removal)s WHERE pseudonym = %(pseudonym)s",
    "instance": "UPDATE crosswalk.instance SET state = 'withdrawn' WHERE id = ANY (%(instances)s)",
}


@pytest.mark.parametrize("statement", CARRYING_OUT.values(), ids=CARRYING_OUT)
def test_nothing_is_removed_that_nobody_stands_for(
    filled: Filled, by_role: dict[Role, Crosswalk], released: Released, statement: LiteralString
) -> None:
    removal = request(by_role[Role.REMOVAL], released)
    values = {"removal": removal.id, "instances": released.stored, "pseudonym": released.pseudonym}
    with filled.acting_as(Role.REMOVAL) as connection, pytest.raises(psycopg.errors.RestrictViolation):
        connection.execute(statement, values)


def test_a_patient_is_not_withdrawn_by_the_withdrawal_of_another(
    filled: Filled, by_role: dict[Role, Crosswalk], released: Released
) -> None:
    (mine, *_) = [one for one in by_role[Role.AUDITOR].removals.all() if one.kind is RemovalKind.WITHDRAWAL]
    assert mine.persons
    with filled.acting_as(Role.REMOVAL) as connection, pytest.raises(psycopg.errors.RestrictViolation):
        connection.execute(CARRYING_OUT["patient"], {"removal": mine.id, "pseudonym": released.pseudonym})


def test_one_approved_removal_takes_nothing_of_anybody_else(
    filled: Filled, by_role: dict[Role, Crosswalk], released: Released
) -> None:
    withdrawal = request(by_role[Role.ADMIN], released, ADA)
    recall = by_role[Role.ADMIN].removals.request_recall(
        "LUNG", released.release.number, ADA, research_sop_uids=[_uid(filled, released.stored[0])], **WHY
    )
    foreign, own = CARRYING_OUT["former object"], {"instances": released.stored}
    for removal, instances in ((withdrawal, released.kept), (recall, released.stored[1:])):
        with (
            filled.acting_as(Role.REMOVAL) as connection,
            pytest.raises(psycopg.errors.RestrictViolation, match="not of this object"),
        ):
            connection.execute(foreign, {"removal": removal.id, "instances": instances})
    with (
        filled.acting_as(Role.REMOVAL) as connection,
        pytest.raises(psycopg.errors.RestrictViolation, match="not of this object"),
    ):
        another = foreign.replace(
            " research_sop_uid, output_digest, recipe_id F", " %(uid)s, output_digest, recipe_id F"
        )
        assert another != foreign
        uid = _uid(filled, released.kept[0])
        connection.execute(another.encode(), {"removal": withdrawal.id, "uid": uid, **own})
    with (
        filled.acting_as(Role.REMOVAL) as connection,
        pytest.raises(psycopg.errors.RestrictViolation, match="when it is requested"),
    ):
        connection.execute(
            "INSERT INTO crosswalk.recall_scope (removal_id, instance_id) VALUES (%s, %s)",
            (recall.id, released.kept[0]),
        )
    by_role[Role.REMOVAL].removals.mark(recall)
    with (
        filled.acting_as(Role.REMOVAL) as connection,
        pytest.raises(psycopg.errors.RestrictViolation, match="marked already"),
    ):
        connection.execute(foreign, {"removal": recall.id, "instances": released.stored[1:]})


def _uid(filled: Filled, instance_id: int) -> str:
    with psycopg.connect(filled.dsn) as owner:
        row = owner.execute("SELECT research_sop_uid FROM crosswalk.instance WHERE id = %s", (instance_id,)).fetchone()
    assert row
    return str(row[0])


@pytest.mark.parametrize("role", [role for role in PROGRAMS_AND_PEOPLE if role is not Role.REMOVAL])
def test_no_other_role_carries_a_removal_out(by_role: dict[Role, Crosswalk], released: Released, role: Role) -> None:
    removal = request(by_role[Role.ADMIN], released, ADA)
    with pytest.raises(Fatal, match="InsufficientPrivilege"):
        by_role[role].removals.mark(removal)
    assert by_role[Role.AUDITOR].removals.find(removal.id).state == "requested"


@pytest.mark.parametrize("role", [Role.INGEST, Role.COHORT, Role.REVIEWER, Role.AUDITOR])
def test_only_admins_and_the_dags_ask(by_role: dict[Role, Crosswalk], released: Released, role: Role) -> None:
    with pytest.raises(Fatal, match="InsufficientPrivilege"):
        request(by_role[role], released)


def test_auditors_read_removals_and_admins_alone_why(by_role: dict[Role, Crosswalk], released: Released) -> None:
    removal = carry_out(by_role, released)
    auditor = by_role[Role.AUDITOR].removals
    assert removal in auditor.all()
    assert auditor.extent(removal).instances == {}
    assert auditor.objects(removal) and auditor.notices(removal) and auditor.tombstones(removal_id=removal.id)
    trace = by_role[Role.AUDITOR].lineage.trace(auditor.objects(removal)[0].research_sop_uid)
    assert trace is not None
    assert trace.removals[0].removal_id == removal.id
    for role in (Role.AUDITOR, Role.REMOVAL):
        with pytest.raises(Fatal, match="InsufficientPrivilege"):
            by_role[role].removals.reason(removal)
    assert by_role[Role.ADMIN].removals.reason(removal).reveal() == "asked by letter"


def test_cohort_finds_no_one_who_has_withdrawn_and_no_ended_release_as_whole(
    by_role: dict[Role, Crosswalk], released: Released
) -> None:
    cohort = by_role[Role.COHORT]
    wanted = [("", released.identity.patient_id)]
    (study,) = cohort.mapping.studies_for_cohort(wanted)
    carry_out(by_role, released)
    assert list(cohort.mapping.studies_for_cohort(wanted)) == []
    assert list(cohort.mapping.cohort_instances([study.study_id])) == []
    with pytest.raises(Fatal, match="2 instances of the release are not stored"):
        cohort.releases.create("LUNG", "ada", b"d", released.stored)
    (request_key,) = _request_key(by_role[Role.AUDITOR], released.release)
    again = cohort.releases.create("LUNG", "ada", b"d", released.stored, request_key=request_key)
    assert again == released.release
    (ended,) = cohort.removals.tombstones(release_id=again.id)
    assert ended.replaced_by is not None
    assert (ended.instances, ended.replaced_by.replaces) == (2, again.id)
    assert len(cohort.removals.release_instances(again.id)) == again.instances - ended.instances
    with pytest.raises(Fatal, match="InsufficientPrivilege"):
        cohort.removals.all()


def _request_key(auditor: Crosswalk, release: ReleaseRow) -> tuple[str]:
    with auditor.ledger._session.transaction() as connection:
        row = connection.execute("SELECT request_key FROM crosswalk.release WHERE id = %s", (release.id,)).fetchone()
    assert row
    return (str(row[0]),)


def test_no_release_is_made_while_a_removal_is_being_marked(filled: Filled, released: Released) -> None:
    with psycopg.connect(filled.dsn) as marking, filled.acting_as(Role.COHORT) as connection:
        marking.execute("SELECT pg_advisory_xact_lock(%s)", (REMOVAL_LOCK,))
        connection.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            connection.execute(
                "SELECT * FROM crosswalk.create_release(%s, 'LUNG', 'ada', NULL, '', %s, 'access')",
                (uuid4(), released.stored),
            )


class TestResearcher:
    RELEASE = (
        "SELECT ended_at IS NOT NULL, replaced_by, (SELECT count(*) FROM research.manifest m"
        " WHERE (m.project, m.release) = (r.project, r.release)), (SELECT count(*) FROM research.counts c"
        " WHERE (c.project, c.release) = (r.project, r.release)) FROM research.release r WHERE release = %s"
    )

    def test_sees_that_a_release_has_ended_and_nothing_of_what_it_held(
        self, filled: Filled, by_role: dict[Role, Crosswalk], released: Released
    ) -> None:
        number = released.release.number
        with filled.acting_as(Role.RESEARCHER) as connection:
            assert connection.execute(self.RELEASE, (number,)).fetchall() == [(False, None, 4, 1)]
        carry_out(by_role, released)
        with filled.acting_as(Role.RESEARCHER) as connection:
            assert connection.execute(self.RELEASE, (number,)).fetchall() == [(True, number + 1, 0, 0)]
            assert connection.execute(self.RELEASE, (number + 1,)).fetchall() == [(False, None, 2, 1)]
            everywhere = "SELECT count(*) FROM research.manifest WHERE pseudonym = %s"
            assert connection.execute(everywhere, (released.pseudonym,)).fetchone() == (0,)

    def test_sees_what_is_recalled_in_no_release_that_has_it(
        self, filled: Filled, by_role: dict[Role, Crosswalk], released: Released
    ) -> None:
        both = by_role[Role.COHORT].releases.create("LUNG", "ada", b"d", released.stored)
        admin = by_role[Role.ADMIN].removals
        by_role[Role.REMOVAL].removals.mark(admin.request_recall("LUNG", both.number, ADA, **WHY))
        with filled.acting_as(Role.RESEARCHER) as connection:
            assert connection.execute(self.RELEASE, (both.number,)).fetchall() == [(True, None, 0, 0)]
            assert connection.execute(self.RELEASE, (released.release.number,)).fetchone() == (
                True,
                both.number + 1,
                0,
                0,
            )

    @pytest.mark.parametrize("table", ["tombstone", "removal_notice"])
    def test_a_view_that_forgets_its_project_shows_no_end_of_another(
        self, filled: Filled, by_role: dict[Role, Crosswalk], released: Released, table: str
    ) -> None:
        carry_out(by_role, released)
        with psycopg.connect(filled.dsn) as owner:
            owner.execute(f"CREATE VIEW research.careless AS SELECT release_id FROM crosswalk.{table}")  # type: ignore[arg-type]
            owner.execute("GRANT SELECT ON research.careless TO dicomanon_researcher")
        try:
            with filled.acting_as(Role.RESEARCHER) as connection:
                seen = {row[0] for row in connection.execute("SELECT release_id FROM research.careless")}
            assert released.release.id in seen
            assert filled.releases["SKIN"] not in seen
        finally:
            with psycopg.connect(filled.dsn) as owner:
                owner.execute("DROP VIEW research.careless")

    def test_of_another_project_not_even_that_a_release_has_ended(self, filled: Filled, keyring: Keyring) -> None:
        with filled.acting_as(Role.RESEARCHER) as connection:
            assert connection.execute("SELECT 1 FROM research.release WHERE project = 'SKIN'").fetchall() == []
        with psycopg.connect(filled.dsn) as owner:
            assert owner.execute("SELECT ended_at IS NULL FROM research.release WHERE project = 'SKIN'").fetchall() == [
                (False,)
            ]
        with Crosswalk(filled.dsn, keyring) as crosswalk, pytest.raises(Withdrawn):
            crosswalk.patients.get_or_create(GONE)
