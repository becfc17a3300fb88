"""What is withdrawn, recalled or re-issued leaves for good: the PACS, releases and requests, whatever breaks off."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from threading import Thread

import pytest
from pydicom.dataset import Dataset
from tests.mail import mail_desk
from tests.promises.removing import ADA, GONE, KEPT, STAYING, WHY, WITHDRAWING, Clinic, clinic, release
from tests.site import Run, Site, encoded, judge_by_counts, killed_at, read, slices, study

from dicomanon.cohort import tombstone
from dicomanon.crosswalk import verdicts
from dicomanon.crosswalk.decisions.rows import Signed
from dicomanon.crosswalk.removals.removals import Removals
from dicomanon.crosswalk.removals.rows import Removal, RemovalKind, Step
from dicomanon.crosswalk.roles.role import Role
from dicomanon.errors import Fatal, Retriable
from dicomanon.notices import FolderNotifier
from dicomanon.pacs.removal import OrthancRemover
from dicomanon.pacs.store import ResearchPacs, StoreObject, StoreResult
from dicomanon.pipeline import pull, validate
from dicomanon.pipeline.outline import outline
from dicomanon.pipeline.removal import certificate, steps
from dicomanon.pipeline.removal.certificate import certificate_file, verify_certificate
from dicomanon.sample.headers import Study
from dicomanon.sample.leaks import LeakScanner
from dicomanon.signing import SigningKey


@pytest.fixture(autouse=True)
def quick_verdicts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is judged, and how, is not what these tests are about."""
    monkeypatch.setattr(validate, "run_checkpoint", judge_by_counts)


