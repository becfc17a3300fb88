"""Brings a backup back: into the site's database, or into a server that lives only to prove that it can be done."""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg import sql

from dicomanon.backup.checks import CHECKS
from dicomanon.backup.key import BackupKey
from dicomanon.backup.making import write_manifest
from dicomanon.backup.manifest import Backup
from dicomanon.backup.programs import running
from dicomanon.backup.streams import decrypt, sha256
from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.migrations import SET_ASIDE
from dicomanon.crosswalk.roles.granting import ensure_roles
from dicomanon.crosswalk.roles.grants import SCHEMAS
from dicomanon.crosswalk.roles.role import Role
from dicomanon.crosswalk.session import Connection, translated
from dicomanon.errors import Fatal
from dicomanon.local_stack.ports import free_port
from dicomanon.local_stack.postgres import BINARIES, start_postgres


def verify(backup: Backup, key: BackupKey) -> Backup:
    """Restore a backup into a server of its own, check everything, note it in the manifest, and forget the server.

    The server's folder is private, on the disk that TMPDIR names, and holds the rows as the live database does: what is
    sealed there is sealed here.

    Raises
    ------
    Fatal
        The backup is not whole, or cannot be read with this key.
    """
    require_intact(backup)
    folder = Path(tempfile.mkdtemp(prefix="dicomanon-verify-"))
    try:
        server = start_postgres(folder / "postgres", free_port(), durable=False)
        try:
            # Row-level security asks who is a member of them.
            server.create_roles()
            server.create_database("crosswalk", "crosswalk", server.password)
            dsn = server.dsn("crosswalk", user="crosswalk")
            load(backup, key, dsn)
            check(backup, dsn)
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)
    verified = replace(backup, manifest=backup.manifest.model_copy(update={"verified_at": datetime.now(UTC)}))
    write_manifest(verified)
    return verified


def restore(
    backup: Backup,
    key: BackupKey,
    dsn: str,
    keyring: Keyring,
    *,
    actor: str,
    reason: str,
    set_aside: bool,
    programs: Path = BINARIES,
) -> str:
    """Make the site's crosswalk the one of a backup, and bring it to this version's schema and privileges.

    Afterwards no run takes anything up until the archives have been checked (see ``Crosswalk.archives``): the research
    PACS may have objects of patients whose pseudonym the backup does not know.

    Parameters
    ----------
    dsn
        Of the login that owns the site's database.
    set_aside
        What to do with a crosswalk that is there: rename its schema, so that nothing of it is lost, and let no role in
        any more; else refuse.
    programs
        Where ``pg_restore`` is.

    Returns
    -------
    str
        The schema that the former crosswalk is in now, ``""`` if there was none.

    Raises
    ------
    Fatal
        Another keyring or key, a damaged backup, a crosswalk that is there, or a server without the crosswalk's roles.
        Nothing was changed.
    """
    if not reason.strip():
        raise Fatal("say why with --reason: it is kept in the audit trail")
    if not keyring.wrote({name: bytes.fromhex(mark) for name, mark in backup.manifest.keyring.items()}):
        raise Fatal("the backup belongs to another keyring: point DICOMANON_KEYRING_FILE to that one, never make a new")
    require_intact(backup)
    with translated(), psycopg.connect(dsn, connect_timeout=10) as connection:
        ensure_roles(connection)
    former = _make_room(dsn, set_aside=set_aside)
    loaded = False
    try:
        load(backup, key, dsn, programs)
        loaded = True
        check(backup, dsn)
        with Crosswalk(dsn, keyring) as crosswalk:
            crosswalk.migrate()
            crosswalk.archives.note_restoration(backup.name, backup.manifest.made_at, actor=actor, reason=reason)
    except BaseException:
        _put_back(dsn, former, loaded=loaded)
        raise
    if former:
        _lock_up(dsn, former)
    return former


def require_intact(backup: Backup) -> None:
    """Compare the encrypted file with its digest.

    Raises
    ------
    Fatal
        It is another file, or cannot be read.
    """
    if sha256(backup.dump) != backup.manifest.sha256:
        raise Fatal(f"{backup.name} is damaged: its file is not the one that was written; take another backup")


def load(backup: Backup, key: BackupKey, dsn: str, programs: Path = BINARIES) -> None:
    """Load a dump in one transaction: all of it, or nothing.

    Privileges are not taken from it: a migration sets them, and nobody else enters before.
    """
    # The name of the database is no secret; the rest of the login goes by environment.
    database = psycopg.conninfo.conninfo_to_dict(dsn).get("dbname", "")
    arguments = [f"--dbname={database}", "--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]
    with running("pg_restore", arguments, dsn, programs) as program:
        assert program.stdin is not None
        decrypt(backup.dump, program.stdin, key)


def check(backup: Backup, dsn: str) -> None:
    """Apply every check of :data:`~dicomanon.backup.checks.CHECKS`."""
    with translated(), psycopg.connect(dsn, connect_timeout=10) as connection:
        connection.read_only = True
        for one in CHECKS:
            one(connection, backup.manifest)


def _make_room(dsn: str, *, set_aside: bool) -> str:
    with translated(), psycopg.connect(dsn, connect_timeout=10) as connection:
        if not _exists(connection, "crosswalk"):
            return ""
        if not set_aside:
            raise Fatal(
                "there is a crosswalk already: restore into an empty database, or set it aside with --set-aside, which "
                "renames it and removes nothing"
            )
        former = f"{SET_ASIDE}{datetime.now(UTC):%Y%m%d_%H%M%S}"
        # Whoever is at work with it would write into what is set aside.
        connection.execute("SET LOCAL lock_timeout = '10s'")
        connection.execute("LOCK TABLE crosswalk.instance, crosswalk.patient IN ACCESS EXCLUSIVE MODE")
        _rename(connection, dict(zip(SCHEMAS, _set_aside(former), strict=True)))
    return former


def _put_back(dsn: str, former: str, *, loaded: bool) -> None:
    """Undo what an attempt has left, so that a failed restore changes nothing."""
    with translated(), psycopg.connect(dsn, connect_timeout=10) as connection:
        if loaded:
            connection.execute("DROP SCHEMA IF EXISTS crosswalk, research CASCADE")
        if former:
            _rename(connection, dict(zip(_set_aside(former), SCHEMAS, strict=True)))


def _set_aside(former: str) -> list[str]:
    """Return what our schemas are called beside a crosswalk that is called ``former``."""
    return [schema + former.removeprefix("crosswalk") for schema in SCHEMAS]


def _rename(connection: Connection, names: Mapping[str, str]) -> None:
    """Rename those that are there: before there were roles, there was no schema for researchers."""
    for name, other in names.items():
        if _exists(connection, name):
            connection.execute(
                sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(other))
            )


def _lock_up(dsn: str, former: str) -> None:
    """Take every role's way into what was set aside; one that is renamed back gets it from the next migration."""
    groups = sql.SQL(", ").join(sql.Identifier(role.group) for role in Role)
    with translated(), psycopg.connect(dsn, connect_timeout=10) as connection:
        for schema in _set_aside(former):
            if _exists(connection, schema):
                connection.execute(sql.SQL("REVOKE ALL ON SCHEMA {} FROM {}").format(sql.Identifier(schema), groups))


def _exists(connection: Connection, schema: str) -> bool:
    return connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,)).fetchone() is not None
