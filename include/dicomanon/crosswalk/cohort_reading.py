"""What a cohort is resolved from: people, studies, series, stored instances; by functions alone."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import LiteralString
from uuid import UUID

from dicomanon.crosswalk.facts import as_study_facts, open_facts
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.research_facts import facts_of_release
from dicomanon.crosswalk.rows import CohortInstance, CohortSeries, CohortStudy
from dicomanon.crosswalk.sealed import index_accession, index_patient, index_patient_id, open_identity, open_variant
from dicomanon.crosswalk.session import Session
from dicomanon.identity import PatientIdentity
from dicomanon.values import Pseudonym, ResearchUid

_OBJECTS: LiteralString = (
    "SELECT instance_id, study_id, pseudonym, research_study_uid, research_series_uid, research_sop_uid,"
    " modality, sop_class_uid, output_digest, output_bytes, profile_version, patient"
)
Identifier = tuple[str, str]
"""Issuer of Patient ID, or ``""`` for any, and Patient ID."""

_STUDIES_AT_ONCE = 1000
_INSTANCE_STUDIES_AT_ONCE = 50


def studies_for_cohort(
    session: Session,
    patient_indexes: Sequence[Identifier] | None,
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


def people_for_cohort(session: Session, identifiers: Collection[Identifier]) -> dict[Identifier, set[UUID]]:
    """Return the surviving patients that identifiers lead to, of those with studies that a cohort may have."""
    by_patient, by_patient_id = _indexes(session.keyring, identifiers)
    asked = {**by_patient, **by_patient_id}  # indexes of different kinds never meet: each kind is hashed for itself
    with session.transaction() as connection:
        rows = connection.execute(
            "SELECT patient_index, patient_id_index, patient_id FROM crosswalk.cohort_keys(%s, %s)",
            (list(by_patient), list(by_patient_id)),
        ).fetchall()
    people: dict[Identifier, set[UUID]] = defaultdict(set)
    for *indexes, person in rows:
        for index in indexes:
            for identifier in asked.get(index, ()):
                people[identifier].add(person)
    return dict(people)


def identities_for_cohort(session: Session, patient_ids: Collection[UUID]) -> dict[UUID, tuple[PatientIdentity, ...]]:
    """Return by surviving patient every identity that is known of the person, for whatever study."""
    with session.transaction() as connection:
        rows = connection.execute(
            "SELECT survivor_id, patient_id, key_wrapped, identity_id, identity_sealed, is_variant"
            " FROM crosswalk.cohort_people(%s)",
            (list(patient_ids),),
        ).fetchall()
    known: dict[UUID, list[PatientIdentity]] = defaultdict(list)
    for survivor, patient_id, wrapped, row, sealed, is_variant in rows:
        key = session.keys.of("patient", patient_id, wrapped)
        known[survivor].append((open_variant if is_variant else open_identity)(key, row, sealed))
    return {survivor: tuple(identities) for survivor, identities in known.items()}


def series_for_cohort(session: Session, study_ids: Collection[UUID]) -> dict[UUID, tuple[CohortSeries, ...]]:
    """Return by study the series of which something is stored that is not to be re-issued."""
    with session.transaction() as connection:
        rows = connection.execute(
            "SELECT study_id, key_wrapped, series_id, research_series_uid, modality, facts_sealed, instances"
            " FROM crosswalk.cohort_series(%s)",
            (list(study_ids),),
        ).fetchall()
    found: dict[UUID, list[CohortSeries]] = defaultdict(list)
    for study_id, wrapped, series_id, research_series_uid, modality, facts_sealed, instances in rows:
        key = session.keys.of("study", study_id, wrapped)
        facts = as_study_facts(open_facts(key, "series.facts", series_id, facts_sealed))
        found[study_id].append(CohortSeries(ResearchUid(research_series_uid), modality, facts, instances))
    return {study_id: tuple(series) for study_id, series in found.items()}


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
    """Return the instances of a release that are stored, with what they say, by study, series and instance id."""
    with session.transaction() as connection:
        rows = connection.execute(_OBJECTS + " FROM crosswalk.instances_of_release(%s)", (release_id,)).fetchall()
    told = facts_of_release(session, release_id)
    found = []
    for row in rows:
        facts, passed = told.get(row[0], (None, False))
        found.append(replace(CohortInstance(*row), facts=facts, passed=passed))
    return found


def _candidates(
    session: Session, patient_indexes: Sequence[Identifier] | None, accession_numbers: Sequence[str] | None
) -> list[UUID]:
    keyring = session.keyring
    by_patient: list[bytes] | None = None
    by_patient_id: list[bytes] | None = None
    by_accession: list[bytes] | None = None
    if patient_indexes is not None:
        by_patient, by_patient_id = (list(indexes) for indexes in _indexes(keyring, patient_indexes))
    if accession_numbers is not None:
        by_accession = [index_accession(keyring, number) for number in accession_numbers if number.strip(" \0")]
    with session.transaction() as connection:
        rows = connection.execute(
            "SELECT * FROM crosswalk.cohort_candidates(%s, %s, %s)", (by_patient, by_patient_id, by_accession)
        ).fetchall()
    return [row[0] for row in rows]


def _indexes(
    keyring: Keyring, identifiers: Collection[Identifier]
) -> tuple[dict[bytes, list[Identifier]], dict[bytes, list[Identifier]]]:
    """Return which identifiers are found by an index of issuer and Patient ID, and which by one of Patient ID alone."""
    by_patient: dict[bytes, list[Identifier]] = defaultdict(list)
    by_patient_id: dict[bytes, list[Identifier]] = defaultdict(list)
    for identifier in identifiers:
        issuer, patient_id = (part.strip(" \0") for part in identifier)
        if issuer:
            by_patient[index_patient(keyring, issuer, patient_id)].append(identifier)
        elif patient_id:
            by_patient_id[index_patient_id(keyring, patient_id)].append(identifier)
    return by_patient, by_patient_id
