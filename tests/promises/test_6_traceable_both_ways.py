"""Promise 6: any research identifier leads to all that was done, and a patient leads to every research object."""

import hashlib
import json

import pytest
from tests.site import DAG, Ingested, Site, read, slices, study

from dicomanon import __version__
from dicomanon.crosswalk.trace import Trace
from dicomanon.profile import compile_profile, load_profile

STEPS = {"batch.pull_and_anonymize", "batch.validate", "batch.store", "batch.update_crosswalk"}


def test_every_stored_object_leads_to_its_source_and_its_making(ingested: Ingested) -> None:
    version = compile_profile(load_profile("research")).version
    for source_uid, research_uid in ingested.uids.items():
        if ingested.states[source_uid] != "stored":
            continue
        trace = ingested.site.trace(research_uid)
        (instance,) = trace.instances()
        assert trace.kind == "instance"
        assert trace.pseudonym == str(read(ingested.research[research_uid]).PatientID)
        assert instance.input_digest == hashlib.sha256(ingested.sources[source_uid]).hexdigest()
        assert instance.output_digest == hashlib.sha256(ingested.research[research_uid]).hexdigest()
        assert instance.source == "sealed"
        assert (instance.profile_version, instance.code_version) == (version, __version__)
        assert [(verdict.passed, verdict.output_digest) for verdict in instance.verdicts] == [
            (True, instance.output_digest)
        ]
        assert [(receipt.accepted, receipt.confirmed) for receipt in instance.receipts] == [(True, True)]
        (batch,) = trace.batches
        assert (batch.id, batch.dag_id) == (instance.batch_id, DAG)
        assert batch.run_id.startswith("manual__")
        done = {event.task_id: event for event in batch.events if event.event == "succeeded"}
        assert done.keys() == STEPS
        assert all(event.try_number >= 1 and event.worker and event.map_index >= 0 for event in done.values())


@pytest.mark.parametrize("level", ["StudyInstanceUID", "SeriesInstanceUID", "PatientID"])
def test_every_level_leads_to_all_of_its_objects(ingested: Ingested, level: str) -> None:
    members: dict[str, set[str]] = {}
    for uid, data in ingested.research.items():
        members.setdefault(str(read(data)[level].value), set()).add(uid)
    for identifier, uids in members.items():
        trace = ingested.site.trace(identifier)
        assert trace.kind == {"StudyInstanceUID": "study", "SeriesInstanceUID": "series", "PatientID": "patient"}[level]
        stored = {instance.research_sop_uid for instance in trace.instances() if instance.state == "stored"}
        assert stored == uids
        assert json.loads(trace.to_json())["identifier"] == identifier


def test_a_held_instance_is_traced_with_its_reason(ingested: Ingested) -> None:
    held = [uid for uid, state in ingested.states.items() if state.startswith("held") and uid in ingested.uids]
    assert held
    for uid in held:
        (instance,) = ingested.site.trace(ingested.uids[uid]).instances()
        assert f"held({instance.reason})" == ingested.states[uid]
        assert instance.input_digest == hashlib.sha256(ingested.sources[uid]).hexdigest()
        assert not instance.receipts


def test_a_patient_leads_forward_to_every_research_object(ingested: Ingested) -> None:
    expected: dict[tuple[str, str], set[str]] = {}
    for uid, state in ingested.states.items():
        source = read(ingested.sources[uid])
        if state == "stored":
            patient = (str(source.IssuerOfPatientID), str(source.PatientID))
            expected.setdefault(patient, set()).add(ingested.uids[uid])
    with ingested.site.crosswalk() as crosswalk:
        for patient, uids in expected.items():
            studies = list(crosswalk.mapping.studies_for_cohort([patient]))
            instances = crosswalk.mapping.cohort_instances([one.study_id for one in studies])
            assert {str(one.research_sop_uid) for one in instances} == uids


def test_an_accession_number_leads_forward_to_its_study(ingested: Ingested) -> None:
    uid = next(uid for uid, state in ingested.states.items() if state == "stored")
    source = read(ingested.sources[uid])
    with ingested.site.crosswalk() as crosswalk:
        (found,) = crosswalk.mapping.studies_for_cohort(accession_numbers=[source.AccessionNumber])
    assert str(found.research_study_uid) == str(read(ingested.result(uid)).StudyInstanceUID)


def test_the_maps_lead_back_from_every_research_uid(ingested: Ingested) -> None:
    with ingested.site.crosswalk() as crosswalk:
        uids, patients = crosswalk.exports.maps("auditor", "test of the promise")
        back = {new: old.reveal() for old, new in uids}
        people = {new: old.reveal() for old, new in patients}
    for source_uid, state in ingested.states.items():
        if state == "stored":
            source, result = read(ingested.sources[source_uid]), read(ingested.result(source_uid))
            for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
                assert back[str(result[keyword].value)] == str(source[keyword].value)
            assert people[str(result.PatientID)] == str(source.PatientID)
    assert ingested.site.rows("SELECT actor, action FROM crosswalk.access_event ORDER BY number DESC LIMIT 1") == [
        ("auditor", "export maps")
    ]


def released(site: Site) -> tuple[str, Trace, set[str]]:
    sources = slices(study("released"))
    site.ingest(*sources)
    uids = set(site.research_objects())
    with site.crosswalk() as crosswalk:
        ids = [site.trace(uid).instances()[0].instance_id for uid in sorted(uids)[:2]]
        release = crosswalk.releases.create("lung-ai", "researcher", b"\0" * 32, ids)
    return str(release.id), site.trace(sorted(uids)[0]), set(sorted(uids)[:2])


def test_an_object_leads_to_every_release_that_contains_it(site: Site) -> None:
    release_id, trace, _ = released(site)
    (release,) = trace.releases
    assert (str(release.id), release.project, release.number, release.requester) == (
        release_id,
        "lung-ai",
        1,
        "researcher",
    )
    (instance,) = trace.instances()
    assert instance.releases == (release.id,)


def test_a_release_leads_to_its_objects(site: Site) -> None:
    release_id, _, uids = released(site)
    assert {instance.research_sop_uid for instance in site.trace(release_id).instances()} == uids


def test_source_identifiers_are_no_way_in(ingested: Ingested) -> None:
    uid = next(iter(ingested.uids))
    source = read(ingested.sources[uid])
    with ingested.site.crosswalk() as crosswalk:
        for identifier in (uid, str(source.StudyInstanceUID), str(source.PatientID), str(source.AccessionNumber), ""):
            assert crosswalk.lineage.trace(identifier) is None
