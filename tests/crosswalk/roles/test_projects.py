"""A researcher sees the releases of own projects in a schema that holds nothing else, and cannot claim another."""

from dataclasses import replace
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql
from tests.crosswalk.roles.conftest import TERMS, Filled

from dicomanon.crosswalk.audit.trail import Wanted
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.projects.requests import CohortOf
from dicomanon.crosswalk.projects.rows import ApprovalFor
from dicomanon.crosswalk.roles.role import Role
from dicomanon.errors import Fatal

WHO = {"actor": "ada", "reason": "asked for"}
PROJECTS: LiteralString = (
    "SELECT project FROM research.release UNION SELECT project FROM research.manifest"
    " UNION SELECT project FROM research.counts"
)

COLUMNS = {
    "release": {"project", "release", "requester", "instances", "created_at", "ended_at", "replaced_by"},
    "manifest": {
        *(
            "project",
            "release",
            "patient",
            "pseudonym",
            "study_instance_uid",
            "series_instance_uid",
            "sop_instance_uid",
        ),
        *("modality", "sop_class_uid", "output_digest", "bytes", "profile_version"),
    },
    "counts": {"project", "release", "patients", "studies", "series", "instances", "bytes"},
}


def seen(filled: Filled) -> set[str]:
    with filled.acting_as(Role.RESEARCHER) as connection:
        return {row[0] for row in connection.execute(PROJECTS)}


def test_own_projects_alone(filled: Filled) -> None:
    assert seen(filled) == {"LUNG"}
    with filled.acting_as(Role.RESEARCHER) as connection:
        assert connection.execute("SELECT instances FROM research.release").fetchall() == [(3,)]
        assert connection.execute("SELECT patients, studies, instances, bytes FROM research.counts").fetchall() == [
            (1, 1, 3, 2700)
        ]
        assert connection.execute("SELECT count(*) FROM research.manifest").fetchone() == (3,)


def test_a_member_of_none_sees_none_and_a_new_member_all_of_it(filled: Filled, keyring: Keyring) -> None:
    login = filled.login(Role.RESEARCHER)
    with Crosswalk(filled.logins[Role.ADMIN], keyring, role=Role.ADMIN) as crosswalk:
        assert crosswalk.projects.remove("LUNG", login, **WHO)
        assert not crosswalk.projects.remove("LUNG", login, **WHO)
        assert seen(filled) == set()
        assert crosswalk.projects.add("HEART", login, **WHO)
        assert not crosswalk.projects.add("HEART", login, **WHO)
        assert seen(filled) == {"HEART"}
        crosswalk.projects.remove("HEART", login, **WHO)
        crosswalk.projects.add("LUNG", login, **WHO)
        assert [(one.project, one.login, one.added_by) for one in crosswalk.projects.members()] == [
            ("LUNG", login, "ada")
        ]
    with psycopg.connect(filled.dsn) as connection:
        row = connection.execute("SELECT count(*) FROM crosswalk.access_event WHERE action LIKE 'project.%'").fetchone()
    assert row
    assert row[0] >= 7


@pytest.mark.parametrize(
    ("project", "login", "actor", "reason"),
    [("LUNG", "nobody-of-this-name", "ada", "r"), ("LUNG", "postgres", "ada", " "), (" ", "postgres", "ada", "r")],
)
def test_no_member_without_a_login_a_name_and_a_reason(
    filled: Filled, keyring: Keyring, project: str, login: str, actor: str, reason: str
) -> None:
    with Crosswalk(filled.dsn, keyring) as crosswalk, pytest.raises(Fatal):
        crosswalk.projects.add(project, login, actor=actor, reason=reason)
    assert seen(filled) == {"LUNG"}


@pytest.mark.parametrize(
    "claim",
    [
        "SET ROLE dicomanon_researcher",
        "SET row_security = off",
        "SET application_name = 'HEART'",
        "SELECT set_config('role', 'dicomanon_researcher', false)",
        "SELECT set_config('crosswalk.project', 'HEART', false)",
    ],
)
def test_a_session_cannot_claim_a_project(filled: Filled, claim: LiteralString) -> None:
    with filled.acting_as(Role.RESEARCHER) as connection:
        connection.execute(claim)
        try:
            found = {row[0] for row in connection.execute(PROJECTS)}
        except psycopg.errors.InsufficientPrivilege:
            found = {"LUNG"}  # refused altogether, which is as well
    assert found == {"LUNG"}


