"""Makes an OpenLineage event of what a task said; pure, and the same for the same task, so that events can be rebuilt.

What goes in: ids of DAGs, tasks, batches and releases, counts, rule ids, versions, types of errors. Nothing else is at
hand here, so nothing else can get out: no parameters, no source code, no message of an error.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote

from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    InputDatasetFacet,
    JobFacet,
    OutputDatasetFacet,
    RunFacet,
    data_quality_assertions_dataset,
    error_message_run,
    job_type_job,
    nominal_time_run,
    output_statistics_output_dataset,
    parent_run,
    set_producer,
)

from dicomanon import __version__
from dicomanon.crosswalk.rows import TaskEvent
from dicomanon.crosswalk.task_facts import BatchFacts, TaskFacts
from dicomanon.openlineage.datasets import DatasetRule, Place, rule_of
from dicomanon.openlineage.facets import (
    PRODUCER,
    BatchRunFacet,
    CountsRunFacet,
    TaskRunFacet,
    VerdictsRunFacet,
    VersionsRunFacet,
)
from dicomanon.openlineage.naming import dag_run_uuid, generated_run_id, nominal_time, task_job, task_run_uuid
from dicomanon.validate.suite import RULES, Severity

set_producer(PRODUCER)

STATES: Final = {
    "started": RunState.START,
    "running": RunState.RUNNING,
    "succeeded": RunState.COMPLETE,
    "failed": RunState.FAIL,
}
"""The run's state by what the task says; what it says beside these is no event of OpenLineage."""

_SEVERITY: Final = {Severity.HOLD: "error", Severity.NOTE: "warn"}
_JOB_TYPE: Final = job_type_job.JobTypeJobFacet(processingType="BATCH", integration="AIRFLOW", jobType="TASK")


@dataclass(frozen=True, slots=True)
class SiteNames:
    """What the site calls its jobs' namespace and its two PACS."""

    jobs: str
    clinical: str
    research: str

    def namespace(self, place: Place) -> str:
        """Return the namespace of the data sets of a place."""
        if place is Place.CLINICAL:
            return f"dicomweb://{quote(self.clinical, safe='')}"
        if place is Place.RESEARCH:
            return f"dicomweb://{quote(self.research, safe='')}"
        return f"dicomanon://{place}"


def run_event(site: SiteNames, event: TaskEvent, at: datetime, facts: TaskFacts) -> RunEvent:
    """Return the event of a task that started, runs, succeeded or failed.

    Parameters
    ----------
    at
        When it was; with a time zone.
    facts
        Of the event's batch or release; empty where they are not known yet.
    """
    rule, state = rule_of(event.task_id), STATES[event.event]
    return RunEvent(
        eventType=state,
        eventTime=at.isoformat(),
        run=Run(str(task_run_uuid(event)), dict(_run_facets(site, event, facts))),
        job=Job(site.jobs, task_job(event), _job_facets()),
        inputs=[
            InputDataset(site.namespace(one.place), name, inputFacets=_input_facets(one, state, facts.batch))
            for one in rule.reads
            for name in _names(one, event, facts)
        ],
        outputs=[
            OutputDataset(site.namespace(one.place), name, outputFacets=_output_facets(one, state, event, facts.batch))
            for one in rule.writes
            for name in _names(one, event, facts)
        ],
        producer=PRODUCER,
    )


def _job_facets() -> dict[str, JobFacet]:
    return {"jobType": _JOB_TYPE}


def _run_facets(site: SiteNames, event: TaskEvent, facts: TaskFacts) -> Iterator[tuple[str, RunFacet]]:
    yield (
        "parent",
        parent_run.ParentRunFacet(
            run=parent_run.Run(str(dag_run_uuid(event.dag_id, event.run_id))),
            job=parent_run.Job(site.jobs, event.dag_id),
        ),
    )
    when = nominal_time(event.run_id)
    if when:
        yield "nominalTime", nominal_time_run.NominalTimeRunFacet(when.isoformat())
    if event.error:
        yield "errorMessage", error_message_run.ErrorMessageRunFacet(event.error, "PYTHON")
    yield (
        "dicomanon_task",
        TaskRunFacet(
            event.dag_id,
            event.task_id,
            event.map_index,
            event.try_number,
            event.worker,
            generated_run_id(event.run_id),
        ),
    )
    batch = facts.batch
    yield (
        "dicomanon_versions",
        VersionsRunFacet(
            list((batch and batch.code_versions) or (__version__,)), list(batch.profile_versions if batch else ())
        ),
    )
    if event.counts:
        yield "dicomanon_counts", CountsRunFacet(dict(event.counts))
    if batch and event.batch_id is not None:
        yield (
            "dicomanon_batch",
            BatchRunFacet(event.batch_id, batch.number, batch.instances, batch.studies, batch.states),
        )
        if batch.passed or batch.failed:
            yield "dicomanon_verdicts", VerdictsRunFacet(batch.passed, batch.failed, batch.findings)


def _names(rule: DatasetRule, event: TaskEvent, facts: TaskFacts) -> Iterator[str]:
    if "{release}" in rule.name:
        yield from (rule.name.format(release=release) for release in facts.releases)
    elif "{batch}" not in rule.name:
        yield rule.name
    elif event.batch_id is not None:
        yield rule.name.format(batch=event.batch_id)


def _input_facets(rule: DatasetRule, state: RunState, batch: BatchFacts | None) -> dict[str, InputDatasetFacet]:
    if not (rule.judged and batch and state is RunState.COMPLETE):
        return {}
    assertions = [
        data_quality_assertions_dataset.Assertion(
            assertion=one.id,
            success=not batch.findings.get(one.id, 0),
            severity=_SEVERITY[one.severity],
            description=one.title,
            actual=str(batch.findings.get(one.id, 0)),
            expected="0",
            params=None,
        )
        for one in RULES.values()
    ]
    return {"dataQualityAssertions": data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(assertions)}


def _output_facets(
    rule: DatasetRule, state: RunState, event: TaskEvent, batch: BatchFacts | None
) -> dict[str, OutputDatasetFacet]:
    if state is not RunState.COMPLETE or rule.rows not in event.counts:
        return {}
    size = batch.output_bytes if rule.sized and batch else None
    return {
        "outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
            rowCount=event.counts[rule.rows], size=size
        )
    }
