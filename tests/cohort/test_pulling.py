"""What is missing is pulled by ingest's own steps, and what the requester sees tells no absence from another."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from tests.cohort.conftest import declare
from tests.site import DAY, Run, Site, ct, judge_by_counts, person, slices, study

from dicomanon.cohort.approval import WAITS, weigh
from dicomanon.cohort.criteria import CohortCriteria
from dicomanon.cohort.extract import CohortRequest, extract
from dicomanon.cohort.parameters import COHORT_DAG_ID
from dicomanon.cohort.pulling import is_over, request_missing, wanted
from dicomanon.cohort.sealing import seal_conf
from dicomanon.crosswalk.audit.trail import Wanted as Entries
from dicomanon.crosswalk.projects.rows import ApprovalFor
from dicomanon.crosswalk.removals.rows import RemovalKind, Requester
from dicomanon.crosswalk.roles.role import Role
from dicomanon.errors import Fatal
from dicomanon.pacs.wanted import ALWAYS, Wanted
from dicomanon.pacs.windows import DateWindow
from dicomanon.pipeline import ingest, validate
from dicomanon.pipeline.runtime import Runtime

ASKED, OTHER = person(1), person(2)
TOLD = ("patients", "pull_identifiers", "pull_studies_arrived", "pull_studies_not_yet")


def named(**criteria: Any) -> Wanted:
    return wanted(CohortCriteria.read({"project": "P", "pull_missing": True, **criteria}), "HOME")


class TestWanted:
    def test_people_at_any_time_or_within_the_study_dates(self) -> None:
        assert named(patient_ids=["1", "2^^^AWAY"]) == Wanted({("HOME", "1"): (ALWAYS,), ("AWAY", "2"): (ALWAYS,)})
        days = DateWindow(date(2020, 1, 1), date.max)
        assert named(patient_ids=["1"], study_date_from="2020-01-01").window == days

    def test_people_around_each_of_their_dates(self) -> None:
        asked = named(index_dates=["1, 2020-01-31", "1, 2021-01-31", "2, 0001-01-02"], days_before=30, days_after=1)
        assert asked.people == {
            ("HOME", "1"): (
                DateWindow(date(2020, 1, 1), date(2020, 2, 1)), DateWindow(date(2021, 1, 1), date(2021, 2, 1))
            ),
            ("HOME", "2"): (DateWindow(date.min, date(1, 1, 3)),),
        }  # fmt: skip

    def test_what_is_asked_of_one_person_has_to_hold_together(self) -> None:
        dates = {"index_dates": ["1, 2020-01-31"], "days_after": 0}
        assert named(patient_ids=["2", "1"], **dates) == named(**dates)
        assert named(patient_ids=["2"], accession_numbers=["A"], **dates).people == {}

    def test_accession_numbers_of_anybody_and_what_is_left_out(self) -> None:
        left_out = {"exclude_patient_ids": ["3"], "exclude_accession_numbers": ["B"]}
        assert named(accession_numbers=["A"], **left_out) == Wanted(
            None, frozenset({"A"}), not_people=frozenset({("HOME", "3")}), not_accession_numbers=frozenset({"B"})
        )


@pytest.fixture
def hospital(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Two people whose studies are older than ingest looks back, so that nothing but a pull finds them."""
    monkeypatch.setattr(validate, "run_checkpoint", judge_by_counts)
    monkeypatch.setenv("DICOMANON_DISCOVER_DAYS", "30")
    site.load(*slices(study("asked", ASKED)), *slices(study("other", OTHER, number=2), [1]))
    with site.crosswalk() as crosswalk:
        declare(crosswalk)
    return site


@contextmanager
def at_work(site: Site) -> Iterator[Runtime]:
    with site.runtime(Role.COHORT) as runtime:
        yield runtime


def request(site: Site, run_id: str = "manual__1", **conf: Any) -> CohortRequest:
    conf = {"project": "P", "patient_ids": [ASKED.patient_id], "pull_missing": True, **conf}
    return CohortRequest(
        COHORT_DAG_ID, run_id, "researcher", seal_conf(site.keyring.request_public_key, COHORT_DAG_ID, conf)
    )


def known(site: Site) -> int:
    return int(site.rows("SELECT count(*) FROM crosswalk.study")[0][0])


def carried_out(site: Site, asked: CohortRequest) -> dict[str, int | None]:
    """Ask, wait for the runs of ingest that it takes, and release; the requester sees each of these steps end."""
    with at_work(site) as runtime:
        request_missing(runtime, asked)
        assert not is_over(runtime, asked)
        Run().complete()
        assert is_over(runtime, asked)
        return extract(runtime, asked)


def test_what_is_asked_for_comes_and_nothing_else(hospital: Site) -> None:
    assert Run().complete()
    assert known(hospital) == 0
    told = carried_out(hospital, request(hospital, patient_ids=[ASKED.patient_id, "nobody"]))
    assert [told[name] for name in TOLD] == [1, 2, None, None]
    assert (told["instances"], told["unmatched_patient_ids"]) == (3, 1)
    assert known(hospital) == 1
    hospital.assert_settled(*slices(study("asked", ASKED)))


def test_by_accession_number_or_around_a_date(hospital: Site) -> None:
    number = str(ct(study("asked", ASKED)).AccessionNumber)
    assert carried_out(hospital, request(hospital, patient_ids=None, accession_numbers=[number]))["patients"] == 1
    dates = [f"{OTHER.patient_id}, {DAY}", f"{ASKED.patient_id}, {DAY - timedelta(days=9)}"]
    around = request(hospital, "manual__2", patient_ids=None, index_dates=dates, days_before=1)
    assert carried_out(hospital, around)["patients"] == 1
    assert known(hospital) == 2


