"""Promise 2: every instance ends in one state, the balance holds, and what is done again changes nothing."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.proxy import Proxy, Reply, proxy
from tests.site import CAST, Ingested, Run, Site, ct, encoded, judge_by_counts, killed_at, read, slices, study

from dicomanon.crosswalk.ledger import Ledger
from dicomanon.crosswalk.mapping import Mapping
from dicomanon.errors import Fatal, Retriable
from dicomanon.local_stack.orthanc import OrthancServer, start_orthanc
from dicomanon.local_stack.ports import free_port
from dicomanon.pacs import store as stow
from dicomanon.pacs.store import ResearchPacs
from dicomanon.pipeline import pull, validate
from dicomanon.pipeline.staging import Staging
from dicomanon.sample.corpus import SampleManifest

A, B = study("a"), study("b", number=2)


def sop_uid(source: bytes) -> str:
    return str(read(source).SOPInstanceUID)


def everything(site: Site) -> list[Any]:
    """Return what the crosswalk holds of instances, verdicts, receipts and identities, times of change included."""
    tables = ("patient", "study", "series", "instance", "verdict", "store_receipt", "identity_event", "batch")
    rows = " UNION ALL ".join(f"SELECT '{table}', t::text FROM crosswalk.{table} t" for table in tables)
    return sorted(site.rows(rows))


@pytest.fixture(autouse=True)
def quick_verdicts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is judged, and how, is not what these tests are about."""
    if "ingested" not in request.fixturenames:
        monkeypatch.setattr(validate, "run_checkpoint", judge_by_counts)


