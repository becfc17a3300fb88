"""The work ledger: what the clinical PACS has, what is due, and how a run cuts it into batches."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from dicomanon.crosswalk.balance import balance
from dicomanon.crosswalk.enrollment import enroll
from dicomanon.crosswalk.keys.data_keys import Sealer
from dicomanon.crosswalk.observation import observe
from dicomanon.crosswalk.rows import (
    BatchRow,
    BatchSource,
    DueStudy,
    Enrollment,
    InstanceState,
    Observation,
    PlannedInstance,
    StudyBalance,
)
from dicomanon.crosswalk.sealed import open_phi
from dicomanon.crosswalk.session import Connection, Session
from dicomanon.errors import Fatal
from dicomanon.identity import InstanceSighting, StudySighting
from dicomanon.values import BatchId, Phi, ResearchUid


class Ledger:
    """Studies, instances, runs and batches; every operation may be repeated."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def observe(self, sightings: Iterable[StudySighting], at: datetime) -> Observation:
        """Enter what QIDO-RS reports; a changed instance count starts the study's quiet time anew."""
        return observe(self._session, sightings, at)

    def due(self, quiet: timedelta, now: datetime) -> list[DueStudy]:
        """Return the studies whose count is not the one enrolled and has not changed for ``quiet``, oldest first."""
        with self._session.transaction() as connection:
            rows = connection.execute(
                "SELECT id, uid_sealed, observed_count, key_wrapped FROM crosswalk.study"
                " WHERE observed_count IS DISTINCT FROM enrolled_count AND count_changed_at <= %s"
                " AND key_destroyed_at IS NULL ORDER BY count_changed_at, id",
                (now - quiet,),
            ).fetchall()
        keys = self._session.keys
        return [
            DueStudy(row[0], open_phi(keys.of("study", row[0], row[3]), "study.uid", row[0], row[1]), row[2])
            for row in rows
        ]

    def enroll(self, study_id: UUID, sightings: Sequence[InstanceSighting], at: datetime) -> Enrollment:
        """Enter every instance of a listing, and mark the study as enrolled with that many.

        A SOP Instance UID that another study or series has already is entered as held (``UID_REUSED``), with an
        identity event. Instances that were enrolled before and are not listed any more stay, marked absent.
        """
        return enroll(self._session, study_id, sightings, at)

    def open_run(self, dag_id: str, airflow_run_id: str) -> UUID:
        """Return the id of a DAG run's row, made on first call."""
        with self._session.transaction() as connection:
            connection.execute(
                "INSERT INTO crosswalk.run (id, dag_id, airflow_run_id) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                (uuid4(), dag_id, airflow_run_id),
            )
            row = connection.execute(
                "SELECT id FROM crosswalk.run WHERE dag_id = %s AND airflow_run_id = %s", (dag_id, airflow_run_id)
            ).fetchone()
        if row is None:
            raise Fatal("a run that was just opened is not in the crosswalk")
        run_id: UUID = row[0]
        return run_id

    def close_run(self, run_id: UUID, balanced: bool) -> None:
        """Note the end of a run and whether its studies balanced; a later call overwrites an earlier one."""
        with self._session.transaction() as connection:
            connection.execute(
                "UPDATE crosswalk.run SET closed_at = now(), balanced = %s WHERE id = %s", (balanced, run_id)
            )

    def unplanned(self, run_id: UUID, limit: int | None = None) -> list[PlannedInstance]:
        """Return the unsettled instances that are in no batch of this run, study by study, series by series.

        What another run left unsettled is among them: its batch loses the instance when this run opens a batch with
        it.
        """
        with self._session.transaction() as connection:
            rows = connection.execute(
                "SELECT i.id, i.study_id, i.series_id, i.sop_class_uid FROM crosswalk.instance i"
                " LEFT JOIN crosswalk.batch b ON b.id = i.batch_id"
                " WHERE i.state IN ('discovered', 'deidentified', 'validated')"
                " AND b.run_id IS DISTINCT FROM %s"
                " ORDER BY i.study_id, i.series_id, i.id LIMIT %s",
                (run_id, limit),
            ).fetchall()
        return [PlannedInstance(*row) for row in rows]

    def open_batch(self, run_id: UUID, number: int, instance_ids: Sequence[int]) -> BatchId:
        """Give instances to batch ``number`` of a run; instances that are settled meanwhile are left out.

        Raises
        ------
        Fatal
            The run has a batch of that number which does not hold these instances.
        """
        wanted = sorted(set(instance_ids))
        with self._session.transaction() as connection:
            inserted = connection.execute(
                "INSERT INTO crosswalk.batch (run_id, number, instances, studies) VALUES (%s, %s, %s,"
                " (SELECT count(DISTINCT study_id) FROM crosswalk.instance WHERE id = ANY(%s)))"
                " ON CONFLICT (run_id, number) DO NOTHING RETURNING id",
                (run_id, number, len(wanted), wanted),
            ).fetchone()
            if inserted is None:
                return _same_batch(connection, run_id, number, wanted)
            batch_id = BatchId(inserted[0])
            connection.execute(
                "WITH locked AS MATERIALIZED (SELECT id FROM crosswalk.instance WHERE id = ANY(%s)"
                " AND state IN ('discovered', 'deidentified', 'validated') ORDER BY id FOR NO KEY UPDATE)"
                " UPDATE crosswalk.instance i SET batch_id = %s FROM locked WHERE i.id = locked.id",
                (wanted, batch_id),
            )
        return batch_id

    def batches(self, run_id: UUID) -> list[BatchRow]:
        """Return the batches of a run as they were planned."""
        with self._session.transaction() as connection:
            rows = connection.execute(
                "SELECT id, number, instances, studies FROM crosswalk.batch WHERE run_id = %s ORDER BY number",
                (run_id,),
            ).fetchall()
        return [BatchRow(BatchId(row[0]), *row[1:]) for row in rows]

    def batch_sources(self, batch_id: BatchId) -> list[BatchSource]:
        """Return the instances of a batch, settled ones included, with the source UIDs to ask for.

        Those whose keys were destroyed meanwhile are left out. The source UIDs are empty where the run is closed and
        the whole batch is settled: nothing is left to ask for.
        """
        with self._session.transaction() as connection:
            rows = connection.execute(
                "SELECT instance_id, study_id, series_id, study_uid_sealed, series_uid_sealed, sop_uid_sealed,"
                " key_wrapped, state, output_digest, research_sop_uid, series_instances, study_instances"
                " FROM crosswalk.batch_sources(%s)",
                (batch_id,),
            ).fetchall()
        keys = self._session.keys
        study_uids: dict[UUID, Phi[str]] = {}
        series_uids: dict[UUID, Phi[str]] = {}
        sources = []
        for row in rows:
            instance_id, study_id, series_id, study_sealed, series_sealed, sop_sealed, wrapped, *rest = row
            if study_id not in study_uids:
                key = keys.of("study", study_id, wrapped)
                study_uids[study_id] = _opened(key, "study.uid", study_id, study_sealed)
            if series_id not in series_uids:
                series_uids[series_id] = _opened(key, "series.uid", series_id, series_sealed)
            state, output_digest, research_sop_uid, series_instances, study_instances = rest
            sources.append(
                BatchSource(
                    instance_id=instance_id,
                    study_id=study_id,
                    series_id=series_id,
                    study_uid=study_uids[study_id],
                    series_uid=series_uids[series_id],
                    sop_uid=_opened(key, "instance.uid", instance_id, sop_sealed),
                    state=InstanceState(state),
                    output_digest=output_digest,
                    research_sop_uid=ResearchUid(research_sop_uid) if research_sop_uid else None,
                    series_instances=series_instances,
                    study_instances=study_instances,
                )
            )
        return sources

    def balance(self, study_ids: Sequence[UUID] | None = None, run_id: UUID | None = None) -> list[StudyBalance]:
        """Return the account of the given studies, of the studies that a run has in its batches, or of all."""
        return balance(self._session, study_ids, run_id)


def _opened(key: Sealer, column: str, row: UUID | int, sealed: bytes | None) -> Phi[str]:
    return Phi("") if sealed is None else open_phi(key, column, row, sealed)


def _same_batch(connection: Connection, run_id: UUID, number: int, wanted: list[int]) -> BatchId:
    row = connection.execute(
        "SELECT b.id, (SELECT count(*) FROM crosswalk.instance i WHERE i.id = ANY(%s)"
        " AND i.batch_id IS DISTINCT FROM b.id AND i.state IN ('discovered', 'deidentified', 'validated'))"
        " FROM crosswalk.batch b WHERE b.run_id = %s AND b.number = %s",
        (wanted, run_id, number),
    ).fetchone()
    if row is None:
        raise Fatal("a batch that was just found is not in the crosswalk")
    if row[1]:
        raise Fatal(f"batch {number} of this run does not hold {row[1]} of the instances given: plan anew")
    return BatchId(row[0])
