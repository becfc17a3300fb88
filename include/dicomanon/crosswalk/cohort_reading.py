"""What a cohort is resolved from: studies by sealed criteria, and their stored instances; by functions alone."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import LiteralString
from uuid import UUID

from dicomanon.crosswalk.facts import as_study_facts, open_facts
from dicomanon.crosswalk.rows import CohortInstance, CohortStudy
from dicomanon.crosswalk.sealed import index_accession, index_patient, index_patient_id
from dicomanon.crosswalk.session import Session
from dicomanon.values import Pseudonym, ResearchUid

_OBJECTS: LiteralString = (
    "SELECT instance_id, study_id, pseudonym, research_study_uid, research_series_uid, research_sop_uid,"
    " modality, sop_class_uid, output_digest, output_bytes, profile_version, patient"
)
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
                "SELECT study_id, pseudonym, research_study_uid, facts_sealed, patient_id, key_wrapped"
                " FROM crosswalk.cohort_studies(%s)",
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
                _OBJECTS + " FROM crosswalk.cohort_instances(%s)",
                (page,),
            ).fetchall()
        for row in rows:
            yield CohortInstance(*row)


def release_instances(session: Session, release_id: UUID) -> list[CohortInstance]:
    """Return the instances of a release that are stored, by study, series and instance id."""
    with session.transaction() as connection:
        rows = connection.execute(_OBJECTS + " FROM crosswalk.instances_of_release(%s)", (release_id,)).fetchall()
    return [CohortInstance(*row) for row in rows]


def _candidates(
    session: Session, patient_indexes: Sequence[tuple[str, str]] | None, accession_numbers: Sequence[str] | None
) -> list[UUID]:
    keyring = session.keyring
    by_patient: list[bytes] | None = None
    by_patient_id: list[bytes] | None = None
    by_accession: list[bytes] | None = None
    if patient_indexes is not None:
        named = [(issuer.strip(" \0"), patient_id.strip(" \0")) for issuer, patient_id in patient_indexes]
        by_patient = [index_patient(keyring, issuer, patient_id) for issuer, patient_id in named if issuer]
        by_patient_id = [
            index_patient_id(keyring, patient_id) for issuer, patient_id in named if patient_id and not issuer
        ]
    if accession_numbers is not None:
        by_accession = [index_accession(keyring, number) for number in accession_numbers if number.strip(" \0")]
    with session.transaction() as connection:
        rows = connection.execute(
            "SELECT * FROM crosswalk.cohort_candidates(%s, %s, %s)", (by_patient, by_patient_id, by_accession)
        ).fetchall()
    return [row[0] for row in rows]
