"""From a research identifier to everything that was done about it."""

import json
from uuid import UUID

import pytest
from tests.crosswalk.scenario import DOE, Run, digest, discover, research, sightings

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.rows import TaskEvent


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
