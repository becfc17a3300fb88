"""The crosswalk as the gateway meets it: functions that take the digest of a token. No key, no table, no memory."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from uuid import UUID, uuid4

import psycopg
from psycopg.rows import class_row

from dicomanon.crosswalk.audit.events import SubjectKind
from dicomanon.crosswalk.roles.assuming import assume
from dicomanon.crosswalk.roles.role import Role
from dicomanon.crosswalk.roles.role_pool import role_pool
from dicomanon.crosswalk.session import Connection, translated
from dicomanon.errors import Fatal

_CONNECT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who shows a token that is good now."""

    token_id: UUID
    project: str
    login: str


@dataclass(frozen=True, slots=True)
class ShownObject:
    """An instance that a token shows.

    Attributes
    ----------
    is_whole
        Whether the token shows everything that is stored of what was asked for.
    is_of_whole_series
        Whether it shows everything that is stored of the instance's series.
    """

    series_uid: str
    sop_uid: str
    is_whole: bool
    is_of_whole_series: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for; ``None`` does not restrict.

    Attributes
    ----------
    patient_like
        Pattern of LIKE for the pseudonym.
    """

    patient_like: str | None = None
    studies: Sequence[str] | None = None
    modalities: Sequence[str] | None = None
    series: Sequence[str] | None = None
    sops: Sequence[str] | None = None
    sop_classes: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class ShownStudy:
    """A study, and what the token shows of it."""

    study_uid: str
    pseudonym: str
    modalities_in_study: list[str]
    sop_classes: list[str]
    series: int
    instances: int


@dataclass(frozen=True, slots=True)
class ShownSeries:
    """A series, and how much the token shows of it."""

    study_uid: str
    series_uid: str
    pseudonym: str
    modality: str
    instances: int


@dataclass(frozen=True, slots=True)
class ShownInstance:
    """An instance that the token shows."""

    study_uid: str
    series_uid: str
    sop_uid: str
    pseudonym: str
    modality: str
    sop_class: str


@dataclass(frozen=True, slots=True)
class Use:
    """What is recorded of a request.

    Attributes
    ----------
    digest
        Of the token that was shown.
    action
        ``gateway.query``, ``gateway.retrieve`` or ``gateway.refuse``.
    count
        Of how many objects.
    """

    digest: bytes
    action: str
    count: int
    subject_kind: SubjectKind
    subject: str


class Showing:
    """What tokens show; safe for any number of threads.

    Parameters
    ----------
    dsn
        Of a login that may act as ``dicomanon_gateway``.
    connections
        The most that are opened.
    """

    def __init__(self, dsn: str, *, connections: int) -> None:
        self._dsn = dsn
        self._pool = role_pool(dsn, Role.GATEWAY, least=1, most=connections)

    def __enter__(self) -> Self:
        """Connect.

        Raises
        ------
        Retriable
            The database cannot be reached.
        Fatal
            The login may not act as the gateway.
        """
        with translated(), psycopg.connect(self._dsn, connect_timeout=_CONNECT_SECONDS) as connection:
            assume(connection, Role.GATEWAY)
        with translated():
            self._pool.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._pool.close()

    def bearer(self, digest: bytes) -> Bearer | None:
        """Return whose a token is, if it is good now."""
        with self._connection() as connection, connection.cursor(row_factory=class_row(Bearer)) as cursor:
            return cursor.execute("SELECT * FROM crosswalk.gateway_token_of(%s)", (digest,)).fetchone()

    def objects(
        self, digest: bytes, study_uid: str, series_uid: str | None = None, sop_uid: str | None = None
    ) -> list[ShownObject]:
        """Return what a token shows of a study, a series or an instance, by ascending UIDs."""
        with self._connection() as connection, connection.cursor(row_factory=class_row(ShownObject)) as cursor:
            return cursor.execute(
                "SELECT * FROM crosswalk.gateway_objects(%s, %s, %s, %s)", (digest, study_uid, series_uid, sop_uid)
            ).fetchall()

    def studies(self, digest: bytes, wanted: Wanted, *, limit: int, offset: int = 0) -> list[ShownStudy]:
        """Return a page of studies, by ascending UIDs."""
        with self._connection() as connection, connection.cursor(row_factory=class_row(ShownStudy)) as cursor:
            return cursor.execute(
                "SELECT * FROM crosswalk.gateway_studies(%s, %s, %s, %s, %s, %s)",
                (digest, wanted.patient_like, _array(wanted.studies), _array(wanted.modalities), limit, offset),
            ).fetchall()

    def series(self, digest: bytes, wanted: Wanted, *, limit: int, offset: int = 0) -> list[ShownSeries]:
        """Return a page of series, by ascending UIDs of study and series."""
        with self._connection() as connection, connection.cursor(row_factory=class_row(ShownSeries)) as cursor:
            return cursor.execute(
                "SELECT * FROM crosswalk.gateway_series(%s, %s, %s, %s, %s, %s, %s)",
                (
                    digest,
                    wanted.patient_like,
                    _array(wanted.studies),
                    _array(wanted.modalities),
                    _array(wanted.series),
                    limit,
                    offset,
                ),
            ).fetchall()

    def instances(self, digest: bytes, wanted: Wanted, *, limit: int, offset: int = 0) -> list[ShownInstance]:
        """Return a page of instances, by ascending UIDs of study, series and instance."""
        with self._connection() as connection, connection.cursor(row_factory=class_row(ShownInstance)) as cursor:
            return cursor.execute(
                "SELECT * FROM crosswalk.gateway_instances(%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                (
                    digest,
                    wanted.patient_like,
                    _array(wanted.studies),
                    _array(wanted.modalities),
                    _array(wanted.series),
                    _array(wanted.sops),
                    _array(wanted.sop_classes),
                    limit,
                    offset,
                ),
            ).fetchall()

    def record(self, uses: Sequence[Use]) -> None:
        """Append entries to the audit trail, all or none; they are committed on return.

        Raises
        ------
        Retriable, Fatal
            They are not in the trail, or it is not known whether they are.
        """
        with self._connection() as connection:
            row = connection.execute(
                "SELECT crosswalk.gateway_record(%s::uuid[], %s::bytea[], %s::text[], %s::bigint[], %s::text[],"
                " %s::text[])",
                (
                    [uuid4() for _ in uses],
                    [use.digest for use in uses],
                    [use.action for use in uses],
                    [use.count for use in uses],
                    [use.subject_kind.value for use in uses],
                    [use.subject for use in uses],
                ),
            ).fetchone()
        if row != (len(uses),):
            raise Fatal("the audit trail did not take what was to be recorded")

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        with translated(), self._pool.connection() as connection:
            yield connection


def _array(values: Sequence[str] | None) -> list[str] | None:
    return None if values is None else list(values)
