"""Former objects: what was removed, and what the research PACS showed of it afterwards."""

from collections.abc import Iterable, Sequence
from typing import LiteralString
from uuid import UUID

from dicomanon.crosswalk.removals.rows import FormerObject, RemovalReceipt
from dicomanon.crosswalk.rows import InstanceState
from dicomanon.crosswalk.session import Connection
from dicomanon.values import Pseudonym, ResearchUid

UNCONFIRMED: LiteralString = (
    "FROM crosswalk.unconfirmed_object u JOIN crosswalk.instance i ON i.id = u.instance_id"
    " AND i.state NOT IN ('stored', 'validated') WHERE NOT EXISTS (SELECT FROM crosswalk.former_object f"
    " WHERE f.instance_id = u.instance_id AND f.research_sop_uid = u.research_sop_uid)"
)
"""Clauses that select objects ``u`` which the research PACS may have though their instances ``i`` do not say so."""

_ENTER: LiteralString = (
    "INSERT INTO crosswalk.former_object (removal_id, instance_id, state, pseudonym, research_study_uid,"
    " research_series_uid, research_sop_uid, output_digest, recipe_id, action_counts_id, batch_id)"
)
_IN_LEDGER: LiteralString = (
    " SELECT %(removal)s::uuid, i.id, i.state, coalesce(bore.pseudonym, p.pseudonym), st.research_study_uid,"
    " se.research_series_uid, i.research_sop_uid, i.output_digest, i.recipe_id, i.action_counts_id, i.batch_id"
    " FROM crosswalk.instance i"
    " JOIN crosswalk.series se ON se.id = i.series_id JOIN crosswalk.study st ON st.id = i.study_id"
    " JOIN crosswalk.patient p ON p.id = st.patient_id"
    # An object that waits for its re-issue bears the pseudonym that its study had before it was given away.
    " LEFT JOIN LATERAL (SELECT f.pseudonym FROM crosswalk.reissue x"
    " JOIN crosswalk.identity_decision opened ON opened.id = x.decision_id"
    " JOIN crosswalk.study_assignment a ON a.study_id = i.study_id"
    " JOIN crosswalk.identity_decision d ON d.id = a.decision_id AND d.number >= opened.number"
    " JOIN crosswalk.patient f ON f.id = a.from_patient"
    " WHERE x.instance_id = i.id AND x.closed_at IS NULL ORDER BY a.number LIMIT 1) bore ON true"
    " WHERE i.id = ANY(%(instances)s) AND i.state IN ('stored', 'validated')"
)
_BEYOND_LEDGER: LiteralString = (
    "SELECT DISTINCT ON (u.instance_id) %(removal)s::uuid, i.id, i.state, u.pseudonym, u.research_study_uid,"
    " u.research_series_uid, u.research_sop_uid, u.output_digest, u.recipe_id, u.action_counts_id, u.batch_id "
    + UNCONFIRMED
    + " AND i.id = ANY(%(instances)s) ORDER BY u.instance_id, u.recorded_at DESC"
)


def former_uids(connection: Connection, uids: Iterable[str]) -> set[str]:
    """Return those of the research SOP Instance UIDs that objects had which were removed."""
    rows = connection.execute(
        "SELECT research_sop_uid FROM crosswalk.former_object WHERE research_sop_uid = ANY(%s)",
        ([uid for uid in uids if uid],),
    ).fetchall()
    return {row[0] for row in rows}


def enter_former_objects(connection: Connection, removal_id: UUID, instance_ids: Sequence[int]) -> int:
    """Remember the objects of instances that the research PACS has, or may have got by now; return how many.

    What was validated may be on its way. Where it was not seen stored before its instance was held, made again or given
    away, it is known as unconfirmed, and taken unless a former removal has taken it.
    """
    return connection.execute(
        _ENTER + _IN_LEDGER + " UNION ALL (" + _BEYOND_LEDGER + ")",
        {"removal": removal_id, "instances": list(instance_ids)},
    ).rowcount


def former_objects(connection: Connection, removal_id: UUID, *, left: bool = False) -> list[FormerObject]:
    """Return what a removal took, by study; with ``left`` only what is not known to be gone."""
    rows = connection.execute(
        "SELECT f.removal_id, f.instance_id, f.state, f.pseudonym, f.research_study_uid, f.research_series_uid,"
        " f.research_sop_uid, f.output_digest, r.gone, r.means FROM crosswalk.former_object f"
        " LEFT JOIN LATERAL (SELECT gone, means FROM crosswalk.removal_receipt r WHERE r.removal_id = f.removal_id"
        " AND r.instance_id = f.instance_id ORDER BY r.id DESC LIMIT 1) r ON true"
        " WHERE f.removal_id = %s AND (NOT %s OR r.gone IS NOT TRUE) ORDER BY f.research_study_uid, f.instance_id",
        (removal_id, left),
    ).fetchall()
    return [
        FormerObject(
            row[0],
            row[1],
            InstanceState(row[2]),
            Pseudonym(row[3]),
            ResearchUid(row[4]),
            ResearchUid(row[5]),
            ResearchUid(row[6]),
            row[7],
            row[8],
            row[9] or "",
        )
        for row in rows
    ]


def record_receipts(connection: Connection, removal_id: UUID, receipts: Iterable[RemovalReceipt]) -> None:
    """Append what the research PACS showed; what it showed before is not said again."""
    known = {one.instance_id: (one.gone, one.means) for one in former_objects(connection, removal_id)}
    with connection.cursor().copy(
        "COPY crosswalk.removal_receipt (removal_id, instance_id, gone, means) FROM STDIN"
    ) as copy:
        for receipt in receipts:
            if known.get(receipt.instance_id) != (receipt.gone, receipt.means):
                copy.write_row((removal_id, receipt.instance_id, receipt.gone, receipt.means))
