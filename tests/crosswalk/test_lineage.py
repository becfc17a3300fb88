"""From a research identifier to everything that was done about it."""

import json
from uuid import UUID

import pytest
from tests.crosswalk.scenario import DOE, Run, digest, discover, held, research, sightings

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.rows import TaskEvent
from dicomanon.reasons import HoldReason


@pytest.fixture
def run(crosswalk: Crosswalk) -> Run:
    discover(crosswalk, "1.2.77", sightings("1.2.77", 4, series=2))
    run = Run(crosswalk)
    run.complete()
    crosswalk.lineage.record_event(
        TaskEvent("ingest_studies", run.name, "validate", 3, 1, "worker-1", run.batch, "finished", {"passed": 4})
    )
    return run


class TestTrace:
    @pytest.mark.parametrize(
        ("kind", "uid", "instances"), [("instance", "1.2.77.0.2", 1), ("series", "1.2.77.0", 2), ("study", "1.2.77", 4)]
    )
    def test_finds_research_uids_of_each_level(
        self, crosswalk: Crosswalk, run: Run, kind: str, uid: str, instances: int
    ) -> None:
        trace = crosswalk.lineage.trace(research(uid))
        assert trace
        assert (trace.kind, len(trace.instances())) == (kind, instances)

    def test_finds_a_pseudonym(self, crosswalk: Crosswalk, run: Run) -> None:
        pseudonym = crosswalk.patients.get_or_create(DOE).pseudonym
        trace = crosswalk.lineage.trace(pseudonym)
        assert trace
        assert (trace.kind, trace.pseudonym, len(trace.instances())) == ("patient", pseudonym, 4)

    def test_of_a_patient_without_studies_is_empty(self, crosswalk: Crosswalk) -> None:
        trace = crosswalk.lineage.trace(crosswalk.patients.get_or_create(DOE).pseudonym)
        assert trace
        assert trace.studies == ()

    @pytest.mark.parametrize("identifier", ["", "2.25.1", "D0000000000", "1.2.77", "MRN-7731", "%", "' OR 1=1 --"])
    def test_knows_nothing_else(self, crosswalk: Crosswalk, run: Run, identifier: str) -> None:
        assert crosswalk.lineage.trace(identifier) is None

    def test_tells_who_made_the_object_from_what(self, crosswalk: Crosswalk, run: Run) -> None:
        trace = crosswalk.lineage.trace(research("1.2.77.0.2"))
        assert trace
        (instance,) = trace.instances()
        assert instance.state == "stored"
        assert instance.input_digest == digest("source 1.2.77.0.2").hex()
        assert instance.output_digest == digest("output 1.2.77.0.2").hex()
        assert (instance.profile_version, instance.code_version) == ("research@0123456789ab", "0.1.0")
        assert [verdict.passed for verdict in instance.verdicts] == [True]
        assert [receipt.confirmed for receipt in instance.receipts] == [True]
        (batch,) = trace.batches
        assert (batch.dag_id, batch.run_id, batch.number) == ("ingest_studies", run.name, 1)
        assert [(event.task_id, event.map_index, event.counts) for event in batch.events] == [
            ("validate", 3, {"passed": 4})
        ]

    def test_names_every_release_that_holds_the_object(self, crosswalk: Crosswalk, run: Run) -> None:
        ids = [source.instance_id for source in run.sources()]
        first = crosswalk.releases.create("LUNG", "ada", b"1", ids)
        second = crosswalk.releases.create("LUNG", "ada", b"2", ids[:1])
        trace = crosswalk.lineage.trace(research("1.2.77"))
        assert trace
        assert [release.id for release in trace.releases] == [first.id, second.id]
        assert sorted(len(one.releases) for one in trace.instances()) == [1, 1, 1, 2]

    def test_names_who_stands_for_the_rules(self, crosswalk: Crosswalk, run: Run) -> None:
        assert _published_of(crosswalk) == []
        version = "research@0123456789ab"
        crosswalk.profiles.publish(version, "{}", actor="ada", reason="asked", code_version="0.1.0")
        crosswalk.profiles.approve(version, actor="bob", reason="read it")
        crosswalk.profiles.publish("other@1", "{}", actor="eve", reason="asked", code_version="0.1.0")
        assert _published_of(crosswalk) == [(version, "ada", ["bob"])]

    @pytest.mark.parametrize("form", ["{}", "batch/{}"])
    def test_finds_a_batch(self, crosswalk: Crosswalk, run: Run, form: str) -> None:
        trace = crosswalk.lineage.trace(form.format(run.batch))
        assert trace
        assert (trace.kind, len(trace.instances()), [batch.id for batch in trace.batches]) == ("batch", 4, [run.batch])

    def test_finds_a_batch_that_a_later_one_took_over(self, crosswalk: Crosswalk) -> None:
        discover(crosswalk, "1.2.78", sightings("1.2.78", 2))
        first, second = Run(crosswalk), Run(crosswalk)
        trace = crosswalk.lineage.trace(str(first.batch))
        assert trace
        assert (trace.instances(), [batch.run_id for batch in trace.batches]) == ((), [first.name])
        assert [batch.run_id for batch in crosswalk.lineage.trace(str(second.batch)).batches] == [second.name]  # type: ignore[union-attr]

    @pytest.mark.parametrize("form", ["{}", "ingest_studies/{}"])
    def test_finds_a_run_with_what_its_tasks_did_outside_of_batches(
        self, crosswalk: Crosswalk, run: Run, form: str
    ) -> None:
        for dag, name in (("ingest_studies", run.name), ("ingest_studies", "another"), ("other", "another")):
            event = TaskEvent(dag, name, "discover", -1, 1, "worker-1", None, "succeeded", {"studies": 1})
            crosswalk.lineage.record_event(event)
        trace = crosswalk.lineage.trace(form.format(run.name))
        assert trace
        assert (trace.kind, len(trace.instances()), [batch.id for batch in trace.batches]) == ("run", 4, [run.batch])
        assert [(event.task_id, event.counts) for event in trace.events] == [("discover", {"studies": 1})]

    def test_finds_a_run_that_found_nothing(self, crosswalk: Crosswalk) -> None:
        crosswalk.lineage.record_event(TaskEvent("a", "quiet", "discover", -1, 1, "w", None, "succeeded", {}))
        crosswalk.lineage.record_event(TaskEvent("b", "quiet", "check", -1, 1, "w", None, "succeeded", {}))
        for name, tasks in (("quiet", ["discover", "check"]), ("a/quiet", ["discover"]), ("b/quiet", ["check"])):
            trace = crosswalk.lineage.trace(name)
            assert trace
            assert [event.task_id for event in trace.events] == tasks
        assert crosswalk.lineage.trace("c/quiet") is None

    def test_finds_what_a_request_released_by_its_run(self, crosswalk: Crosswalk, run: Run) -> None:
        ids = [source.instance_id for source in run.sources()]
        crosswalk.releases.create("LUNG", "ada", b"1", ids[:3], request_key="cohort_extraction/manual__7")
        for name in ("manual__7", "cohort_extraction/manual__7"):
            trace = crosswalk.lineage.trace(name)
            assert trace
            assert (trace.kind, len(trace.instances()), len(trace.releases)) == ("run", 3, 1)

    def test_names_who_was_shown_an_instance(self, crosswalk: Crosswalk) -> None:
        discover(crosswalk, "1.2.79", sightings("1.2.79", 2))
        run = Run(crosswalk)
        outcomes = [held(one, HoldReason.BURNED_IN_RISK) for one in run.outcomes()]
        crosswalk.mapping.record(run.batch, outcomes)
        shown = outcomes[0].instance_id
        assert crosswalk.quarantine.look(shown, actor="ada", action="pixels.review", reason="MRN-7731 looks odd")
        trace = crosswalk.lineage.trace(str(run.batch))
        assert trace
        assert [(look.instance_id, look.actor, look.action) for look in trace.looks] == [
            (shown, "ada", "pixels.review")
        ]
        assert "MRN-7731" not in trace.to_json()

    def test_shows_no_source_value(self, crosswalk: Crosswalk, run: Run) -> None:
        trace = crosswalk.lineage.trace(crosswalk.patients.get_or_create(DOE).pseudonym)
        assert trace
        text = trace.to_json()
        for planted in ("1.2.77", "MRN-7731", "DOE", "ACC-55501", "20200214", "SMITHERS"):
            assert planted not in text
        content = json.loads(text)
        assert content["studies"][0]["source"] == "sealed"
        assert UUID(content["studies"][0]["study_id"])


