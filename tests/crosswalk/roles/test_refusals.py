"""Each role logs in and tries everything: what must be refused is computed from ``grants.toml``, and written below.

The second list knows nothing of the file: it says what must never be possible, so that a wrong entry is found, too.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql
from tests.crosswalk.roles.conftest import Filled

from dicomanon.crosswalk.roles.granting import actual
from dicomanon.crosswalk.roles.grants import SCHEMAS, Grant, Grants, Kind
from dicomanon.crosswalk.roles.role import Role

GRANTS = Grants.load()
Connection = psycopg.Connection[tuple[Any, ...]]

WHOLE_ROW = ("SELECT", "INSERT", "DELETE", "TRUNCATE")
STATEMENTS: dict[str, LiteralString] = {
    "SELECT": "SELECT * FROM {table} LIMIT 1",
    "INSERT": "INSERT INTO {table} DEFAULT VALUES",
    "DELETE": "DELETE FROM {table} WHERE false",
    "TRUNCATE": "TRUNCATE {table}",
}

SEALED = {
    "patient": ("patient_index", "patient_id_index", "identity_sealed", "date_shift_sealed", "key_wrapped"),
    "patient_key": ("patient_index", "patient_id_index", "key_sealed"),
    "patient_variant": ("identity_sealed",),
    "identity_event": ("detail_sealed", "accession_index"),
    "identity_decision": ("reason_sealed",),
    "shared_accession": ("accession_index",),
    "archive_difference": ("subject_sealed", "fingerprint"),
    "archive_survey": ("study_key",),
    "restoration": ("reason_sealed",),
    "removal": ("reason_sealed",),
    "removal_approval": ("reason_sealed",),
    "study": ("study_index", "uid_sealed", "facts_sealed", "key_wrapped"),
    "study_accession": ("accession_index",),
    "study_known_values": ("values_sealed",),
    "series": ("series_index", "uid_sealed", "facts_sealed"),
    "instance": ("sop_index", "uid_sealed"),
    "gateway_token": ("token_digest",),
    "release_record": ("record_sealed",),
}
"""What leads back to a patient, or through the gateway, by table."""

OF_REMOVALS = {
    "removal": ("patient_id", "kind", "requested_by", "ticket", "reason_sealed"),
    "removal_approval": ("approved_by", "reason_sealed"),
    "recall_scope": ("instance_id",),
    "removal_receipt": ("gone",),
    "tombstone": ("release_id",),
    "removal_notice": ("recipients",),
    "removal_step": ("counts",),
}
"""Who withdrew or what was recalled, by whom and why; whose tombstones there are."""

REQUESTS = {
    "reidentification_request": ("id", "identifier", "ticket_sealed", "reason_sealed"),
    "reidentification_decision": ("request_id", "reason_sealed"),
    "reidentification_showing": ("request_id",),
}
"""Who is asked for, by whom and why."""

OF_PROJECTS = {
    "project_version": ("project", "ethics_number", "minimum_patients", "reason_sealed"),
    "project_requester": ("project", "requester"),
    "cohort_told": ("project", "digest", "patients"),
    "cohort_held": ("project", "requester", "held_for", "patients", "purpose_sealed"),
    "cohort_decision": ("decision", "decided_by", "reason_sealed"),
}
"""What projects may do, who asks for them, and of whom their cohorts are."""

BY_FUNCTIONS_ALONE = (
    SEALED
    | REQUESTS
    | OF_REMOVALS
    | {"former_object": ("instance_id",), "granted_instance": ("instance_id",), "stored_instance": ("instance_id",)}
    | dict.fromkeys(("wrapping_key_slot", "site_key"), ("key_wrapped",))
    | {"instance": ("id",), "release": ("id",), "project_member": ("project",), "patient": ("pseudonym",)}
    | {"gateway_token": ("id", "token_digest"), "gateway_use": ("token_id",), "access_event": ("id",)}
    | OF_PROJECTS
)
"""Of a role that reads no table."""

NEVER_READ = {
    Role.INGEST: REQUESTS
    | OF_REMOVALS
    | {"former_object": ("pseudonym", "removal_id")}
    | {"identity_event": ("detail_sealed", "accession_index"), "study_known_values": ("values_sealed",)}
    | dict.fromkeys(("identity_decision", "restoration"), ("reason_sealed",))
    | {"patient_key": ("key_sealed",), "archive_difference": ("subject_sealed",)}
    | dict.fromkeys(("patient_merge", "study_assignment"), ("decision_id",))
    | {"shared_accession": ("accession_index",)}
    | dict.fromkeys(("series", "instance"), ("uid_sealed",))
    | {"study_accession": ("accession_index",), "release": ("id",), "access_event": ("reason_sealed",)}
    | {"release_record": ("release_id",)},
    Role.COHORT: SEALED
    | REQUESTS
    | {"openlineage_event": ("event",)}
    | OF_REMOVALS
    | {"former_object": ("instance_id",), "granted_instance": ("instance_id",), "stored_instance": ("instance_id",)}
    | {"release": ("id",), "access_event": ("id",), "patient": ("id", "pseudonym")}
    | OF_PROJECTS,
    Role.REMOVAL: SEALED
    | REQUESTS
    | {"openlineage_event": ("event",), "access_event": ("id",), "project_member": ("project",)}
    | OF_PROJECTS,
    Role.REVIEWER: SEALED
    | REQUESTS
    | OF_REMOVALS
    | {"former_object": ("instance_id",), "granted_instance": ("instance_id",)}
    | {"openlineage_event": ("event",)}
    | {"release": ("id",), "access_event": ("id",)},
    Role.AUDITOR: SEALED
    | {"reidentification_request": ("ticket_sealed", "reason_sealed"), "reidentification_decision": ("reason_sealed",)},
    Role.ADMIN: {"gateway_token": ("token_digest",)},
    Role.BACKUP: {},
    Role.RESEARCHER: SEALED
    | REQUESTS
    | OF_REMOVALS
    | {"former_object": ("instance_id",), "granted_instance": ("instance_id",), "stored_instance": ("instance_id",)}
    | dict.fromkeys(("wrapping_key_slot", "site_key"), ("key_wrapped",))
    | {"instance": ("id",), "release": ("id",), "project_member": ("project",)}
    | OF_PROJECTS,
    Role.GATEWAY: BY_FUNCTIONS_ALONE,
    Role.PAGES: BY_FUNCTIONS_ALONE,
}

NEVER: tuple[LiteralString, ...] = (
    # what a patient is called, and what was recorded
    "UPDATE crosswalk.patient SET pseudonym = 'DX' WHERE false",
    "UPDATE crosswalk.patient SET date_shift_sealed = '' WHERE false",
    "UPDATE crosswalk.study SET uid_sealed = '' WHERE false",
    "UPDATE crosswalk.instance SET uid_sealed = '' WHERE false",
    "UPDATE crosswalk.access_event SET actor = 'somebody else' WHERE false",
    "UPDATE crosswalk.task_event SET error = '' WHERE false",
    "UPDATE crosswalk.verdict SET passed = true WHERE false",
    "UPDATE crosswalk.release SET project = 'MINE' WHERE false",
    "UPDATE crosswalk.release_record SET record_sealed = '' WHERE false",
    "DELETE FROM crosswalk.research_facts WHERE false",
    "UPDATE crosswalk.research_facts SET facts = '{}' WHERE false",
    "UPDATE crosswalk.project_member SET project = 'MINE' WHERE false",
    "UPDATE crosswalk.project_version SET minimum_patients = 2 WHERE false",
    "DELETE FROM crosswalk.project_version WHERE false",
    "INSERT INTO crosswalk.project_version (database_login) VALUES ('somebody else')",
    "DELETE FROM crosswalk.cohort_told WHERE false",
    "UPDATE crosswalk.cohort_held SET requester = 'somebody else' WHERE false",
    "INSERT INTO crosswalk.cohort_held (database_login) VALUES ('somebody else')",
    "UPDATE crosswalk.cohort_decision SET decision = 'approved' WHERE false",
    "INSERT INTO crosswalk.cohort_decision (decided_at) VALUES (now())",
    "UPDATE crosswalk.project_requester SET project = 'MINE' WHERE false",
    "UPDATE crosswalk.keyring_fingerprint SET fingerprint = '' WHERE false",
    "UPDATE crosswalk.audit_turn SET chain = gen_random_uuid() WHERE false",
    "UPDATE crosswalk.access_event SET hash = '', recorded_at = now(), reason_sealed = '' WHERE false",
    "UPDATE crosswalk.reidentification_request SET requested_by = 'somebody else' WHERE false",
    "UPDATE crosswalk.reidentification_decision SET decision = 'approved' WHERE false",
    "UPDATE crosswalk.openlineage_event SET event = '{}' WHERE false",
    # who was found to be whom, and who said so
    "UPDATE crosswalk.patient SET survivor_id = id WHERE false",
    "UPDATE crosswalk.patient_key SET patient_id = NULL WHERE false",
    "UPDATE crosswalk.patient_key SET key_sealed = '' WHERE false",
    "UPDATE crosswalk.patient_variant SET identity_sealed = '' WHERE false",
    "UPDATE crosswalk.patient_merge SET into_id = NULL WHERE false",
    "UPDATE crosswalk.study_assignment SET to_patient = NULL WHERE false",
    "UPDATE crosswalk.identity_decision SET decided_by = 'somebody else' WHERE false",
    "UPDATE crosswalk.identity_event_decision SET decision_id = NULL WHERE false",
    "INSERT INTO crosswalk.identity_decision (database_login) VALUES ('somebody else')",
    "DELETE FROM crosswalk.reissue WHERE false",
    # what was removed, who said so, and whose release it ended
    "UPDATE crosswalk.removal SET requested_by = 'somebody else' WHERE false",
    "UPDATE crosswalk.removal SET counts_as_person = true WHERE false",
    "INSERT INTO crosswalk.removal (database_login) VALUES ('somebody else')",
    "DELETE FROM crosswalk.removal WHERE false",
    "UPDATE crosswalk.removal_approval SET approved_by = 'somebody else' WHERE false",
    "INSERT INTO crosswalk.removal_approval (database_login) VALUES ('somebody else')",
    "UPDATE crosswalk.former_object SET research_sop_uid = '' WHERE false",
    "DELETE FROM crosswalk.former_object WHERE false",
    "UPDATE crosswalk.removal_receipt SET gone = true WHERE false",
    "INSERT INTO crosswalk.tombstone DEFAULT VALUES",
    "DELETE FROM crosswalk.tombstone WHERE false",
    "UPDATE crosswalk.removal_notice SET recipients = '[]' WHERE false",
    "DELETE FROM crosswalk.removal_step WHERE false",
    "INSERT INTO crosswalk.release (id, replaces) VALUES (gen_random_uuid(), NULL)",
    "SELECT crosswalk.is_stood_for(gen_random_uuid())",
    # who reads through the gateway, and who has
    "UPDATE crosswalk.gateway_token SET expires_at = 'infinity' WHERE false",
    "DELETE FROM crosswalk.gateway_token_revocation WHERE false",
    "INSERT INTO crosswalk.gateway_use DEFAULT VALUES",
    "SELECT crosswalk.gateway_releases('')",
    # what differs between the archives, and whether somebody has looked after a restore
    "UPDATE crosswalk.archive_difference SET cause = '' WHERE false",
    "DELETE FROM crosswalk.archive_difference WHERE false",
    "DELETE FROM crosswalk.restoration WHERE false",
    # keys are destroyed and values erased by one function, which leaves its mark
    "UPDATE crosswalk.patient SET key_destroyed_at = NULL WHERE false",
    "UPDATE crosswalk.study SET key_destroyed_at = now() WHERE false",
    "UPDATE crosswalk.series SET uid_sealed = '' WHERE false",
    "UPDATE crosswalk.study_known_values SET values_sealed = '' WHERE false",
    "UPDATE crosswalk.identity_event SET detail_sealed = '' WHERE false",
    "UPDATE crosswalk.wrapping_key_slot SET key_wrapped = '' WHERE false",
    "DELETE FROM crosswalk.wrapping_key WHERE false",
    "DELETE FROM crosswalk.site_key WHERE false",
    "DELETE FROM crosswalk.reidentification_showing WHERE false",
    "DELETE FROM crosswalk.openlineage_event WHERE false",
    "INSERT INTO crosswalk.site_key (number, key_wrapped) VALUES (99, '')",
    "INSERT INTO crosswalk.audit_turn DEFAULT VALUES",
    "SELECT crosswalk.chain_access_event()",
    "INSERT INTO crosswalk.migration (number, name, checksum) VALUES (99, '', '')",
    "INSERT INTO crosswalk.release_instance SELECT",
    "DELETE FROM crosswalk.access_event WHERE false",
    "DELETE FROM crosswalk.instance WHERE false",
    "TRUNCATE crosswalk.access_event",
    # the schema, its triggers, its policies, its privileges
    "CREATE TABLE crosswalk.mine (x int)",
    "CREATE TABLE research.mine (x int)",
    "CREATE TABLE public.mine (x int)",
    "CREATE SCHEMA mine",
    "CREATE FUNCTION crosswalk.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE OR REPLACE VIEW research.release AS SELECT 1 AS project",
    "DROP TABLE crosswalk.access_event",
    "ALTER TABLE crosswalk.access_event DISABLE TRIGGER ALL",
    "ALTER TABLE crosswalk.instance DISABLE TRIGGER USER",
    "DROP TRIGGER access_event_append_only ON crosswalk.access_event",
    "CREATE TRIGGER mine BEFORE INSERT ON crosswalk.patient FOR EACH ROW EXECUTE FUNCTION crosswalk.refuse_change()",
    "CREATE RULE mine AS ON INSERT TO crosswalk.access_event DO INSTEAD NOTHING",
    "SET session_replication_role = replica",
    "ALTER TABLE crosswalk.release DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE crosswalk.release NO FORCE ROW LEVEL SECURITY",
    "DROP POLICY release_of_own_projects ON crosswalk.release",
    "ALTER TABLE crosswalk.tombstone NO FORCE ROW LEVEL SECURITY",
    "ALTER TABLE crosswalk.removal_notice DISABLE ROW LEVEL SECURITY",
    "DROP TRIGGER former_object_is_stood_for ON crosswalk.former_object",
    "DROP TRIGGER patient_withdraws_as_decided ON crosswalk.patient",
    "CREATE POLICY mine ON crosswalk.release USING (true)",
    "ALTER FUNCTION crosswalk.sees_project SECURITY INVOKER",
    "CREATE OR REPLACE FUNCTION crosswalk.sees_project(wanted text) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
    "ALTER TABLE crosswalk.patient OWNER TO CURRENT_USER",
    "COMMENT ON TABLE crosswalk.patient IS 'mine'",
    # the server
    "CREATE ROLE mine",
    "CREATE ROLE mine SUPERUSER",
    "ALTER ROLE CURRENT_USER SUPERUSER",
    "ALTER ROLE CURRENT_USER BYPASSRLS",
    "ALTER ROLE SESSION_USER SUPERUSER",
    "ALTER ROLE postgres PASSWORD 'mine'",
    "SET SESSION AUTHORIZATION postgres",
    "SELECT rolpassword FROM pg_authid",
    "SELECT * FROM pg_shadow",
    "CREATE DATABASE mine",
    "CREATE EXTENSION file_fdw",
    "COPY (SELECT 1) TO PROGRAM 'cat >/dev/null'",
    "COPY (SELECT 1) TO '/tmp/mine'",
    "CREATE FUNCTION pg_temp.mine() RETURNS int LANGUAGE c AS 'libc', 'abs'",
    "SELECT pg_read_file('PG_VERSION')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres'",
    "ALTER SYSTEM SET log_statement = 'all'",
    "SELECT pg_reload_conf()",
)


def refused(connection: Connection, statement: sql.Composable | LiteralString) -> bool:
    """Tell whether the database refuses for want of a right; what it says to the statement else does not matter."""
    connection.execute("SAVEPOINT attempt")
    try:
        connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        return True
    except psycopg.Error:
        return False
    finally:
        connection.execute("ROLLBACK TO attempt")
    return False


def relations(filled: Filled) -> Iterator[tuple[str, str, list[str]]]:
    with psycopg.connect(filled.dsn) as connection:
        yield from connection.execute(
            "SELECT n.nspname || '.' || c.relname, c.relkind::text, array_agg(a.attname::text)"
            " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid"
            " WHERE n.nspname = ANY (%s) AND c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped"
            " GROUP BY 1, 2",
            (list(SCHEMAS),),
        ).fetchall()


def granted(role: Role, target: str, privilege: str, column: str = "") -> bool:
    """Tell whether the file grants it, on the whole or on the column."""
    return any(Grant(Kind.TABLE, target, where, privilege, role.group) in GRANTS.grants for where in {"", column})


def named(target: str) -> sql.Identifier:
    return sql.Identifier(*target.split("."))


@pytest.mark.parametrize("role", Role)
class TestEverything:
    def test_tables_and_views(self, role: Role, filled: Filled) -> None:
        wrong = []
        with filled.acting_as(role) as connection:
            for target, kind, columns in relations(filled):
                for privilege, statement in STATEMENTS.items():
                    if kind == "v" and privilege != "SELECT":
                        continue  # most views take no rows from anybody; NEVER has the rest
                    # An INSERT without columns asks for one of them at least.
                    expected = granted(role, target, privilege) or (
                        privilege == "INSERT" and any(granted(role, target, privilege, column) for column in columns)
                    )
                    if refused(connection, sql.SQL(statement).format(table=named(target))) is expected:
                        wrong.append((privilege, target))
        assert wrong == []

    def test_columns(self, role: Role, filled: Filled) -> None:
        wrong = []
        with filled.acting_as(role) as connection:
            for target, kind, columns in relations(filled):
                for column in columns:
                    attempts = {
                        "SELECT": sql.SQL("SELECT {} FROM {} LIMIT 1").format(sql.Identifier(column), named(target)),
                        "UPDATE": sql.SQL("UPDATE {} SET {} = DEFAULT WHERE false").format(
                            named(target), sql.Identifier(column)
                        ),
                    }
                    for privilege, statement in attempts.items():
                        if kind == "v" and privilege == "UPDATE":
                            continue
                        if refused(connection, statement) is granted(role, target, privilege, column):
                            wrong.append((privilege, target, column))
        assert wrong == []

    def test_functions(self, role: Role, filled: Filled) -> None:
        wrong = []
        with filled.acting_as(role) as connection:
            for function in GRANTS.functions:
                name, _, arguments = function.rstrip(")").partition("(")
                nothing = ", ".join(f"NULL::{kind}" for kind in arguments.split(", ") if kind)
                call = sql.SQL(f"SELECT {name}({nothing})")  # type: ignore[arg-type]
                expected = Grant(Kind.FUNCTION, function, "", "EXECUTE", role.group) in GRANTS.grants
                if role is Role.RESEARCHER:
                    expected = False  # has no way into the schema that they are in
                if refused(connection, call) is expected:
                    wrong.append(function)
        assert wrong == []

    def test_other_roles(self, role: Role, filled: Filled) -> None:
        with filled.acting_as(role) as connection:
            others = [other.group for other in Role if other is not role]
            others += ["postgres", "pg_read_all_data", "pg_execute_server_program", connection.info.dbname]
            for other in others:
                assert refused(connection, sql.SQL("SET ROLE {}").format(sql.Identifier(other))), other
                assert refused(connection, sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(other))), other


@pytest.mark.parametrize("role", Role)
class TestNever:
    @pytest.mark.parametrize("statement", NEVER)
    def test_whatever_the_file_says(self, role: Role, statement: LiteralString, filled: Filled) -> None:
        with filled.acting_as(role) as connection:
            connection.autocommit = True  # some are refused in a transaction whoever asks
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)

    def test_nobody_passes_on_what_he_has(self, role: Role, filled: Filled) -> None:
        with filled.acting_as(role) as connection:
            before = actual(connection)
            for target, _, _ in relations(filled):
                with suppress(psycopg.errors.InsufficientPrivilege), connection.transaction():
                    connection.execute(sql.SQL("GRANT ALL ON {} TO PUBLIC").format(named(target)))
            # PostgreSQL refuses whoever has nothing, and only warns whoever has something.
            assert actual(connection) == before

    def test_what_leads_back_to_a_patient_is_read_only_by_those_who_re_identify(
        self, role: Role, filled: Filled
    ) -> None:
        readable = []
        with filled.acting_as(role) as connection:
            for table, columns in NEVER_READ[role].items():
                for column in columns:
                    statement = sql.SQL("SELECT {} FROM crosswalk.{}").format(
                        sql.Identifier(column), sql.Identifier(table)
                    )
                    if not refused(connection, statement):
                        readable.append((table, column))
        assert readable == []


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.RESEARCHER])
def test_a_login_that_acts_as_nobody_may_do_nothing(role: Role, filled: Filled) -> None:
    with psycopg.connect(filled.logins[role]) as connection:
        for target, _, _ in relations(filled):
            assert refused(connection, sql.SQL(STATEMENTS["SELECT"]).format(table=named(target))), target


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.INGEST])
def test_only_ingest_makes_temporary_tables(role: Role, filled: Filled) -> None:
    with filled.acting_as(role) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("CREATE TEMP TABLE mine (x int)")
