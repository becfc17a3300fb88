"""What both archives listed, and what of it the ledger knows; joined by the database, so that memory stays small."""

from collections.abc import Sequence
from typing import Any, LiteralString
from uuid import UUID

from dicomanon.crosswalk.archives.causes import found_by
from dicomanon.crosswalk.archives.rows import LedgerStudy, SurveyedStudy
from dicomanon.crosswalk.sealed import clean_uid, index_uid, open_phi
from dicomanon.crosswalk.session import Session
from dicomanon.values import Pseudonym

CLINICAL, RESEARCH = "clinical", "research"

_COLUMNS: LiteralString = (
    " st.id, st.uid_sealed, st.key_wrapped, coalesce(st.research_study_uid, ''), st.observed_count,"
    " (SELECT count(*) FROM crosswalk.instance i WHERE i.study_id = st.id AND i.state = 'stored'), p.pseudonym,"
    " p.uid_salt"
    " FROM crosswalk.study st LEFT JOIN crosswalk.patient p ON p.id = st.patient_id"
)

_IN_TURN: dict[str, LiteralString] = {
    CLINICAL: "SELECT st.study_index, st.id FROM crosswalk.study st WHERE st.id > %s ORDER BY st.id LIMIT %s",
    RESEARCH: "SELECT st.study_index, st.id FROM crosswalk.study st WHERE st.id > %s"
    " AND EXISTS (SELECT FROM crosswalk.instance i WHERE i.study_id = st.id AND i.state = 'stored')"
    " ORDER BY st.id LIMIT %s",
}


def clear(session: Session, check_id: UUID) -> None:
    """Forget the survey of a check, and of those that were killed long ago."""
    with session.transaction() as connection:
        connection.execute(
            "DELETE FROM crosswalk.archive_survey WHERE check_id = %s OR check_id IN"
            " (SELECT id FROM crosswalk.archive_check WHERE opened_at < now() - interval '3 days')",
            (check_id,),
        )


def add_clinical(session: Session, check_id: UUID, studies: Sequence[SurveyedStudy]) -> dict[str, int]:
    """Note studies that the clinical PACS lists; return the observed count of those that the ledger has, by UID."""
    keys = {index_uid(session.keyring, "study", clean_uid(one.uid.reveal())): one for one in studies}
    _add(session, check_id, CLINICAL, [(key, one.research_uid, one.paged) for key, one in keys.items()])
    with session.transaction() as connection:
        rows = connection.execute(
            "SELECT study_index, observed_count FROM crosswalk.study WHERE study_index = ANY(%s)", (list(keys),)
        ).fetchall()
    return {keys[index].uid.reveal(): count for index, count in rows}


def add_research(session: Session, check_id: UUID, studies: Sequence[SurveyedStudy]) -> dict[str, LedgerStudy | None]:
    """Note studies that the research PACS lists; return those that the ledger has under that UID, by it.

    Only these are noted: the UID of a study that is not ours may be anybody's. One that was noted before comes out as
    ``None``, since counting what is stored of it once is enough.
    """
    paged = {one.uid.reveal(): one.paged for one in studies}
    with session.transaction() as connection:
        rows = connection.execute(
            "SELECT research_study_uid, study_index FROM crosswalk.study WHERE research_study_uid = ANY(%s)",
            (list(paged),),
        ).fetchall()
    new = _add(session, check_id, RESEARCH, [(key, "", paged[uid]) for uid, key in rows])
    with session.transaction() as connection:
        counted = connection.execute(
            "SELECT" + _COLUMNS + " WHERE st.key_destroyed_at IS NULL AND st.research_study_uid = ANY(%s)",
            ([uid for uid, key in rows if key in new],),
        ).fetchall()
    return dict.fromkeys(uid for uid, _ in rows) | {row[3]: _study(session, row) for row in counted}


def ours(session: Session, check_id: UUID, research_uids: Sequence[str]) -> dict[str, UUID | None]:
    """Return which of these UIDs a study of the clinical PACS has in research, with its row in the ledger if any.

    A UID of ours is what the keyed function makes of a clinical one, or the clinical one itself where a profile keeps
    UIDs.
    """
    keys = {index_uid(session.keyring, "study", clean_uid(uid)): uid for uid in research_uids}
    with session.transaction() as connection:
        rows = connection.execute(
            "SELECT s.research_uid, s.study_key, st.id FROM crosswalk.archive_survey s"
            " LEFT JOIN crosswalk.study st ON st.study_index = s.study_key"
            " WHERE s.check_id = %s AND s.side = 'clinical' AND (s.research_uid = ANY(%s) OR s.study_key = ANY(%s))",
            (check_id, list(research_uids), list(keys)),
        ).fetchall()
    wanted = set(research_uids)
    return {uid if uid in wanted else keys[key]: study_id for uid, key, study_id in rows}