def _published_of(crosswalk: Crosswalk) -> list[tuple[str, str, list[str]]]:
    trace = crosswalk.lineage.trace(research("1.2.77"))
    assert trace
    return [(one.version, one.published_by, [by.approved_by for by in one.approvals]) for one in trace.profiles]


class TestBounds:
    """A trace of much shows some of it, and counts all."""

    @pytest.fixture
    def large(self, crosswalk: Crosswalk) -> str:
        discover(crosswalk, "1.2.80", sightings("1.2.80", 30, series=3))
        run = Run(crosswalk)
        run.complete()
        return run.name

    def test_what_fits_has_no_summary(self, crosswalk: Crosswalk, large: str) -> None:
        for limit in (30, 31, None):
            trace = crosswalk.lineage.trace(large, limit)
            assert trace
            assert (trace.summary, len(trace.instances())) == (None, 30)

    def test_what_does_not_is_counted_by_series(self, crosswalk: Crosswalk, large: str) -> None:
        whole = crosswalk.lineage.trace(large)
        trace = crosswalk.lineage.trace(large, 29)
        assert trace and whole and trace.summary
        summary = trace.summary
        assert len(trace.instances()) == 29
        assert (summary.instances, summary.states, summary.series_count) == (30, {"stored": 30}, 3)
        assert [(one.modality, one.states) for one in summary.series] == [("CT", {"stored": 10})] * 3
        assert {one.research_series_uid for one in summary.series} == {research(f"1.2.80.{n}") for n in range(3)}
        assert (summary.input_bytes, summary.output_bytes) == (30_000, 27_000)
        assert summary.made_by == {"research@0123456789ab, code 0.1.0": 30}
        assert (summary.verdicts, summary.receipts, summary.batch_count) == ({"passed": 30}, {"confirmed": 30}, 1)
        assert trace.action_counts == whole.action_counts == {"keep": 1200, "remove": 360}
        assert trace.batches == whole.batches

    @pytest.mark.parametrize("identifier", ["study", "patient", "release", "batch", "run"])
    def test_every_kind_is_bounded(self, crosswalk: Crosswalk, large: str, identifier: str) -> None:
        ids = [one.instance_id for one in crosswalk.lineage.trace(large).instances()]  # type: ignore[union-attr]
        release = crosswalk.releases.create("LUNG", "ada", b"1", ids)
        (batch,) = crosswalk.lineage.trace(large).batches  # type: ignore[union-attr]
        named = {
            "study": research("1.2.80"),
            "patient": crosswalk.patients.get_or_create(DOE).pseudonym,
            "release": str(release.id),
            "batch": str(batch.id),
            "run": large,
        }
        trace = crosswalk.lineage.trace(named[identifier], 5)
        assert trace and trace.summary
        assert (trace.kind, len(trace.instances()), trace.summary.instances) == (identifier, 5, 30)
        assert [batch.id] == [one.id for one in trace.batches]

    def test_a_release_that_is_shown_in_part_is_named(self, crosswalk: Crosswalk, large: str) -> None:
        ids = [one.instance_id for one in crosswalk.lineage.trace(large).instances()]  # type: ignore[union-attr]
        last = crosswalk.releases.create("LUNG", "ada", b"1", ids[-1:])
        trace = crosswalk.lineage.trace(large, 5)
        assert trace
        assert [release.id for release in trace.releases] == [last.id]
