"""Cohort requests that stay open: as Airflow held them, what came of them, and why one is paused or has ended."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, LiteralString
from uuid import UUID, uuid4

from psycopg.types.json import Json
from pydantic import JsonValue

from dicomanon.crosswalk.access_events import record_access_event
from dicomanon.crosswalk.audit.events import Subject, SubjectKind
from dicomanon.crosswalk.projects.requests import CohortOf, enter_told, lock_telling, people_digest
from dicomanon.crosswalk.releases import NewRelease, enter_release
from dicomanon.crosswalk.rows import ReleaseRow
from dicomanon.crosswalk.session import Connection, Session
from dicomanon.errors import Fatal, Retriable

_LOCK_SPACE = 0x0D24
_LONGEST_REASON = 300

_REQUESTS: LiteralString = (
    "SELECT id, project, requester, request_key, until, opened_at, state, because, changed_at, versions, newest"
    " FROM crosswalk.standing_requests()"
)


class StandingState(StrEnum):
    """How a request that stays open stands."""

    OPEN = "open"
    PAUSED = "paused"
    """Something has to be mended; it goes on by itself when that is."""
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class StandingRequest:
    """A request that stays open.

    Attributes
    ----------
    request_key
        Names the request that opened it: its DAG and run.
    until
        The last day on which it is looked at.
    because
        Why it is paused or has ended; holds no value of the request.
    versions, newest
        How many versions came of it, those of removals included, and the number of the release that the newest is.
    """

    id: UUID
    project: str
    requester: str
    request_key: str
    until: date | None
    opened_at: datetime
    state: StandingState
    because: str
    changed_at: datetime
    versions: int
    newest: int | None


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a standing request."""

    number: int
    release: ReleaseRow