@pytest.fixture(autouse=True)
def orthanc(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICOMANON_RESEARCH_ORTHANC_URL", site.research.url)


@pytest.fixture
def filled(site: Site) -> Clinic:
    return clinic(site)


def assert_withdrawn(filled: Clinic) -> None:
    """Check all that a withdrawal promises."""
    site = filled.site
    assert set(site.research_objects()) == filled.kept
    account = site.account(GONE)
    assert (account.stored, account.withdrawn, account.balanced) == (0, 3, True)
    assert site.account(KEPT).stored == 2
    manifest = (filled.folder(2) / "manifest.csv").read_text()
    assert all(uid in manifest for uid in filled.kept)
    assert not any(uid in manifest for uid in filled.former)
    (told,) = json.loads((filled.folder(1) / "TOMBSTONE.json").read_text())["removals"]
    assert (set(told["SOPInstanceUID"]), told["replaced_by"]) == (filled.former, 2)
    assert len(list((filled.release_dir / ".notices").glob("*.eml"))) == 1
    assert len(list((filled.release_dir / ".certificates").glob("*.json"))) == 1
    granted = {row[0] for row in site.rows("SELECT research_sop_uid FROM crosswalk.granted_instance")}
    assert granted == filled.kept


def test_a_withdrawal_leaves_nothing_of_the_patient(filled: Clinic) -> None:
    before = {path.name: path.read_bytes() for path in filled.folder(1).iterdir()}
    done = filled.carry_out(filled.request())
    assert done[Step.MARKED] == {"instances": 3, "objects": 3, "releases": 1, "new_releases": 1}
    assert_withdrawn(filled)
    assert {name: (filled.folder(1) / name).read_bytes() for name in before} == before
    document = json.loads((filled.folder(2) / "release.json").read_text())
    assert (document["replaces"]["number"], document["replaces"]["removed_instances"]) == (1, 3)


def test_done_again_it_changes_nothing(filled: Clinic) -> None:
    removal = filled.request()
    first = filled.carry_out(removal)
    tables = ("former_object", "removal_receipt", "tombstone", "removal_notice", "removal_step", "instance", "release")
    query = " UNION ALL ".join(f"SELECT '{table}', t::text FROM crosswalk.{table} t" for table in tables)
    before = sorted(filled.site.rows(query))
    assert filled.carry_out(filled.request()) == first
    assert sorted(filled.site.rows(query)) == before


@dataclass
class Break:
    owner: object
    name: str
    nth: int
    after: bool


BREAKS = [
    Break(steps, "mark_if_ended", 1, after=False),
    Break(tombstone, "write_tombstone", 1, after=True),
    Break(steps, "write_next_version", 1, after=False),
    Break(steps, "write_next_version", 1, after=True),
    Break(FolderNotifier, "send", 1, after=True),
    Break(Removals, "record_notice", 1, after=True),
    Break(Removals, "wait_for_stores", 1, after=True),
    Break(OrthancRemover, "remove", 1, after=False),
    Break(OrthancRemover, "remove", 1, after=True),
    Break(Removals, "record_receipts", 1, after=True),
    Break(certificate, "sign_statement", 1, after=True),
    Break(Removals, "record_step", 4, after=True),
]


@pytest.mark.parametrize("at", BREAKS, ids=[f"{'after' if b.after else 'before'} {b.name}" for b in BREAKS])
def test_killed_anywhere_it_is_finished_by_the_next_try(filled: Clinic, at: Break) -> None:
    removal = filled.request()
    killed_at(at.owner, at.name, at.nth, after=at.after, work=lambda: filled.carry_out(removal))
    filled.carry_out(removal)
    assert_withdrawn(filled)


def test_who_has_withdrawn_does_not_come_back(filled: Clinic) -> None:
    filled.carry_out(filled.request())
    late, new = slices(GONE, [4, 5]), slices(study("later", WITHDRAWING, number=3))
    balance = filled.site.ingest(*late, *new)
    assert (balance["stored"], balance["unbalanced"]) == (0, 0)
    assert set(filled.site.research_objects()) == filled.kept
    assert filled.site.account(GONE).withdrawn == 5, "late instances of a known study are not even pulled"
    assert filled.site.account(study("later", WITHDRAWING, number=3)).withdrawn == 3
    assert filled.site.staged_files() == []
    run = Run()
    run.discover()
    assert run.plan() == [], "nothing of the patient is planned again"


def test_nothing_is_learned_of_who_has_withdrawn(filled: Clinic) -> None:
    filled.carry_out(filled.request())
    filled.site.ingest(*slices(study("later", WITHDRAWING, number=3)))
    (row,) = filled.site.rows(
        "SELECT st.research_study_uid, (SELECT count(*) FROM crosswalk.study_known_values k WHERE k.study_id = st.id),"
        " (SELECT count(*) FROM crosswalk.study_accession a WHERE a.study_id = st.id)"
        " FROM crosswalk.study st ORDER BY first_observed_at DESC LIMIT 1"
    )
    assert row == (None, 0, 0)


def test_requests_cannot_tell_who_has_withdrawn_from_who_never_was(filled: Clinic) -> None:
    with filled.site.crosswalk() as crosswalk:
        source = read(filled.sources[0])
        patient = [(str(source.IssuerOfPatientID), str(source.PatientID))]
        accession = [str(source.AccessionNumber)]
        assert list(crosswalk.mapping.studies_for_cohort(patient))
        filled.carry_out(filled.request())
        for criteria in ((patient, None), (None, accession), (patient, accession)):
            assert list(crosswalk.mapping.studies_for_cohort(*criteria)) == []
        assert {one.pseudonym for one in crosswalk.mapping.studies_for_cohort()} == {
            filled.site.account(KEPT).pseudonym
        }


def withdraw(site: Site, of: Study, kind: RemovalKind = RemovalKind.WITHDRAWAL) -> Removal:
    """Mark the withdrawal, or the re-issue, of a study's patient."""
    with site.crosswalk() as crosswalk:
        pseudonym = str(site.account(of).pseudonym)
        removal = crosswalk.removals.request_of_patient(kind, pseudonym, ADA, **WHY)
        crosswalk.removals.mark(removal)
    return removal


@pytest.mark.parametrize("done", ["discovered", "pulled", "validated"])
def test_what_is_at_work_when_the_mark_is_set_ends_withdrawn(site: Site, done: str) -> None:
    first = study("first", WITHDRAWING, number=2)
    site.ingest(*slices(first))
    site.load(*slices(GONE))
    run = Run()
    run.discover()
    (batch,) = run.plan()
    for name, work in (("pulled", run.pull), ("validated", run.validate)):
        if done in {name, "validated"}:
            work(batch)
    removal = withdraw(site, first)
    for step in (run.pull, run.validate, run.store):
        step(batch)
    assert run.update(batch)["withdrawn"] == 3
    assert len(site.research_objects()) == 3, "of the first study, until the next step"
    with site.runtime(Role.REMOVAL) as runtime:
        steps.carry_out(runtime, removal.id)
    assert site.research_objects() == {}
    assert run.reconcile()["unbalanced"] == 0
    assert site.staged_files() == []


def test_what_was_sent_and_given_to_another_patient_before_it_was_confirmed_is_removed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.load(*slices(GONE))
    run = Run()
    (batch,) = run.pulled()
    run.validate(batch)

    def killed(*_: object) -> None:
        raise Retriable("killed")

    with monkeypatch.context() as breaking, pytest.raises(Retriable, match="killed"):
        breaking.setattr(verdicts, "record_receipts", killed)
        run.store(batch)
    assert len(site.research_objects()) == 3
    with site.crosswalk() as crosswalk:
        uid = str(site.account(GONE).research_study_uid)
        done = crosswalk.identities.split([uid], Signed("admin", "asked the ward"))
        removal = crosswalk.removals.request_of_patient(RemovalKind.WITHDRAWAL, str(done.survivor), ADA, **WHY)
    with site.runtime(Role.REMOVAL) as runtime:
        steps.carry_out(runtime, removal.id)
    assert site.research_objects() == {}
    file = certificate_file(site.folder / "releases" / ".certificates", removal)
    said = verify_certificate(file, SigningKey.load(site.folder / "audit_key.pem").public)
    assert len(said["objects"]) == 3


@pytest.mark.parametrize("kind", [RemovalKind.WITHDRAWAL, RemovalKind.RE_ISSUE])
def test_what_is_being_sent_when_the_mark_is_set_is_waited_for(
    site: Site, monkeypatch: pytest.MonkeyPatch, kind: RemovalKind
) -> None:
    site.load(*slices(GONE))
    run = Run()
    (batch,) = run.pulled()
    run.validate(batch)
    original = ResearchPacs.store
    at_work: list[Thread] = []

    def marked_meanwhile(pacs: ResearchPacs, objects: Iterable[StoreObject]) -> Iterator[StoreResult]:
        removal = withdraw(site, GONE, kind)

        def carry_out() -> None:
            with site.runtime(Role.REMOVAL) as runtime:
                steps.carry_out(runtime, removal.id)

        at_work.append(Thread(target=carry_out))
        at_work[0].start()
        at_work[0].join(2)
        assert at_work[0].is_alive(), "it must not look before everything is sent"
        yield from original(pacs, objects)

    monkeypatch.setattr(ResearchPacs, "store", marked_meanwhile)
    if kind is RemovalKind.WITHDRAWAL:
        with pytest.raises(Fatal, match="3 instances that were not validated"):
            run.store(batch)
    else:
        run.store(batch)
    at_work[0].join(60)
    assert not at_work[0].is_alive()
    assert site.research_objects() == {}
    account = site.account(GONE)
    assert (account.withdrawn, account.pending) == ((3, 0) if kind is RemovalKind.WITHDRAWAL else (0, 3))


def test_a_worker_that_knew_the_patient_before_stores_nothing_of_him(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.ingest(*slices(study("first", WITHDRAWING)))
    site.load(*slices(GONE))
    run = Run()
    run.discover()
    (batch,) = run.plan()
    original = pull._Desk._commit

    def withdrawn_meanwhile(desk: pull._Desk) -> None:
        withdraw(site, study("first", WITHDRAWING))
        original(desk)

    monkeypatch.setattr(pull._Desk, "_commit", withdrawn_meanwhile)
    run.pull(batch)
    run.validate(batch)
    assert run.store(batch)["stored"] == 0
    assert run.update(batch)["withdrawn"] == 3
    assert site.account(GONE).withdrawn == 3


def test_a_removed_uid_still_tells_what_it_was_and_why_it_went(filled: Clinic) -> None:
    uid = sorted(filled.former)[0]
    before = filled.site.trace(uid).instances()[0]
    removal = filled.request()
    filled.carry_out(removal)
    (told,) = filled.site.trace(uid).removals
    assert (told.kind, told.ticket, told.removal_id, told.pseudonym) == (
        "withdrawal",
        "DPO-17",
        removal.id,
        filled.pseudonym,
    )
    assert (told.output_digest, told.profile_version) == (before.output_digest, before.profile_version)
    assert told.gone_at is not None and told.gone_at > told.marked_at
    assert len(filled.site.trace(told.research_study_uid).removals) == 3
    assert f"  removed {uid} of {filled.pseudonym}: withdrawal {removal.id}, ticket DPO-17" in list(
        outline(filled.site.trace(uid))
    )


def test_holders_are_told_by_e_mail_and_once(filled: Clinic, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    contacts = tmp_path / "contacts.json"
    contacts.write_text(json.dumps({"projects": {"lung-ai": ["pi@example.org"]}}))
    monkeypatch.setenv("DICOMANON_NOTICE_CONTACTS", str(contacts))
    removal = filled.request()
    with mail_desk() as desk:
        for name, value in {"HOST": "127.0.0.1", "PORT": desk.port, "SENDER": "dpo@example.org", "STARTTLS": 0}.items():
            monkeypatch.setenv(f"DICOMANON_SMTP__{name}", str(value))
        desk.answer = 450
        with pytest.raises(Retriable):
            filled.carry_out(removal)
        assert set(filled.site.research_objects()) == filled.kept, "nothing waits for an e-mail server"
        desk.answer = 250
        for _ in range(2):
            filled.carry_out(removal)
        (message,) = (message_from_bytes(taken, policy=default) for taken in desk.taken)
    assert message["To"] == "pi@example.org"
    (attached,) = message.iter_attachments()
    assert set(attached.get_content().split()) == filled.former | {"SOPInstanceUID"}
    text = message.get_body().get_content()
    assert "3 of its 5 objects" in text and "Go on with release lung-ai/0002" in text
    assert not LeakScanner([str(read(filled.sources[0]).PatientID), "asked by letter"]).scan_text(str(message))


def test_the_certificate_verifies_and_a_changed_one_does_not(filled: Clinic) -> None:
    removal = filled.request()
    filled.carry_out(removal)
    file = certificate_file(filled.release_dir / ".certificates", removal)
    key = SigningKey.load(filled.site.folder / "audit_key.pem").public
    said = verify_certificate(file, key)
    assert {one["SOPInstanceUID"] for one in said["objects"]} == filled.former
    assert said["releases"][0]["told"][0]["means"] == "folder"
    assert "asked by letter" not in file.read_text() and "asked by letter" not in json.dumps(said)
    envelope = json.loads(file.read_text())
    for changed in (
        envelope | {"payload": envelope["payload"][:-8] + "AAAA" + envelope["payload"][-4:]},
        envelope | {"payloadType": "text/plain"},
        envelope | {"signatures": []},
    ):
        file.chmod(0o600)
        file.write_text(json.dumps(changed))
        with pytest.raises(Fatal):
            verify_certificate(file, key)


def test_where_the_pacs_deletes_nothing_a_person_does_and_is_not_believed(
    filled: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DICOMANON_RESEARCH_ORTHANC_URL")
    removal = filled.request()
    with pytest.raises(Fatal, match=r"3 objects are to be removed .* by hand"):
        filled.carry_out(removal)
    assert json.loads((filled.folder(1) / "TOMBSTONE.json").read_text()), "holders do not wait for that"
    with filled.site.crosswalk() as crosswalk:
        left = crosswalk.removals.objects(removal, left=True)
        assert {one.research_sop_uid for one in left} == filled.former
    with filled.site.runtime() as runtime:
        OrthancRemover(runtime.settings.research, filled.site.research.url).remove(sorted(filled.former))
    filled.carry_out(removal)
    assert_withdrawn(filled)


def test_a_recall_takes_objects_out_of_every_release_that_has_them(filled: Clinic) -> None:
    leak = sorted(filled.former)[0]
    release(filled.site, {leak}, project="other")
    filled.carry_out(filled.recall(leak))
    assert set(filled.site.research_objects()) == (filled.former | filled.kept) - {leak}
    (instance,) = filled.site.trace(leak).instances()
    assert (instance.state, instance.reason) == ("held", "recalled")
    assert filled.site.account(GONE).balanced
    assert (filled.folder(2) / "release.json").is_file()
    other = filled.release_dir / "other"
    assert (other / "0001" / "TOMBSTONE.json").is_file()
    assert not (other / "0002").exists(), "nothing is left of it"
    assert leak not in (filled.folder(2) / "manifest.csv").read_text()


def test_a_second_removal_ends_the_version_that_replaced_the_first(filled: Clinic) -> None:
    filled.carry_out(filled.recall(*filled.kept))
    filled.carry_out(filled.request())
    assert filled.site.research_objects() == {}
    (only,) = json.loads((filled.folder(2) / "TOMBSTONE.json").read_text())["removals"]
    assert (set(only["SOPInstanceUID"]), only["replaced_by"]) == (filled.former, None)
    both = json.loads((filled.folder(1) / "TOMBSTONE.json").read_text())["removals"]
    assert [one["kind"] for one in both] == ["recall", "withdrawal"]
    assert not filled.folder(3).exists()


def test_a_reissue_makes_everything_anew_under_uids_that_never_were(filled: Clinic) -> None:
    filled.carry_out(filled.request(RemovalKind.RE_ISSUE))
    assert set(filled.site.research_objects()) == filled.kept
    assert Run().complete()["unbalanced"] == 0
    objects = filled.site.research_objects()
    made = set(objects) - filled.kept
    assert len(made) == 3 and not made & filled.former
    assert {str(read(objects[uid]).PatientID) for uid in made} == {filled.pseudonym}
    for uid in made:
        dataset = read(objects[uid])
        assert str(dataset.StudyInstanceUID) == filled.site.account(GONE).research_study_uid
        (instance,) = filled.site.trace(uid).instances()
        assert instance.state == "stored"
        assert filled.site.trace(filled.site.trace(uid).removals[0].research_sop_uid).instances() == (instance,)


def test_references_between_reissued_objects_resolve(site: Site) -> None:
    localizer, axial = slices(GONE, [1, 2])
    dataset = read(axial)
    referred = read(localizer)
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = referred.SOPClassUID, referred.SOPInstanceUID
    dataset.ReferencedImageSequence = [item]
    sources = [localizer, encoded(dataset)]
    site.ingest(*sources)
    pseudonym = str(site.account(GONE).pseudonym)
    with site.runtime(Role.ADMIN) as runtime:
        removal = runtime.crosswalk.removals.request_of_patient(RemovalKind.RE_ISSUE, pseudonym, ADA, **WHY)
    with site.runtime(Role.REMOVAL) as runtime:
        steps.carry_out(runtime, removal.id)
    Run().complete()
    objects = {uid: read(data) for uid, data in site.research_objects().items()}
    (pointing,) = [one for one in objects.values() if "ReferencedImageSequence" in one]
    assert str(pointing.ReferencedImageSequence[0].ReferencedSOPInstanceUID) in objects


def test_a_patient_who_stays_is_untouched(filled: Clinic) -> None:
    before = {uid: data for uid, data in filled.site.research_objects().items() if uid in filled.kept}
    filled.carry_out(filled.request())
    assert filled.site.research_objects() == before
    filled.site.ingest(*slices(study("more", STAYING, number=3)))
    assert filled.site.account(study("more", STAYING, number=3)).stored == 3


def _mark(filled: Clinic) -> Callable[[], object]:
    removal = filled.request()

    def work() -> object:
        with filled.site.crosswalk() as crosswalk:
            return crosswalk.removals.mark(removal, approvals=2)

    return work


def test_one_person_is_not_enough_where_two_are_asked_for(filled: Clinic) -> None:
    mark = _mark(filled)
    with pytest.raises(Fatal, match="1 more must stand for this removal"):
        mark()
    assert filled.site.account(GONE).stored == 3
    with filled.site.crosswalk() as crosswalk:
        removal = crosswalk.removals.find(filled.request().id)
        with pytest.raises(Fatal, match="nobody approves what they requested"):
            crosswalk.removals.approve(removal, "Ada", "sure")
        crosswalk.removals.approve(removal, "bob", "seen the letter")
    mark()
    assert filled.site.account(GONE).withdrawn == 3