def former_studies(session: Session, research_uids: Sequence[str]) -> dict[str, UUID]:
    """Return which of these UIDs studies had whose objects were removed, each with its row in the ledger."""
    with session.transaction() as connection:
        rows = connection.execute(
            "SELECT DISTINCT f.research_study_uid, i.study_id FROM crosswalk.former_object f"
            " JOIN crosswalk.instance i ON i.id = f.instance_id WHERE f.research_study_uid = ANY(%s)",
            (list(research_uids),),
        ).fetchall()
    return dict(rows)


def known_pseudonyms(session: Session, pseudonyms: Sequence[str]) -> set[str]:
    """Return which of these are pseudonyms of patients."""
    with session.transaction() as connection:
        rows = connection.execute(
            "SELECT pseudonym FROM crosswalk.patient WHERE pseudonym = ANY(%s)", (list(pseudonyms),)
        ).fetchall()
    return {row[0] for row in rows}


def unseen(
    session: Session, check_id: UUID, side: str, after: UUID, limit: int
) -> tuple[list[LedgerStudy], UUID | None]:
    """Go through ``limit`` studies of the ledger, in order of their id, and return those that an archive did not list.

    On the research side only those of which something is stored. By lists of keys and not by one join over all: the
    database knows nothing yet of how large the survey is, and would choose a plan for an empty one.

    Returns
    -------
    tuple
        What the archive did not list, and the id to go on after; ``None`` at the end.
    """
    with session.transaction() as connection:
        found = connection.execute(_IN_TURN[side], (after, limit)).fetchall()
        keys: dict[bytes, UUID] = dict(found)
        seen = connection.execute(
            "SELECT study_key FROM crosswalk.archive_survey WHERE check_id = %s AND side = %s AND study_key = ANY(%s)",
            (check_id, side, list(keys)),
        ).fetchall()
        missing = keys.keys() - {row[0] for row in seen}
        rows = connection.execute(
            "SELECT" + _COLUMNS + " WHERE st.key_destroyed_at IS NULL AND st.id = ANY(%s)",
            ([keys[key] for key in missing],),
        ).fetchall()
    return [_study(session, row) for row in rows], max(keys.values()) if len(keys) == limit else None


def was_cut(session: Session, check_id: UUID, side: str) -> bool:
    """Tell whether an archive showed studies in ranges of dates that its answer to no filter at all left out."""
    with session.transaction() as connection:
        row = connection.execute(
            "SELECT EXISTS (SELECT FROM crosswalk.archive_survey WHERE check_id = %s AND side = %s AND NOT paged)",
            (check_id, side),
        ).fetchone()
    return bool(row and row[0])


def studies_after(session: Session, after: UUID, limit: int, *, doubtful: bool) -> list[LedgerStudy]:
    """Return studies of the ledger in order of their id, all or those of which a look has found something."""
    only: LiteralString = (
        " AND EXISTS (SELECT FROM crosswalk.archive_difference d"
        " WHERE d.study_id = st.id AND d.gone_at IS NULL AND d.cause = ANY(%(causes)s))"
        if doubtful
        else ""
    )
    values = {"after": after, "limit": limit, "causes": [cause.value for cause in found_by("look")]}
    with session.transaction() as connection:
        rows = connection.execute(
            "SELECT"
            + _COLUMNS
            + " WHERE st.key_destroyed_at IS NULL AND st.id > %(after)s"
            + only
            + " ORDER BY st.id LIMIT %(limit)s",
            values,
        ).fetchall()
    return [_study(session, row) for row in rows]


def _add(session: Session, check_id: UUID, side: str, rows: Sequence[tuple[bytes, str, bool]]) -> set[bytes]:
    """Note studies and return the keys that are new."""
    if not rows:
        return set()
    columns = [list(column) for column in zip(*sorted(rows), strict=True)]
    with session.transaction() as connection:
        noted = connection.execute(
            "INSERT INTO crosswalk.archive_survey (check_id, side, study_key, research_uid, paged)"
            " SELECT %s, %s, * FROM unnest(%s::bytea[], %s::text[], %s::boolean[])"
            " ON CONFLICT (check_id, side, study_key) DO UPDATE SET paged = true WHERE EXCLUDED.paged"
            " RETURNING study_key, xmax = 0",
            (check_id, side, *columns),
        ).fetchall()
    return {key for key, inserted in noted if inserted}


def _study(session: Session, row: Sequence[Any]) -> LedgerStudy:
    study_id, sealed, wrapped, research_uid, observed, stored, pseudonym, uid_salt = row
    return LedgerStudy(
        study_id=study_id,
        uid=open_phi(session.keys.of("study", study_id, wrapped), "study.uid", study_id, sealed),
        research_uid=research_uid,
        observed=observed,
        stored=stored,
        pseudonym=Pseudonym(pseudonym) if pseudonym else None,
        uid_salt=uid_salt,
    )
