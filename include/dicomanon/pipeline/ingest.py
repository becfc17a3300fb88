"""The tasks of the DAG ``ingest_studies``, one function each: what a task needs to import, and no more."""

import logging
from collections.abc import Container, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

from dicomanon.crosswalk.action_counts import total
from dicomanon.errors import Fatal
from dicomanon.pipeline.asking import ask_for_wanted
from dicomanon.pipeline.data_docs import batch_folder
from dicomanon.pipeline.discover import discover as discover_studies
from dicomanon.pipeline.first_run import require_ours
from dicomanon.pipeline.plan import plan_batches as plan
from dicomanon.pipeline.pull import pull_and_anonymize as pull
from dicomanon.pipeline.reconcile import COLUMNS, ReconciledStudy, require_balance, totals
from dicomanon.pipeline.reconcile import reconcile as reconcile_studies
from dicomanon.pipeline.record import clear_abandoned
from dicomanon.pipeline.record import update_crosswalk as record
from dicomanon.pipeline.runtime import Runtime
from dicomanon.pipeline.store import store as store_batch
from dicomanon.pipeline.task import Counts, TaskKey, run_step
from dicomanon.pipeline.validate import validate as validate_batch
from dicomanon.values import BatchId

log = logging.getLogger(__name__)

Batch = dict[str, int]
"""What travels between a batch's tasks: its ``id``, its ``number`` in the run, its ``instances`` and ``studies``."""


def discover(key: TaskKey, start: str | None, end: str | None, quiet_minutes: int | None) -> Counts:
    """Bring the ledger up to date with the clinical PACS; dates are ``YYYY-MM-DD``."""

    def step(runtime: Runtime) -> Counts:
        runtime.crosswalk.archives.require_checked()
        require_ours(runtime)
        window = _date(start, "study_date_from"), _date(end, "study_date_to")
        run_id = runtime.crosswalk.ledger.open_run(key.dag_id, key.run_id)
        asked = ask_for_wanted(runtime)
        quiet = timedelta(minutes=runtime.settings.quiet_minutes if quiet_minutes is None else quiet_minutes)
        # What was found by then has been quiet when the ledger is looked through, unless it has grown.
        asked_until = datetime.now(UTC) - quiet
        found = discover_studies(runtime, *window, quiet_minutes)
        runtime.crosswalk.pulls.take_up(run_id, asked_until)
        return found | asked

    return run_step(step, key)


def refuse_unknown(conf: Mapping[str, object], known: Container[str]) -> None:
    """Refuse parameters that nobody reads, which Airflow accepts silently: a typo would go unnoticed.

    Raises
    ------
    Fatal
        With how many there are; their names are somebody's text and stay out of the log.
    """
    unknown = sum(name not in known for name in conf)
    if unknown:
        raise Fatal(f"{unknown} parameters are unknown to this DAG: look at its trigger form for their names")


def plan_batches(key: TaskKey) -> list[Batch]:
    """Cut what is unsettled into batches."""
    batches: list[Batch] = []

    def step(runtime: Runtime) -> Counts:
        run_id = runtime.crosswalk.ledger.open_run(key.dag_id, key.run_id)
        planned = set(plan(runtime, run_id))
        batches.extend(
            {"id": row.id, "number": row.number, "instances": row.instances, "studies": row.studies}
            for row in runtime.crosswalk.ledger.batches(run_id)
            if row.id in planned
        )
        return {"batches": len(batches), "instances": sum(batch["instances"] for batch in batches)}

    run_step(step, key)
    return batches


def pull_and_anonymize(key: TaskKey, batch: Batch, *, last_try: bool = True) -> Counts:
    """Stream, de-identify and stage one batch."""

    def step(runtime: Runtime) -> Counts:
        # Here too, where pseudonyms are drawn: a task may be cleared and run again after a restore.
        runtime.crosswalk.archives.require_checked()
        return pull(runtime, BatchId(batch["id"]), last_try=last_try)

    return run_step(step, key, BatchId(batch["id"]))


def validate(key: TaskKey, batch: Batch) -> Counts:
    """Check one batch's staged objects."""
    return run_step(
        validate_batch, key, BatchId(batch["id"]), BatchId(batch["id"]), docs=batch_folder(key.run_id, batch["id"])
    )


def store(key: TaskKey, batch: Batch) -> Counts:
    """Store one batch's validated objects."""
    return run_step(store_batch, key, BatchId(batch["id"]), BatchId(batch["id"]))


def update_crosswalk(key: TaskKey, batch: Batch) -> Counts:
    """Close one batch."""
    return run_step(record, key, BatchId(batch["id"]), BatchId(batch["id"]))


def reconcile(key: TaskKey) -> Counts:
    """Print the balance of the run and require it.

    Raises
    ------
    Fatal
        A study does not balance, or could not even be listed.
    """

    def step(runtime: Runtime) -> Counts:
        run_id = runtime.crosswalk.ledger.open_run(key.dag_id, key.run_id)
        studies = reconcile_studies(runtime, run_id)
        counts = totals(studies, not_listed=_not_listed(runtime, key))
        runtime.crosswalk.ledger.close_run(run_id, balanced=not (counts["unbalanced"] or counts["not_listed"]))
        for line in table(studies):
            log.info(line)
        done = total(runtime.crosswalk.lineage.actions(key.dag_id, key.run_id).values())
        log.info("actions: %s", ", ".join(f"{count} {action}" for action, count in done.items()) or "none")
        clear_abandoned(runtime)
        require_balance(counts)
        return counts

    return run_step(step, key)


def _not_listed(runtime: Runtime, key: TaskKey) -> int:
    """Return how many studies the run's discovery could not list: no batch holds them, so no balance shows them."""
    events = runtime.crosswalk.lineage.events(key.dag_id, key.run_id)
    counts = [event.counts for event in events if event.task_id == "discover" and event.event == "succeeded"]
    return counts[-1]["not_listed"] if counts else 0


def table(studies: Sequence[ReconciledStudy]) -> list[str]:
    """Return the balance as lines of aligned text."""
    rows = [COLUMNS, *(study.cells() for study in studies)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _date(text: str | None, name: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Fatal(f"{name} must be a date such as 2026-01-31") from None