def test_a_study_is_taken_up_when_it_is_quiet_and_waited_for_until_then(
    hospital: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DICOMANON_QUIET_MINUTES", "1")
    asked = request(hospital)
    with at_work(hospital) as runtime:
        request_missing(runtime, asked)
        run = Run()
        found = ingest.discover(run.key("discover"), None, None, None)
        assert (found["studies_awaited"], found["enrolled_studies"]) == (1, 0)
        assert run.plan() == []
        run.reconcile()
        assert not is_over(runtime, asked)
        Run().complete()
        assert is_over(runtime, asked)
        assert extract(runtime, asked)["patients"] == 1


def test_without_being_asked_or_for_a_dry_run_nothing_is_pulled(hospital: Site) -> None:
    with at_work(hospital) as runtime:
        for number, conf in enumerate([{"pull_missing": False}, {"dry_run": True}]):
            asked = request(hospital, f"manual__{number}", **conf)
            assert request_missing(runtime, asked) == {"entries": 0}
            assert is_over(runtime, asked)
    Run().complete()
    assert known(hospital) == 0


def test_who_has_withdrawn_cannot_be_told_from_who_never_was_there(hospital: Site) -> None:
    hospital.load(*slices(study("gone", person(3), number=3), [1]))
    carried_out(hospital, request(hospital, "manual__0", patient_ids=[person(3).patient_id]))
    why = {"reason": "asked by letter", "ticket": "DPO-17"}
    with hospital.crosswalk() as crosswalk:
        pseudonym = str(hospital.account(study("gone", person(3), number=3)).pseudonym)
        removal = crosswalk.removals.request_of_patient(RemovalKind.WITHDRAWAL, pseudonym, Requester("ada"), **why)
        crosswalk.removals.mark(removal)
    hospital.load(*slices(study("gone again", person(3), number=4), [1]))
    told = {}
    for who in (person(3).patient_id, "nobody"):
        # Asked together with somebody who is found: places of identifiers are told with a release alone.
        asked = request(hospital, f"manual__{who}", patient_ids=[ASKED.patient_id, who])
        told[who] = carried_out(hospital, asked) | {"release": 0}
    assert told[person(3).patient_id] == told["nobody"]
    with at_work(hospital) as runtime:
        first, second = (
            runtime.crosswalk.pulls.standing(request(hospital, f"manual__{who}").key, datetime.now(UTC)) for who in told
        )
    assert first is not None
    assert second is not None
    assert first.pending == second.pending == 0


def test_what_cannot_be_asked_stops_nobody_and_is_asked_again(
    hospital: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked = request(hospital)
    with at_work(hospital) as runtime:
        request_missing(runtime, asked)
        with monkeypatch.context() as broken:
            broken.setattr(
                "dicomanon.pacs.query.ClinicalPacs.questions", lambda _: (_ for _ in ()).throw(Fatal("it answered 400"))
            )
            Run().complete()
        assert "1 requests want could not be asked for: it answered 400" in caplog.text
        assert not is_over(runtime, asked)
        Run().complete()
        assert is_over(runtime, asked)


class TestApproval:
    @pytest.fixture
    def strict(self, hospital: Site) -> Site:
        with hospital.crosswalk() as crosswalk:
            declare(crosswalk, approval_for=frozenset({ApprovalFor.PULL}))
        return hospital

    def test_nothing_is_asked_before_somebody_else_approves(self, strict: Site) -> None:
        asked = request(strict)
        with at_work(strict) as runtime:
            for _ in range(2):
                with pytest.raises(Fatal, match="needs an approval"):
                    request_missing(runtime, asked)
                assert weigh(runtime, asked) == {WAITS: 1}
            Run().complete()
            assert known(strict) == 0
            runtime.crosswalk.requests.decide(asked.key, approved=True, actor="engineer", reason="seen")
            assert weigh(runtime, asked) == {WAITS: 0}
        assert carried_out(strict, asked)["patients"] == 1

    def test_what_was_refused_is_not_asked(self, strict: Site) -> None:
        asked = request(strict)
        with at_work(strict) as runtime:
            weigh(runtime, asked)
            runtime.crosswalk.requests.decide(asked.key, approved=False, actor="engineer", reason="seen")
            with pytest.raises(Fatal, match="was refused"):
                request_missing(runtime, asked)

    def test_a_dry_run_does_not_wait_for_it(self, strict: Site) -> None:
        with at_work(strict) as runtime:
            assert weigh(runtime, request(strict, dry_run=True)) == {WAITS: 0}


def test_asking_is_in_the_trail_before_the_pacs_is_asked(hospital: Site) -> None:
    carried_out(hospital, request(hospital, patient_ids=[ASKED.patient_id, "nobody"], purpose="PURPOSE-CANARY"))
    with hospital.crosswalk() as crosswalk:
        (wants,) = crosswalk.audit.newest(Entries(action="cohort.pull"), 9)
        (asks,) = crosswalk.audit.newest(Entries(action="task.ask"), 9)
        (enrolls,) = crosswalk.audit.newest(Entries(action="task.discover"), 9)
    assert (wants.actor, wants.count, asks.count) == ("researcher", 2, 2)
    assert wants.subject == asks.subject
    assert wants.number < asks.number < enrolls.number
    assert "PURPOSE-CANARY" in hospital.access_reasons()[wants.id]
