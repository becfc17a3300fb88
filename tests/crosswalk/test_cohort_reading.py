"""What cohorts are resolved from is of people who may be in one, by every key that they have."""

from uuid import uuid4

from tests.crosswalk.scenario import DOE, ROE, Run, discover, sightings

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.decisions.rows import Signed
from dicomanon.crosswalk.removals.rows import RemovalKind, Requester
from dicomanon.identity import PatientIdentity, StudyFacts

AWAY = PatientIdentity("MRN-7731", "AWAY", "DOE^JON", "19700131", "M")


def admit(crosswalk: Crosswalk, study_uid: str, identity: PatientIdentity, **changes: object) -> None:
    discover(crosswalk, study_uid, sightings(study_uid, 4, series=2))
    Run(crosswalk).complete(identity, **changes)


def test_identifiers_lead_to_people_who_have_studies(crosswalk: Crosswalk) -> None:
    admit(crosswalk, "1.1", DOE)
    admit(crosswalk, "1.2", AWAY, facts=StudyFacts(accession_number="2"))
    crosswalk.patients.get_or_create(ROE)  # known, and nothing made
    found = crosswalk.mapping.people_for_cohort([("", "MRN-7731"), ("AWAY", "MRN-7731"), ("", "MRN-9902"), ("", "")])
    assert {identifier: len(people) for identifier, people in found.items()} == {
        ("", "MRN-7731"): 2, ("AWAY", "MRN-7731"): 1}  # fmt: skip


def test_keys_of_who_was_merged_lead_to_one_person_with_both_identities(crosswalk: Crosswalk) -> None:
    admit(crosswalk, "1.1", DOE)
    admit(crosswalk, "1.2", AWAY, facts=StudyFacts(accession_number="2"))
    pseudonyms = [study.pseudonym for study in crosswalk.mapping.studies_for_cohort()]
    crosswalk.identities.merge(pseudonyms, Signed("admin", "the same"), keep=pseudonyms[0])
    (people,) = crosswalk.mapping.people_for_cohort([("AWAY", "MRN-7731")]).values()
    assert {study.patient_id for study in crosswalk.mapping.studies_for_cohort()} == people
    (identities,) = crosswalk.mapping.identities_for_cohort(people).values()
    assert {identity.name for identity in identities} == {"DOE^JOHN", "DOE^JON"}


def test_series_are_counted_by_what_is_stored(crosswalk: Crosswalk) -> None:
    admit(crosswalk, "1.1", DOE)
    discover(crosswalk, "1.3", sightings("1.3", 2))
    Run(crosswalk).record(ROE, facts=StudyFacts(accession_number="3"))  # never stored
    studies = [study.study_id for study in crosswalk.mapping.studies_for_cohort()]
    found = crosswalk.mapping.series_for_cohort([*studies, uuid4()])
    assert [[one.instances for one in series] for series in found.values()] == [[2, 2]]


def test_of_whoever_withdrew_nothing_is_told(crosswalk: Crosswalk) -> None:
    admit(crosswalk, "1.1", DOE)
    (study,) = crosswalk.mapping.studies_for_cohort()
    removal = crosswalk.removals.request_of_patient(
        RemovalKind.WITHDRAWAL, str(study.pseudonym), Requester("ada"), reason="asked by letter", ticket="DPO-17"
    )
    crosswalk.removals.mark(crosswalk.removals.approve(removal, "grace", "read the letter"))
    assert crosswalk.mapping.people_for_cohort([("", DOE.patient_id)]) == {}
    assert crosswalk.mapping.identities_for_cohort([study.patient_id]) == {}
    assert crosswalk.mapping.series_for_cohort([study.study_id]) == {}
