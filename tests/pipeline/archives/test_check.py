"""A check of real archives finds what was done to them, says since when, and changes nothing."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.proxy import Proxy, Reply, proxy
from tests.site import Run, Site, ct, encoded, person, read, slices, study

from dicomanon.backup.key import BackupKey
from dicomanon.backup.making import make_backup
from dicomanon.backup.restoring import restore
from dicomanon.crosswalk.archives.causes import Cause, Severity, texts
from dicomanon.crosswalk.removals.rows import RemovalKind, Requester
from dicomanon.crosswalk.roles.role import Role
from dicomanon.errors import Fatal
from dicomanon.local_stack.orthanc import OrthancServer
from dicomanon.pipeline.archives import check as checking
from dicomanon.pipeline.archives import survey
from dicomanon.pipeline.archives.check import check_archives, report, require_nothing_lost
from dicomanon.pipeline.archives.task import reconcile_archives
from dicomanon.pipeline.removal.certificate import certificate_file
from dicomanon.pipeline.removal.steps import carry_out
from dicomanon.settings import Settings

A, B, C = study("a"), study("b", number=2), study("c", person(3), number=3)


def checked(site: Site, **how: Any) -> dict[str, int]:
    """Check, and return what differs now."""
    with site.runtime() as runtime:
        counts = check_archives(runtime, **how)
    return {name: number for name, number in counts.items() if name in {cause.value for cause in Cause}}


def differences(site: Site, *, gone: bool = False) -> list[tuple[str, str, str]]:
    with site.crosswalk() as crosswalk:
        rows = crosswalk.archives.page(None, gone=gone, after=0, limit=1000)
    return [(row.cause.value, row.research_uid, row.detail) for row in rows]


def put(server: OrthancServer, *objects: bytes) -> None:
    with server.session() as opened:
        for data in objects:
            opened.post(f"{server.url}/instances", data=data, timeout=60).raise_for_status()


def take_out(server: OrthancServer, uid: str) -> bytes:
    """Remove the study, series or instance of a UID; return an instance's file."""
    with server.session() as opened:
        (found,) = opened.post(f"{server.url}/tools/lookup", data=uid, timeout=60).json()
        path = f"{server.url}{found['Path']}"
        data = opened.get(f"{path}/file", timeout=60).content
        opened.delete(path, timeout=60).raise_for_status()
    return data


def with_a(site: Site) -> None:
    site.ingest(*slices(A))


def with_a_and_b(site: Site) -> None:
    site.ingest(*slices(A), *slices(B))


def objects_of(site: Site, of: Any) -> dict[str, bytes]:
    """What the research PACS has of a study."""
    uid = research_study(site, of)
    return {sop: data for sop, data in site.research_objects().items() if read(data).StudyInstanceUID == uid}


def research_study(site: Site, of: Any) -> str:
    return str(site.account(of).research_study_uid)


