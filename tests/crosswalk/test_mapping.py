"""What becomes of instances: recorded once, moved forward only, by any number of workers."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from tests.crosswalk.scenario import (
    DOE,
    FACTS,
    ROE,
    Run,
    digest,
    discover,
    held,
    record_one_by_one,
    research,
    sightings,
)
from tests.processes import FRESH

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.crosswalk.rows import MappedOutcome, Receipt, Verdict
from dicomanon.errors import Fatal
from dicomanon.identity import StudyFacts
from dicomanon.reasons import HoldReason
from dicomanon.values import BatchId

Snapshot = Callable[[], dict[str, list[tuple[object, ...]]]]

TABLES = ("patient", "study", "series", "instance", "verdict", "store_receipt", "identity_event", "study_accession")


@pytest.fixture
def run(crosswalk: Crosswalk) -> Run:
    """A run with one batch of one study of six instances in two series."""
    discover(crosswalk, "1.2", sightings("1.2", 6, series=2))
    return Run(crosswalk)


@pytest.fixture
def snapshot(crosswalk_dsn: str) -> Snapshot:
    """Every row that the steps of a batch write, byte for byte."""

    def take() -> dict[str, list[tuple[object, ...]]]:
        with psycopg.connect(crosswalk_dsn) as connection:
            return {
                table: connection.execute(f"SELECT * FROM crosswalk.{table} ORDER BY 1").fetchall()  # type: ignore[arg-type]
                for table in TABLES
            }

    return take


def rows(dsn: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


class TestRecord:
    def test_staged_names_what_validation_needs(self, crosswalk: Crosswalk, run: Run) -> None:
        run.record()
        staged = crosswalk.mapping.staged(run.batch)
        assert len(staged) == 6
        assert {row.research_study_uid for row in staged} == {research("1.2")}
        assert {row.research_series_uid for row in staged} == {research("1.2.0"), research("1.2.1")}
        assert {row.pseudonym for row in staged} == {crosswalk.patients.get_or_create(DOE).pseudonym}
        assert all(len(row.output_digest) == 32 for row in staged)
        assert {row.profile_version for row in staged} == {"research@0123456789ab"}

    def test_again_changes_nothing(self, run: Run, snapshot: Snapshot) -> None:
        run.record()
        before = snapshot()
        run.record()
        assert snapshot() == before

    @pytest.mark.parametrize("steps", [1, 2, 3])
    def test_a_batch_done_again_from_the_start_changes_nothing_that_was_right(
        self, run: Run, snapshot: Snapshot, steps: int
    ) -> None:
        for step in (run.record, run.validate, run.store)[:steps]:
            step()
        before = snapshot()
        for step in (run.record, run.validate, run.store)[:steps]:
            step()
        assert snapshot() == before

    def test_a_verdict_is_not_undone_by_a_worker_that_records_late(self, crosswalk: Crosswalk, run: Run) -> None:
        run.record()
        first, *others = crosswalk.mapping.staged(run.batch)
        verdicts = [Verdict(first.instance_id, False, {"phone-number": 2}, HoldReason.RESIDUAL_PHI)]
        crosswalk.mapping.record_verdicts(run.batch, verdicts + [Verdict(o.instance_id, True, {}) for o in others])
        run.record()
        assert sorted(run.states()) == ["held", *["validated"] * 5]

    def test_other_content_before_storing_is_taken_and_has_to_be_validated_again(self, run: Run) -> None:
        run.record()
        run.validate()
        run.record(output_digest=digest("another profile"))
        assert run.states() == ["deidentified"] * 6

    def test_other_source_content_once_stored_is_noticed_and_changes_nothing(
        self, crosswalk: Crosswalk, run: Run, snapshot: Snapshot
    ) -> None:
        run.complete()
        before = snapshot()["instance"]
        for _ in range(2):
            run.record(input_digest=digest("changed at the source"))
        assert snapshot()["instance"] == before
        assert [event.kind for event in crosswalk.patients.identity_events()] == ["uid-reused"] * 6

    def test_held_and_filtered_keep_their_reason(self, crosswalk: Crosswalk, run: Run) -> None:
        first, second, *_ = run.outcomes()
        filtered = replace(second, state="filtered", reason="not wanted", output_digest=None)
        crosswalk.mapping.record(run.batch, [held(first, HoldReason.BURNED_IN_RISK, "class"), filtered])
        (account,) = crosswalk.ledger.balance(run_id=run.id)
        assert (account.held, account.filtered, account.pending) == ({"burned-in-risk": 1}, 1, 4)

    def test_an_unreadable_object_needs_no_identity(self, crosswalk: Crosswalk, run: Run) -> None:
        source = run.sources()[0]
        crosswalk.mapping.record(
            run.batch,
            [MappedOutcome(source.instance_id, "held", HoldReason.UNREADABLE, input_digest=digest("x"), input_bytes=1)],
        )
        assert "held" in run.states()

    def test_what_a_retry_brings_replaces_a_hold(self, crosswalk: Crosswalk, run: Run) -> None:
        outcome = run.outcomes()[0]
        crosswalk.mapping.record(run.batch, [held(outcome, HoldReason.UNEXPECTED)])
        crosswalk.mapping.record(run.batch, [outcome])
        assert run.states().count("deidentified") == 1

    def test_the_second_patient_of_a_study_is_held(self, crosswalk: Crosswalk, run: Run) -> None:
        mine, theirs = run.outcomes(DOE), run.outcomes(ROE)
        crosswalk.mapping.record(run.batch, mine[:3])
        for _ in range(2):
            crosswalk.mapping.record(run.batch, theirs[3:])
        (account,) = crosswalk.ledger.balance(run_id=run.id)
        assert account.held == {"identity-conflict": 3}
        assert account.pseudonym == crosswalk.patients.get_or_create(DOE).pseudonym
        (event,) = crosswalk.patients.identity_events()
        assert (event.kind, event.patient_id) == ("two-patients-in-study", theirs[0].patient_id)

    def test_of_two_patients_at_once_the_one_with_more_instances_owns_the_study(
        self, crosswalk: Crosswalk, run: Run
    ) -> None:
        mine, theirs = run.outcomes(DOE), run.outcomes(ROE)
        crosswalk.mapping.record(run.batch, [theirs[0], *mine[1:]])
        (account,) = crosswalk.ledger.balance(run_id=run.id)
        assert account.held == {"identity-conflict": 1}
        assert account.pseudonym == crosswalk.patients.get_or_create(DOE).pseudonym

    def test_facts_of_the_wrong_patient_do_not_describe_the_study(self, crosswalk: Crosswalk, run: Run) -> None:
        crosswalk.mapping.record(run.batch, run.outcomes(DOE)[:3])
        crosswalk.mapping.record(run.batch, run.outcomes(ROE, facts=StudyFacts(accession_number="OTHER"))[3:])
        (study,) = crosswalk.mapping.studies_for_cohort()
        assert study.facts.accession_number == FACTS.accession_number

    def test_an_object_with_other_study_or_series_uid_than_enrolled_is_held(
        self, crosswalk: Crosswalk, run: Run
    ) -> None:
        right = run.outcomes()
        crosswalk.mapping.record(run.batch, right[:4])
        wrong_study = replace(right[4], research_study_uid=research("8.8"))
        wrong_series = replace(right[5], research_series_uid=research("8.9"))
        crosswalk.mapping.record(run.batch, [wrong_study, wrong_series])
        assert crosswalk.ledger.balance(run_id=run.id)[0].held == {"uid-reused": 2}

    def test_an_object_that_arrives_twice_with_different_content_is_held(self, crosswalk: Crosswalk, run: Run) -> None:
        outcome = run.outcomes()[0]
        crosswalk.mapping.record(run.batch, [outcome, replace(outcome, input_digest=digest("other"))])
        assert crosswalk.ledger.balance(run_id=run.id)[0].held == {"uid-reused": 1}
        assert [event.kind for event in crosswalk.patients.identity_events()] == ["uid-reused"]

    def test_an_object_that_arrives_twice_unchanged_counts_once(self, crosswalk: Crosswalk, run: Run) -> None:
        outcome = run.outcomes()[0]
        crosswalk.mapping.record(run.batch, [outcome, outcome])
        assert run.states().count("deidentified") == 1

    def test_a_worker_of_a_batch_that_a_later_run_took_over_is_ignored(self, crosswalk: Crosswalk, run: Run) -> None:
        late = run.outcomes()
        later = Run(crosswalk)
        crosswalk.mapping.record(run.batch, late)
        assert later.states() == ["discovered"] * 6
        later.complete()
        crosswalk.mapping.record(run.batch, late)
        assert later.states() == ["stored"] * 6

    def test_one_transaction_for_all(self, crosswalk: Crosswalk, run: Run, snapshot: Snapshot) -> None:
        good, bad, *_ = run.outcomes()
        before = snapshot()["instance"]
        with pytest.raises(Fatal):
            # Two instances with one research UID: a defect of the UID mapper.
            crosswalk.mapping.record(run.batch, [good, replace(bad, research_sop_uid=good.research_sop_uid)])
        assert snapshot()["instance"] == before

    def test_an_outcome_about_an_unknown_instance_is_refused(self, crosswalk: Crosswalk, run: Run) -> None:
        with pytest.raises(Fatal, match="the ledger does not have"):
            crosswalk.mapping.record(run.batch, [replace(run.outcomes()[0], instance_id=10**9)])

    def test_a_killed_worker_leaves_whole_rows_that_its_successor_does_not_touch(
        self, crosswalk_dsn: str, keyring_file: Path
    ) -> None:
        recorded = (
            "SELECT id, state, recipe_id, output_digest, research_sop_uid, state_changed_at FROM crosswalk.instance"
            " WHERE state = 'deidentified' ORDER BY id"
        )
        with Crosswalk(crosswalk_dsn, Keyring.load(keyring_file)) as crosswalk:
            crosswalk.migrate()
            discover(crosswalk, "1.2", sightings("1.2", 400))
            run = Run(crosswalk)
            worker = FRESH.Process(target=record_one_by_one, args=(crosswalk_dsn, keyring_file, run.name))
            worker.start()
            while worker.is_alive() and len(rows(crosswalk_dsn, recorded)) < 20:
                time.sleep(0.01)
            worker.kill()
            worker.join()
            before = rows(crosswalk_dsn, recorded)
            assert 20 <= len(before) < 400
            run.record()
            after = rows(crosswalk_dsn, recorded)
            assert len(after) == 400
            assert set(before) <= set(after)
            run.validate()
            run.store()
            assert crosswalk.ledger.balance(run_id=run.id)[0].balanced

    def test_four_workers_record_into_one_study_without_deadlock(
        self, crosswalk: Crosswalk, crosswalk_dsn: str, keyring: Keyring
    ) -> None:
        for study in ("1.2", "1.3", "1.4"):
            discover(crosswalk, study, sightings(study, 200, series=4))
        run = Run(crosswalk)
        outcomes = run.outcomes()
        with Crosswalk(crosswalk_dsn, keyring, max_size=4) as wide, ThreadPoolExecutor(4) as pool:

            def work(number: int) -> None:
                mine = outcomes[number::4]
                ordered = mine if number % 2 else mine[::-1]
                for start in range(0, len(ordered), 25):
                    wide.mapping.record(run.batch, ordered[start : start + 25])

            list(pool.map(work, range(4)))
        assert run.states() == ["deidentified"] * 600
        assert len({row.pseudonym for row in crosswalk.mapping.staged(run.batch)}) == 1

    def test_two_patients_racing_for_a_study_leave_one_owner(
        self, crosswalk: Crosswalk, crosswalk_dsn: str, keyring: Keyring, run: Run
    ) -> None:
        mine, theirs = run.outcomes(DOE), run.outcomes(ROE)
        with Crosswalk(crosswalk_dsn, keyring, max_size=2) as wide, ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda some: wide.mapping.record(run.batch, some), (mine[:3], theirs[3:])))
        assert sorted(run.states()) == ["deidentified"] * 3 + ["held"] * 3
        assert len(crosswalk.patients.identity_events()) == 1


class TestVerdicts:
    def test_a_failing_verdict_holds_with_the_rules_it_broke(
        self, crosswalk: Crosswalk, crosswalk_dsn: str, run: Run
    ) -> None:
        run.record()
        row = crosswalk.mapping.staged(run.batch)[0]
        crosswalk.mapping.record_verdicts(run.batch, [Verdict(row.instance_id, False, {"phone": 2, "name": 0})])
        assert rows(crosswalk_dsn, "SELECT reason, detail FROM crosswalk.instance WHERE state = 'held'") == [
            ("residual-phi", "phone")
        ]

    def test_of_two_verdicts_in_one_call_the_failing_one_counts(self, crosswalk: Crosswalk, run: Run) -> None:
        run.record()
        row = crosswalk.mapping.staged(run.batch)[0]
        passed, failed = Verdict(row.instance_id, True, {}), Verdict(row.instance_id, False, {"phone": 1})
        for order in ([passed, failed], [failed, passed]):
            crosswalk.mapping.record_verdicts(run.batch, order)
            assert run.states().count("held") == 1

    def test_nothing_is_validated_that_was_not_deidentified(self, crosswalk: Crosswalk, run: Run) -> None:
        ids = [source.instance_id for source in run.sources()]
        crosswalk.mapping.hold(run.batch, ids[:1], HoldReason.NOT_RETRIEVED)
        crosswalk.mapping.record_verdicts(run.batch, [Verdict(instance_id, True, {}) for instance_id in ids])
        assert sorted(run.states()) == ["discovered"] * 5 + ["held"]

    def test_a_verdict_on_other_bytes_is_not_applied(self, crosswalk: Crosswalk, run: Run) -> None:
        run.record()
        row = crosswalk.mapping.staged(run.batch)[0]
        stale = Verdict(row.instance_id, True, {}, output_digest=digest("older bytes"))
        crosswalk.mapping.record_verdicts(run.batch, [stale])
        assert "validated" not in run.states()

    def test_a_stored_instance_keeps_its_state_and_the_verdict_is_kept(
        self, crosswalk: Crosswalk, crosswalk_dsn: str, run: Run
    ) -> None:
        run.complete()
        row = crosswalk.mapping.staged(run.batch)[0]
        crosswalk.mapping.record_verdicts(run.batch, [Verdict(row.instance_id, False, {"phone": 1})])
        assert run.states() == ["stored"] * 6
        assert rows(crosswalk_dsn, "SELECT count(*) FROM crosswalk.verdict WHERE NOT passed") == [(1,)]


class TestReceipts:
    @pytest.mark.parametrize(
        ("accepted", "confirmed", "status", "state"),
        [
            (True, True, 0, "stored"),
            (True, False, 0, "validated"),
            (False, False, 0xA700, "held"),
            (False, True, 0xA700, "held"),
            (False, False, None, "held"),
            (False, True, 0x0111, "stored"),
            (False, False, 0x0111, "validated"),
        ],
    )
    def test_decide(
        self, crosswalk: Crosswalk, run: Run, accepted: bool, confirmed: bool, status: int | None, state: str
    ) -> None:
        run.record()
        run.validate()
        row = crosswalk.mapping.staged(run.batch)[0]
        crosswalk.mapping.record_receipts(run.batch, [Receipt(row.instance_id, accepted, confirmed, status)])
        assert crosswalk.mapping.staged(run.batch)[0].state == state

    def test_an_instance_tried_again_has_both_receipts(
        self, crosswalk: Crosswalk, crosswalk_dsn: str, run: Run
    ) -> None:
        run.record()
        run.validate()
        row = crosswalk.mapping.staged(run.batch)[0]
        for confirmed in (False, False, True, True):
            crosswalk.mapping.record_receipts(run.batch, [Receipt(row.instance_id, True, confirmed, 0)])
        query = "SELECT confirmed FROM crosswalk.store_receipt ORDER BY id"
        assert rows(crosswalk_dsn, query) == [(False,), (True,)]

    def test_an_accepted_object_that_was_not_validated_is_reported_and_not_called_stored(
        self, crosswalk: Crosswalk, crosswalk_dsn: str, run: Run
    ) -> None:
        run.record()
        with pytest.raises(Fatal, match="accepted 6 instances that were not validated"):
            run.store()
        assert run.states() == ["deidentified"] * 6
        assert rows(crosswalk_dsn, "SELECT count(*) FROM crosswalk.store_receipt") == [(6,)]

    def test_a_receipt_for_other_bytes_is_not_applied(self, crosswalk: Crosswalk, run: Run) -> None:
        run.record()
        run.validate()
        row = crosswalk.mapping.staged(run.batch)[0]
        crosswalk.mapping.record_receipts(
            run.batch, [Receipt(row.instance_id, True, True, 0, output_digest=b"\0" * 32)]
        )
        assert run.states() == ["validated"] * 6


class TestHold:
    def test_leaves_settled_instances_alone(self, crosswalk: Crosswalk, run: Run) -> None:
        run.complete()
        crosswalk.mapping.hold(run.batch, [row.instance_id for row in run.sources()], HoldReason.UNEXPECTED)
        assert run.states() == ["stored"] * 6

    def test_keeps_the_first_reason(self, crosswalk: Crosswalk, run: Run) -> None:
        ids = [row.instance_id for row in run.sources()]
        crosswalk.mapping.hold(run.batch, ids, HoldReason.NOT_RETRIEVED)
        crosswalk.mapping.hold(run.batch, ids, HoldReason.UNEXPECTED)
        assert crosswalk.ledger.balance(run_id=run.id)[0].held == {"not-retrieved": 6}

    def test_of_an_earlier_batch_leaves_what_a_later_one_took_over(self, crosswalk: Crosswalk, run: Run) -> None:
        ids = [row.instance_id for row in run.sources()]
        later = crosswalk.ledger.open_run("ingest_studies", "later")
        crosswalk.ledger.open_batch(later, 1, ids)
        crosswalk.mapping.hold(run.batch, ids, HoldReason.NOT_RETRIEVED)
        assert crosswalk.ledger.balance(run_id=later)[0].held == {}

    def test_of_nothing_does_nothing(self, crosswalk: Crosswalk) -> None:
        crosswalk.mapping.hold(BatchId(1), [], HoldReason.UNEXPECTED)


class TestKnownValues:
    def test_merge_over_calls_and_hold_the_patients_identity(self, crosswalk: Crosswalk, run: Run) -> None:
        study_id = run.sources()[0].study_id
        crosswalk.mapping.add_known_values(study_id, ["SMITHERS", "555-0199", ""])
        crosswalk.mapping.add_known_values(study_id, ["SMITHERS", "GENERAL HOSPITAL"])
        run.record()
        assert crosswalk.mapping.known_values([study_id]) == {
            study_id: {
                *("SMITHERS", "555-0199", "GENERAL HOSPITAL"),
                *("MRN-7731", "DOE^JOHN", "DOE", "JOHN", "19700131", "1.2"),
            }
        }

    def test_added_again_write_nothing(self, crosswalk: Crosswalk, crosswalk_dsn: str, run: Run) -> None:
        study_id = run.sources()[0].study_id
        for _ in range(3):
            crosswalk.mapping.add_known_values(study_id, ["A", "B"])
        assert rows(crosswalk_dsn, "SELECT count(*) FROM crosswalk.study_known_values") == [(1,)]

    def test_date_shift_is_that_of_the_studys_patient(self, crosswalk: Crosswalk, run: Run) -> None:
        study_id = run.sources()[0].study_id
        assert crosswalk.mapping.date_shift(study_id) is None
        run.record()
        assert crosswalk.mapping.date_shift(study_id) == crosswalk.patients.get_or_create(DOE).date_shift_days

    def test_of_an_unknown_study_are_refused(self, crosswalk: Crosswalk, run: Run) -> None:
        with pytest.raises(Fatal):
            crosswalk.mapping.add_known_values(run.id, ["A"])
        with pytest.raises(Fatal):
            crosswalk.mapping.known_values([run.id])


class TestCohort:
    @pytest.fixture(autouse=True)
    def two_patients(self, crosswalk: Crosswalk) -> None:
        discover(crosswalk, "1.2", sightings("1.2", 2))
        Run(crosswalk).complete(DOE)
        discover(crosswalk, "1.3", sightings("1.3", 3))
        run = Run(crosswalk)
        run.record(ROE, facts=replace(FACTS, accession_number="ACC-2", series_description="CORONAL"))
        run.validate()
        run.store()

    @pytest.mark.parametrize(
        ("patients", "accessions", "expected"),
        [
            (None, None, {"MRN-7731", "MRN-9902"}),
            ([("", "MRN-7731")], None, {"MRN-7731"}),
            ([("", " MRN-7731 "), ("", "MRN-9902")], None, {"MRN-7731", "MRN-9902"}),
            ([("OTHER", "MRN-7731")], None, set()),
            (None, ["ACC-2"], {"MRN-9902"}),
            (None, ["ACC-2 ", "ACC-55501"], {"MRN-7731", "MRN-9902"}),
            ([("", "MRN-7731")], ["ACC-2"], set()),
            ([], None, set()),
            (None, [], set()),
            ([("", "")], [""], set()),
        ],
    )
    def test_studies_by_patient_and_accession_number(
        self,
        crosswalk: Crosswalk,
        patients: list[tuple[str, str]] | None,
        accessions: list[str] | None,
        expected: set[str],
    ) -> None:
        wanted = {crosswalk.patients.get_or_create({"MRN-7731": DOE, "MRN-9902": ROE}[one]).id for one in expected}
        assert {study.patient_id for study in crosswalk.mapping.studies_for_cohort(patients, accessions)} == wanted

    def test_facts_are_opened_and_never_shown(self, crosswalk: Crosswalk) -> None:
        (study,) = crosswalk.mapping.studies_for_cohort([("", "MRN-7731")])
        assert study.facts == FACTS
        assert "SMITHERS" not in repr(study)

    def test_only_stored_instances_are_given(self, crosswalk: Crosswalk) -> None:
        study_id = discover(crosswalk, "1.4", sightings("1.4", 2))
        run = Run(crosswalk)
        run.record(DOE)
        run.validate()
        assert list(crosswalk.mapping.cohort_instances([study_id])) == []
        run.store()
        instances = list(crosswalk.mapping.cohort_instances([study_id]))
        assert [one.modality for one in instances] == ["CT", "CT"]
        assert {one.research_sop_uid for one in instances} == {research("1.4.0.0"), research("1.4.0.1")}

    def test_facts_that_differ_within_a_study_are_all_kept(self, crosswalk: Crosswalk) -> None:
        discover(crosswalk, "1.5", sightings("1.5", 2))
        run = Run(crosswalk)
        first, second = run.outcomes(DOE)
        other = replace(FACTS, modality="SR", accession_number="ACC-9")
        crosswalk.mapping.record(run.batch, [first])
        crosswalk.mapping.record(run.batch, [replace(second, facts=other)])
        (study,) = crosswalk.mapping.studies_for_cohort(None, ["ACC-9"])
        assert study.facts.modality == "CT\\SR"
        assert study.facts.study_date == FACTS.study_date
