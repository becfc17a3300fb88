"""Sends a batch's validated objects to the research PACS and believes only what QIDO-RS confirms."""

from collections.abc import Iterable, Iterator
from hashlib import file_digest

from dicomanon.crosswalk.rows import Receipt, StagedInstance
from dicomanon.errors import Fatal, Retriable
from dicomanon.pacs.store import StoreObject, StoreResult
from dicomanon.pipeline.runtime import Runtime
from dicomanon.pipeline.staging import Staging
from dicomanon.reasons import HoldReason
from dicomanon.values import BatchId, ResearchUid

Counts = dict[str, int]
Validated = dict[ResearchUid, StagedInstance]


def store(runtime: Runtime, batch_id: BatchId) -> Counts:
    """Store every validated instance of the batch and record the receipts; running it again stores what is missing.

    An object that is not the one that passed validation any more is held, whoever changed it.

    Raises
    ------
    Retriable
        The research PACS failed, or does not show what it accepted; what it confirmed is recorded all the same.
    Fatal
        A validated object is not in staging any more: only a new run pulls it again.
    """
    with runtime.crosswalk.removals.storing(batch_id):
        return _store(runtime, batch_id)


def _store(runtime: Runtime, batch_id: BatchId) -> Counts:
    staging = Staging(runtime.settings.staging_dir, batch_id)
    staged = runtime.crosswalk.mapping.staged(batch_id)
    validated: Validated = {row.research_sop_uid: row for row in staged if row.state == "validated"}
    missing = sum(not staging.holds(uid) for uid in validated)
    if missing:
        raise Fatal(f"{missing} validated objects are missing from staging: start the DAG again to pull them anew")
    changed: list[StagedInstance] = []
    results, failure = _send(runtime, _unchanged(staging, validated, changed))
    runtime.crosswalk.mapping.hold(
        batch_id, [row.instance_id for row in changed], HoldReason.NONCONFORMANT, "changed after its verdict"
    )
    receipts = list(_receipts(runtime, validated, [result for result in results if not result.retriable]))
    runtime.crosswalk.mapping.record_receipts(batch_id, receipts)
    if failure is not None:
        raise failure
    waiting = sum(result.retriable for result in results)
    if waiting:
        raise Retriable(f"the research PACS is out of resources for {waiting} instances")
    unconfirmed = sum(receipt.accepted and not receipt.confirmed for receipt in receipts)
    if unconfirmed:
        raise Retriable(f"the research PACS accepted {unconfirmed} instances that its QIDO-RS does not show")
    stored = sum(receipt.accepted for receipt in receipts)
    return {"instances": len(validated), "stored": stored, "refused": len(validated) - stored}


def _unchanged(staging: Staging, validated: Validated, changed: list[StagedInstance]) -> Iterator[StoreObject]:
    """Yield what may be sent, each checked just before it is; the others are noted in ``changed``."""
    for uid, row in validated.items():
        path = staging.path(uid)
        with path.open("rb") as file:
            intact = file_digest(file, "sha256").digest() == row.output_digest
        if intact:
            yield StoreObject(sop_uid=uid, path=path)
        else:
            changed.append(row)


def _send(runtime: Runtime, objects: Iterable[StoreObject]) -> tuple[list[StoreResult], Retriable | Fatal | None]:
    """Send and keep what was answered before anything failed."""
    results: list[StoreResult] = []
    try:
        results.extend(runtime.research.store(objects))
    except (Retriable, Fatal) as error:
        return results, error
    return results, None


def _receipts(runtime: Runtime, validated: Validated, results: Iterable[StoreResult]) -> Iterator[Receipt]:
    shown: dict[ResearchUid, set[str]] = {}
    for result in results:
        row = validated[ResearchUid(result.sop_uid)]
        study = row.research_study_uid
        if study not in shown:
            shown[study] = runtime.research.stored_instances(study)
        confirmed = result.sop_uid in shown[study]
        yield Receipt(
            instance_id=row.instance_id,
            # An archive may take an object without saying so; none that refuses it shows it.
            accepted=result.accepted or (confirmed and result.status is None),
            confirmed=confirmed,
            status=result.status,
            output_digest=row.output_digest,
        )