def test_a_condition_does_not_meet_the_rows_of_others(filled: Filled) -> None:
    """A query that fails on a row tells that there is one: the rows of others must be gone before it is asked."""
    with filled.acting_as(Role.RESEARCHER) as connection:
        for view, column in (("release", "project"), ("manifest", "project"), ("counts", "project")):
            rows = connection.execute(
                sql.SQL(
                    "SELECT count(*) FROM research.{} WHERE 1 / (CASE {} WHEN 'HEART' THEN 0 ELSE 1 END) = 1"
                ).format(sql.Identifier(view), sql.Identifier(column))
            ).fetchone()
            assert rows
            assert rows[0] > 0
        with psycopg.connect(filled.dsn) as owner:
            ((stranger,),) = owner.execute(
                "SELECT DISTINCT pseudonym FROM research.manifest WHERE project = 'HEART'"
            ).fetchall()
        assert connection.execute(
            "SELECT count(*) FROM research.manifest WHERE 1 / (CASE pseudonym WHEN %s THEN 0 ELSE 1 END) = 1",
            (stranger,),
        ).fetchone() == (3,)


def test_a_view_of_the_owner_that_forgets_its_project_shows_no_other(filled: Filled) -> None:
    with psycopg.connect(filled.dsn) as owner:
        owner.execute("CREATE VIEW research.careless AS SELECT project FROM crosswalk.release")
        owner.execute("GRANT SELECT ON research.careless TO dicomanon_researcher")
    try:
        with filled.acting_as(Role.RESEARCHER) as connection:
            assert connection.execute("SELECT project FROM research.careless").fetchall() == [("LUNG",)]
    finally:
        with psycopg.connect(filled.dsn) as owner:
            owner.execute("DROP VIEW research.careless")


def test_the_schema_has_just_these_columns_and_no_bytes(filled: Filled) -> None:
    with filled.acting_as(Role.RESEARCHER) as connection:
        rows = connection.execute(
            "SELECT c.relname, a.attname, a.atttypid::regtype::text FROM pg_class c"
            " JOIN pg_attribute a ON a.attrelid = c.oid"
            " WHERE c.relnamespace = 'research'::regnamespace AND a.attnum > 0"
        ).fetchall()
    assert {view: {row[1] for row in rows if row[0] == view} for view in {row[0] for row in rows}} == COLUMNS
    assert "bytea" not in {row[2] for row in rows}


def test_nothing_of_a_source_is_among_what_a_researcher_reads(filled: Filled, keyring: Keyring) -> None:
    with filled.acting_as(Role.RESEARCHER) as connection:
        everything = str(
            [
                connection.execute(sql.SQL("SELECT v::text FROM research.{} v").format(sql.Identifier(view))).fetchall()
                for view in COLUMNS
            ]
        )
    with psycopg.connect(filled.dsn) as owner:
        sources = owner.execute("SELECT encode(input_digest, 'hex') FROM crosswalk.instance WHERE input_digest <> ''")
        for value in ("MRN-7731", "DOE", "1.2.3", "ACC-55501", "20200214", *(row[0] for row in sources)):
            assert value not in everything.replace("1.2.840.10008.5.1.4.1.1.2", "")


def test_cohort_is_told_the_newest_terms_and_who_may_ask(filled: Filled, keyring: Keyring) -> None:
    with Crosswalk(filled.logins[Role.ADMIN], keyring, role=Role.ADMIN) as admin:
        changed = replace(TERMS, profiles=("strict",), criteria=("sex",), minimum_patients=20)
        first, is_new = admin.projects.set("BRAIN", TERMS, **WHO)
        assert (first.version, first.terms, first.set_by, is_new) == (1, TERMS, "ada", True)
        assert admin.projects.set("BRAIN", TERMS, **WHO) == (first, False)
        second, _ = admin.projects.set("BRAIN", changed, **WHO)
        assert admin.projects.add_requester("BRAIN", "ravi", **WHO)
        assert not admin.projects.add_requester("BRAIN", "ravi", **WHO)
        with Crosswalk(filled.logins[Role.COHORT], keyring, role=Role.COHORT) as cohort:
            assert cohort.projects.newest("BRAIN") == second
            assert cohort.projects.newest("NONE") is None
            assert cohort.projects.may_request("BRAIN", "ravi")
            assert not cohort.projects.may_request("BRAIN", "RAVI")
            assert not cohort.projects.may_request("HEART", "ravi")
            assert admin.projects.remove_requester("BRAIN", "ravi", **WHO)
            assert not cohort.projects.may_request("BRAIN", "ravi")
        assert admin.projects.versions("BRAIN") == [second, first]
    with Crosswalk(filled.logins[Role.AUDITOR], keyring, role=Role.AUDITOR) as auditor:
        assert [one.login for one in auditor.projects.requesters("LUNG")] == ["ravi"]
        entries = [entry.action for entry in auditor.audit.newest(Wanted(about="BRAIN"), 9)]
    assert entries == [*["project.set"] * 2, *["project.add-requester"] * 2, "project.remove-requester"]


