"""Releases: immutable, numbered sets of stored instances, and the record of who was given what."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID, uuid4

from dicomanon.crosswalk.access_events import record_access_event
from dicomanon.crosswalk.audit.events import Subject, SubjectKind
from dicomanon.crosswalk.keys.data_keys import Sealer
from dicomanon.crosswalk.release_records import (
    Record,
    RecordedRelease,
    enter_record,
    former_version,
    input_digests,
    left_out_of,
    recorded_release,
    released_uids,
)
from dicomanon.crosswalk.rows import LeftOut, ReleaseRow
from dicomanon.crosswalk.session import Connection, Session
from dicomanon.errors import Fatal

_SELECT: LiteralString = "SELECT id, project, number, requester, instances, created_at, replaces"
REMOVAL_LOCK = 0x0D1C0BAD
"""Held alone by a removal that marks what it covers, shared by whoever makes a release: ``create_release()``."""


@dataclass(frozen=True, slots=True)
class NewRelease:
    """A release that is to be entered; what each part means, :meth:`Releases.create` says."""

    project: str
    requester: str
    criteria_digest: bytes
    instance_ids: Sequence[int]
    request_key: str | None
    record: Record | None
    output: str


def enter_release(connection: Connection, site: Sealer, new: NewRelease) -> ReleaseRow:
    """Enter a release in a transaction; return the one that its request has already, if it has.

    Raises
    ------
    Fatal
        An instance is not stored or is to be made anew, or project or requester is empty.
    """
    if not (new.project.strip() and new.requester.strip()):
        raise Fatal("a release needs a project and a requester")
    ids = sorted(set(new.instance_ids))
    existing = connection.execute(
        _SELECT + " FROM crosswalk.find_release(%s, %s)", (new.project, new.request_key)
    ).fetchone()
    if existing:
        return ReleaseRow(*existing)
    stored = connection.execute("SELECT crosswalk.stored_among(%s)", (ids,)).fetchone()
    missing = len(ids) - (stored[0] if stored else 0)
    if missing:
        raise Fatal(f"{missing} instances of the release are not stored in the research PACS, or to be made anew")
    new_id = uuid4()
    # It looks for the request and at the instances again, under the lock that numbers are given by.
    row = connection.execute(
        _SELECT + " FROM crosswalk.create_release(%s, %s, %s, %s, %s, %s, %s)",
        (new_id, new.project, new.requester, new.request_key, new.criteria_digest, ids, new.output),
    ).fetchone()
    if row is None:
        raise Fatal("a release that was just entered is not in the crosswalk")
    release = ReleaseRow(*row)
    if release.id != new_id:  # Somebody else was faster, and has recorded it.
        return release
    if new.record is not None:
        enter_record(connection, site, release.id, new.record)
    record_access_event(
        connection,
        site,
        new.requester,
        "cohort.release",
        f"release {new.project}/{release.number:04d}"
        + (f", asked for by {new.request_key}" if new.request_key else ""),
        len(ids),
        subject=Subject(SubjectKind.RELEASE, str(release.id)),
    )
    return release


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
        record: Record | None = None,
        output: str = "access",
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
        record
            What its files are made of beside the crosswalk; entered with it, or not at all.
        output
            What it gives: of ``manifest`` the gateway shows no object.

        Raises
        ------
        Fatal
            An instance is not stored or is to be made anew, or project or requester is empty.
        """
        asked = NewRelease(project, requester, criteria_digest, tuple(instance_ids), request_key, record, output)
        with self._session.transaction() as connection:
            return enter_release(connection, self._session.keys.site, asked)

    def asked_for(self, project: str, request_key: str) -> ReleaseRow | None:
        """Return the release that a request made, if there is one."""
        with self._session.transaction() as connection:
            row = connection.execute(
                _SELECT + " FROM crosswalk.find_release(%s, %s)", (project, request_key)
            ).fetchone()
        return ReleaseRow(*row) if row else None

    def find(self, release_id: UUID) -> RecordedRelease:
        """Return a release with its record.

        Raises
        ------
        Fatal
            There is no such release.
        """
        return recorded_release(self._session, release_id)

    def enter_record(self, release_id: UUID, record: Record) -> Record:
        """Enter the record of a release that was made without one; return the one that it has: of two, the first."""
        with self._session.transaction() as connection:
            return enter_record(connection, self._session.keys.site, release_id, record)

    def input_digests(self, release_id: UUID) -> list[bytes]:
        """Return the SHA-256 of the source objects of a release, in no order."""
        return input_digests(self._session, release_id)

    def former_version(self, release_id: UUID) -> ReleaseRow | None:
        """Return the release before of the same project, asked for by the same criteria."""
        return former_version(self._session, release_id)

    def released_uids(self, release_id: UUID) -> dict[int, str]:
        """Return by instance the research SOP Instance UID that it was released under."""
        return released_uids(self._session, release_id)

    def left_out_of(self, study_ids: Sequence[UUID]) -> list[LeftOut]:
        """Return what of studies is not stored, and why; not all of it is for a requester to know."""
        return left_out_of(self._session, study_ids)

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
