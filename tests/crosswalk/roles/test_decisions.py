"""What people decide about identities, and what follows from it: every test of it again, each kind of work by its role.

Studies are taken up as ``ingest``, decisions taken as ``admin`` and listed as ``auditor``, cohorts resolved as
``cohort``.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace

import psycopg
import pytest
from tests.crosswalk.scenario import DOE, ROE
from tests.crosswalk.test_identity_decisions import (
    ADMIN,
    OTHER_FACTS,
    TestAccessionNumber,
    TestChangeOfIdentifier,
    TestMerge,
    TestOverrule,
    TestShow,
    TestSplit,
    TestUnmerge,
    TestUphold,
    _decisions_are_noticed_at_once,
    both,
    connection,
    pseudonyms,
    study,
)

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.roles.role import Role
from dicomanon.crosswalk.rows import Patient
from dicomanon.errors import Fatal

__all__ = [
    "TestAccessionNumber",
    "TestChangeOfIdentifier",
    "TestMerge",
    "TestOverrule",
    "TestShow",
    "TestSplit",
    "TestUnmerge",
    "TestUphold",
    "_decisions_are_noticed_at_once",
    "both",
    "connection",
]

LISTED = ("events", "open_reissues")


@pytest.fixture
def by_role(crosswalk_dsn: str, keyring: Keyring) -> Iterator[dict[Role, Crosswalk]]:
    with Crosswalk(crosswalk_dsn, keyring) as owner:
        owner.migrate()
    with ExitStack() as stack:
        yield {
            role: stack.enter_context(Crosswalk(crosswalk_dsn, keyring, role=role))
            for role in (Role.INGEST, Role.COHORT, Role.AUDITOR, Role.ADMIN)
        }


@pytest.fixture
def crosswalk(by_role: dict[Role, Crosswalk]) -> SimpleNamespace:
    """A crosswalk each of whose operations acts as the role that has it in production."""
    ingest, cohort, admin, auditor = (by_role[role] for role in (Role.INGEST, Role.COHORT, Role.ADMIN, Role.AUDITOR))

    def chosen(first: object, names: tuple[str, ...], other: object) -> SimpleNamespace:
        operations = {name: getattr(first, name) for name in dir(first) if not name.startswith("_")}
        return SimpleNamespace(**operations | {name: getattr(other, name) for name in names})

    return SimpleNamespace(
        ledger=ingest.ledger,
        patients=ingest.patients,
        mapping=chosen(ingest.mapping, ("cohort_instances", "studies_for_cohort"), cohort.mapping),
        identities=chosen(admin.identities, LISTED, auditor.identities),
        releases=cohort.releases,
        lineage=auditor.lineage,
        audit=auditor.audit,
    )


def test_researchers_see_a_person_once(crosswalk: Crosswalk, crosswalk_dsn: str) -> None:
    studies = [study(crosswalk, "1.2.1", DOE), study(crosswalk, "1.2.2", ROE, facts=OTHER_FACTS)]
    ids = [one.instance_id for one in crosswalk.mapping.cohort_instances(studies)]
    crosswalk.releases.create("liver", "me", b"", ids)
    one, other = pseudonyms(crosswalk, *studies)
    crosswalk.identities.merge([one, other], ADMIN)
    with psycopg.connect(crosswalk_dsn) as connection:
        assert connection.execute("SELECT patients, studies FROM research.counts").fetchall() == [(1, 2)]
        rows = connection.execute("SELECT DISTINCT patient, pseudonym FROM research.manifest").fetchall()
    assert set(rows) == {(one, one), (one, other)}


@pytest.mark.parametrize("role", [Role.INGEST, Role.COHORT, Role.AUDITOR])
def test_none_but_admins_decide(by_role: dict[Role, Crosswalk], both: tuple[Patient, Patient], role: Role) -> None:
    one, other = (patient.pseudonym for patient in both)
    with pytest.raises(Fatal, match="InsufficientPrivilege"):
        by_role[role].identities.merge([one, other], ADMIN)
    assert by_role[Role.INGEST].patients.get_or_create(DOE) != by_role[Role.INGEST].patients.get_or_create(ROE)


def test_an_admin_writes_no_survivor_and_no_decision_of_another_login(
    by_role: dict[Role, Crosswalk], both: tuple[Patient, Patient], crosswalk_dsn: str
) -> None:
    with psycopg.connect(crosswalk_dsn, autocommit=True) as acting:
        acting.execute("SET ROLE dicomanon_admin")
        for statement in (
            "UPDATE crosswalk.patient SET survivor_id = id",
            "INSERT INTO crosswalk.identity_decision (id, kind, decided_by, database_login, reason_sealed)"
            " VALUES (gen_random_uuid(), 'merge', 'ada', 'somebody', '')",
            "UPDATE crosswalk.patient_merge SET into_id = NULL",
            "DELETE FROM crosswalk.identity_event_decision",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                acting.execute(statement)
        with pytest.raises(psycopg.errors.RestrictViolation):
            acting.execute("UPDATE crosswalk.patient SET merged_into = %s WHERE id = %s", [one.id for one in both])
