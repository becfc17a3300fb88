"""Promise 5: a patient has one pseudonym and one date shift for ever, and references still lead where they led."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from itertools import pairwise, permutations
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from tests.site import Ingested, Run, Site, at_once, ct, encoded, person, put, read, slices, study

from dicomanon.crosswalk.decisions.rows import KeyChange, Signed
from dicomanon.crosswalk.patients import Patients
from dicomanon.crosswalk.rows import Patient
from dicomanon.deidentify import UidMapper, parse
from dicomanon.errors import Fatal, Retriable
from dicomanon.sample.corpus import SampleManifest
from dicomanon.sample.planted import elements

REFERENCE = "ReferencedSOPInstanceUID"


def pseudonyms(objects: Iterable[bytes]) -> set[tuple[str, str]]:
    return {(str(read(data).PatientID), str(read(data).PatientName)) for data in objects}


def values(dataset: Dataset, keyword: str) -> list[str]:
    return sorted(str(element.value) for element in elements(dataset) if element.keyword == keyword)


def pairs(ingested: Ingested) -> Iterator[tuple[Dataset, Dataset]]:
    """Yield every stored object as it was and as it is."""
    for uid, state in ingested.states.items():
        if state == "stored":
            yield read(ingested.sources[uid]), read(ingested.result(uid))


def by_patient(ingested: Ingested) -> dict[tuple[str, str], list[tuple[Dataset, Dataset]]]:
    found = defaultdict(list)
    for source, result in pairs(ingested):
        found[str(source.get("IssuerOfPatientID", "")), str(source.PatientID)].append((source, result))
    return found


def test_a_patient_has_one_pseudonym_in_all_studies_and_modalities(ingested: Ingested) -> None:
    found = {
        patient: {str(result.PatientID) for _, result in objects} for patient, objects in by_patient(ingested).items()
    }
    assert len(found) == 6
    assert all(len(names) == 1 for names in found.values())
    assert len(set.union(*found.values())) == len(found), "two patients share a pseudonym"
    assert all(str(result.PatientName) == str(result.PatientID) for _, result in pairs(ingested))


def test_the_issuer_tells_two_patients_of_one_number_apart(ingested: Ingested) -> None:
    issuers = defaultdict(set)
    for issuer, patient_id in by_patient(ingested):
        issuers[patient_id].add(issuer)
    assert max(len(found) for found in issuers.values()) == 2, "the sample has such a pair"


def test_a_site_may_say_who_issues_numbers_without_an_issuer(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICOMANON_DEFAULT_ISSUER", person().issuer)
    named, unnamed = ct(study("named")), ct(study("unnamed"))
    del unnamed.IssuerOfPatientID
    site.ingest(encoded(named), encoded(unnamed))
    assert len(pseudonyms(site.research_objects().values())) == 1


@pytest.mark.parametrize("order", list(permutations(range(3)))[1::3], ids=str)
def test_the_order_of_arrival_does_not_matter(site: Site, order: tuple[int, ...]) -> None:
    ours = [*slices(study("first"), [1]), *slices(study("second"), [1]), *slices(study("first"), [2])]
    (other,) = slices(study("other", person(0)), [1])
    staged = {}
    for number in order:
        site.load(ours[number], other)
        Run().pulled()
        staged |= {path.stem: path.read_bytes() for path in site.staging.rglob("*.dcm")}
    assert {uid: hashlib.sha256(data).hexdigest() for uid, data in staged.items()} == site.expected(*ours, other)
    assert len(pseudonyms(staged.values())) == 2


def test_workers_that_meet_a_new_patient_at_once_agree(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICOMANON_BATCH_INSTANCES", "2")
    sources = [one for number in range(4) for one in slices(study(f"at once {number}"), [1, 2])]
    site.load(*sources)
    run = Run()
    run.discover()
    batches = run.plan()
    assert len(batches) == 4
    at_once(*[lambda batch=batch: run.pull(batch) for batch in batches])
    staged = [path.read_bytes() for path in site.staging.rglob("*.dcm")]
    assert len(staged) == len(sources)
    assert len(pseudonyms(staged)) == 1
    assert site.rows("SELECT count(*) FROM crosswalk.patient") == [(1,)]


def test_a_changed_patient_id_leads_to_the_same_pseudonym_and_date_shift(site: Site) -> None:
    site.ingest(*slices(study("before")))
    before = pseudonyms(site.research_objects().values())
    changed = person(patient_id="A-NEW-NUMBER")
    with site.crosswalk() as crosswalk:
        old, new = ((one.issuer, one.patient_id) for one in (person(), changed))
        crosswalk.identities.merge_keys(KeyChange(old, new), Signed("admin", "ADT^A40"))
    site.ingest(*slices(study("after", changed, number=2)))
    assert pseudonyms(site.research_objects().values()) == before
    assert {site.trace(str(read(data).SOPInstanceUID)).pseudonym for data in site.research_objects().values()} == {
        next(iter(before))[0]
    }


def test_a_study_never_has_two_pseudonyms_whoever_is_merged_while_it_grows(site: Site) -> None:
    site.ingest(*slices(study("one"), [1]), *slices(study("other", person(0)), [1]))
    names = sorted(row[0] for row in site.rows("SELECT pseudonym FROM crosswalk.patient"))
    with site.crosswalk() as crosswalk:
        crosswalk.identities.merge(names, Signed("admin", "one person"))
    site.ingest(*slices(study("one"), [2]), *slices(study("other", person(0)), [2]))
    by_study = defaultdict(set)
    for data in map(read, site.research_objects().values()):
        by_study[data.StudyInstanceUID].add(str(data.PatientID))
    assert sorted(len(found) for found in by_study.values()) == [1, 1]
    assert sum(state == "stored" for state in site.states().values()) == 4
    assert {len(site.trace(name).studies) for name in names} == {2}


def test_what_was_made_when_two_patients_are_merged_is_not_stored_as_the_lost_one(site: Site) -> None:
    site.ingest(*slices(study("known")))
    site.load(*slices(study("new", person(0))))
    run = Run()
    run.discover()
    (batch,) = run.plan()
    with site.crosswalk() as crosswalk:
        ours, theirs = (
            crosswalk.patients.get_or_create(parse(encoded(ct(study("any", one)))).identity)
            for one in (person(), person(0))
        )

        def remembered(*_: object) -> Patient:
            """Give what a worker remembers for a moment too long."""
            return theirs

        crosswalk.identities.merge([ours.pseudonym, theirs.pseudonym], Signed("admin", "one person"))
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Patients, "get_or_create", remembered)
            with pytest.raises(Retriable):
                run.pull(batch)
    assert not list(site.staging.rglob("*.dcm"))
    run.pull(batch)
    staged = [path.read_bytes() for path in site.staging.rglob("*.dcm")]
    assert pseudonyms(staged) == {(ours.pseudonym, ours.pseudonym)}


def test_uids_map_one_to_one(ingested: Ingested) -> None:
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID"):
        mapped: dict[str, set[str]] = defaultdict(set)
        for source, result in pairs(ingested):
            if keyword in source:
                mapped[str(source[keyword].value)].add(str(result[keyword].value))
        assert mapped
        assert all(len(found) == 1 for found in mapped.values()), keyword
        assert len(set.union(*mapped.values())) == len(mapped), keyword
        assert not set.union(*mapped.values()) & mapped.keys(), keyword


def test_references_between_objects_resolve(ingested: Ingested) -> None:
    mapped = UidMapper(ingested.site.keyring.uid_key)
    kinds = set()
    for source, result in pairs(ingested):
        if source.Modality in {"SR", "KO", "PR", "RTSTRUCT"}:
            before, after = {mapped(uid) for uid in values(source, REFERENCE)}, set(values(result, REFERENCE))
            # The profile may remove a reference; it must not bend one.
            assert after <= before
            if before & ingested.research.keys():
                assert after & ingested.research.keys(), "what it refers to is there"
                kinds.add(source.Modality)
    assert kinds == {"SR", "KO", "PR", "RTSTRUCT"}


def test_a_reference_resolves_when_its_object_arrives_later(
    ingested: Ingested, sample_wave_2: tuple[Path, SampleManifest]
) -> None:
    late = {ingested.uids[file.sop_uid] for file in sample_wave_2[1].files if file.expected == "stored"}
    (key_objects,) = [read(data) for data in ingested.first.values() if read(data).Modality == "KO"]
    promised = set(values(key_objects, REFERENCE)) & late
    assert promised, "it was stored before what it refers to"
    assert promised <= ingested.research.keys() - ingested.first.keys()


def test_every_date_of_a_patient_moves_by_the_same_days(ingested: Ingested) -> None:
    moved = 0
    for objects in by_patient(ingested).values():
        shifts = set()
        for source, result in objects:
            for keyword in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "InstanceCreationDate"):
                if source.get(keyword) and result.get(keyword):
                    shifts.add(day(result[keyword].value) - day(source[keyword].value))
            if source.get("AcquisitionDateTime") and result.get("AcquisitionDateTime"):
                before, after = source.AcquisitionDateTime, result.AcquisitionDateTime
                shifts.add(day(after[:8]) - day(before[:8]))
                assert before[8:] == after[8:]
        assert len(shifts) == 1
        assert abs(shifts.pop()) > timedelta(days=365)
        moved += 1
    assert moved == 6


def test_intervals_between_studies_survive(ingested: Ingested, sample_wave_2: tuple[Path, SampleManifest]) -> None:
    days = {}
    for source, result in pairs(ingested):
        patient = (str(source.IssuerOfPatientID), str(source.PatientID))
        days.setdefault(patient, {})[day(source.StudyDate)] = day(result.StudyDate)
    longest = max(days.values(), key=len)
    assert len(longest) == 3, "a patient of the sample has three studies on three days"
    before = sorted(longest)
    moved = [longest[late] - longest[early] for early, late in pairwise(before)]
    assert moved == [late - early for early, late in pairwise(before)]


def day(value: str) -> date:
    return date.fromisoformat(str(value)[:8])


def test_an_empty_crosswalk_in_place_of_a_lost_one_draws_no_pseudonyms(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(site.research, slices(study("made before"))[0])
    site.load(*slices(study("lost")))
    with pytest.raises(Fatal, match="restore a backup"):
        Run().discover()
    assert site.rows("SELECT 1 FROM crosswalk.patient") == []
    monkeypatch.setenv("DICOMANON_RESEARCH_SHARED", "true")
    Run().complete()
    monkeypatch.delenv("DICOMANON_RESEARCH_SHARED")
    assert Run("again").complete()