@pytest.fixture
def between(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy in front of the clinical PACS that changes nothing until it is told to."""
    with proxy(site.clinical, lambda reply: None) as standing:
        monkeypatch.setenv("DICOMANON_CLINICAL__URL", standing.url)
        yield standing


@pytest.fixture
def before_research(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy in front of the research PACS that changes nothing until it is told to."""
    with proxy(site.research, lambda reply: None) as standing:
        monkeypatch.setenv("DICOMANON_RESEARCH__URL", standing.url)
        yield standing


def test_the_sample_balances(
    ingested: Ingested, sample_wave_1: tuple[Path, SampleManifest], sample_wave_2: tuple[Path, SampleManifest]
) -> None:
    first, second, third = ingested.balances
    wave_1, wave_2 = sample_wave_1[1], sample_wave_2[1]
    assert (first["clinical"], first["stored"], first["held"]) == (
        wave_1.instances,
        wave_1.expected_stored,
        wave_1.expected_held,
    )
    assert first["unbalanced"] == second["unbalanced"] == third["unbalanced"] == 0
    accounts = ingested.site.accounts()
    for one in wave_2.studies:
        account = accounts[one.study_uid]
        assert account.balanced
        assert (account.observed, account.stored) == (one.instances, one.expected_stored)
        assert sum(account.held.values()) == one.expected_held


def test_late_instances_and_a_resend_leave_what_was_there_untouched(ingested: Ingested) -> None:
    assert ingested.first.items() <= ingested.research.items()
    assert len(ingested.research) > len(ingested.first)


def test_a_run_without_news_changes_no_row(site: Site) -> None:
    sources = [*slices(A), *slices(B)]
    site.ingest(*sources)
    before = everything(site)
    balance = site.ingest(*sources)
    assert balance["studies"] == 0
    assert everything(site) == before
    site.assert_settled(*sources)


def test_every_step_may_be_done_twice(site: Site) -> None:
    sources = slices(A)
    site.load(*sources)
    for step in Run().steps():
        step()
        before = everything(site)
        step()
        assert everything(site) == before
    site.assert_settled(*sources)


def test_late_instances_join_the_study_they_belong_to(site: Site) -> None:
    sources = slices(A, range(1, 6))
    site.ingest(*sources[:3])
    research_study = site.account(A).research_study_uid
    site.ingest(*sources[3:])
    site.assert_settled(*sources)
    assert site.account(A).research_study_uid == research_study
    assert {str(read(data).StudyInstanceUID) for data in site.research_objects().values()} == {research_study}


# Where a process may die: a function, how often it is called first, whether it still does its work; and whether the
# same run is started again then, as a cleared task is, or another one.
SEAMS = [
    (Ledger, "enroll", 2, "before", "same run"),
    (Ledger, "open_batch", 1, "after", "same run"),
    (Staging, "write", 2, "before", "next run"),
    (Mapping, "add_known_values", 1, "after", "same run"),
    (Mapping, "record", 1, "after", "same run"),
    (Mapping, "record", 1, "after", "next run"),
    (Staging, "publish", 2, "before", "same run"),
    (Staging, "publish", 5, "after", "next run"),
    (validate, "run_checkpoint", 1, "after", "same run"),
    (Mapping, "record_verdicts", 1, "after", "next run"),
    (ResearchPacs, "_send", 2, "after", "same run"),
    (ResearchPacs, "stored_instances", 1, "before", "same run"),
    (Mapping, "record_receipts", 1, "after", "next run"),
    (Staging, "clear", 1, "before", "same run"),
]


@pytest.mark.parametrize(
    ("owner", "name", "nth", "when", "then"), SEAMS, ids=[f"{s[3]} {s[1]} {s[2]}, {s[4]}" for s in SEAMS]
)
def test_killed_anywhere_it_ends_as_if_undisturbed(
    site: Site, monkeypatch: pytest.MonkeyPatch, owner: object, name: str, nth: int, when: str, then: str
) -> None:
    monkeypatch.setattr(pull, "ROWS_AT_ONCE", 2)
    monkeypatch.setattr(stow, "MOST_OBJECTS", 2)
    sources = [*slices(A), *slices(B, [1, 2])]
    site.load(*sources)
    run = Run()
    killed_at(owner, name, nth, after=when == "after", work=run.complete)
    (Run(run.name) if then == "same run" else Run()).complete()
    site.assert_settled(*sources)
    assert site.rows("SELECT count(*) FROM crosswalk.instance") == [(len(sources),)]
    before = everything(site)
    Run().complete()
    assert everything(site) == before


def test_what_the_pacs_lists_and_does_not_deliver_is_held(site: Site, between: Proxy) -> None:
    sources = [*slices(A), *slices(B)]
    lost = sources[1]

    def omit(reply: Reply) -> None:
        if reply.is_wado and lost in reply.parts():
            rest = [part for part in reply.parts() if part != lost]
            reply.replace_parts(rest) if rest else reply.fail(404)

    between.change = omit
    site.ingest(*sources)
    states = site.states()
    assert states.pop(sop_uid(lost)) == "held(not-retrieved)"
    assert set(states.values()) == {"stored"}
    site.assert_settled(*[one for one in sources if one != lost])


def test_a_stream_that_breaks_off_is_taken_up_where_it_ended(site: Site, between: Proxy) -> None:
    sources = slices(A, range(1, 8))

    def cut(reply: Reply) -> None:
        if reply.is_wado:
            reply.cut = len(reply.body) // 2

    site.load(*sources)
    run = Run()
    run.discover()
    (batch,) = run.plan()
    between.change = cut
    with pytest.raises(Retriable):
        run.pull(batch)
    done = len(site.staged_files())
    assert 0 < done < len(sources)
    between.change = lambda reply: None
    assert run.pull(batch)["instances"] == len(sources) - done
    run.validate(batch)
    run.store(batch)
    run.update(batch)
    run.reconcile()
    site.assert_settled(*sources)


def test_an_instance_that_goes_away_meanwhile_is_held_and_the_next_run_knows(site: Site) -> None:
    sources = slices(A)
    site.load(*sources)
    run = Run()
    run.discover()
    (batch,) = run.plan()
    site.remove(sop_uid(sources[1]))
    run.pull(batch)
    run.validate(batch)
    run.store(batch)
    run.update(batch)
    with pytest.raises(Fatal):
        run.reconcile()
    assert site.account(A).held == {"not-retrieved": 1}
    Run().complete()
    assert site.account(A).balanced
    assert site.account(A).absent == 1
    site.assert_settled(sources[0], sources[2])


def test_a_study_that_grows_during_a_run_makes_it_red_and_the_next_one_takes_the_rest(site: Site) -> None:
    sources = slices(A, range(1, 5))
    site.load(*sources[:2])
    with pytest.raises(Fatal):
        for number, step in enumerate(Run().steps()):
            step()
            if number == 1:
                site.load(*sources[2:])
    site.assert_settled(*sources[:2])
    assert Run().complete()["unbalanced"] == 0
    site.assert_settled(*sources)


def test_one_study_may_span_several_batches(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICOMANON_BATCH_INSTANCES", "7")
    sources = [*slices(A, range(1, 17)), *slices(A, range(1, 3), series=2), *slices(B, [1, 2])]
    balance = site.ingest(*sources)
    assert (balance["studies"], balance["stored"]) == (2, len(sources))
    sizes = [row[0] for row in site.rows("SELECT instances FROM crosswalk.batch ORDER BY number")]
    assert sum(sizes) == len(sources)
    assert max(sizes) == 7
    site.assert_settled(*sources)


def test_no_study_is_missed_on_a_pacs_that_cuts_its_answers(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    limits = {"LimitFindResults": 3, "LimitFindInstances": 4}
    with start_orthanc(
        tmp_path / "clamping", "clamping", free_port(), None, "u", secrets.token_hex(8), limits, detach=False
    ) as clamping:
        for name, value in replace(site, clinical=clamping).environment().items():
            monkeypatch.setenv(name, value)
        days = [A.day.replace(day=day) for day in range(1, 9)]
        sources = [one for day in days for one in slices(study(f"clamp {day}", day=day), [1])]
        sources += slices(study("large", day=A.day.replace(month=7)), range(1, 8))
        balance = replace(site, clinical=clamping).ingest(*sources)
    assert (balance["studies"], balance["stored"]) == (9, len(sources))
    site.assert_settled(*sources)


def test_a_refused_object_is_held_and_stops_no_other(site: Site, before_research: Proxy) -> None:
    sources = slices(A)
    refused = next(iter(site.expected(sources[1])))

    def refuse(reply: Reply) -> None:
        if reply.method == "POST" and refused.encode() in reply.body:
            reply.status = 202
            reply.body = (
                b'{"00081198": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["%s"]},'
                b' "00081197": {"vr": "US", "Value": [49152]}}]}, "00081199": {"vr": "SQ", "Value": [%s]}}'
            ) % (
                refused.encode(),
                b",".join(
                    b'{"00081155": {"vr": "UI", "Value": ["%s"]}}' % uid.encode()
                    for uid in site.expected(sources[0], sources[2])
                ),
            )
            remove_from(site.research, refused)

    before_research.change = refuse
    site.ingest(*sources)
    states = site.states()
    assert states.pop(sop_uid(sources[1])) == "held(store-refused)"
    assert set(states.values()) == {"stored"}
    site.assert_settled(sources[0], sources[2])


def test_what_was_accepted_and_is_not_shown_is_sent_again(site: Site, before_research: Proxy) -> None:
    sources = slices(A)
    lost = next(iter(site.expected(sources[1])))

    def lose(reply: Reply) -> None:
        if reply.method == "POST":
            remove_from(site.research, lost)
            before_research.change = lambda reply: None

    before_research.change = lose
    site.load(*sources)
    run = Run()
    (batch,) = run.pulled()
    run.validate(batch)
    with pytest.raises(Retriable):
        run.store(batch)
    assert sorted(site.states().values()) == ["stored", "stored", "validated"]
    assert run.store(batch)["stored"] == 1
    run.update(batch)
    run.reconcile()
    site.assert_settled(*sources)


@pytest.mark.parametrize("pacs", ["clinical", "research"])
def test_a_pacs_that_is_down_loses_nothing(site: Site, monkeypatch: pytest.MonkeyPatch, pacs: str) -> None:
    sources = slices(A)
    site.load(*sources)
    run = Run()
    run.discover()
    (batch,) = run.plan()
    if pacs == "research":
        run.pull(batch)
        run.validate(batch)
    step = run.pull if pacs == "clinical" else run.store
    with monkeypatch.context() as patched:
        patched.setenv(f"DICOMANON_{pacs.upper()}__URL", f"http://127.0.0.1:{free_port()}/dicom-web")
        with pytest.raises(Retriable):
            step(batch)
    assert "held" not in "".join(site.states().values())
    for later in (run.pull, run.validate, run.store, run.update):
        later(batch)
    run.reconcile()
    site.assert_settled(*sources)


def test_an_object_that_vanishes_from_the_research_pacs_makes_a_run_red(site: Site) -> None:
    sources = slices(A, range(1, 5))
    site.ingest(*sources[:3])
    remove_from(site.research, next(iter(site.research_objects())))
    with pytest.raises(Fatal):
        site.ingest(sources[3])


def test_a_later_run_takes_over_and_the_earlier_one_does_no_harm(site: Site) -> None:
    sources = slices(A)
    site.load(*sources)
    earlier, later = Run(), Run()
    (old,) = earlier.pulled()
    (new,) = later.pulled()
    for step in (earlier.pull, earlier.validate, earlier.store, earlier.update):
        step(old)
    for step in (later.validate, later.store, later.update):
        step(new)
    later.reconcile()
    site.assert_settled(*sources)


def test_an_instance_that_the_pacs_cannot_deliver_stops_no_other(site: Site, between: Proxy) -> None:
    sources = [*slices(A), *slices(B)]

    def fail(reply: Reply) -> None:
        if reply.is_wado and sources[1] in reply.parts():
            reply.fail(500)

    between.change = fail
    site.ingest(*sources)
    assert site.states()[sop_uid(sources[1])] == "held(not-retrieved)"
    site.assert_settled(sources[0], *sources[2:])


def test_a_study_that_the_pacs_cannot_list_stops_no_other_and_is_not_forgotten(site: Site, between: Proxy) -> None:
    bad, good = slices(A), slices(B)
    uid = str(read(bad[0]).StudyInstanceUID)

    def fail(reply: Reply) -> None:
        if f"/studies/{uid}/" in reply.path:
            reply.fail(500)

    between.change = fail
    site.load(*bad, *good)
    with pytest.raises(Fatal, match="1 studies could not be listed"):
        Run().complete()
    site.assert_settled(*good)
    between.change = lambda reply: None
    Run().complete()
    site.assert_settled(*bad, *good)


def test_an_instance_is_asked_for_again_before_it_is_held(site: Site, between: Proxy) -> None:
    sources = slices(A)

    def fail(reply: Reply) -> None:
        if reply.is_wado and sources[1] in reply.parts():
            reply.fail(500)

    site.load(*sources)
    run = Run()
    run.discover()
    (batch,) = run.plan()
    between.change = fail
    with pytest.raises(Retriable, match="does not deliver 1 instances"):
        run.pull(batch, last_try=False)
    between.change = lambda reply: None
    run.pull(batch)
    for step in (run.validate, run.store, run.update):
        step(batch)
    site.assert_settled(*sources)


def test_one_uid_in_two_studies_is_stored_once(site: Site) -> None:
    twin = ct(B, 2)
    twin.SOPInstanceUID = twin.file_meta.MediaStorageSOPInstanceUID = ct(A, 1).SOPInstanceUID
    others = [*slices(A), *slices(B, [1])]
    site.ingest(*others)
    site.ingest(encoded(twin))
    assert site.account(B).held == {"uid-reused": 1}
    site.assert_settled(*others)


def test_an_instance_of_another_patient_id_that_comes_late_is_not_lost(site: Site) -> None:
    late = ct(A, 9)
    late.PatientID = CAST.patients[0].patient_id
    site.ingest(*slices(A))
    site.ingest(encoded(late))
    assert site.states().get(str(late.SOPInstanceUID)) == "held(identity-conflict)"
    site.assert_settled(*slices(A))


def test_a_study_whose_uid_is_none_stops_no_other(site: Site) -> None:
    odd = ct(B)
    odd.StudyInstanceUID = "1.2.3/4 ?5"
    site.load(encoded(odd), *slices(A))
    run = Run()
    assert run.discover()["not_listed"] == 1
    with pytest.raises(Fatal, match="1 studies could not be listed"):
        run.complete()
    site.assert_settled(*slices(A))


def remove_from(server: OrthancServer, uid: str) -> None:
    with server.session() as session:
        for found in session.post(f"{server.url}/tools/lookup", data=uid, timeout=60).json():
            session.delete(f"{server.url}/instances/{found['ID']}", timeout=60).raise_for_status()
