"""``grants.toml`` is complete, is what the database has after a migration, and repairs what somebody changed."""

import psycopg
import pytest

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.roles.granting import actual, apply_grants, roles_sql, sequences
from dicomanon.crosswalk.roles.grants import SCHEMAS, Grant, Grants, Kind
from dicomanon.crosswalk.roles.role import Role
from dicomanon.errors import Fatal
from dicomanon.local_stack.ports import free_port
from dicomanon.local_stack.postgres import PostgresServer, start_postgres

GRANTS = Grants.load()


def test_every_table_and_view_has_an_entry(crosswalk: Crosswalk, crosswalk_dsn: str) -> None:
    with psycopg.connect(crosswalk_dsn) as connection:
        rows = connection.execute(
            "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = ANY (%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')",
            (list(SCHEMAS),),
        ).fetchall()
    assert {row[0] for row in rows} == GRANTS.relations


def test_every_function_has_an_entry(crosswalk: Crosswalk, crosswalk_dsn: str) -> None:
    with psycopg.connect(crosswalk_dsn) as connection:
        rows = connection.execute(
            "SELECT n.nspname || '.' || p.proname || '(' || oidvectortypes(p.proargtypes) || ')'"
            " FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = ANY (%s)",
            (list(SCHEMAS),),
        ).fetchall()
    assert {row[0] for row in rows} == GRANTS.functions


def test_every_function_that_acts_for_the_owner_has_its_search_path_fixed_with_the_temporary_schema_last(
    crosswalk: Crosswalk, crosswalk_dsn: str
) -> None:
    with psycopg.connect(crosswalk_dsn) as connection:
        rows = connection.execute(
            "SELECT p.proname, p.proconfig FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
            " WHERE n.nspname = ANY (%s) AND p.prosecdef",
            (list(SCHEMAS),),
        ).fetchall()
    assert rows
    assert {name: config for name, config in rows if config != ["search_path=pg_catalog, pg_temp"]} == {}


def test_a_migration_leaves_just_what_the_file_says(crosswalk: Crosswalk, crosswalk_dsn: str) -> None:
    with psycopg.connect(crosswalk_dsn) as connection:
        assert actual(connection) == GRANTS.wanted(sequences(connection))


def test_what_somebody_granted_or_revoked_is_set_right_by_the_next_migration(
    crosswalk: Crosswalk, crosswalk_dsn: str
) -> None:
    with psycopg.connect(crosswalk_dsn) as connection:
        for change in (
            "GRANT SELECT ON crosswalk.patient TO PUBLIC",
            "GRANT SELECT, UPDATE ON crosswalk.instance TO dicomanon_cohort WITH GRANT OPTION",
            "GRANT SELECT (identity_sealed) ON crosswalk.patient TO dicomanon_auditor",
            "GRANT SELECT ON crosswalk.series TO dicomanon_auditor",
            "GRANT EXECUTE ON FUNCTION crosswalk.held_source TO PUBLIC",
            "GRANT CREATE ON SCHEMA crosswalk TO dicomanon_ingest",
            "GRANT INSERT ON crosswalk.access_event TO dicomanon_admin WITH GRANT OPTION",
            "REVOKE INSERT ON crosswalk.task_event FROM dicomanon_ingest",
            "REVOKE EXECUTE ON FUNCTION crosswalk.cohort_studies FROM dicomanon_cohort",
        ):
            connection.execute(change)
        assert actual(connection) != GRANTS.wanted(sequences(connection))
    crosswalk.migrate()
    with psycopg.connect(crosswalk_dsn) as connection:
        assert actual(connection) == GRANTS.wanted(sequences(connection))


