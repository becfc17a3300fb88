"""The crosswalk's part in a check of the archives: surveys, differences, progress, and the gate after a restore."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID, uuid4

from dicomanon.crosswalk.access_events import record_access_event
from dicomanon.crosswalk.archives import differences, surveys
from dicomanon.crosswalk.archives.causes import Cause
from dicomanon.crosswalk.archives.rows import (
    ArchiveCheck,
    Difference,
    InstanceKey,
    LedgerInstance,
    LedgerStudy,
    SeenDifference,
    StoredSample,
    SurveyedStudy,
)
from dicomanon.crosswalk.rows import InstanceState
from dicomanon.crosswalk.sealed import clean_uid, index_uid, seal_text
from dicomanon.crosswalk.session import Session
from dicomanon.errors import Fatal
from dicomanon.identity import InstanceSighting
from dicomanon.values import Phi

_UNSETTLED_AT_ONCE = 1000


class Archives:
    """Every operation may be repeated; none removes anything but the scratch of a survey."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def open_check(self, at: datetime) -> ArchiveCheck:
        """Begin a check; it goes on comparing instances where the last one that got anywhere has stopped."""
        row = uuid4()
        with self._session.transaction() as connection:
            last = connection.execute(
                "SELECT looked_up_to FROM crosswalk.archive_check ORDER BY opened_at DESC LIMIT 1"
            ).fetchone()
            looked_up_to = last[0] if last else None
            connection.execute(
                "INSERT INTO crosswalk.archive_check (id, opened_at, looked_up_to) VALUES (%s, %s, %s)",
                (row, at, looked_up_to),
            )
        return ArchiveCheck(row, looked_up_to)

    def note_looked(self, check_id: UUID, looked_up_to: UUID | None) -> None:
        """Keep how far a check has come; ``None`` when there is nothing after."""
        with self._session.transaction() as connection:
            connection.execute(
                "UPDATE crosswalk.archive_check SET looked_up_to = %s WHERE id = %s", (looked_up_to, check_id)
            )

    def close_check(self, check_id: UUID, counts: Mapping[str, int], at: datetime) -> None:
        """Note the end of a check."""
        with self._session.transaction() as connection:
            connection.execute(
                "UPDATE crosswalk.archive_check SET closed_at = %s, counts = %s WHERE id = %s",
                (at, json.dumps(dict(counts)), check_id),
            )

    def clear_survey(self, check_id: UUID) -> None:
        """Forget the survey of a check."""
        surveys.clear(self._session, check_id)

    def survey_clinical(self, check_id: UUID, studies: Sequence[SurveyedStudy]) -> dict[str, int]:
        """Note studies of the clinical PACS; return the observed count of those that the ledger has, by UID."""
        return surveys.add_clinical(self._session, check_id, studies)

    def survey_research(self, check_id: UUID, studies: Sequence[SurveyedStudy]) -> dict[str, LedgerStudy | None]:
        """Note studies of the research PACS; return those that the ledger has, ``None`` for one noted before."""
        return surveys.add_research(self._session, check_id, studies)

    def ours(self, check_id: UUID, research_uids: Sequence[str]) -> dict[str, UUID | None]:
        """Return which studies are what a surveyed clinical study is called in research, with its row if any."""
        return surveys.ours(self._session, check_id, research_uids)

    def former_studies(self, research_uids: Sequence[str]) -> dict[str, UUID]:
        """Return which of these UIDs studies had whose objects were removed."""
        return surveys.former_studies(self._session, research_uids)

    def former_objects(self, study_id: UUID) -> dict[str, int]:
        """Return the instances of a study by the research UIDs of objects that were removed of them."""
        with self._session.transaction() as connection:
            rows = connection.execute(
                "SELECT f.research_sop_uid, f.instance_id FROM crosswalk.former_object f"
                " JOIN crosswalk.instance i ON i.id = f.instance_id WHERE i.study_id = %s",
                (study_id,),
            ).fetchall()
        return dict(rows)

    def unknown_removals(self, removal_ids: Collection[UUID]) -> set[UUID]:
        """Return which of these are no removals that the crosswalk knows."""
        with self._session.transaction() as connection:
            rows = connection.execute(
                "SELECT id FROM crosswalk.removal WHERE id = ANY(%s)", (list(removal_ids),)
            ).fetchall()
        return set(removal_ids) - {row[0] for row in rows}

    def known_pseudonyms(self, pseudonyms: Sequence[str]) -> set[str]:
        """Return which of these are pseudonyms of patients."""
        return surveys.known_pseudonyms(self._session, pseudonyms)

    def unseen(self, check_id: UUID, side: str, after: UUID, limit: int) -> tuple[list[LedgerStudy], UUID | None]:
        """Go through studies that the ledger has; return those that the survey has not, and where to go on."""
        return surveys.unseen(self._session, check_id, side, after, limit)

    def was_cut(self, check_id: UUID, side: str) -> bool:
        """Tell whether the survey shows that an archive cuts its answers."""
        return surveys.was_cut(self._session, check_id, side)

    def studies_after(self, after: UUID, limit: int, *, doubtful: bool = False) -> list[LedgerStudy]:
        """Return studies of the ledger in order of their id, all or those of which a look has found something."""
        return surveys.studies_after(self._session, after, limit, doubtful=doubtful)

    def instances(self, study_id: UUID) -> list[LedgerInstance]:
        """Return what the ledger has of a study."""
        with self._session.transaction() as connection:
            rows = connection.execute(
                "SELECT i.id, se.series_index, i.sop_index, i.state, coalesce(se.research_series_uid, ''),"
                " coalesce(i.research_sop_uid, ''), i.sop_class_uid, i.output_digest"
                " FROM crosswalk.instance i JOIN crosswalk.series se ON se.id = i.series_id WHERE i.study_id = %s",
                (study_id,),
            ).fetchall()
        return [LedgerInstance(row[0], (row[1], row[2]), InstanceState(row[3]), *row[4:]) for row in rows]

    def keyed(self, sightings: Iterable[InstanceSighting]) -> dict[InstanceKey, str]:
        """Return the SOP Instance UIDs of a clinical listing by the keys under which the ledger knows them."""
        keyring = self._session.keyring
        return {
            (
                index_uid(keyring, "series", clean_uid(one.series_uid)),
                index_uid(keyring, "sop", clean_uid(one.sop_uid)),
            ): clean_uid(one.sop_uid)
            for one in sightings
        }

    def unsettled(self, before: datetime) -> Iterable[tuple[UUID, int]]:
        """Yield studies with instances that were enrolled before a moment and are not settled, and how many."""
        after = UUID(int=0)
        while True:
            with self._session.transaction() as connection:
                rows = connection.execute(
                    "SELECT study_id, count(*) FROM crosswalk.instance"
                    " WHERE state IN ('discovered', 'deidentified', 'validated') AND enrolled_at < %s"
                    " AND study_id > %s GROUP BY study_id ORDER BY study_id LIMIT %s",
                    (before, after, _UNSETTLED_AT_ONCE),
                ).fetchall()
            yield from rows
            if len(rows) < _UNSETTLED_AT_ONCE:
                return
            after = rows[-1][0]

    def sample_stored(self, number: int) -> list[StoredSample]:
        """Return stored instances, chosen anew each time without reading all rows, and those that differed before."""
        with self._session.transaction() as connection:
            rows = connection.execute(
                "SELECT i.id, i.study_id, st.research_study_uid, se.research_series_uid, i.research_sop_uid,"
                " i.output_digest FROM (SELECT i.id FROM"
                " (SELECT DISTINCT (lowest + floor(random() * (highest - lowest + 1)))::bigint AS start"
                "  FROM (SELECT min(id) AS lowest, max(id) AS highest FROM crosswalk.instance) AS range,"
                "  generate_series(1, %s)) AS starts"
                " CROSS JOIN LATERAL (SELECT id FROM crosswalk.instance WHERE id >= start AND state = 'stored'"
                "  ORDER BY id LIMIT 1) AS i"
                " UNION SELECT instance_id FROM crosswalk.archive_difference WHERE gone_at IS NULL AND cause = %s"
                ") AS sample JOIN crosswalk.instance i ON i.id = sample.id"
                " JOIN crosswalk.study st ON st.id = i.study_id JOIN crosswalk.series se ON se.id = i.series_id"
                " WHERE i.state = 'stored'",
                (number, Cause.DIGEST_DIFFERS.value),
            ).fetchall()
        return [StoredSample(*row) for row in rows]

    def note_removed(self, at: datetime) -> None:
        """Say that other bytes of what is not stored any more do not matter."""
        differences.note_removed(self._session, at)

    def note_same(self, difference: Difference, at: datetime) -> None:
        """Say that something which may have differed before does not, now."""
        differences.note_same(self._session, difference, at)

    def record(self, found: Sequence[Difference], at: datetime) -> None:
        """Enter differences, or note that they were seen again."""
        differences.record(self._session, found, at)

    def note_gone(self, causes: Sequence[Cause], since: datetime, at: datetime, study_id: UUID | None = None) -> int:
        """Mark as gone what has one of these causes and was not seen ``since``; return how many."""
        return differences.note_gone(self._session, causes, since, at, study_id)

    def open_counts(self) -> dict[Cause, int]:
        """Count what differs now, by cause."""
        return differences.open_counts(self._session)

    def page(self, cause: Cause | None, *, gone: bool, after: int, limit: int) -> list[SeenDifference]:
        """Return differences in the order of their numbers; with ``gone``, also those that are no more."""
        return differences.page(self._session, cause, gone=gone, after=after, limit=limit)

    def one(self, number: int) -> SeenDifference | None:
        """Return one difference."""
        return differences.one(self._session, number)

    def reveal(self, number: int, *, actor: str, reason: str) -> Phi[str] | None:
        """Return the UID that a difference is about, after the access event is committed."""
        return differences.reveal(self._session, number, actor=actor, reason=reason)

    def note_restoration(self, backup: str, backup_at: datetime | None, *, actor: str, reason: str) -> None:
        """Say that the crosswalk was brought back from before: nothing is taken up until the archives were checked.

        Raises
        ------
        Fatal
            Actor or reason is empty.
        """
        site = self._session.keys.site
        with self._session.transaction() as connection:
            record_access_event(connection, site, actor, "restore", reason, count=1)
            row = uuid4()
            connection.execute(
                "INSERT INTO crosswalk.restoration (id, backup, backup_at, restored_by, reason_sealed)"
                " VALUES (%s, %s, %s, %s, %s)",
                (row, backup, backup_at, actor, seal_text(site, "restoration.reason", row, reason)),
            )

    def require_checked(self) -> None:
        """Refuse to go on after a restore whose consequences nobody has looked at.

        Raises
        ------
        Fatal
            Saying what to do.
        """
        with self._session.transaction() as connection:
            row = connection.execute("SELECT count(*) FROM crosswalk.restoration WHERE checked_at IS NULL").fetchone()
        if row and row[0]:
            raise Fatal(
                "the crosswalk was restored, and the research PACS may know patients that it does not: run "
                "`dicomanon archives check`, and do what it says (docs/runbook.md, After a restore)"
            )

    def confirm_restorations(self, at: datetime) -> None:
        """Say that a whole check has found no patient under a pseudonym that is not known, and no unknown study."""
        with self._session.transaction() as connection:
            connection.execute("UPDATE crosswalk.restoration SET checked_at = %s WHERE checked_at IS NULL", (at,))
