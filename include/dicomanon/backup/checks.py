"""What a restored crosswalk must show before its backup is believed: a list, so that a new promise adds a line."""

from collections.abc import Callable

from psycopg import sql

from dicomanon.backup.manifest import Manifest
from dicomanon.crosswalk.audit.trail import follow
from dicomanon.crosswalk.migrations import unapplied
from dicomanon.crosswalk.session import Connection
from dicomanon.errors import Fatal

_FIRST_WITH_CHAIN = 8
"""Migration that made the access events a chain."""

Check = Callable[[Connection, Manifest], None]
"""Raises ``Fatal`` where the database is not what the manifest says; reads only."""


def tables(connection: Connection) -> list[str]:
    """Return the crosswalk's tables that a backup holds: unlogged ones are scratch, and are left out."""
    rows = connection.execute(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = 'crosswalk' AND c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND NOT c.relispartition"
        " ORDER BY c.relname"
    ).fetchall()
    return [row[0] for row in rows]


def count_rows(connection: Connection) -> dict[str, int]:
    """Count every table, at the moment of the connection's snapshot.

    Row-level security hides nothing from the role ``backup`` and from the owner; a count that it made too low would be
    taken for rows that are missing.
    """
    counts = {}
    for table in tables(connection):
        query = sql.SQL("SELECT count(*) FROM crosswalk.{}").format(sql.Identifier(table))
        row = connection.execute(query).fetchone()
        counts[table] = row[0] if row else 0
    return counts


def keyring_fingerprints(connection: Connection) -> dict[str, str]:
    """Return which keyring the database was written with."""
    rows = connection.execute("SELECT key_name, fingerprint FROM crosswalk.keyring_fingerprint").fetchall()
    return {name: fingerprint.hex() for name, fingerprint in rows}


def every_row_is_there(connection: Connection, manifest: Manifest) -> None:
    """Compare the number of rows of every table."""
    found = count_rows(connection)
    other = sorted(name for name in found.keys() | manifest.rows.keys() if found.get(name) != manifest.rows.get(name))
    if other:
        raise Fatal(f"restored, these tables have other numbers of rows than the backup says: {', '.join(other)}")


def keyring_is_the_same(connection: Connection, manifest: Manifest) -> None:
    """Compare the fingerprints of the keys."""
    if keyring_fingerprints(connection) != manifest.keyring:
        raise Fatal("restored, the crosswalk belongs to another keyring than the backup says")


def schema_is_known(connection: Connection, manifest: Manifest) -> None:
    """Check that this version knows every migration that was applied, by its content."""
    applied = connection.execute("SELECT max(number) FROM crosswalk.migration").fetchone()
    unapplied(connection)
    if not applied or applied[0] != manifest.migration:
        raise Fatal("restored, the crosswalk has another schema than the backup says")


def nothing_stands_unvalidated(connection: Connection, _: Manifest) -> None:
    """Check that every constraint and index holds for the rows that are there."""
    row = connection.execute(
        "SELECT (SELECT count(*) FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace"
        " WHERE n.nspname = 'crosswalk' AND NOT c.convalidated)"
        " + (SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'crosswalk' AND NOT i.indisvalid)"
    ).fetchone()
    if not row or row[0]:
        raise Fatal("restored, a constraint or an index of the crosswalk does not hold")


def audit_trail_holds(connection: Connection, manifest: Manifest) -> None:
    """Follow the audit trail from its first entry to its last."""
    if manifest.migration < _FIRST_WITH_CHAIN:
        return
    fault = follow(connection).fault
    if fault:
        raise Fatal(f"restored, the audit trail does not hold from entry {fault.number} on")


CHECKS: tuple[Check, ...] = (
    every_row_is_there,
    keyring_is_the_same,
    schema_is_known,
    nothing_stands_unvalidated,
    audit_trail_holds,
)
