"""Reads a trace out of the crosswalk: each level by one index look-up, all at one moment."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from typing import Any, LiteralString, TypeVar
from uuid import UUID

from dicomanon.crosswalk.action_counts import total
from dicomanon.crosswalk.profiles import publications
from dicomanon.crosswalk.removals.traced import FIND_FORMER, removals_of
from dicomanon.crosswalk.session import Connection, Session
from dicomanon.crosswalk.trace import (
    Trace,
    TracedBatch,
    TracedEvent,
    TracedInstance,
    TracedReceipt,
    TracedRelease,
    TracedSeries,
    TracedStudy,
    TracedVerdict,
)
from dicomanon.crosswalk.trace_summary import (
    MOST_BATCHES,
    looks,
    newest_releases,
    summarise,
)

Item = TypeVar("Item")
Row = tuple[Any, ...]

SEALED, DESTROYED = "sealed", "destroyed"
"""What there is of the source values: ciphertext that opens, or none that ever will."""

_BATCH = re.compile(r"(?:batch/)?([0-9]{1,18})")
"""A batch's id, alone or as its data set is called in OpenLineage."""

# From the narrowest to the widest, so that an identifier of one object is never taken for more.
_FIND = {
    "instance": "SELECT id FROM crosswalk.instance WHERE research_sop_uid = %(identifier)s",
    "series": "SELECT i.id FROM crosswalk.series se JOIN crosswalk.instance i"
    " ON i.study_id = se.study_id AND i.series_id = se.id WHERE se.research_series_uid = %(identifier)s",
    "study": "SELECT i.id FROM crosswalk.study st JOIN crosswalk.instance i ON i.study_id = st.id"
    " WHERE st.research_study_uid = %(identifier)s",
    # Either pseudonym of patients who were merged leads to the studies of both.
    "patient": "SELECT i.id FROM crosswalk.patient named JOIN crosswalk.patient p ON p.survivor_id = named.survivor_id"
    " JOIN crosswalk.study st ON st.patient_id = p.id"
    " JOIN crosswalk.instance i ON i.study_id = st.id WHERE named.pseudonym = %(identifier)s",
}
# Runs and releases are few, and looked up before their instances: joined in one statement, the server expects any
# identifier to be the name of half of them, and reads everything.
_FIND_FEW = {
    # By its id, or by project and number as its folder is named.
    "release_ids": "SELECT id FROM crosswalk.release WHERE id::text = %(identifier)s"
    " OR project || '/' || lpad(number::text, 4, '0') = %(identifier)s",
    # A DAG run, with its DAG before it where two share the id.
    "run_ids": "SELECT id FROM crosswalk.run WHERE %(identifier)s IN (airflow_run_id, dag_id || '/' || airflow_run_id)",
    # Releases that a DAG run made.
    "asked_ids": "SELECT id FROM crosswalk.release"
    " WHERE %(identifier)s IN (request_key, substr(request_key, strpos(request_key, '/') + 1))",
}
# With what each looks for: where that is nothing, nobody asks.
_FIND_BY_FEW: dict[str, tuple[tuple[str, ...], LiteralString]] = {
    "release": (
        ("release_ids",),
        "SELECT ri.instance_id FROM crosswalk.release_instance ri WHERE ri.release_id = ANY(%(release_ids)s)",
    ),
    # The batch that an instance was last in.
    "batch": (("batch",), "SELECT i.id FROM crosswalk.instance i WHERE i.batch_id = %(batch)s"),
    "run": (
        ("run_ids", "asked_ids"),
        "SELECT i.id FROM crosswalk.batch b JOIN crosswalk.instance i ON i.batch_id = b.id"
        " WHERE b.run_id = ANY(%(run_ids)s)"
        " UNION SELECT ri.instance_id FROM crosswalk.release_instance ri WHERE ri.release_id = ANY(%(asked_ids)s)",
    ),
}

_OF_PROJECT: LiteralString = "SELECT research FROM crosswalk.project_identifier WHERE own = %s"

