"""Releases: immutable, numbered sets of stored instances, and the record of who was given what."""

from collections.abc import Sequence
from uuid import UUID, uuid4

from dicomanon.crosswalk.access_events import record_access_event
from dicomanon.crosswalk.audit.events import Subject, SubjectKind
from dicomanon.crosswalk.rows import ReleaseRow
from dicomanon.crosswalk.session import Connection, Session
from dicomanon.errors import Fatal

_LOCK_SPACE = 0x0D1C
REMOVAL_LOCK = 0x0D1C0BAD
"""Held alone by a removal that marks what it covers, shared by whoever makes a release."""


class Releases:
    """What was handed to which project; rows are only ever added."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def create(
        self,
        project: str,
        requester: str,
        criteria_digest: bytes,
        instance_ids: Sequence[int],
        *,
        request_key: str | None = None,
    ) -> ReleaseRow:
        """Record a release and what is in it.

        Parameters
        ----------
        project, requester
            For whom; shown to administrators, so no patient's data belongs there.
        criteria_digest
            Digest of the criteria; the criteria themselves are PHI.
        instance_ids
            Stored instances.
        request_key
            Names the request, such as its DAG run; asked again with the same key, the same release is returned.

        Raises
        ------
        Fatal
            An instance is not stored, or project or requester is empty.
        """
        if not (project.strip() and requester.strip()):
            raise Fatal("a release needs a project and a requester")
        ids = sorted(set(instance_ids))
        with self._session.transaction() as connection:
            # No removal between the look at what is stored and the release of it.
            connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", (REMOVAL_LOCK,))
            lock_numbers(connection, project)
            existing = _by_request(connection, project, request_key)
            if existing:
                return existing
            stored = connection.execute(
                "SELECT count(*) FROM crosswalk.instance WHERE id = ANY(%s) AND state = 'stored'", (ids,)
            ).fetchone()
            missing = len(ids) - (stored[0] if stored else 0)
            if missing:
                raise Fatal(f"{missing} instances of the release are not stored in the research PACS")
            release = enter_release(connection, project, requester, criteria_digest, len(ids), request_key=request_key)
            with connection.cursor().copy(
                "COPY crosswalk.release_instance (release_id, instance_id) FROM STDIN"
            ) as copy:
                for instance_id in ids:
                    copy.write_row((release.id, instance_id))
            record_access_event(
                connection,
                self._session.keys.site,
                requester,
                "cohort.release",
                f"release {project}/{release.number:04d}" + (f", asked for by {request_key}" if request_key else ""),
                len(ids),
                subject=Subject(SubjectKind.RELEASE, str(release.id)),
            )
        return release

    def record_access(
        self, actor: str, action: str, reason: str, count: int, *, subject: Subject | None = None
    ) -> UUID:
        """Append an access event: who was given how much, of what, and why.

        Raises
        ------
        Fatal
            Actor, action or reason is empty.
        """
        with self._session.transaction() as connection:
            return record_access_event(
                connection, self._session.keys.site, actor, action, reason, count, subject=subject
            )


def lock_numbers(connection: Connection, project: str) -> None:
    """Let nobody else number a release of the project before this transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (_LOCK_SPACE, project))


def enter_release(
    connection: Connection,
    project: str,
    requester: str,
    criteria_digest: bytes,
    instances: int,
    *,
    request_key: str | None = None,
    replaces: UUID | None = None,
) -> ReleaseRow:
    """Enter a release under the next number of its project; the caller holds :func:`lock_numbers`."""
    row = connection.execute(
        "INSERT INTO crosswalk.release"
        " (id, project, number, requester, request_key, criteria_digest, instances, replaces)"
        " VALUES (%(id)s, %(project)s,"
        " (SELECT coalesce(max(number), 0) + 1 FROM crosswalk.release WHERE project = %(project)s),"
        " %(requester)s, %(key)s, %(digest)s, %(instances)s, %(replaces)s)"
        " RETURNING id, project, number, requester, instances, created_at, replaces",
        {
            "id": uuid4(),
            "project": project,
            "requester": requester,
            "key": request_key,
            "digest": criteria_digest,
            "instances": instances,
            "replaces": replaces,
        },
    ).fetchone()
    if row is None:
        raise Fatal("a release that was just entered is not in the crosswalk")
    return ReleaseRow(*row)


def _by_request(connection: Connection, project: str, request_key: str | None) -> ReleaseRow | None:
    if request_key is None:
        return None
    row = connection.execute(
        "SELECT id, project, number, requester, instances, created_at, replaces FROM crosswalk.release"
        " WHERE project = %s AND request_key = %s",
        (project, request_key),
    ).fetchone()
    return ReleaseRow(*row) if row else None
