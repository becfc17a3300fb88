"""Pulls: what cohort requests want of the clinical PACS, asked for by ingest, and the studies that they wait for."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from dicomanon.crosswalk.access_events import record_access_event
from dicomanon.crosswalk.audit.events import Subject, SubjectKind
from dicomanon.crosswalk.sealed import clean_uid, index_patient, index_uid, open_phi, seal_text
from dicomanon.crosswalk.session import Session
from dicomanon.identity import Masked
from dicomanon.values import Phi

_WANTED = "cohort_pull.wanted"


@dataclass(frozen=True, slots=True)
class Pull:
    """What a request wants that the clinical PACS was not asked for yet: ``wanted`` as the request wrote it."""

    id: UUID
    request_key: str
    entries: int
    wanted: Phi[str]


@dataclass(frozen=True, slots=True, repr=False)
class FoundStudy(Masked):
    """A study that answers to a pull; ``patient`` is issuer and Patient ID."""

    study_uid: str
    patient: tuple[str, str]


@dataclass(frozen=True, slots=True)
class PullStanding:
    """How far a pull is.

    Attributes
    ----------
    entries
        How many identifiers it names.
    was_asked
        Whether the clinical PACS was asked for them.
    is_over
        Whether nobody waits any more: a whole run of ingest has taken up what was found and nothing of it is pending,
        or the time is over.
    arrived, arrived_patients, pending, pending_patients
        Studies that were missing and now have something stored, or that are not settled, and whose they are. What is
        held, withdrawn, or was never there is neither.
    """

    entries: int
    was_asked: bool
    is_over: bool
    arrived: int
    arrived_patients: int
    pending: int
    pending_patients: int


class Pulls:
    """What is wanted, asked, found and awaited; every operation may be repeated."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def want(
        self, request_key: str, wanted: str, entries: int, *, at: datetime, wait: timedelta, actor: str, reason: str
    ) -> None:
        """Have the clinical PACS asked for something by the next run of ingest; a request wants once.

        Parameters
        ----------
        wanted
            What, in words of the caller's; sealed until it was asked for.
        entries
            How many identifiers that names.
        actor, reason
            For the audit trail, which gets its entry in the same transaction.

        Raises
        ------
        Fatal
            The request is held and not approved, or actor or reason is empty.
        """
        row, site = uuid4(), self._session.keys.site
        with self._session.transaction() as connection:
            entered = connection.execute(
                "INSERT INTO crosswalk.cohort_pull (id, request_key, entries, wanted_sealed, requested_at, wait_until)"
                " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (request_key) DO NOTHING",
                (row, request_key, entries, seal_text(site, _WANTED, row, wanted), at, at + wait),
            ).rowcount
            if entered:
                subject = Subject(SubjectKind.OTHER, str(row))
                record_access_event(connection, site, actor, "cohort.pull", reason, entries, subject=subject)

    def unasked(self, now: datetime) -> list[Pull]:
        """Return what is still to be asked for, the oldest first; what nobody waits for any more is forgotten."""
        with self._session.transaction() as connection:
            connection.execute(
                "UPDATE crosswalk.cohort_pull SET wanted_sealed = NULL"
                " WHERE wanted_sealed IS NOT NULL AND wait_until <= %s",
                (now,),
            )
            rows = connection.execute(
                "SELECT id, request_key, entries, wanted_sealed FROM crosswalk.cohort_pull"
                " WHERE wanted_sealed IS NOT NULL ORDER BY requested_at, id"
            ).fetchall()
        site = self._session.keys.site
        return [Pull(row, key, entries, open_phi(site, _WANTED, row, sealed)) for row, key, entries, sealed in rows]

    def answered(self, pull_id: UUID, found: Iterable[FoundStudy], at: datetime) -> int:
        """Enter that the clinical PACS was asked, forget for what, and note what is to be waited for; return how much.

        Of studies in the ledger, those that are not settled; none of people who have withdrawn, or whose keys were
        destroyed.
        """
        keyring = self._session.keyring
        patients: dict[tuple[str, str], int] = {}
        studies = {
            index_uid(keyring, "study", clean_uid(one.study_uid)): (
                index_patient(keyring, *one.patient),
                patients.setdefault(one.patient, len(patients) + 1),
            )
            for one in found
        }
        with self._session.transaction() as connection:
            awaited = connection.execute(
                "INSERT INTO crosswalk.cohort_pull_study (pull_id, study_id, patient)"
                " SELECT %s, st.id, found.patient"
                " FROM unnest(%s::bytea[], %s::bytea[], %s::integer[]) AS found (study_index, patient_index, patient)"
                " JOIN crosswalk.study st USING (study_index)"
                " WHERE st.key_destroyed_at IS NULL"
                " AND (st.observed_count IS DISTINCT FROM st.enrolled_count"
                "      OR EXISTS (SELECT FROM crosswalk.instance i WHERE i.study_id = st.id"
                "                 AND i.state IN ('discovered', 'deidentified', 'validated')))"
                " AND NOT EXISTS (SELECT FROM crosswalk.patient p"
                "                 WHERE (p.id = st.patient_id OR p.id IN (SELECT k.patient_id"
                "                     FROM crosswalk.patient_key k WHERE k.patient_index = found.patient_index))"
                "                 AND (p.withdrawn_by IS NOT NULL OR p.key_destroyed_at IS NOT NULL))"
                " ON CONFLICT DO NOTHING",
                (
                    pull_id,
                    list(studies),
                    [index for index, _ in studies.values()],
                    [number for _, number in studies.values()],
                ),
            ).rowcount
            connection.execute(
                "UPDATE crosswalk.cohort_pull SET asked_at = %s, wanted_sealed = NULL"
                " WHERE id = %s AND asked_at IS NULL",
                (at, pull_id),
            )
        return awaited

    def take_up(self, run_id: UUID, asked_until: datetime) -> None:
        """Enter that a run of ingest has taken up what was asked for until then, whether anything was found or not."""
        with self._session.transaction() as connection:
            connection.execute(
                "UPDATE crosswalk.cohort_pull SET run_id = %s WHERE run_id IS NULL AND asked_at <= %s",
                (run_id, asked_until),
            )

    def standing(self, request_key: str, now: datetime) -> PullStanding | None:
        """Return how far a request's pull is; nothing where it has none."""
        with self._session.transaction() as connection:
            row = connection.execute(
                "SELECT entries, was_asked, is_taken_up, wait_until, arrived, arrived_patients, pending,"
                " pending_patients FROM crosswalk.cohort_pull_standing(%s)",
                (request_key,),
            ).fetchone()
        if row is None:
            return None
        entries, was_asked, is_taken_up, wait_until, arrived, arrived_patients, pending, pending_patients = row
        is_over = (is_taken_up and not pending) or wait_until <= now
        return PullStanding(entries, was_asked, is_over, arrived, arrived_patients, pending, pending_patients)
