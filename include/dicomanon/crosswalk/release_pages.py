"""The crosswalk as the pages of the api-server meet it: functions that take a login of Airflow. No key, no table."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from psycopg.rows import class_row

from dicomanon.crosswalk.audit.events import Subject
from dicomanon.crosswalk.roles.role import Role
from dicomanon.crosswalk.roles.role_pool import role_pool
from dicomanon.crosswalk.session import Connection, translated


@dataclass(frozen=True, slots=True)
class ListedRelease:
    """A release of a project that a login of Airflow requests for.

    Attributes
    ----------
    request_key
        ``<DAG>/<run>`` that asked for it; of one that replaces another there is none.
    ended_at
        When a removal ended it; ``None`` while it holds.
    replaced_by
        Number of the release to go on with, of one that has ended.
    own_pseudonyms
        Whether its project sees other identifiers than the gateway shows; moments are told to the day then.
    """

    release_id: UUID
    project: str
    number: int
    requester: str
    request_key: str | None
    instances: int
    created_at: datetime
    ended_at: datetime | None
    replaced_by: int | None
    own_pseudonyms: bool


class ReleasePages:
    """Releases by who may see them; safe for any number of threads, and connected only once it is asked.

    Parameters
    ----------
    dsn
        Of a login that may act as ``dicomanon_pages``.
    """

    def __init__(self, dsn: str) -> None:
        self._pool = role_pool(dsn, Role.PAGES, least=0, most=4)

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    def of(self, login: str) -> list[ListedRelease]:
        """Return the releases of all projects that a login of Airflow requests for, the newest of each first.

        Raises
        ------
        Retriable
            The crosswalk cannot be reached.
        """
        with self._connection() as connection, connection.cursor(row_factory=class_row(ListedRelease)) as cursor:
            return cursor.execute("SELECT * FROM crosswalk.pages_releases(%s)", (login,)).fetchall()

    def record(self, login: str, action: str, subject: Subject) -> None:
        """Enter into the audit trail what a login is about to be given, or was denied; committed on return.

        Parameters
        ----------
        action
            ``release.read`` or ``release.deny``.

        Raises
        ------
        Retriable, Fatal
            It is not in the trail, or it is not known whether it is: nothing may be given.
        """
        with self._connection() as connection:
            connection.execute(
                "SELECT crosswalk.pages_record(%s, %s, %s, %s, %s)",
                (uuid4(), login, action, subject.kind.value, subject.id),
            )

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        with translated():
            self._pool.open()
            with self._pool.connection() as connection:
                yield connection
