"""The crosswalk as one object: a connection pool, the keyring, and its groups of operations."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import psycopg
from psycopg_pool import ConnectionPool

from dicomanon.crosswalk.archives.group import Archives
from dicomanon.crosswalk.audit.trail import Audit
from dicomanon.crosswalk.decisions.identities import Identities
from dicomanon.crosswalk.devices import Devices
from dicomanon.crosswalk.exports import Exports
from dicomanon.crosswalk.gateway.tokens import Tokens
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.keys.first_keys import make_first_keys
from dicomanon.crosswalk.keys.keychain import Keychain
from dicomanon.crosswalk.keys.management import KeyManagement
from dicomanon.crosswalk.ledger import Ledger
from dicomanon.crosswalk.lineage import Lineage
from dicomanon.crosswalk.mapping import Mapping
from dicomanon.crosswalk.migrations import migrate
from dicomanon.crosswalk.openlineage_events import OpenLineageEvents
from dicomanon.crosswalk.patients import Patients
from dicomanon.crosswalk.profiles import Profiles
from dicomanon.crosswalk.projects.group import Projects
from dicomanon.crosswalk.projects.requests import CohortRequests
from dicomanon.crosswalk.projects.standing import StandingRequests
from dicomanon.crosswalk.pulls import Pulls
from dicomanon.crosswalk.quarantine import Quarantine
from dicomanon.crosswalk.reidentification.requests import Reidentification
from dicomanon.crosswalk.releases import Releases
from dicomanon.crosswalk.removals.removals import Removals
from dicomanon.crosswalk.roles.assuming import assume
from dicomanon.crosswalk.roles.granting import apply_grants, ensure_roles
from dicomanon.crosswalk.roles.role import Role
from dicomanon.crosswalk.session import Connection, Session, translated
from dicomanon.errors import Fatal

_CONNECT_SECONDS = 10
_WAIT_FOR_CONNECTION_SECONDS = 60


class Crosswalk:
    """From any source object to its research object, and back; the only place where PHI rests outside the PACS.

    Open it in the process that uses it: connections and their threads do not survive a fork.

    Parameters
    ----------
    dsn
        libpq connection string or URL.
    keyring
        The keyring that the database was first migrated with.
    role
        Whom this works as: every connection acts as that role, of which the login must be a member. ``None`` leaves
        the login what it is, as a migration needs it.
    min_size, max_size
        Connections kept open, and the most that are opened; one per thread that works at once is enough.

    Examples
    --------
    >>> with Crosswalk(dsn, Keyring.load(path)) as crosswalk:  # doctest: +SKIP
    ...     crosswalk.migrate()
    ...     crosswalk.patients.get_or_create(identity)
    """

    def __init__(
        self, dsn: str, keyring: Keyring, *, role: Role | None = None, min_size: int = 1, max_size: int = 4
    ) -> None:
        self._dsn = dsn
        self._keyring = keyring
        self._role = role
        self._pool = ConnectionPool[Connection](
            dsn,
            min_size=min_size,
            max_size=max_size,
            open=False,
            timeout=_WAIT_FOR_CONNECTION_SECONDS,
            kwargs={"application_name": "dicomanon", "connect_timeout": _CONNECT_SECONDS},
            configure=self._configure,
            # A connection that the server has dropped is replaced before it is handed out.
            check=ConnectionPool.check_connection,
            name="crosswalk",
        )
        chain = Keychain(self._translated_connection, keyring.masters)
        session = Session(self._pool, keyring, chain)
        self.keys = KeyManagement(session, keyring.masters)
        self.patients = Patients(session)
        self.ledger = Ledger(session)
        self.mapping = Mapping(session)
        self.lineage = Lineage(session)
        self.openlineage = OpenLineageEvents(session)
        self.exports = Exports(session)
        self.releases = Releases(session)
        self.profiles = Profiles(session)
        self.devices = Devices(session)
        self.quarantine = Quarantine(session)
        self.audit = Audit(session)
        self.reidentification = Reidentification(session)
        self.archives = Archives(session)
        self.identities = Identities(session)
        self.projects = Projects(session)
        self.requests = CohortRequests(session)
        self.pulls = Pulls(session)
        self.standing = StandingRequests(session)
        self.removals = Removals(session)
        self.tokens = Tokens(session)

    def __enter__(self) -> Self:
        """Connect.

        Raises
        ------
        Retriable
            The database cannot be reached.
        Fatal
            The database was written with another keyring, no master key at hand opens its keys, or the login may not
            act as the role.
        """
        # Asked first over a connection of its own: the pool would go on trying behind our back.
        with translated(), self._connect() as connection:
            self._check_keyring(connection)
        with translated():
            self._pool.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._pool.close()

    def migrate(self) -> int:
        """Bring schema and privileges to this version, bind the database to the keyring; return how many steps it took.

        Raises
        ------
        Retriable
            The database cannot be reached.
        Fatal
            It was migrated by a newer version, with other files, or with another keyring; the server lacks roles that
            this login may not create; or this login does not own the database.
        """
        with translated(), self._connect() as connection:
            connection.autocommit = True
            ensure_roles(connection)
            applied = migrate(connection)
            with connection.transaction():
                make_first_keys(connection, self._keyring)
            self._check_keyring(connection)
            apply_grants(connection)
        return applied

    def _connect(self) -> Connection:
        connection = psycopg.connect(self._dsn, application_name="dicomanon", connect_timeout=_CONNECT_SECONDS)
        if self._role is not None:
            assume(connection, self._role)
        return connection

    def _configure(self, connection: Connection) -> None:
        # A lock that nobody releases becomes a Retriable error instead of a task that hangs for ever.
        connection.execute("SET lock_timeout = '60s'")
        connection.execute("SET timezone = 'UTC'")
        if self._role is not None:
            assume(connection, self._role)
        connection.commit()

    @contextmanager
    def _translated_connection(self) -> Iterator[Connection]:
        with translated(), self._connect() as connection:
            yield connection

    def _check_keyring(self, connection: Connection) -> None:
        found = connection.execute("SELECT to_regclass('crosswalk.keyring_fingerprint') IS NOT NULL").fetchone()
        if not (found and found[0]):
            return
        written_with: dict[str, bytes] = dict(
            connection.execute("SELECT key_name, fingerprint FROM crosswalk.keyring_fingerprint").fetchall()
        )
        if not self._keyring.wrote(written_with):
            raise Fatal("the crosswalk was written with another keyring: point DICOMANON_KEYRING_FILE to that one")
        has_keys = connection.execute("SELECT to_regclass('crosswalk.wrapping_key') IS NOT NULL").fetchone()
        if has_keys and has_keys[0]:
            self.keys.chain.check()
