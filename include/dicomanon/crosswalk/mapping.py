"""The mapping from source objects to research objects: written by the pipeline's steps, read by cohorts."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from uuid import UUID

from dicomanon.crosswalk import cohort_reading, known_values, recording, verdicts
from dicomanon.crosswalk.rows import (
    CohortInstance,
    CohortSeries,
    CohortStudy,
    InstanceState,
    MappedOutcome,
    Receipt,
    StagedInstance,
    Verdict,
)
from dicomanon.crosswalk.session import Session
from dicomanon.identity import PatientIdentity
from dicomanon.reasons import HoldReason
from dicomanon.values import BatchId, Pseudonym, ResearchUid


class Mapping:
    """What became of every instance; each write may be repeated, and a stored instance never changes.

    A batch fences: what is recorded for an instance that a later run has taken over is ignored, since the later
    run's batch does the work.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def has_made_any(self) -> bool:
        """Tell whether any object was ever made for this crosswalk."""
        with self._session.transaction() as connection:
            row = connection.execute("SELECT EXISTS (SELECT FROM crosswalk.recipe)").fetchone()
        return bool(row and row[0])

    def record(self, batch_id: BatchId, outcomes: Sequence[MappedOutcome]) -> None:
        """Record outcomes in one transaction, to be committed before the de-identified object leaves the worker.

        The first patient recorded for a study is its patient; an instance of another one becomes held
        (``IDENTITY_CONFLICT``) with an identity event. An instance that is stored keeps its state; other source
        content for it raises an identity event (``UID_REUSED``). Content that is recorded already changes nothing.

        Raises
        ------
        Fatal
            An outcome lacks what its state needs, or is about an instance that the ledger does not have.
        """
        recording.record(self._session, batch_id, outcomes)

    def add_known_values(self, study_id: UUID, values: Iterable[str]) -> None:
        """Add identifying values of a study's source objects; stored sealed, each once."""
        known_values.add_known_values(self._session, study_id, values)

    def known_values(self, study_ids: Sequence[UUID]) -> dict[UUID, frozenset[str]]:
        """Return for each study what must not be found in its de-identified objects, in clear."""
        return known_values.known_values(self._session, study_ids)

    def date_shift(self, study_id: UUID) -> int | None:
        """Return the number of days that the dates of a study's patient move by, None while it has no patient."""
        return known_values.date_shift(self._session, study_id)

    def staged(self, batch_id: BatchId) -> list[StagedInstance]:
        """Return the instances of a batch that have a de-identified object, whatever became of it."""
        with self._session.transaction() as connection:
            rows = connection.execute(
                "SELECT i.id, i.study_id, st.research_study_uid, se.research_series_uid, i.research_sop_uid,"
                " i.sop_class_uid, p.pseudonym, i.output_digest, i.state, r.profile_version"
                " FROM crosswalk.instance i"
                " JOIN crosswalk.series se ON se.id = i.series_id"
                " JOIN crosswalk.study st ON st.id = i.study_id AND st.key_destroyed_at IS NULL"
                " JOIN crosswalk.patient p ON p.id = st.patient_id"
                " JOIN crosswalk.recipe r ON r.id = i.recipe_id"
                " WHERE i.batch_id = %s AND i.output_digest IS NOT NULL ORDER BY i.study_id, i.series_id, i.id",
                (batch_id,),
            ).fetchall()
        return [
            StagedInstance(
                instance_id=row[0],
                study_id=row[1],
                research_study_uid=ResearchUid(row[2]),
                research_series_uid=ResearchUid(row[3]),
                research_sop_uid=ResearchUid(row[4]),
                sop_class_uid=row[5],
                pseudonym=Pseudonym(row[6]),
                output_digest=row[7],
                state=InstanceState(row[8]),
                profile_version=row[9],
            )
            for row in rows
        ]

    def record_verdicts(self, batch_id: BatchId, verdicts_: Sequence[Verdict]) -> None:
        """Keep verdicts and move the instances to ``validated`` or ``held``.

        A failing verdict without a reason holds as ``RESIDUAL_PHI``. A verdict on an instance that is settled, or
        that has no de-identified object, moves nothing.
        """
        verdicts.record_verdicts(self._session, batch_id, verdicts_)

    def record_receipts(self, batch_id: BatchId, receipts: Sequence[Receipt]) -> None:
        """Keep store receipts and move validated instances.

        Accepted and confirmed is ``stored``, as is refused as a duplicate and confirmed; refused otherwise is
        ``held``; accepted and not confirmed stays, to be tried again.

        Raises
        ------
        Fatal
            The research PACS has accepted an instance that was not validated. The receipts are recorded.
        """
        verdicts.record_receipts(self._session, batch_id, receipts)

    def hold(self, batch_id: BatchId, instance_ids: Iterable[int], reason: HoldReason | str, detail: str = "") -> None:
        """Hold instances of a batch that are not settled; the others, and those of a later batch, stay as they are."""
        verdicts.hold(self._session, batch_id, instance_ids, reason, detail)

    def studies_for_cohort(
        self,
        patient_indexes: Sequence[tuple[str, str]] | None = None,
        accession_numbers: Sequence[str] | None = None,
    ) -> Iterator[CohortStudy]:
        """Yield mapped studies with their facts opened, by study id.

        Parameters
        ----------
        patient_indexes
            Pairs of Issuer of Patient ID and Patient ID; an empty issuer stands for any. ``None`` does not restrict.
        accession_numbers
            Accession numbers. ``None`` does not restrict; with both given, both must match.
        """
        return cohort_reading.studies_for_cohort(self._session, patient_indexes, accession_numbers)

    def people_for_cohort(self, identifiers: Collection[tuple[str, str]]) -> dict[tuple[str, str], set[UUID]]:
        """Return the surviving patients that pairs of issuer and Patient ID lead to; without those that lead nowhere.

        An empty issuer stands for any, and then may lead to several.
        """
        return cohort_reading.people_for_cohort(self._session, identifiers)

    def identities_for_cohort(self, patient_ids: Collection[UUID]) -> dict[UUID, tuple[PatientIdentity, ...]]:
        """Return by surviving patient every identity that is known of the person."""
        return cohort_reading.identities_for_cohort(self._session, patient_ids)

    def series_for_cohort(self, study_ids: Collection[UUID]) -> dict[UUID, tuple[CohortSeries, ...]]:
        """Return by study its series with stored instances, with their facts opened, by series id."""
        return cohort_reading.series_for_cohort(self._session, study_ids)

    def cohort_instances(self, study_ids: Sequence[UUID]) -> Iterator[CohortInstance]:
        """Yield the stored instances of studies, by study, series and instance id."""
        return cohort_reading.cohort_instances(self._session, study_ids)
