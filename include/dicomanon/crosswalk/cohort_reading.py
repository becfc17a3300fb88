"""What a cohort is resolved from: studies by sealed criteria, and their stored instances."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import LiteralString
from uuid import UUID

from dicomanon.crosswalk.facts import as_study_facts, open_facts
from dicomanon.crosswalk.rows import CohortInstance, CohortStudy
from dicomanon.crosswalk.sealed import index_accession, index_patient, index_patient_id
from dicomanon.crosswalk.session import Connection, Session
from dicomanon.values import Pseudonym, ResearchUid

_STORED: LiteralString = (
    "SELECT i.id, st.id, p.pseudonym, st.research_study_uid, se.research_series_uid, i.research_sop_uid,"
    " se.modality, i.sop_class_uid, i.output_digest, i.output_bytes, r.profile_version, s.pseudonym"
    " FROM crosswalk.instance i"
    " JOIN crosswalk.series se ON se.id = i.series_id"
    " JOIN crosswalk.study st ON st.id = i.study_id"
    " JOIN crosswalk.patient p ON p.id = st.patient_id"
    " JOIN crosswalk.patient s ON s.id = p.survivor_id"
    " JOIN crosswalk.recipe r ON r.id = i.recipe_id"
    " WHERE i.state = 'stored'"
)
_NOT_TO_BE_REISSUED: LiteralString = (
    " AND NOT EXISTS (SELECT FROM crosswalk.reissue x WHERE x.instance_id = i.id AND x.closed_at IS NULL)"
)
_OF_RELEASE: LiteralString = " AND i.id IN (SELECT instance_id FROM crosswalk.release_instance WHERE release_id = %s)"
_STUDIES_AT_ONCE = 1000
_INSTANCE_STUDIES_AT_ONCE = 50


def studies_for_cohort(
    session: Session,
    patient_indexes: Sequence[tuple[str, str]] | None,
    accession_numbers: Sequence[str] | None,
) -> Iterator[CohortStudy]:
    """Yield studies page by page; the contract is :meth:`Mapping.studies_for_cohort`'s."""
    candidates = iter(_candidates(session, patient_indexes, accession_numbers))
    while page := list(islice(candidates, _STUDIES_AT_ONCE)):
        with session.transaction() as connection:
            rows = connection.execute(
                "SELECT st.id, p.pseudonym, st.research_study_uid, st.facts_sealed, p.survivor_id, st.key_wrapped"
                " FROM crosswalk.study st JOIN crosswalk.patient p ON p.id = st.patient_id"
                " WHERE st.id = ANY(%s) AND st.research_study_uid IS NOT NULL AND st.key_destroyed_at IS NULL"
                " AND p.withdrawn_by IS NULL ORDER BY st.id",
                (page,),
            ).fetchall()
        for study_id, pseudonym, research_study_uid, facts_sealed, patient_id, wrapped in rows:
            key = session.keys.of("study", study_id, wrapped)
            yield CohortStudy(
                study_id=study_id,
                pseudonym=Pseudonym(pseudonym),
                research_study_uid=ResearchUid(research_study_uid),
                facts=as_study_facts(open_facts(key, "study.facts", study_id, facts_sealed)),
                patient_id=patient_id,
            )


def cohort_instances(session: Session, study_ids: Sequence[UUID]) -> Iterator[CohortInstance]:
    """Yield the stored instances of studies that are not to be re-issued, by study, series and instance id."""
    remaining = iter(sorted(set(study_ids)))
    while page := list(islice(remaining, _INSTANCE_STUDIES_AT_ONCE)):
        with session.transaction() as connection:
            rows = connection.execute(
                _STORED + _NOT_TO_BE_REISSUED + " AND i.study_id = ANY(%s) ORDER BY i.study_id, i.series_id, i.id",
                (page,),
            ).fetchall()
        for row in rows:
            yield CohortInstance(*row)


def release_instances(session: Session, release_id: UUID) -> list[CohortInstance]:
    """Return the instances of a release that are stored, by study, series and instance id."""
    with session.transaction() as connection:
        rows = connection.execute(
            _STORED + _OF_RELEASE + " ORDER BY i.study_id, i.series_id, i.id",
            (release_id,),
        ).fetchall()
    return [CohortInstance(*row) for row in rows]


def _candidates(
    session: Session, patient_indexes: Sequence[tuple[str, str]] | None, accession_numbers: Sequence[str] | None
) -> list[UUID]:
    found: set[UUID] | None = None
    with session.transaction() as connection:
        if patient_indexes is not None:
            found = _of_patients(session, connection, patient_indexes)
        if accession_numbers is not None:
            indexes = [index_accession(session.keyring, number) for number in accession_numbers if number.strip(" \0")]
            rows = connection.execute(
                "SELECT study_id FROM crosswalk.study_accession WHERE accession_index = ANY(%s)", (indexes,)
            ).fetchall()
            by_accession = {row[0] for row in rows}
            found = by_accession if found is None else found & by_accession
        if found is None:
            rows = connection.execute(
                "SELECT id FROM crosswalk.study WHERE research_study_uid IS NOT NULL ORDER BY id"
            ).fetchall()
            return [row[0] for row in rows]
    return sorted(found)


def _of_patients(session: Session, connection: Connection, wanted: Sequence[tuple[str, str]]) -> set[UUID]:
    exact, any_issuer = [], []
    for issuer, patient_id in ((issuer.strip(" \0"), patient_id.strip(" \0")) for issuer, patient_id in wanted):
        if issuer:
            exact.append(index_patient(session.keyring, issuer, patient_id))
        elif patient_id:
            any_issuer.append(index_patient_id(session.keyring, patient_id))
    rows = connection.execute(
        "SELECT DISTINCT st.id FROM crosswalk.patient_key k JOIN crosswalk.patient met ON met.id = k.patient_id"
        " JOIN crosswalk.patient p ON p.survivor_id = met.survivor_id JOIN crosswalk.study st ON st.patient_id = p.id"
        " WHERE k.patient_index = ANY(%s) OR k.patient_id_index = ANY(%s)",
        (exact, any_issuer),
    ).fetchall()
    return {row[0] for row in rows}
