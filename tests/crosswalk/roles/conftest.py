"""A filled crosswalk and a real login for each role, with a password and nothing else."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql
from tests.crosswalk.scenario import DOE, FACTS, NOW, ROE, Run, discover, held, sightings

from dicomanon.crosswalk.archives.causes import Cause
from dicomanon.crosswalk.archives.rows import Difference
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.decisions.rows import KeyChange, Signed
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.openlineage_events import OpenLineageRow
from dicomanon.crosswalk.projects.requests import CohortOf
from dicomanon.crosswalk.projects.rows import ApprovalFor, ProjectTerms
from dicomanon.crosswalk.removals.rows import RemovalKind, RemovalReceipt, Requester
from dicomanon.crosswalk.roles.role import Role
from dicomanon.devices import DeviceKey
from dicomanon.errors import Held
from dicomanon.identity import PatientIdentity
from dicomanon.local_stack.postgres import PostgresServer
from dicomanon.reasons import HoldReason
from dicomanon.values import Phi

OTHER_FACTS = replace(FACTS, accession_number="ACC-2")
TERMS = ProjectTerms("Nodules", "Ada", "EK 1", NOW.date(), 365, (), None, 10, frozenset(ApprovalFor))
GONE = PatientIdentity("P-GONE", "", "LEFT^LEA", "19900101", "F")
ULTRASOUND = DeviceKey("US", "ACME", "ECHO 5", "1.0", "1.2", 480, 640, "")


@dataclass(frozen=True)
class Filled:
    """Every table has rows: two patients, two releases of two projects, one instance held for its device.

    A third patient has withdrawn, and with that a release of a third project has ended.
    """

    dsn: str
    logins: dict[Role, str]
    """DSN of a login that is a member of just this role."""
    done: Run
    """Its batch is settled, and its run closed."""
    releases: dict[str, UUID]
    held: int

    @contextmanager
    def acting_as(self, role: Role) -> Iterator["psycopg.Connection[tuple[Any, ...]]"]:
        """Log in, take the role, and undo everything at the end."""
        with psycopg.connect(self.logins[role]) as connection:
            if role is not Role.RESEARCHER:
                connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role.group)))
                connection.commit()
            try:
                yield connection
            finally:
                connection.rollback()

    def login(self, role: Role) -> str:
        return str(psycopg.conninfo.conninfo_to_dict(self.logins[role])["user"])


@pytest.fixture(scope="module")
def filled(postgres_server: PostgresServer, keyring: Keyring) -> Iterator[Filled]:
    name, password = f"crosswalk_{secrets.token_hex(6)}", secrets.token_hex(12)
    postgres_server.create_database(name, name, password)
    dsn = postgres_server.dsn(name, user=name, password=password)
    logins = {}
    for role in Role:
        login = f"{role}_{name}"
        postgres_server.create_login(login, password, name, [role])
        logins[role] = postgres_server.dsn(name, user=login, password=password)
    with psycopg.connect(postgres_server.dsn(), autocommit=True) as administrator:
        # As the runbook has it: a researcher acts as one thing only, and needs no SET ROLE.
        member = sql.Identifier(f"researcher_{name}")
        administrator.execute(sql.SQL("ALTER ROLE {} INHERIT").format(member))
        administrator.execute(sql.SQL("GRANT dicomanon_researcher TO {} WITH INHERIT TRUE").format(member))
    with Crosswalk(dsn, keyring) as crosswalk:
        crosswalk.migrate()
        yield _fill(crosswalk, dsn, logins)
    postgres_server.drop_database(name)
    with psycopg.connect(postgres_server.dsn(), autocommit=True) as administrator:
        for role in Role:
            administrator.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(f"{role}_{name}")))


def openlineage_row() -> OpenLineageRow:
    return OpenLineageRow(uuid4(), "START", datetime.now(UTC), "dicomanon", "ingest_studies.discover", {})


def _fill(crosswalk: Crosswalk, dsn: str, logins: dict[Role, str]) -> Filled:
    study = discover(crosswalk, "1.2.3", sightings("1.2.3", 4))
    run = Run(crosswalk)
    crosswalk.mapping.add_known_values(study, ["SMITHERS"])
    mine = run.outcomes(DOE)
    unseen = replace(held(mine[3], HoldReason.UNCONFIRMED_DEVICE, "class-high"), device=ULTRASOUND)
    crosswalk.mapping.record(run.batch, [*mine[:3], unseen])
    run.validate()
    run.store()
    crosswalk.ledger.close_run(run.id, balanced=True)
    discover(crosswalk, "1.2.4", sightings("1.2.4", 1))
    other = Run(crosswalk)
    other.complete(ROE, facts=OTHER_FACTS)
    crosswalk.ledger.close_run(other.id, balanced=True)
    discover(crosswalk, "1.2.8", sightings("1.2.8", 2))
    third = Run(crosswalk)
    third.complete(GONE, facts=replace(FACTS, accession_number="ACC-3"))
    crosswalk.ledger.close_run(third.id, balanced=True)
    with pytest.raises(Held):
        crosswalk.patients.get_or_create(replace(DOE, birth_date="19700130"))
    releases = {}
    for project, of in (("LUNG", run), ("HEART", other), ("SKIN", third)):
        stored = [row.instance_id for row in of.sources() if row.state == "stored"]
        releases[project] = crosswalk.releases.create(project, "ada", b"d", stored, request_key="r", record={}).id
    crosswalk.profiles.publish("site@1", "{}", actor="ada", reason="first", code_version="0.1.0")
    crosswalk.profiles.approve("site@1", actor="bob", reason="second")
    researcher = str(psycopg.conninfo.conninfo_to_dict(logins[Role.RESEARCHER])["user"])
    crosswalk.projects.add("LUNG", researcher, actor="ada", reason="asked for")
    crosswalk.projects.set("LUNG", TERMS, actor="ada", reason="decided")
    crosswalk.projects.add_requester("LUNG", "ravi", actor="ada", reason="asked for")
    cohort = CohortOf("LUNG", "cohort_extraction/r", True, ((1, 2, 3),))
    crosswalk.requests.hold(cohort, "ravi", [ApprovalFor.OVERLAP], asked={"sex": 1}, purpose="why")
    crosswalk.requests.decide(cohort.request_key, approved=True, actor="ada", reason="why")
    crosswalk.requests.tell(cohort, 2, ())
    crosswalk.pulls.want(cohort.request_key, "WANTED", 1, at=NOW, wait=timedelta(hours=1), actor="ravi", reason="why")
    asked = crosswalk.reidentification.ask(
        crosswalk.patients.get_or_create(DOE).pseudonym, actor="ada", reason="why", ticket="T-1", hours=1, per_day=9
    )
    crosswalk.reidentification.decide(str(asked.id), approved=True, actor="bob", reason="why")
    crosswalk.reidentification.show(str(asked.id), actor="ada")
    standing = CohortOf("LUNG", "cohort_extraction/s", False, ((1, 2, 3),))
    crosswalk.standing.open(standing, "ravi", {"project": "LUNG"}, None, None)
    crosswalk.openlineage.add([openlineage_row()], "emitted")
    _decide(crosswalk)
    _withdraw(crosswalk, releases["SKIN"])
    crosswalk.archives.record([Difference(Cause.STUDY_UNKNOWN, subject=Phi("1.2.999"))], NOW)
    crosswalk.archives.open_check(NOW)
    crosswalk.archives.note_restoration("crosswalk-1", NOW, actor="ada", reason="the disk died")
    crosswalk.archives.confirm_restorations(NOW)
    (waiting,) = (row.instance_id for row in run.sources() if row.state == "held")
    return Filled(dsn, logins, run, releases, waiting)


def _withdraw(crosswalk: Crosswalk, release: UUID) -> None:
    """Let a patient withdraw, all the way, and a recall be asked for."""
    why = {"reason": "asked by letter", "ticket": "DPO-17"}
    pseudonym = str(crosswalk.patients.get_or_create(GONE).pseudonym)
    removal = crosswalk.removals.request_of_patient(RemovalKind.WITHDRAWAL, pseudonym, Requester("ada"), **why)
    crosswalk.removals.approve(removal, "bob", "seen the letter")
    crosswalk.removals.mark(removal)
    gone = [RemovalReceipt(one.instance_id, True, "by hand") for one in crosswalk.removals.objects(removal)]
    crosswalk.removals.record_receipts(removal, gone)
    crosswalk.removals.record_notice(removal, release, "folder", ("pi@example.org",))
    crosswalk.removals.request_recall("HEART", 1, Requester("airflow:eve", account=False), **why)


def _decide(crosswalk: Crosswalk) -> None:
    """Overrule what is open, give DOE a further Patient ID, merge two who have nothing, and leave an open event."""
    signed = Signed("ada", "asked the ward")
    (event,) = crosswalk.identities.events()
    crosswalk.identities.overrule(event.id, signed)
    crosswalk.identities.merge_keys(KeyChange(("", DOE.patient_id), ("", "MRN-NEW")), signed)
    two = [crosswalk.patients.get_or_create(PatientIdentity(f"P-{name}")).pseudonym for name in ("ONE", "TWO")]
    crosswalk.identities.merge(two, signed)
    with pytest.raises(Held):
        crosswalk.patients.get_or_create(replace(ROE, sex="M"))