MOST_INSTANCES = 1000
"""Instances that a trace shows unless more are asked for; of the others it has the counts."""
MOST_EVENTS = 1000
"""Events of a run outside of its batches; a run has some ten."""

_INSTANCES = """
SELECT st.id, st.research_study_uid, st.observed_count, st.enrolled_count, se.id, se.research_series_uid, se.modality,
       p.pseudonym, i.id, i.research_sop_uid, i.sop_class_uid, i.state, i.reason, i.detail, i.input_digest,
       i.output_digest, i.input_bytes, i.output_bytes, r.profile_version, r.code_version, i.batch_id,
       i.state_changed_at, i.action_counts_id, st.key_destroyed_at IS NOT NULL, p.survivor_id
FROM crosswalk.instance i
JOIN crosswalk.series se ON se.id = i.series_id
JOIN crosswalk.study st ON st.id = i.study_id
LEFT JOIN crosswalk.patient p ON p.id = st.patient_id
LEFT JOIN crosswalk.recipe r ON r.id = i.recipe_id
WHERE i.id = ANY(%s)
ORDER BY st.first_observed_at, st.id, se.id, i.id
"""


def trace(session: Session, identifier: str, limit: int | None = MOST_INSTANCES) -> Trace | None:
    """Find the identifier and gather what belongs to it; the contract is :meth:`Lineage.trace`'s."""
    identifier = identifier.strip()
    with session.transaction() as connection:
        # Plans are kept whatever an array's length: to plan each anew takes longer than to look everything up.
        connection.execute(
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL plan_cache_mode = force_generic_plan"
        )
        # What a project calls something is looked for as what it is here.
        named = connection.execute(_OF_PROJECT, (identifier,)).fetchone()
        identifier = named[0] if named else identifier
        parameters: dict[str, Any] = {
            "identifier": identifier,
            "batch": _batch_id(identifier),
            "limit": None if limit is None else limit + 1,
        }
        for kind, query in _finders(connection, parameters):
            ids = [row[0] for row in connection.execute(query + " ORDER BY 1 LIMIT %(limit)s", parameters)]
            if ids:
                rows = connection.execute(_INSTANCES, (ids[:limit],)).fetchall()
                found = _gather(connection, kind, identifier, rows)
                return _completed(connection, found, query, parameters, whole=len(ids) == len(rows))
        known = connection.execute(
            "SELECT survivor_id FROM crosswalk.patient WHERE pseudonym = %s", (identifier,)
        ).fetchone()
        if known is None:
            return _without_instances(connection, identifier, parameters)
        pseudonyms = _pseudonyms(connection, known[0])
    return Trace("patient", identifier, pseudonyms[0], (), (), (), pseudonyms=pseudonyms)


def _finders(connection: Connection, parameters: dict[str, Any]) -> Iterator[tuple[str, LiteralString]]:
    """Yield what the identifier may be of, and the query that finds its instances, from the narrowest to the widest."""
    yield from _FIND.items()
    for name, query in _FIND_FEW.items():
        parameters[name] = [row[0] for row in connection.execute(query, parameters)]
    for kind, (names, query) in _FIND_BY_FEW.items():
        if any(parameters[name] for name in names):
            yield kind, query
    yield from FIND_FORMER.items()


def _completed(
    connection: Connection, found: Trace, find: LiteralString, parameters: dict[str, Any], *, whole: bool
) -> Trace:
    """Add what is not read instance by instance."""
    shown = {batch.id for batch in found.batches}
    of_run = _batches_of_runs(connection, parameters["run_ids"]) if found.kind == "run" else set()
    if whole:
        found = replace(found, batches=_batches(connection, shown | of_run))
    else:
        summed = summarise(connection, find, parameters)
        others = of_run or set(summed.newest_batches)
        found = replace(
            found,
            pseudonym=found.pseudonym if summed.summary.patients == 1 else None,
            batches=_batches(connection, shown | others),
            releases=_releases(connection, newest_releases(connection, find, parameters)),
            action_counts=summed.action_counts,
            summary=summed.summary,
        )
    return replace(
        found,
        looks=looks(connection, find, parameters),
        events=_events_of_run(connection, found.identifier) if found.kind == "run" else (),
    )


