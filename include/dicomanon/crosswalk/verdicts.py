"""Writes what validation and the research PACS said of a batch's objects, and moves their states accordingly."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from dicomanon.crosswalk import research_facts
from dicomanon.crosswalk.rows import InstanceState, Receipt, Verdict
from dicomanon.crosswalk.session import Connection, Session
from dicomanon.errors import Fatal
from dicomanon.reasons import HoldReason
from dicomanon.values import BatchId

DUPLICATE_SOP_INSTANCE = 0x0111
"""Status of a refusal because the object is there already (PS3.7 C.5.4)."""

_EXAMINABLE = {InstanceState.DEIDENTIFIED, InstanceState.VALIDATED}


@dataclass(frozen=True, slots=True)
class _Row:
    state: InstanceState
    output_digest: bytes | None
    series_id: UUID


@dataclass(frozen=True, slots=True)
class _Move:
    instance_id: int
    state: InstanceState
    reason: str = ""
    detail: str = ""
    facts_id: int | None = None
    """What the object says of itself; with ``None``, what is known of that stays."""


def record_verdicts(session: Session, batch_id: BatchId, verdicts: Sequence[Verdict]) -> None:
    """Keep each verdict and let it decide; the contract is :meth:`Mapping.record_verdicts`'s."""
    # Of two verdicts about one instance the failing one counts.
    single = {verdict.instance_id: verdict for verdict in sorted(verdicts, key=lambda verdict: not verdict.passed)}
    single |= {verdict.instance_id: verdict for verdict in verdicts if not verdict.passed}
    with session.transaction() as connection:
        rows = _lock(connection, batch_id, single)
        newest = _newest_verdicts(connection, rows)
        told = _facts_told(connection, rows, single)
        moves, kept = [], []
        for instance_id, row in rows.items():
            verdict = single[instance_id]
            if row.output_digest is None or verdict.output_digest not in {None, row.output_digest}:
                continue
            reason = "" if verdict.passed else str(verdict.reason or HoldReason.RESIDUAL_PHI)
            said = (row.output_digest, verdict.passed, verdict.findings, reason)
            if newest.get(instance_id) != said:
                kept.append(
                    (instance_id, batch_id, row.output_digest, verdict.passed, json.dumps(verdict.findings), reason)
                )
            if row.state in _EXAMINABLE:
                moves.append(
                    _Move(instance_id, InstanceState.VALIDATED, facts_id=told.get(instance_id))
                    if verdict.passed
                    else _Move(instance_id, InstanceState.HELD, reason, _rules(verdict))
                )
        with connection.cursor().copy(
            "COPY crosswalk.verdict (instance_id, batch_id, output_digest, passed, findings, reason) FROM STDIN"
        ) as copy:
            for record in kept:
                copy.write_row(record)
        _move(connection, moves)


def record_receipts(session: Session, batch_id: BatchId, receipts: Sequence[Receipt]) -> None:
    """Keep each receipt and let it decide; the contract is :meth:`Mapping.record_receipts`'s."""
    single = {receipt.instance_id: receipt for receipt in receipts}
    unvalidated = 0
    with session.transaction() as connection:
        rows = _lock(connection, batch_id, single)
        newest = _newest_receipts(connection, rows)
        moves, kept = [], []
        for instance_id, row in rows.items():
            receipt = single[instance_id]
            if receipt.output_digest is not None and receipt.output_digest != row.output_digest:
                continue  # It is about other bytes than the crosswalk names by now.
            said = (row.output_digest, receipt.accepted, receipt.confirmed, receipt.status)
            if newest.get(instance_id) != said:
                kept.append((instance_id, batch_id, *said))
            there = receipt.accepted or receipt.status == DUPLICATE_SOP_INSTANCE
            if row.state is InstanceState.VALIDATED:
                if there and receipt.confirmed:
                    moves.append(_Move(instance_id, InstanceState.STORED))
                elif not there:
                    status = "no status" if receipt.status is None else f"status {receipt.status:04X}H"
                    moves.append(_Move(instance_id, InstanceState.HELD, HoldReason.STORE_REFUSED, status))
            elif there and row.state is not InstanceState.STORED:
                unvalidated += 1
        with connection.cursor().copy(
            "COPY crosswalk.store_receipt (instance_id, batch_id, output_digest, accepted, confirmed, status)"
            " FROM STDIN"
        ) as copy:
            for record in kept:
                copy.write_row(record)
        _move(connection, moves)
    # Committed first: the receipts are the evidence.
    if unvalidated:
        raise Fatal(
            f"the research PACS has accepted {unvalidated} instances that were not validated: remove them there"
        )


