"""What the clinical PACS has, what is due, and how a run cuts it into batches."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from tests.crosswalk.scenario import CT, NOW, Run, discover, sightings

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.rows import Enrollment, Observation
from dicomanon.errors import Fatal
from dicomanon.identity import InstanceSighting, StudySighting
from dicomanon.reasons import HoldReason

HOUR = timedelta(hours=1)


class TestObserve:
    def test_counts_new_grown_shrunk_and_unchanged(self, crosswalk: Crosswalk) -> None:
        observe = crosswalk.ledger.observe
        assert observe([StudySighting(f"1.{n}", 10) for n in range(4)], NOW) == Observation(4, 0, 0, 0)
        later = [StudySighting("1.0", 10), StudySighting("1.1", 11), StudySighting("1.2", 9), StudySighting("1.9", 1)]
        assert observe(later, NOW) == Observation(1, 1, 1, 1)
        assert observe(later, NOW) == Observation(0, 0, 0, 4)

    def test_padding_does_not_make_another_study(self, crosswalk: Crosswalk) -> None:
        crosswalk.ledger.observe([StudySighting("1.2", 1)], NOW)
        assert crosswalk.ledger.observe([StudySighting("1.2\0", 1), StudySighting("1.2 ", 1)], NOW).new == 0

    def test_of_two_counts_in_one_answer_the_larger_is_believed(self, crosswalk: Crosswalk) -> None:
        crosswalk.ledger.observe([StudySighting("1.2", 7), StudySighting("1.2", 3)], NOW)
        assert [due.instances for due in crosswalk.ledger.due(HOUR, NOW + HOUR)] == [7]

    def test_takes_more_than_one_chunk(self, crosswalk: Crosswalk) -> None:
        many = (StudySighting(f"1.{n}", 1) for n in range(11_000))
        assert crosswalk.ledger.observe(many, NOW).new == 11_000

    def test_two_discoveries_at_once_enter_each_study_once(
        self, crosswalk: Crosswalk, crosswalk_dsn: str, keyring: Keyring
    ) -> None:
        forward = [StudySighting(f"1.{n}", 1) for n in range(2000)]
        with Crosswalk(crosswalk_dsn, keyring) as other, ThreadPoolExecutor(2) as pool:
            start = threading.Barrier(2)

            def work(one: Crosswalk, order: list[StudySighting]) -> Observation:
                start.wait()
                return one.ledger.observe(order, NOW)

            seen = list(pool.map(work, (crosswalk, other), (forward, forward[::-1])))
        assert sum(one.new for one in seen) == 2000
        assert sum(one.unchanged for one in seen) == 2000


class TestDue:
    def test_waits_until_the_study_is_quiet(self, crosswalk: Crosswalk) -> None:
        crosswalk.ledger.observe([StudySighting("1.2", 5)], NOW)
        assert crosswalk.ledger.due(HOUR, NOW + HOUR / 2) == []
        assert len(crosswalk.ledger.due(HOUR, NOW + HOUR)) == 1

    def test_a_changed_count_starts_the_quiet_time_anew(self, crosswalk: Crosswalk) -> None:
        crosswalk.ledger.observe([StudySighting("1.2", 5)], NOW)
        crosswalk.ledger.observe([StudySighting("1.2", 6)], NOW + HOUR / 2)
        assert crosswalk.ledger.due(HOUR, NOW + HOUR) == []
        assert [due.instances for due in crosswalk.ledger.due(HOUR, NOW + 2 * HOUR)] == [6]

    def test_an_unchanged_count_does_not(self, crosswalk: Crosswalk) -> None:
        crosswalk.ledger.observe([StudySighting("1.2", 5)], NOW)
        crosswalk.ledger.observe([StudySighting("1.2", 5)], NOW + HOUR / 2)
        assert len(crosswalk.ledger.due(HOUR, NOW + HOUR)) == 1

    def test_no_longer_once_enrolled_with_that_count(self, crosswalk: Crosswalk) -> None:
        discover(crosswalk, "1.2", sightings("1.2", 5))
        assert crosswalk.ledger.due(HOUR, NOW + HOUR) == []

    @pytest.mark.parametrize("count", [4, 6])
    def test_again_when_the_study_grows_or_shrinks(self, crosswalk: Crosswalk, count: int) -> None:
        discover(crosswalk, "1.2", sightings("1.2", 5))
        crosswalk.ledger.observe([StudySighting("1.2", count)], NOW + HOUR)
        assert [due.instances for due in crosswalk.ledger.due(HOUR, NOW + 2 * HOUR)] == [count]

    def test_settled_after_a_shrunken_study_was_listed_again(self, crosswalk: Crosswalk) -> None:
        study_id = discover(crosswalk, "1.2", sightings("1.2", 5))
        crosswalk.ledger.observe([StudySighting("1.2", 4)], NOW)
        crosswalk.ledger.enroll(study_id, sightings("1.2", 4), NOW)
        assert crosswalk.ledger.due(HOUR, NOW + HOUR) == []

    def test_shows_no_source_uid(self, crosswalk: Crosswalk) -> None:
        crosswalk.ledger.observe([StudySighting("1.2.77", 5)], NOW)
        (due,) = crosswalk.ledger.due(HOUR, NOW + HOUR)
        assert "1.2.77" not in repr(due)
        assert due.study_uid.reveal() == "1.2.77"


class TestEnroll:
    def test_again_adds_nothing(self, crosswalk: Crosswalk) -> None:
        study_id = discover(crosswalk, "1.2", sightings("1.2", 5, series=2))
        assert crosswalk.ledger.enroll(study_id, sightings("1.2", 5, series=2), NOW) == Enrollment(0, 5)

    def test_adds_what_came_late(self, crosswalk: Crosswalk) -> None:
        study_id = discover(crosswalk, "1.2", sightings("1.2", 5))
        assert crosswalk.ledger.enroll(study_id, sightings("1.2", 8, series=1), NOW) == Enrollment(3, 8)

    def test_counts_a_repeated_sighting_once(self, crosswalk: Crosswalk) -> None:
        study_id = discover(crosswalk, "1.2", sightings("1.2", 5))
        assert crosswalk.ledger.enroll(study_id, sightings("1.2", 5) * 2, NOW) == Enrollment(0, 5)

    def test_refuses_a_study_that_was_never_observed(self, crosswalk: Crosswalk) -> None:
        run = crosswalk.ledger.open_run("d", "r")
        with pytest.raises(Fatal, match="not in the ledger"):
            crosswalk.ledger.enroll(run, sightings("1.2", 1), NOW)

    def test_a_sop_uid_of_another_study_is_held(self, crosswalk: Crosswalk) -> None:
        first = discover(crosswalk, "1.2", [InstanceSighting("1.2.1", "9.9", CT)])
        second = discover(crosswalk, "1.3", [InstanceSighting("1.3.1", "9.9", CT), InstanceSighting("1.3.1", "9.8")])
        accounts = {account.study_id: account for account in crosswalk.ledger.balance([first, second])}
        one, two = accounts[first], accounts[second]
        assert (one.pending, one.held) == (1, {})
        assert (two.pending, two.held, two.enrolled) == (1, {"uid-reused": 1}, 2)
        (event,) = crosswalk.patients.identity_events()
        assert (event.kind, event.study_id) == (HoldReason.UID_REUSED, second)

    def test_a_sop_uid_in_two_series_of_a_study_is_held_the_second_time(self, crosswalk: Crosswalk) -> None:
        listing = [InstanceSighting("1.2.1", "9.9", CT), InstanceSighting("1.2.2", "9.9", CT)]
        study_id = discover(crosswalk, "1.2", listing)
        assert crosswalk.ledger.enroll(study_id, listing, NOW) == Enrollment(0, 2)
        (account,) = crosswalk.ledger.balance([study_id])
        assert (account.pending, account.held) == (1, {"uid-reused": 1})

    def test_a_held_duplicate_is_never_planned(self, crosswalk: Crosswalk) -> None:
        discover(crosswalk, "1.2", [InstanceSighting("1.2.1", "9.9", CT), InstanceSighting("1.2.2", "9.9", CT)])
        assert len(crosswalk.ledger.unplanned(crosswalk.ledger.open_run("d", "r"))) == 1

    def test_an_instance_that_is_not_listed_any_more_stays_and_counts_as_absent(self, crosswalk: Crosswalk) -> None:
        study_id = discover(crosswalk, "1.2", sightings("1.2", 5))
        crosswalk.ledger.enroll(study_id, sightings("1.2", 3), NOW)
        (account,) = crosswalk.ledger.balance([study_id])
        assert (account.enrolled, account.absent) == (5, 2)
        crosswalk.ledger.enroll(study_id, sightings("1.2", 5), NOW)
        assert crosswalk.ledger.balance([study_id])[0].absent == 0

    def test_many_studies_that_share_sop_uids_are_enrolled_at_once_without_deadlock(
        self, crosswalk: Crosswalk, crosswalk_dsn: str, keyring: Keyring
    ) -> None:
        shared = [f"9.{n}" for n in range(300)]
        studies = [f"1.{n}" for n in range(8)]
        crosswalk.ledger.observe([StudySighting(uid, 300) for uid in studies], NOW)
        due = crosswalk.ledger.due(HOUR, NOW + HOUR)
        with Crosswalk(crosswalk_dsn, keyring, max_size=8) as wide, ThreadPoolExecutor(8) as pool:

            def work(number: int) -> Enrollment:
                order = shared if number % 2 else shared[::-1]
                listing = [InstanceSighting(f"{due[number].study_id}", uid, CT) for uid in order]
                return wide.ledger.enroll(due[number].study_id, listing, NOW)

            assert list(pool.map(work, range(8))) == [Enrollment(300, 300)] * 8
        accounts = crosswalk.ledger.balance([one.study_id for one in due])
        assert sum(account.pending for account in accounts) == 300
        assert sum(account.held.get("uid-reused", 0) for account in accounts) == 2100

    def test_a_private_sop_class_is_not_kept_in_clear(self, crosswalk: Crosswalk, crosswalk_dsn: str) -> None:
        import psycopg

        discover(crosswalk, "1.2", [InstanceSighting("1.2.1", "9.9", "1.3.6.1.4.1.5555.20200214")])
        with psycopg.connect(crosswalk_dsn) as connection:
            assert connection.execute("SELECT sop_class_uid FROM crosswalk.instance").fetchall() == [("",)]


class TestBatches:
    def test_open_run_again_is_the_same_run(self, crosswalk: Crosswalk) -> None:
        assert crosswalk.ledger.open_run("d", "r") == crosswalk.ledger.open_run("d", "r")
        assert crosswalk.ledger.open_run("d", "r") != crosswalk.ledger.open_run("d", "r2")

    def test_unplanned_comes_study_by_study_and_series_by_series(self, crosswalk: Crosswalk) -> None:
        for study in ("1.2", "1.3"):
            discover(crosswalk, study, sightings(study, 20, series=3))
        planned = crosswalk.ledger.unplanned(crosswalk.ledger.open_run("d", "r"))
        keys = [(one.study_id, one.series_id, one.instance_id) for one in planned]
        assert keys == sorted(keys)
        assert len(keys) == 40

    def test_open_batch_again_is_the_same_batch(self, crosswalk: Crosswalk) -> None:
        discover(crosswalk, "1.2", sightings("1.2", 5))
        run = crosswalk.ledger.open_run("d", "r")
        ids = [one.instance_id for one in crosswalk.ledger.unplanned(run)]
        batch = crosswalk.ledger.open_batch(run, 1, ids)
        assert crosswalk.ledger.open_batch(run, 1, ids) == batch
        assert [(row.number, row.instances, row.studies) for row in crosswalk.ledger.batches(run)] == [(1, 5, 1)]

    def test_a_number_taken_by_other_instances_is_refused(self, crosswalk: Crosswalk) -> None:
        discover(crosswalk, "1.2", sightings("1.2", 5))
        run = crosswalk.ledger.open_run("d", "r")
        ids = [one.instance_id for one in crosswalk.ledger.unplanned(run)]
        crosswalk.ledger.open_batch(run, 1, ids[:3])
        with pytest.raises(Fatal, match="plan anew"):
            crosswalk.ledger.open_batch(run, 1, ids[3:])

    def test_a_run_does_not_plan_twice_what_it_has_planned(self, crosswalk: Crosswalk) -> None:
        discover(crosswalk, "1.2", sightings("1.2", 5))
        run = Run(crosswalk)
        assert crosswalk.ledger.unplanned(run.id) == []

    def test_a_later_run_takes_over_what_is_not_settled(self, crosswalk: Crosswalk) -> None:
        discover(crosswalk, "1.2", sightings("1.2", 5))
        dead = Run(crosswalk)
        done = dead.outcomes()[:2]
        crosswalk.mapping.record(dead.batch, done)
        dead.validate()
        dead.store()
        later = Run(crosswalk)
        assert len(later.sources()) == 3
        assert dead.states() == ["stored", "stored"]

    def test_sources_tell_how_large_series_and_study_are(self, crosswalk: Crosswalk) -> None:
        discover(crosswalk, "1.2", sightings("1.2", 5, series=2))
        sizes = {
            (one.series_uid.reveal(), one.series_instances, one.study_instances) for one in Run(crosswalk).sources()
        }
        assert sizes == {("1.2.0", 3, 5), ("1.2.1", 2, 5)}

    def test_sources_hold_the_uids_that_were_listed_and_show_none(self, crosswalk: Crosswalk) -> None:
        listing = sightings("1.2.77", 3)
        discover(crosswalk, "1.2.77", listing)
        sources = Run(crosswalk).sources()
        assert {one.sop_uid.reveal() for one in sources} == {one.sop_uid for one in listing}
        assert "1.2.77" not in repr(sources)


class TestBalance:
    def test_of_a_run_holds_the_studies_of_its_batches(self, crosswalk: Crosswalk) -> None:
        discover(crosswalk, "1.2", sightings("1.2", 2))
        first = Run(crosswalk)
        first.complete()
        discover(crosswalk, "1.3", sightings("1.3", 4))
        second = Run(crosswalk)
        assert [account.observed for account in crosswalk.ledger.balance(run_id=first.id)] == [2]
        assert [account.observed for account in crosswalk.ledger.balance(run_id=second.id)] == [4]
        assert len(crosswalk.ledger.balance()) == 2

    def test_balanced_only_when_all_that_the_clinical_pacs_reports_is_settled(self, crosswalk: Crosswalk) -> None:
        study_id = discover(crosswalk, "1.2", sightings("1.2", 4))
        run = Run(crosswalk)
        crosswalk.mapping.record(run.batch, run.outcomes()[1:])
        run.validate()
        run.store()
        assert not crosswalk.ledger.balance([study_id])[0].balanced
        crosswalk.mapping.hold(run.batch, [source.instance_id for source in run.sources()], HoldReason.NOT_RETRIEVED)
        (account,) = crosswalk.ledger.balance([study_id])
        assert (account.stored, account.held, account.pending) == (3, {"not-retrieved": 1}, 0)
        assert account.balanced
        crosswalk.ledger.observe([StudySighting("1.2", 5)], NOW)
        assert not crosswalk.ledger.balance([study_id])[0].balanced

    def test_names_pseudonym_research_uid_and_modalities(self, crosswalk: Crosswalk) -> None:
        study_id = discover(crosswalk, "1.2", sightings("1.2", 2))
        Run(crosswalk).complete()
        (account,) = crosswalk.ledger.balance([study_id])
        assert account.pseudonym
        assert account.research_study_uid
        assert account.modalities == ("CT",)
        assert account.balanced


def test_close_run_may_be_repeated(crosswalk: Crosswalk) -> None:
    run = crosswalk.ledger.open_run("d", "r")
    crosswalk.ledger.close_run(run, balanced=False)
    crosswalk.ledger.close_run(run, balanced=True)