class StandingRequests:
    """Requests that stay open; each change is committed by itself, and a version with all that belongs to it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def may_open(self, request_key: str) -> bool:
        """Tell whether a request may stay open: it never waited, or was approved with its later versions."""
        with self._session.transaction() as connection:
            row = connection.execute("SELECT crosswalk.covers_versions(%s)", (request_key,)).fetchone()
        return bool(row and row[0])

    def open(
        self,
        cohort: CohortOf,
        requester: str,
        conf: Mapping[str, JsonValue],
        until: date | None,
        release: ReleaseRow | None,
    ) -> None:
        """Let a request stay open that was answered; done again, it changes nothing.

        Parameters
        ----------
        cohort
            Whom it led to, as the project was told.
        conf
            As Airflow holds it: what identifies is sealed.
        release
            Its first version; ``None`` where it led to nothing yet.

        Raises
        ------
        Fatal
            It was held, and nobody approved later versions.
        """
        with self._session.transaction() as connection:
            row = connection.execute(
                "SELECT id FROM crosswalk.standing_requests() WHERE request_key = %s", (cohort.request_key,)
            ).fetchone()
            if row is not None:
                return
            standing = uuid4()
            connection.execute(
                "INSERT INTO crosswalk.standing_request (id, project, requester, request_key, conf, until)"
                " VALUES (%s, %s, %s, %s, %s, %s)",
                (standing, cohort.project, requester, cohort.request_key, Json(dict(conf)), until),
            )
            if release is not None:
                _enter_version(connection, standing, release, 1, cohort)
            self._record(connection, requester, "cohort.stand", f"asked for by {cohort.request_key}", standing)

    def all(self, *, ended: bool = True) -> list[StandingRequest]:
        """Return the requests, by when they were opened; without those that have ended, if so asked."""
        with self._session.transaction() as connection:
            rows = connection.execute(_REQUESTS + " WHERE %s OR state <> 'ended'", (ended,)).fetchall()
        return [_standing(row) for row in rows]

    @contextmanager
    def alone(self, standing: StandingRequest) -> Iterator[StandingRequest]:
        """Keep everybody else from looking at a request, and give it as it stands then.

        Raises
        ------
        Retriable
            Somebody else does not come to an end with it.
        """
        with self._session.transaction() as connection:
            connection.execute("SET LOCAL lock_timeout = '10min'")
            connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (_LOCK_SPACE, str(standing.id)))
            row = connection.execute(_REQUESTS + " WHERE id = %s", (standing.id,)).fetchone()
            if row is None:
                raise Fatal("there is no such standing request")
            yield _standing(row)

    def conf(self, standing: StandingRequest) -> Mapping[str, JsonValue]:
        """Return the request as Airflow held it."""
        with self._session.transaction() as connection:
            row = connection.execute("SELECT crosswalk.standing_conf(%s)", (standing.id,)).fetchone()
        if row is None or row[0] is None:
            raise Fatal("there is no such standing request")
        conf: Mapping[str, JsonValue] = row[0]
        return conf

    def change(self, standing: StandingRequest, state: StandingState, because: str, *, by: str) -> None:
        """Pause a request, let it go on, or end it.

        Raises
        ------
        Fatal
            It has ended.
        """
        with self._session.transaction() as connection:
            _enter_change(connection, standing.id, state, because, by)

    def end(self, request_key: str, *, actor: str, reason: str) -> None:
        """End a request for good: no further version comes of it. What was released stays.

        Raises
        ------
        Fatal
            There is none that is open, or actor or reason is empty.
        """
        with self._session.transaction() as connection:
            row = connection.execute(
                "SELECT id FROM crosswalk.standing_requests() WHERE request_key = %s AND state <> 'ended'",
                (request_key,),
            ).fetchone()
            if row is None:
                raise Fatal("no such request stands: `dicomanon cohort standing list` names them")
            _enter_change(connection, row[0], StandingState.ENDED, "an admin ended it: see the audit trail", actor)
            self._record(connection, actor, "cohort.end-standing", reason, row[0])

    def research_state(self) -> str:
        """Return what is equal while no request can lead to anything new."""
        with self._session.transaction() as connection:
            row = connection.execute("SELECT crosswalk.research_state()").fetchone()
        return str(row[0]) if row else ""

    def seen(self, standing: StandingRequest) -> str | None:
        """Return what was noted at the last look."""
        with self._session.transaction() as connection:
            row = connection.execute(
                "SELECT seen FROM crosswalk.standing_look WHERE standing_id = %s", (standing.id,)
            ).fetchone()
        return row[0] if row else None

    def note(self, standing: StandingRequest, seen: str) -> None:
        """Note what was looked at, when all that comes of it is done."""
        with self._session.transaction() as connection:
            connection.execute(
                "INSERT INTO crosswalk.standing_look (standing_id, seen) VALUES (%s, %s)"
                " ON CONFLICT (standing_id) DO UPDATE SET seen = excluded.seen, looked_at = clock_timestamp()",
                (standing.id, seen),
            )

    def newest(self, standing: StandingRequest) -> Version | None:
        """Return the newest version, which a removal may have made."""
        with self._session.transaction() as connection:
            return _newest(connection, standing.id)

    def left_by_removal(self, standing: StandingRequest) -> list[str]:
        """Return pseudonyms of people who left earlier cohorts by a decision about them or their objects."""
        with self._session.transaction() as connection:
            rows = connection.execute("SELECT * FROM crosswalk.left_by_removal(%s)", (standing.id,)).fetchall()
        return [row[0] for row in rows]

    def make_version(
        self,
        standing: StandingRequest,
        after: int,
        cohort: CohortOf,
        release: NewRelease,
        *,
        without: Collection[int],
        fewer_than: int,
        with_others: bool,
    ) -> ReleaseRow | None:
        """Enter the next version and that it is told, or nothing where it differs by few.

        Parameters
        ----------
        after
            The version that it was compared with; 0 for none.
        without
            Keyed ids of people who are not compared, for they left by a decision.
        with_others
            Whether it is compared with all that the project was told, and not with its own versions alone.

        Raises
        ------
        Retriable
            Another version came in between.
        Fatal
            It has ended, or an instance is not stored any more.
        """
        (group,) = cohort.groups
        with self._session.transaction() as connection:
            lock_telling(connection, cohort.project)
            near = connection.execute(
                "SELECT crosswalk.near_versions(%s, %s::bigint[], %s::bigint[], %s, %s)",
                (standing.id, list(group), list(without), fewer_than, with_others),
            ).fetchone()
            if near is None or near[0]:
                return None
            enter_told(connection, cohort)
            made = enter_release(connection, self._session.keys.site, release)
            # Under the lock that numbers of releases are given by, which a removal holds too.
            newest = _newest(connection, standing.id)
            if (newest.number if newest else 0) != after:
                raise Retriable("a removal has made a version meanwhile: the next try compares with that")
            _enter_version(connection, standing.id, made, after + 1, cohort)
        return made

    def _record(self, connection: Connection, actor: str, action: str, reason: str, standing_id: UUID) -> None:
        subject = Subject(SubjectKind.OTHER, str(standing_id))
        record_access_event(connection, self._session.keys.site, actor, action, reason, 1, subject=subject)


def _standing(row: Sequence[Any]) -> StandingRequest:
    standing_id, project, requester, request_key, until, opened_at, state, *rest = row
    return StandingRequest(standing_id, project, requester, request_key, until, opened_at, StandingState(state), *rest)


def _newest(connection: Connection, standing_id: UUID) -> Version | None:
    row = connection.execute(
        "SELECT version, id, project, number, requester, instances, created_at, replaces"
        " FROM crosswalk.newest_version(%s)",
        (standing_id,),
    ).fetchone()
    return Version(row[0], ReleaseRow(*row[1:])) if row else None


def _enter_version(connection: Connection, standing_id: UUID, release: ReleaseRow, number: int, of: CohortOf) -> None:
    connection.execute(
        "INSERT INTO crosswalk.standing_version (release_id, standing_id, version, people_digest)"
        " VALUES (%s, %s, %s, %s)",
        (release.id, standing_id, number, people_digest(of.groups[0])),
    )


def _enter_change(connection: Connection, standing_id: UUID, state: StandingState, because: str, by: str) -> None:
    connection.execute(
        "INSERT INTO crosswalk.standing_change (standing_id, state, because, changed_by) VALUES (%s, %s, %s, %s)",
        (standing_id, state.value, because[:_LONGEST_REASON], by.strip()),
    )