def _without_instances(connection: Connection, identifier: str, parameters: dict[str, Any]) -> Trace | None:
    """Return the trace of a batch that later ones took over, or of a run that found nothing."""
    batch = connection.execute("SELECT id FROM crosswalk.batch WHERE id = %s", (parameters["batch"],)).fetchone()
    if batch:
        return Trace("batch", identifier, None, (), _batches(connection, {batch[0]}), ())
    events = _events_of_run(connection, identifier)
    of_run = _batches_of_runs(connection, parameters["run_ids"])
    if not (events or of_run):
        return None
    return Trace("run", identifier, None, (), _batches(connection, of_run), (), events=events)


def _batch_id(identifier: str) -> int | None:
    named = _BATCH.fullmatch(identifier)
    return int(named[1]) if named else None


def _batches_of_runs(connection: Connection, run_ids: list[UUID]) -> set[int]:
    rows = connection.execute(
        "SELECT id FROM crosswalk.batch WHERE run_id = ANY(%s) ORDER BY id LIMIT %s", (run_ids, MOST_BATCHES)
    )
    return {row[0] for row in rows}


def _events_of_run(connection: Connection, identifier: str) -> tuple[TracedEvent, ...]:
    """Return what the tasks of a DAG run did outside of its batches."""
    dag_id, _, run_id = identifier.rpartition("/")
    rows = connection.execute(
        "SELECT task_id, map_index, try_number, worker, event, counts, error, recorded_at FROM crosswalk.task_event"
        " WHERE airflow_run_id = %s AND %s IN ('', dag_id) AND batch_id IS NULL ORDER BY id LIMIT %s",
        (run_id, dag_id, MOST_EVENTS),
    ).fetchall()
    return tuple(TracedEvent(*row) for row in rows)


def _gather(connection: Connection, kind: str, identifier: str, rows: list[Row]) -> Trace:
    ids = [row[8] for row in rows]
    verdicts = _by_instance(
        connection.execute(
            "SELECT instance_id, passed, reason, findings, coalesce(encode(output_digest, 'hex'), ''), batch_id,"
            " recorded_at FROM crosswalk.verdict WHERE instance_id = ANY(%s) ORDER BY instance_id, id",
            (ids,),
        ),
        TracedVerdict,
    )
    receipts = _by_instance(
        connection.execute(
            "SELECT instance_id, accepted, confirmed, status, coalesce(encode(output_digest, 'hex'), ''), batch_id,"
            " recorded_at FROM crosswalk.store_receipt WHERE instance_id = ANY(%s) ORDER BY instance_id, id",
            (ids,),
        ),
        TracedReceipt,
    )
    released = _by_instance(
        connection.execute(
            "SELECT instance_id, release_id FROM crosswalk.release_instance WHERE instance_id = ANY(%s)"
            " ORDER BY instance_id, release_id",
            (ids,),
        ),
        _itself,
    )
    # Batches that an instance went through before count too, where they left a verdict or a receipt.
    batch_ids = {row[20] for row in rows if row[20] is not None}
    batch_ids |= {verdict.batch_id for found in verdicts.values() for verdict in found}
    batch_ids |= {receipt.batch_id for found in receipts.values() for receipt in found}
    persons = {row[24] for row in rows if row[24]}
    pseudonyms = _pseudonyms(connection, persons.pop()) if len(persons) == 1 else ()
    counts = _action_counts(connection, {row[22] for row in rows if row[22] is not None})
    return Trace(
        kind=kind,
        identifier=identifier,
        pseudonym=pseudonyms[0] if pseudonyms else None,
        pseudonyms=pseudonyms,
        studies=tuple(_studies(rows, verdicts, receipts, released, counts)),
        batches=_batches(connection, batch_ids),
        releases=_releases(connection, {release for releases in released.values() for release in releases}),
        profiles=publications(connection, {row[18] for row in rows if row[18]}),
        action_counts=total(counts[row[22]] for row in rows if row[22] is not None),
        removals=removals_of(connection, ids),
    )


