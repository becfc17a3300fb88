"""Makes the privileges in a database just those of ``grants.toml``: what is missing is granted, all else revoked."""

from collections.abc import Iterable
from importlib import resources
from typing import LiteralString

import psycopg
from psycopg import sql

from dicomanon.crosswalk.migrations import SCHEMA_LOCK
from dicomanon.crosswalk.roles.grants import SCHEMAS, Grant, Grants, Kind
from dicomanon.crosswalk.roles.role import Role
from dicomanon.crosswalk.session import Connection
from dicomanon.errors import Fatal

# Everything that anyone but the owner may do in our schemas, and what our roles may do to the database: who may connect
# to it is left to its administrator.
# Objects without a list have PostgreSQL's defaults: nothing for tables, EXECUTE for PUBLIC on functions.
_ACTUAL: LiteralString = """
WITH granted AS (
    SELECT 'DATABASE' AS kind, ''::text AS target, ''::text AS "column", d.datdba AS owner,
           coalesce(d.datacl, acldefault('d', d.datdba)) AS acl
    FROM pg_database d WHERE d.datname = current_database()
    UNION ALL
    SELECT 'SCHEMA', n.nspname::text, '', n.nspowner, n.nspacl FROM pg_namespace n WHERE n.nspname = ANY (%(schemas)s)
    UNION ALL
    SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, n.nspname || '.' || c.relname, '', c.relowner,
           c.relacl
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY (%(schemas)s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    UNION ALL
    SELECT 'TABLE', n.nspname || '.' || c.relname, a.attname, c.relowner, a.attacl
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY (%(schemas)s) AND a.attacl IS NOT NULL AND NOT a.attisdropped
    UNION ALL
    SELECT 'FUNCTION', n.nspname || '.' || p.proname || '(' || oidvectortypes(p.proargtypes) || ')', '', p.proowner,
           coalesce(p.proacl, acldefault('f', p.proowner))
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = ANY (%(schemas)s)
)
SELECT g.kind, g.target, g."column", p.privilege, coalesce(r.rolname, '')
FROM granted g CROSS JOIN LATERAL aclexplode(g.acl) AS e LEFT JOIN pg_roles r ON r.oid = e.grantee
CROSS JOIN LATERAL (VALUES (e.privilege_type),
    (CASE WHEN e.is_grantable THEN 'GRANT OPTION FOR ' || e.privilege_type END)) AS p (privilege)
WHERE e.grantee <> g.owner AND p.privilege IS NOT NULL
  AND (g.kind <> 'DATABASE' OR r.rolname = ANY (%(groups)s))
"""


def roles_sql() -> str:
    """Return what an administrator of the server runs where the migrating login may not create roles."""
    return resources.files("dicomanon.crosswalk.roles").joinpath("roles.sql").read_text("utf-8")


def ensure_roles(connection: Connection) -> None:
    """Create the group roles that the server does not have; safe for several databases at once.

    Raises
    ------
    Fatal
        Some are missing, and this login may not create them.
    """
    groups = [role.group for role in Role]
    there = connection.execute("SELECT count(*) FROM pg_roles WHERE rolname = ANY (%s)", (groups,)).fetchone()
    if there == (len(groups),):
        return
    try:
        with connection.transaction():
            connection.execute(roles_sql().encode())
    except psycopg.errors.InsufficientPrivilege:
        raise Fatal(
            "the database server does not have the crosswalk's roles yet, and this login may not create them: have an "
            "administrator of the server run what `dicomanon crosswalk roles` prints, then migrate again"
        ) from None


def actual(connection: Connection) -> frozenset[Grant]:
    """Return every privilege that somebody else than an owner has."""
    rows = connection.execute(_ACTUAL, {"schemas": list(SCHEMAS), "groups": [role.group for role in Role]}).fetchall()
    return frozenset(Grant(Kind(row[0]), *row[1:]) for row in rows)


def sequences(connection: Connection) -> list[str]:
    """Return the sequences of our schemas, qualified."""
    rows = connection.execute(
        "SELECT schemaname || '.' || sequencename FROM pg_sequences WHERE schemaname = ANY (%s)", (list(SCHEMAS),)
    ).fetchall()
    return [row[0] for row in rows]


def apply_grants(connection: Connection) -> None:
    """Grant what the file says, revoke what it does not; all at once, and nothing is touched where both agree.

    Raises
    ------
    Fatal
        This login does not own the database and what is in it.
    """
    grants = Grants.load()
    refused = Fatal("privileges of the crosswalk could not be set: migrate with the login that owns its database")
    try:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (SCHEMA_LOCK,))
            wanted = grants.wanted(sequences(connection))
            there = actual(connection)
            if there == wanted:
                return
            for grant in _in_order(there - wanted):
                connection.execute(_statement("REVOKE {} FROM {} CASCADE", grant, connection.info.dbname))
            # Looked at anew: a privilege on a table takes those on its columns away with it.
            for grant in _in_order(wanted - actual(connection)):
                connection.execute(_statement("GRANT {} TO {}", grant, connection.info.dbname))
            # PostgreSQL only warns of what it did not grant or revoke.
            if actual(connection) != wanted:
                raise refused
    except psycopg.errors.InsufficientPrivilege:
        raise refused from None


def _in_order(grants: Iterable[Grant]) -> list[Grant]:
    return sorted(grants, key=lambda grant: (bool(grant.column), grant))


def _statement(form: LiteralString, grant: Grant, database: str) -> sql.Composed:
    # Words of the file or of PostgreSQL's catalog, and types, which have to stand as they are.
    privilege: sql.Composable = sql.SQL(grant.privilege)
    if grant.column:
        privilege = sql.SQL("{} ({})").format(privilege, sql.Identifier(grant.column))
    name, parenthesis, arguments = grant.target.partition("(")
    target = sql.SQL("{}{}").format(
        sql.Identifier(*name.split(".")) if name else sql.Identifier(database),
        sql.SQL(parenthesis + arguments),
    )
    return sql.SQL(form).format(
        sql.SQL("{} ON {} {}").format(privilege, sql.SQL(grant.kind.value), target),
        sql.Identifier(grant.grantee) if grant.grantee else sql.SQL("PUBLIC"),
    )