@pytest.fixture
def before_research(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    with proxy(site.research, lambda reply: None) as standing:
        monkeypatch.setenv("DICOMANON_RESEARCH__URL", standing.url)
        yield standing


def test_nothing_differs_after_a_run(site: Site) -> None:
    site.begin(with_a_and_b)
    assert checked(site, digests=10) == {}
    assert site.rows("SELECT count(*) FROM crosswalk.archive_survey") == [(0,)]


def test_what_the_clinical_pacs_has_and_the_ledger_does_not(site: Site) -> None:
    site.begin(with_a)
    site.load(*slices(A, [7]), *slices(B))
    assert checked(site) == {"not-in-ledger": 1, "clinical-count-differs": 1, "instances-not-in-ledger": 1}
    Run().complete()
    assert checked(site) == {}
    assert len(differences(site, gone=True)) == 3


def test_what_is_gone_from_the_clinical_pacs(site: Site) -> None:
    sources = slices(A)
    site.ingest(*sources, *slices(B))
    take_out(site.clinical, str(read(sources[0]).SOPInstanceUID))
    take_out(site.clinical, B.uid)
    found = checked(site)
    assert found.pop("clinical-count-differs") == 1
    assert found == {"gone-from-clinical": 1, "instances-gone-from-clinical": 1}
    assert ("gone-from-clinical", research_study(site, B), "3 instances") in differences(site)
    assert len(site.research_objects()) == 6


def test_what_was_stored_and_is_missing_and_comes_back(site: Site) -> None:
    site.begin(with_a_and_b)
    uid = sorted(objects_of(site, A))[0]
    data = take_out(site.research, uid)
    whole = objects_of(site, B).values()
    take_out(site.research, research_study(site, B))
    assert checked(site) == {"instance-missing": 1, "study-missing": 1}
    assert set(differences(site)) == {
        ("instance-missing", uid, ""),
        ("study-missing", research_study(site, B), "3 instances"),
    }
    put(site.research, data, *whole)
    assert checked(site) == {}


def removed(site: Site, kind: RemovalKind, of: Any) -> Path:
    """Withdraw or re-issue the patient of a study; return the certificate."""
    with site.runtime(Role.ADMIN) as runtime:
        asked = runtime.crosswalk.removals.request_of_patient(
            kind, str(site.account(of).pseudonym), Requester("ada"), reason="asked by letter", ticket="DPO-17"
        )
    with site.runtime(Role.REMOVAL) as runtime:
        carry_out(runtime, asked.id)
        return certificate_file(runtime.settings.certificate_dir, asked)


@pytest.fixture
def orthanc(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICOMANON_RESEARCH_ORTHANC_URL", site.research.url)


@pytest.mark.usefixtures("orthanc")
@pytest.mark.parametrize(
    ("kind", "cause", "number"),
    [(RemovalKind.WITHDRAWAL, "instance-not-removed", 3), (RemovalKind.RE_ISSUE, "study-not-removed", 1)],
)
def test_what_was_removed_is_missed_by_nobody_and_noticed_when_it_is_there_again(
    site: Site, kind: RemovalKind, cause: str, number: int
) -> None:
    site.ingest(*slices(A), *slices(C))
    former = objects_of(site, A)
    removed(site, kind, A)
    Run().complete()
    assert checked(site, digests=20) == {}
    put(site.research, *former.values())
    assert checked(site) == {cause: number}
    named = {uid for _, uid, _ in differences(site)}
    assert named == (set(former) if number > 1 else {str(read(next(iter(former.values()))).StudyInstanceUID)})
    with site.runtime(Role.REMOVAL) as runtime:
        (asked,) = runtime.crosswalk.removals.all()
        carry_out(runtime, asked.id)
    assert checked(site) == {}


def test_the_task_is_red_when_something_is_lost_and_otherwise_as_the_site_asks(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.begin(with_a)
    put(site.research, encoded(ct(B)))
    key = Run().key("check")
    assert reconcile_archives(key, minutes=None, digests=0)["study-unknown"] == 1
    monkeypatch.setenv("DICOMANON_ARCHIVES_RED", "any")
    with pytest.raises(Fatal, match="1 differences need somebody"):
        reconcile_archives(key, minutes=None, digests=0)
    monkeypatch.delenv("DICOMANON_ARCHIVES_RED")
    take_out(site.research, research_study(site, A))
    with pytest.raises(Fatal, match="1 differences need somebody"):
        reconcile_archives(key, minutes=None, digests=0)


def test_strays_are_sealed_and_shown_to_who_says_why(site: Site) -> None:
    stray_study, stray_instance = ct(B), ct(A, 9)
    site.begin(with_a)
    stray_instance.StudyInstanceUID = research_study(site, A)
    put(site.research, encoded(stray_study), encoded(stray_instance))
    found = checked(site)
    # One study under two Patient IDs is two rows of the archive's list.
    assert found.pop("patient-differs") == 1
    assert found == {"study-unknown": 1, "instance-unknown": 1}
    for uid in (str(stray_study.StudyInstanceUID), str(stray_instance.SOPInstanceUID)):
        assert not site.rows("SELECT 1 FROM crosswalk.archive_difference d WHERE d::text LIKE %s", f"%{uid}%")
    with site.crosswalk() as crosswalk:
        (row,) = crosswalk.archives.page(Cause.STUDY_UNKNOWN, gone=False, after=0, limit=9)
        with pytest.raises(Fatal):
            crosswalk.archives.reveal(row.number, actor="tester", reason="")
        shown = crosswalk.archives.reveal(row.number, actor="tester", reason="to remove it")
    assert shown is not None
    assert shown.reveal() == B.uid
    assert site.rows("SELECT actor, action FROM crosswalk.access_event WHERE actor <> 'pipeline'") == [
        ("tester", "archives show")
    ]


def test_another_patient_id_in_the_research_pacs(site: Site) -> None:
    site.begin(with_a)
    objects = site.research_objects()
    take_out(site.research, research_study(site, A))
    for data in objects.values():
        changed = read(data)
        changed.PatientID = "D99999999999"
        put(site.research, encoded(changed))
    assert checked(site) == {"patient-differs": 1}


def test_other_bytes_of_a_stored_instance(site: Site) -> None:
    site.begin(with_a)
    uid = sorted(site.research_objects())[0]
    original = take_out(site.research, uid)
    changed = read(original)
    changed.PixelData = bytes(len(changed.PixelData))
    put(site.research, encoded(changed))
    assert checked(site) == {}
    assert checked(site, digests=200) == {"digest-differs": 1}
    assert ("digest-differs", uid, "") in differences(site)
    take_out(site.research, uid)
    put(site.research, original)
    assert checked(site, digests=1) == {}


def test_what_is_not_settled_for_long_and_what_staging_has_left(site: Site) -> None:
    site.load(*slices(A))
    run = Run()
    (batch,) = run.pulled()
    assert checked(site) == {}
    with site.runtime() as runtime:
        assert runtime.settings.unsettled_hours == 48
    _age(site, hours=49)
    found = checked(site)
    assert found == {"unsettled": 1, "staging-leftover": 1}
    assert ("staging-leftover", "", f"batch {batch['id']}: not settled") in differences(site)
    for step in (run.validate, run.store, run.update):
        step(batch)
    assert checked(site) == {}


def _age(site: Site, *, hours: int) -> None:
    import os

    import psycopg

    with psycopg.connect(site.dsn) as connection:
        connection.execute(f"UPDATE crosswalk.instance SET enrolled_at = enrolled_at - interval '{hours} hours'")
    for folder in site.staging.iterdir():
        os.utime(folder, (time.time() - hours * 3600,) * 2)


def test_a_study_that_cannot_be_listed_hides_no_other_and_makes_nothing_gone(
    site: Site, before_research: Proxy
) -> None:
    site.begin(with_a_and_b)
    take_out(site.research, sorted(site.research_objects())[0])
    assert checked(site) == {"instance-missing": 1}
    (bad,) = [row[1] for row in site.rows(
        "SELECT d.study_id, st.research_study_uid FROM crosswalk.archive_difference d"
        " JOIN crosswalk.study st ON st.id = d.study_id"
    )]  # fmt: skip

    def fail(reply: Reply) -> None:
        if bad in reply.path:
            reply.fail(500)

    before_research.change = fail
    assert checked(site) == {"instance-missing": 1, "not-listed": 1}
    before_research.change = lambda reply: None
    assert checked(site) == {"instance-missing": 1}


def test_a_survey_that_breaks_off_is_said_and_makes_nothing_gone(site: Site, before_research: Proxy) -> None:
    site.begin(with_a)
    put(site.research, encoded(ct(B)))
    assert checked(site) == {"study-unknown": 1}

    def fail(reply: Reply) -> None:
        if "/studies?" in reply.path and "0020000D=" not in reply.path and "StudyInstanceUID=" not in reply.path:
            reply.fail(500)

    before_research.change = fail
    assert checked(site) == {"study-unknown": 1, "survey-incomplete": 1}
    take_out(site.research, B.uid)
    before_research.change = lambda reply: None
    assert checked(site) == {}


def test_looks_go_on_where_the_last_check_stopped(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.ingest(*slices(A), *slices(B), *slices(C))
    monkeypatch.setattr(checking, "_STUDIES_AT_ONCE", 1)
    looked: list[Any] = []
    original = checking.look

    def killed(runtime: Any, one: Any, mapper: Any) -> Any:
        if len(looked) == 2:
            raise KeyboardInterrupt
        looked.append(one.study_id)
        return original(runtime, one, mapper)

    monkeypatch.setattr(checking, "look", killed)
    with pytest.raises(KeyboardInterrupt):
        checked(site)
    first = list(looked)
    looked.clear()
    monkeypatch.setattr(checking, "look", lambda runtime, one, mapper: looked.append(one.study_id))
    checked(site)
    assert sorted(first + looked) == sorted(row[0] for row in site.rows("SELECT id FROM crosswalk.study"))
    assert not set(first) & set(looked)
    assert checked(site, minutes=0) == {}


def test_memory_is_that_of_a_chunk(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """However few studies are taken at once, nothing is missed."""
    site.ingest(*slices(A, [1]), *slices(B, [1]), *slices(C, [1]))
    monkeypatch.setattr(survey, "STUDIES_AT_ONCE", 1)
    monkeypatch.setattr(checking, "_STUDIES_AT_ONCE", 1)
    monkeypatch.setenv("DICOMANON_CLINICAL__PAGE_SIZE", "1")
    monkeypatch.setenv("DICOMANON_RESEARCH__PAGE_SIZE", "1")
    assert checked(site) == {}
    take_out(site.research, research_study(site, B))
    take_out(site.clinical, C.uid)
    assert checked(site) == {"study-missing": 1, "gone-from-clinical": 1}


class TestAfterARestore:
    @pytest.fixture
    def key(self, tmp_path: Path) -> BackupKey:
        return BackupKey.generate(tmp_path / "backup.key")

    def back_to(self, site: Site, backup: Any, key: BackupKey) -> None:
        restore(backup, key, site.dsn, site.keyring, actor="tester", reason="yesterday", set_aside=True)

    def test_what_was_stored_since_is_named_and_the_next_run_settles_it(
        self, site: Site, key: BackupKey, tmp_path: Path
    ) -> None:
        first = [*slices(A, [1, 2])]
        later = [*slices(A, [3]), *slices(B)]
        site.ingest(*first)
        backup = make_backup(site.dsn, tmp_path / "backups", key)
        site.ingest(*later)
        of_a, study_b, digests = objects_of(site, A), research_study(site, B), site.stored_digests()
        pseudonyms = site.rows("SELECT pseudonym, patient_index FROM crosswalk.patient")
        self.back_to(site, backup, key)
        with pytest.raises(Fatal, match="was restored"):
            Run().discover()
        found = checked(site)
        assert found.pop("not-in-ledger") == 1
        assert found.pop("clinical-count-differs") == 1
        assert found.pop("instances-not-in-ledger") == 1
        assert found == {"study-not-recorded": 1, "instance-not-recorded": 1}
        named = {uid for cause, uid, _ in differences(site) if cause.endswith("-not-recorded")}
        assert len(named) == 2
        assert study_b in named
        assert named & of_a.keys()
        Run().complete()
        assert checked(site, digests=50) == {}
        assert site.stored_digests() == digests
        assert site.rows("SELECT pseudonym, patient_index FROM crosswalk.patient") == pseudonyms
        site.assert_settled(*first, *later)

    def test_a_patient_who_was_new_since_stops_every_run_until_somebody_has_decided(
        self, site: Site, key: BackupKey, tmp_path: Path
    ) -> None:
        site.ingest(*slices(A))
        backup = make_backup(site.dsn, tmp_path / "backups", key)
        site.ingest(*slices(C))
        lost = research_study(site, C)
        old = site.rows("SELECT pseudonym FROM crosswalk.patient ORDER BY created_at")[-1][0]
        self.back_to(site, backup, key)
        assert checked(site) == {"not-in-ledger": 1, "pseudonym-unknown": 1}
        assert ("pseudonym-unknown", lost, "") in differences(site)
        for _ in range(2):
            with pytest.raises(Fatal, match="was restored"):
                Run().discover()
            checked(site)
        take_out(site.research, lost)
        assert checked(site) == {"not-in-ledger": 1}
        Run().complete()
        assert checked(site, digests=50) == {}
        site.assert_settled(*slices(A), *slices(C))
        assert old not in {row[0] for row in site.rows("SELECT pseudonym FROM crosswalk.patient")}

    def test_so_does_a_removal_since_until_it_was_done_again(
        self, site: Site, key: BackupKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DICOMANON_RESEARCH_ORTHANC_URL", site.research.url)
        site.ingest(*slices(A), *slices(C))
        backup = make_backup(site.dsn, tmp_path / "backups", key)
        first = removed(site, RemovalKind.WITHDRAWAL, C)
        assert checked(site) == {}
        self.back_to(site, backup, key)
        assert checked(site) == {"removal-unknown": 1, "study-missing": 1}
        assert ("removal-unknown", "", first.name) in differences(site)
        with pytest.raises(Fatal, match="was restored"):
            Run().discover()
        removed(site, RemovalKind.WITHDRAWAL, C)
        first.rename(tmp_path / first.name)
        assert checked(site) == {}
        assert Run().complete()["unbalanced"] == 0
        assert site.account(C).withdrawn == 3

    def test_so_does_one_whose_study_the_clinical_pacs_has_no_more(
        self, site: Site, key: BackupKey, tmp_path: Path
    ) -> None:
        site.ingest(*slices(A))
        backup = make_backup(site.dsn, tmp_path / "backups", key)
        site.ingest(*slices(C))
        lost = research_study(site, C)
        take_out(site.clinical, C.uid)
        self.back_to(site, backup, key)
        assert checked(site) == {"study-unknown": 1}
        with pytest.raises(Fatal, match="was restored"):
            Run().discover()
        take_out(site.research, lost)
        assert checked(site) == {}
        Run().discover()

    def test_a_task_that_is_cleared_after_it_draws_no_pseudonym(
        self, site: Site, key: BackupKey, tmp_path: Path
    ) -> None:
        site.load(*slices(A))
        run = Run()
        run.discover()
        (batch,) = run.plan()
        backup = make_backup(site.dsn, tmp_path / "backups", key)
        run.pull(batch)
        self.back_to(site, backup, key)
        with pytest.raises(Fatal, match="was restored"):
            run.pull(batch)
        assert site.rows("SELECT count(*) FROM crosswalk.patient") == [(0,)]


class TestReport:
    def test_every_cause_has_its_words(self) -> None:
        assert set(texts()) == set(Cause)
        assert all(text.meaning and text.action for text in texts().values())

    def test_the_worst_first(self) -> None:
        lines = report({Cause.NOT_IN_LEDGER: 5, Cause.STUDY_MISSING: 1})
        assert "study-missing (lost)" in lines[0]
        assert "not-in-ledger (passing)" in lines[2]

    def test_what_passes_by_itself_makes_nothing_red(self) -> None:
        counts = {cause.value: 1 for cause, text in texts().items() if text.severity is Severity.PASSING}
        require_nothing_lost(counts, "any")
        with pytest.raises(Fatal):
            require_nothing_lost({"gone-from-clinical": 1}, "any")

    def test_the_setting_has_two_values(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DICOMANON_ARCHIVES_RED", "sometimes")
        with pytest.raises(Fatal, match="DICOMANON_ARCHIVES_RED"):
            Settings.load()
