"""A study that was filed under another patient: split off, re-issued, ingested again under its own pseudonym."""

import json

import pytest
from pydicom.dataset import Dataset
from tests.promises.removing import ADA, GONE, KEPT, WHY, WITHDRAWING, Clinic, clinic
from tests.site import Run, Site, encoded, judge_by_counts, read, slices, study

from dicomanon.crosswalk.decisions.rows import Signed
from dicomanon.crosswalk.removals.rows import RemovalKind
from dicomanon.crosswalk.roles.role import Role
from dicomanon.pipeline import validate
from dicomanon.pipeline.archives.check import check_archives
from dicomanon.pipeline.removal.steps import carry_out

ADMIN = Signed("admin", "asked the ward")
SECOND = study("second", WITHDRAWING, number=3)


@pytest.fixture(autouse=True)
def quick_verdicts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validate, "run_checkpoint", judge_by_counts)


@pytest.fixture(autouse=True)
def orthanc(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICOMANON_RESEARCH_ORTHANC_URL", site.research.url)


@pytest.fixture
def filled(site: Site) -> Clinic:
    return clinic(site)


def split_off(filled: Clinic) -> str:
    """Give the study of three instances to a new patient; return that one's pseudonym."""
    with filled.site.crosswalk() as crosswalk:
        done = crosswalk.identities.split([str(filled.site.account(GONE).research_study_uid)], ADMIN)
    assert done.reissues == 3
    assert [(one.project, one.number) for one in done.releases] == [("lung-ai", 1)]
    return str(done.survivor)


def reissue(filled: Clinic) -> None:
    """Carry out what is owed."""
    with filled.site.runtime(Role.ADMIN) as runtime:
        (removal,) = runtime.crosswalk.removals.request_owed(ADA, **WHY)
    filled.carry_out(removal)


def test_the_whole_way(filled: Clinic) -> None:
    site = filled.site
    site.ingest(*slices(SECOND, [1]))
    (other,) = set(site.research_objects()) - filled.former - filled.kept
    new = split_off(filled)
    assert new != filled.pseudonym
    reissue(filled)
    assert set(site.research_objects()) == filled.kept | {other}, "nothing else of either patient is touched"
    (told,) = json.loads((filled.folder(1) / "TOMBSTONE.json").read_text())["removals"]
    assert (told["kind"], set(told["SOPInstanceUID"]), told["replaced_by"]) == ("re-issue", filled.former, 2)
    assert not any(uid in (filled.folder(2) / "manifest.csv").read_text() for uid in filled.former)
    assert Run().complete()["unbalanced"] == 0
    objects = site.research_objects()
    made = set(objects) - filled.kept - {other}
    assert len(made) == 3 and not made & filled.former
    assert {str(read(objects[uid]).PatientID) for uid in made} == {new}
    assert str(read(objects[other]).PatientID) == filled.pseudonym
    account = site.account(GONE)
    assert (account.stored, account.pseudonym, account.balanced) == (3, new, True)
    for uid in filled.former:
        trace = site.trace(uid)
        (removed,) = [one for one in trace.removals if one.research_sop_uid == uid]
        assert (removed.kind, removed.pseudonym) == ("re-issue", filled.pseudonym)
        (instance,) = trace.instances()
        assert (instance.state, instance.research_sop_uid in made) == ("stored", True)
    with site.runtime() as runtime:
        assert not {name for name, count in check_archives(runtime).items() if count} - {"studies_looked_at"}


def test_references_of_what_was_split_off_resolve(site: Site) -> None:
    localizer, axial = slices(GONE, [1, 2])
    dataset, referred = read(axial), read(localizer)
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = referred.SOPClassUID, referred.SOPInstanceUID
    dataset.ReferencedImageSequence = [item]
    site.ingest(localizer, encoded(dataset))
    with site.runtime(Role.ADMIN) as runtime:
        runtime.crosswalk.identities.split([str(site.account(GONE).research_study_uid)], ADMIN)
        (removal,) = runtime.crosswalk.removals.request_owed(ADA, **WHY)
    with site.runtime(Role.REMOVAL) as runtime:
        carry_out(runtime, removal.id)
    Run().complete()
    objects = {uid: read(data) for uid, data in site.research_objects().items()}
    (pointing,) = [one for one in objects.values() if "ReferencedImageSequence" in one]
    assert str(pointing.ReferencedImageSequence[0].ReferencedSOPInstanceUID) in objects


def test_given_to_a_patient_who_has_others_all_of_that_patient_is_made_anew(filled: Clinic) -> None:
    site = filled.site
    to = site.account(KEPT).pseudonym
    with site.crosswalk() as crosswalk:
        crosswalk.identities.split([str(site.account(GONE).research_study_uid)], ADMIN, to=str(to))
    reissue(filled)
    assert site.research_objects() == {}
    assert Run().complete()["unbalanced"] == 0
    objects = site.research_objects()
    assert len(objects) == 5 and not set(objects) & (filled.former | filled.kept)
    assert {str(read(data).PatientID) for data in objects.values()} == {to}
    more = slices(KEPT, [3])
    assert site.ingest(*more)["unbalanced"] == 0, "a study goes on growing under its new research UID"
    assert site.account(KEPT).stored == 3


def test_merged_patients_withdraw_as_one_and_neither_comes_back(filled: Clinic) -> None:
    site = filled.site
    with site.crosswalk() as crosswalk:
        crosswalk.identities.merge([filled.pseudonym, str(site.account(KEPT).pseudonym)], ADMIN)
    filled.carry_out(filled.request(RemovalKind.WITHDRAWAL))
    assert site.research_objects() == {}
    balance = site.ingest(*slices(SECOND), *slices(KEPT, [3]))
    assert (balance["stored"], balance["withdrawn"], balance["unbalanced"]) == (0, 3, 0)
    assert site.account(KEPT).withdrawn == 3
    assert site.research_objects() == {}
