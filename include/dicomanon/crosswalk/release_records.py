"""What a release is made of, as the crosswalk keeps it, so that its files can be written again."""

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from dicomanon.crosswalk.keys.data_keys import Sealer
from dicomanon.crosswalk.rows import InstanceState, LeftOut, ReleaseRow
from dicomanon.crosswalk.session import Connection, Session
from dicomanon.errors import Fatal
from dicomanon.values import ResearchUid

Record = dict[str, Any]
"""What whoever makes a release wants to find again; JSON."""


@dataclass(frozen=True, slots=True)
class RecordedRelease:
    """A release with its record.

    Attributes
    ----------
    record
        ``None`` for a release from before there were records.
    has_ended
        Whether a removal has taken any of it.
    """

    row: ReleaseRow
    criteria_digest: bytes
    record: Record | None = field(repr=False)
    has_ended: bool


def enter_record(connection: Connection, site: Sealer, release_id: UUID, record: Record) -> Record:
    """Enter the record of a release unless it has one; return the one that it has."""
    row = connection.execute(
        "SELECT crosswalk.enter_release_record(%s, %s)", (release_id, _seal(site, release_id, record))
    ).fetchone()
    if row is None or row[0] is None:
        raise Fatal("a record that was just entered is not in the crosswalk")
    return _open(site, release_id, row[0])


def recorded_release(session: Session, release_id: UUID) -> RecordedRelease:
    """Return a release with its record.

    Raises
    ------
    Fatal
        There is no such release.
    """
    with session.transaction() as connection:
        row = connection.execute("SELECT * FROM crosswalk.recorded_release(%s)", (release_id,)).fetchone()
    if row is None:
        raise Fatal("there is no release of this id")
    *release, criteria_digest, sealed, has_ended = row
    record = None if sealed is None else _open(session.keys.site, release_id, sealed)
    return RecordedRelease(ReleaseRow(*release), criteria_digest, record, has_ended)


def input_digests(session: Session, release_id: UUID) -> list[bytes]:
    """Return the SHA-256 of the source objects of a release, in no order."""
    with session.transaction() as connection:
        rows = connection.execute("SELECT * FROM crosswalk.inputs_of_release(%s)", (release_id,)).fetchall()
    return [row[0] for row in rows]


def former_version(session: Session, release_id: UUID) -> ReleaseRow | None:
    """Return the release before of the same project, asked for by the same criteria."""
    with session.transaction() as connection:
        row = connection.execute("SELECT * FROM crosswalk.former_version(%s)", (release_id,)).fetchone()
    return ReleaseRow(*row) if row else None


def released_uids(session: Session, release_id: UUID) -> dict[int, str]:
    """Return by instance the research SOP Instance UID that it was released under."""
    with session.transaction() as connection:
        rows = connection.execute("SELECT * FROM crosswalk.uids_of_release(%s)", (release_id,)).fetchall()
    return dict(rows)


def left_out_of(session: Session, study_ids: Sequence[UUID]) -> list[LeftOut]:
    """Return what of studies is not stored, and why."""
    with session.transaction() as connection:
        rows = connection.execute("SELECT * FROM crosswalk.left_out_of(%s)", (list(study_ids),)).fetchall()
    return [LeftOut(ResearchUid(row[0]), InstanceState(row[1]), row[2], row[3]) for row in rows]


def _seal(site: Sealer, release_id: UUID, record: Record) -> bytes:
    return site.seal(zlib.compress(json.dumps(record, sort_keys=True).encode()), f"release_record.record|{release_id}")


def _open(site: Sealer, release_id: UUID, sealed: bytes) -> Record:
    record: Record = json.loads(zlib.decompress(site.open(sealed, f"release_record.record|{release_id}")))
    return record
