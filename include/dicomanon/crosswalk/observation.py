"""Enters QIDO-RS sightings of studies into the ledger, in bulk."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from uuid import uuid4

from dicomanon.crosswalk.rows import Observation
from dicomanon.crosswalk.sealed import clean_uid, index_uid, seal_text
from dicomanon.crosswalk.session import Session
from dicomanon.identity import StudySighting

_STUDIES_AT_ONCE = 5000


def observe(session: Session, sightings: Iterable[StudySighting], at: datetime) -> Observation:
    """Add studies never seen, note changed instance counts; a study that has not changed is not written to."""
    new = grown = shrunk = unchanged = 0
    for chunk in _chunks(sightings):
        seen = _observe_chunk(session, chunk, at)
        new += seen.new
        grown += seen.grown
        shrunk += seen.shrunk
        unchanged += seen.unchanged
    return Observation(new, grown, shrunk, unchanged)


def _observe_chunk(session: Session, sightings: list[StudySighting], at: datetime) -> Observation:
    uids: dict[bytes, str] = {}
    counts: dict[bytes, int] = {}
    for sighting in sightings:
        uid = clean_uid(sighting.study_uid)
        index = index_uid(session.keyring, "study", uid)
        uids[index] = uid
        # Reported twice with different counts, the larger one is believed: what is there must not be missed.
        counts[index] = max(counts.get(index, 0), sighting.instances)
    # In one order everywhere, so that two discoveries at once never wait for each other in a circle.
    indexes = sorted(counts)
    with session.transaction() as connection:
        known: dict[bytes, int] = dict(
            connection.execute(
                "SELECT study_index, observed_count FROM crosswalk.study WHERE study_index = ANY(%s)", (indexes,)
            ).fetchall()
        )
        rows = []
        if new := [index for index in indexes if index not in known]:
            make_key = session.keys.maker(connection)
            for index in new:
                row = uuid4()
                key, wrapped = make_key("study", row)
                sealed = seal_text(key, "study.uid", row, uids[index])
                rows.append((row, index, sealed, wrapped, counts[index], at, at))
        inserted: set[bytes] = set()
        if rows:
            inserted = {
                row[0]
                for row in connection.execute(
                    "INSERT INTO crosswalk.study"
                    " (id, study_index, uid_sealed, key_wrapped, observed_count, count_changed_at, first_observed_at)"
                    " SELECT * FROM unnest(%s::uuid[], %s::bytea[], %s::bytea[], %s::bytea[], %s::integer[],"
                    " %s::timestamptz[], %s::timestamptz[]) ON CONFLICT (study_index) DO NOTHING RETURNING study_index",
                    tuple(list(column) for column in zip(*rows, strict=True)),
                )
            }
        # Whoever else discovered the same study just now is compared with like any known one.
        others = [index for index in indexes if index not in inserted]
        changed = connection.execute(
            "WITH seen AS MATERIALIZED"
            " (SELECT * FROM unnest(%s::bytea[], %s::integer[]) AS s (study_index, instances)),"
            " locked AS MATERIALIZED (SELECT st.id, st.observed_count AS before, seen.instances"
            " FROM crosswalk.study st JOIN seen USING (study_index)"
            " WHERE st.observed_count <> seen.instances ORDER BY st.id FOR NO KEY UPDATE OF st)"
            " UPDATE crosswalk.study st SET observed_count = locked.instances, count_changed_at = %s"
            " FROM locked WHERE st.id = locked.id RETURNING locked.before, locked.instances",
            (others, [counts[index] for index in others], at),
        ).fetchall()
    grown = sum(after > before for before, after in changed)
    shrunk = len(changed) - grown
    return Observation(len(inserted), grown, shrunk, len(indexes) - len(inserted) - len(changed))


def _chunks(sightings: Iterable[StudySighting]) -> Iterator[list[StudySighting]]:
    iterator = iter(sightings)
    while chunk := list(islice(iterator, _STUDIES_AT_ONCE)):
        yield chunk