def _pseudonyms(connection: Connection, survivor_id: UUID) -> tuple[str, ...]:
    """Return every pseudonym of a person, the surviving one first."""
    rows = connection.execute(
        "SELECT pseudonym FROM crosswalk.patient WHERE survivor_id = %s ORDER BY id <> survivor_id, created_at, id",
        (survivor_id,),
    ).fetchall()
    return tuple(row[0] for row in rows)


def _studies(
    rows: list[Row],
    verdicts: dict[int, tuple[TracedVerdict, ...]],
    receipts: dict[int, tuple[TracedReceipt, ...]],
    released: dict[int, tuple[UUID, ...]],
    counts: dict[int, dict[str, int]],
) -> Iterable[TracedStudy]:
    for study_id, of_study in groupby(rows, key=lambda row: row[0]):
        members = list(of_study)
        source = DESTROYED if members[0][23] else SEALED
        series = []
        for _, of_series in groupby(members, key=lambda row: row[4]):
            group = list(of_series)
            instances = tuple(
                TracedInstance(
                    instance_id=row[8],
                    research_sop_uid=row[9],
                    sop_class_uid=row[10],
                    state=row[11],
                    reason=row[12],
                    detail=row[13],
                    source=source,
                    input_digest=row[14].hex() if row[14] else "",
                    output_digest=row[15].hex() if row[15] else "",
                    input_bytes=row[16],
                    output_bytes=row[17],
                    profile_version=row[18] or "",
                    code_version=row[19] or "",
                    batch_id=row[20],
                    state_changed_at=row[21],
                    verdicts=verdicts.get(row[8], ()),
                    receipts=receipts.get(row[8], ()),
                    releases=released.get(row[8], ()),
                    action_counts=counts.get(row[22], {}),
                )
                for row in group
            )
            series.append(TracedSeries(group[0][5], group[0][6], source, instances))
        first = members[0]
        yield TracedStudy(study_id, first[1], source, first[2], first[3], tuple(series), first[7])


def _action_counts(connection: Connection, ids: set[int]) -> dict[int, dict[str, int]]:
    rows = connection.execute("SELECT id, counts FROM crosswalk.action_counts WHERE id = ANY(%s)", (list(ids),))
    return dict(rows.fetchall())


def _batches(connection: Connection, batch_ids: set[int]) -> tuple[TracedBatch, ...]:
    wanted = sorted(batch_ids)
    events: dict[int, list[TracedEvent]] = defaultdict(list)
    for row in connection.execute(
        "SELECT batch_id, task_id, map_index, try_number, worker, event, counts, error, recorded_at"
        " FROM crosswalk.task_event WHERE batch_id = ANY(%s) ORDER BY id",
        (wanted,),
    ):
        events[row[0]].append(TracedEvent(*row[1:]))
    rows = connection.execute(
        "SELECT b.id, b.number, r.dag_id, r.airflow_run_id FROM crosswalk.batch b"
        " JOIN crosswalk.run r ON r.id = b.run_id WHERE b.id = ANY(%s) ORDER BY b.id",
        (wanted,),
    ).fetchall()
    return tuple(TracedBatch(row[0], row[1], row[2], row[3], tuple(events[row[0]])) for row in rows)


def _releases(connection: Connection, release_ids: set[UUID]) -> tuple[TracedRelease, ...]:
    rows = connection.execute(
        "SELECT id, project, number, requester, created_at FROM crosswalk.release WHERE id = ANY(%s)"
        " ORDER BY created_at, id",
        (list(release_ids),),
    ).fetchall()
    return tuple(TracedRelease(*row) for row in rows)


def _by_instance(rows: Iterable[Row], make: Callable[..., Item]) -> dict[int, tuple[Item, ...]]:
    items: dict[int, list[Item]] = defaultdict(list)
    for row in rows:
        items[row[0]].append(make(*row[1:]))
    return {instance_id: tuple(found) for instance_id, found in items.items()}


def _itself(release_id: UUID) -> UUID:
    return release_id