@pytest.mark.parametrize("change", ["UPDATE crosswalk.project_version SET minimum_patients = 2",
                                    "DELETE FROM crosswalk.project_version"])  # fmt: skip
def test_terms_that_held_are_not_changed_afterwards_even_by_the_owner(filled: Filled, change: LiteralString) -> None:
    with psycopg.connect(filled.dsn) as owner, pytest.raises(psycopg.errors.RestrictViolation):
        owner.execute(change)


@pytest.mark.parametrize("least", [1, 0])
def test_the_database_knows_no_minimum_that_singles_out(filled: Filled, keyring: Keyring, least: int) -> None:
    with Crosswalk(filled.dsn, keyring) as crosswalk, pytest.raises(Fatal):
        crosswalk.projects.set("BRAIN", replace(TERMS, minimum_patients=least), **WHO)


def test_requests_are_held_answered_and_compared_as_cohort_and_read_as_auditor_and_admin(
    filled: Filled, keyring: Keyring
) -> None:
    first, second = (
        CohortOf("SPINE", f"cohort_extraction/{name}", False, (tuple(range(number)),))
        for name, number in (("first", 20), ("second", 19))
    )
    with Crosswalk(filled.logins[Role.COHORT], keyring, role=Role.COHORT) as cohort:
        assert cohort.requests.tell(first, 10, ())
        assert cohort.requests.is_near(second, 10)
        cohort.requests.hold(second, "ravi", [ApprovalFor.OVERLAP], asked={"sex": 1}, purpose="to learn")
        assert not cohort.requests.tell(second, 10, ())
        cohort.requests.decide(second.request_key, approved=True, actor="ada", reason="seen")
        approval = cohort.requests.approval(second.request_key)
        assert approval is not None
        assert approval.approved
        assert cohort.requests.tell(second, 10, approval.held_for)
    with Crosswalk(filled.logins[Role.AUDITOR], keyring, role=Role.AUDITOR) as auditor:
        assert second.request_key in {one.request_key for one in auditor.requests.held(all_of_them=True)}
        with pytest.raises(Fatal, match="InsufficientPrivilege"):
            auditor.requests.look(second.request_key, actor="ada")
    with Crosswalk(filled.logins[Role.ADMIN], keyring, role=Role.ADMIN) as admin:
        _, purpose, reason = admin.requests.look(second.request_key, actor="ada")
        assert reason is not None
        assert (purpose.reveal(), reason.reveal()) == ("to learn", "seen")


def test_a_project_with_pseudonyms_of_its_own_sees_no_research_identifier(filled: Filled, keyring: Keyring) -> None:
    login = filled.login(Role.RESEARCHER)
    with Crosswalk(filled.logins[Role.ADMIN], keyring, role=Role.ADMIN) as crosswalk:
        crosswalk.projects.set("OWN", replace(TERMS, own_pseudonyms=True), **WHO)
        crosswalk.projects.add("OWN", login, **WHO)
    with psycopg.connect(filled.dsn) as connection:
        rows = connection.execute(
            "SELECT id FROM crosswalk.instance WHERE state = 'stored' ORDER BY id LIMIT 2"
        ).fetchall()
    with Crosswalk(filled.logins[Role.COHORT], keyring, role=Role.COHORT) as crosswalk:
        made = crosswalk.releases.create("OWN", "researcher", b"d", [row[0] for row in rows], request_key="own")
        crosswalk.projects.enter_identifiers("OWN", {"P1": "D1"})
    with filled.acting_as(Role.RESEARCHER) as connection:
        told = connection.execute("SELECT instances, created_at FROM research.release WHERE project = 'OWN'").fetchone()
        assert told is not None
        assert told[0] == made.instances
        assert (told[1].hour, told[1].minute, told[1].second, told[1].microsecond) == (0, 0, 0, 0)
        for view in ("manifest", "counts"):
            query = sql.SQL("SELECT count(*) FROM research.{} WHERE project = 'OWN'").format(sql.Identifier(view))
            assert connection.execute(query).fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT own FROM crosswalk.project_identifier")