def hold(
    session: Session, batch_id: BatchId, instance_ids: Iterable[int], reason: HoldReason | str, detail: str
) -> None:
    """Hold instances that are not settled; the contract is :meth:`Mapping.hold`'s."""
    ids = sorted(set(instance_ids))
    if not ids:
        return
    if not reason:
        raise Fatal("an instance is held for a reason")
    with session.transaction() as connection:
        connection.execute(
            "WITH locked AS MATERIALIZED (SELECT id FROM crosswalk.instance WHERE id = ANY(%s) AND batch_id = %s"
            " AND state IN ('discovered', 'deidentified', 'validated') ORDER BY id FOR NO KEY UPDATE)"
            " UPDATE crosswalk.instance i SET state = 'held', reason = %s, detail = %s, state_changed_at = now()"
            " FROM locked WHERE i.id = locked.id",
            (ids, batch_id, str(reason), detail),
        )


def _lock(connection: Connection, batch_id: BatchId, instance_ids: Iterable[int]) -> dict[int, _Row]:
    rows = connection.execute(
        "SELECT id, state, output_digest, series_id FROM crosswalk.instance WHERE id = ANY(%s) AND batch_id = %s"
        " ORDER BY id FOR NO KEY UPDATE",
        (list(instance_ids), batch_id),
    ).fetchall()
    return {row[0]: _Row(InstanceState(row[1]), row[2], row[3]) for row in rows}


def _facts_told(connection: Connection, rows: Mapping[int, _Row], verdicts: Mapping[int, Verdict]) -> dict[int, int]:
    """Return by instance the row of what its object says: of objects that have passed alone, since others may leak."""
    told = {
        instance_id: (row.series_id, facts)
        for instance_id, row in rows.items()
        if row.state in _EXAMINABLE and verdicts[instance_id].passed and (facts := verdicts[instance_id].facts)
    }
    if not told:
        return {}
    found = research_facts.rows_for(connection, told.values())
    return {instance_id: found[research_facts.key_of(*said)] for instance_id, said in told.items()}


def _newest_verdicts(
    connection: Connection, instance_ids: Iterable[int]
) -> dict[int, tuple[bytes | None, bool, dict[str, int], str]]:
    rows = connection.execute(
        "SELECT DISTINCT ON (instance_id) instance_id, output_digest, passed, findings, reason FROM crosswalk.verdict"
        " WHERE instance_id = ANY(%s) ORDER BY instance_id, id DESC",
        (list(instance_ids),),
    ).fetchall()
    return {row[0]: (row[1], row[2], row[3], row[4]) for row in rows}


def _newest_receipts(
    connection: Connection, instance_ids: Iterable[int]
) -> dict[int, tuple[bytes | None, bool, bool, int | None]]:
    rows = connection.execute(
        "SELECT DISTINCT ON (instance_id) instance_id, output_digest, accepted, confirmed, status"
        " FROM crosswalk.store_receipt WHERE instance_id = ANY(%s) ORDER BY instance_id, id DESC",
        (list(instance_ids),),
    ).fetchall()
    return {row[0]: (row[1], row[2], row[3], row[4]) for row in rows}


def _move(connection: Connection, moves: Sequence[_Move]) -> None:
    if moves:
        connection.execute(
            "UPDATE crosswalk.instance i SET state = m.state, reason = m.reason, detail = m.detail,"
            " state_changed_at = now(), research_facts_id = coalesce(m.facts_id, i.research_facts_id)"
            " FROM unnest(%s::bigint[], %s::crosswalk.instance_state[], %s::text[], %s::text[], %s::bigint[])"
            " AS m (id, state, reason, detail, facts_id) WHERE i.id = m.id AND i.state <> m.state",
            (
                [move.instance_id for move in moves],
                [move.state.value for move in moves],
                [str(move.reason) for move in moves],
                [move.detail for move in moves],
                [move.facts_id for move in moves],
            ),
        )


def _rules(verdict: Verdict) -> str:
    return ", ".join(sorted(rule for rule, count in verdict.findings.items() if count))