def test_a_table_that_a_later_version_makes_is_the_owners_alone_until_it_is_listed(
    crosswalk: Crosswalk, crosswalk_dsn: str
) -> None:
    with psycopg.connect(crosswalk_dsn) as connection:
        connection.execute("CREATE TABLE crosswalk.unlisted (x int)")
        connection.execute(
            "CREATE FUNCTION crosswalk.unlisted() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'"
        )
    crosswalk.migrate()
    with psycopg.connect(crosswalk_dsn) as connection:
        assert not [grant for grant in actual(connection) if "unlisted" in grant.target]


def test_a_login_that_does_not_own_the_crosswalk_cannot_set_privileges(
    crosswalk: Crosswalk, crosswalk_dsn: str, postgres_server: PostgresServer
) -> None:
    with psycopg.connect(crosswalk_dsn) as connection:
        database = connection.info.dbname
        connection.execute("GRANT SELECT ON crosswalk.patient TO dicomanon_cohort")
    login = f"stranger_{database}"
    postgres_server.create_login(login, "secret", database, Role)
    stranger = postgres_server.dsn(database, user=login, password="secret")
    with (
        psycopg.connect(stranger, autocommit=True) as connection,
        pytest.raises(Fatal, match="the login that owns its database"),
    ):
        apply_grants(connection)
    postgres_server.drop_database(database)
    with psycopg.connect(postgres_server.dsn(), autocommit=True) as administrator:
        administrator.execute(f"DROP ROLE {login}")


class TestRolesFile:
    def test_makes_every_role_without_a_login_and_without_power(self, postgres_server: PostgresServer) -> None:
        with psycopg.connect(postgres_server.dsn()) as connection:
            rows = connection.execute(
                "SELECT rolname, rolcanlogin OR rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication"
                " OR rolinherit, rolbypassrls FROM pg_roles WHERE starts_with(rolname, 'dicomanon_')"
            ).fetchall()
        assert {row[0] for row in rows} == {role.group for role in Role}
        assert not any(row[1] for row in rows)
        assert {row[0] for row in rows if row[2]} == {Role.BACKUP.group}

    def test_is_read_again_without_harm(self, postgres_server: PostgresServer) -> None:
        with psycopg.connect(postgres_server.dsn(), autocommit=True) as connection:
            for _ in range(2):
                connection.execute(roles_sql().encode())


def test_a_login_that_may_not_create_roles_is_told_what_to_have_run(
    tmp_path_factory: pytest.TempPathFactory, keyring: Keyring
) -> None:
    server = start_postgres(tmp_path_factory.mktemp("bare-postgres"), free_port(), durable=False)
    try:
        server.create_database("crosswalk", "crosswalk", "secret")
        crosswalk = Crosswalk(server.dsn("crosswalk", user="crosswalk", password="secret"), keyring)
        with pytest.raises(Fatal, match="run what `dicomanon crosswalk roles` prints"):
            crosswalk.migrate()
        server.create_roles()
        assert crosswalk.migrate() > 0
    finally:
        server.stop()


class TestFile:
    def test_privileges_on_columns_are_one_each(self) -> None:
        grants = Grants.of({"tables": {"crosswalk.x": {"ingest": ["SELECT(a, b)", "INSERT"]}}})
        assert grants.grants == {
            Grant(Kind.TABLE, "crosswalk.x", "a", "SELECT", "dicomanon_ingest"),
            Grant(Kind.TABLE, "crosswalk.x", "b", "SELECT", "dicomanon_ingest"),
            Grant(Kind.TABLE, "crosswalk.x", "", "INSERT", "dicomanon_ingest"),
        }

    @pytest.mark.parametrize(
        "content",
        [
            {"schemas": {"crosswalk": ["nobody"]}},
            {"tables": {"crosswalk.x": {"ingest": ["SELECT; DROP TABLE y"]}}},
            {"tables": {"crosswalk.x": {"ingest": ["SELECT()"]}}},
        ],
    )
    def test_what_is_no_role_or_no_privilege_is_refused(self, content: dict[str, object]) -> None:
        with pytest.raises(Fatal, match=r"grants\.toml"):
            Grants.of(content)
