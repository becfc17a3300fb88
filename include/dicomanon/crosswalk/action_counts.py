"""How many elements each action met: one row for all instances that share the counts, as the slices of a series do."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache

from dicomanon.crosswalk.session import Connection
from dicomanon.errors import Fatal

Counts = Mapping[str, int]


def canonical(counts: Counts) -> str:
    """Return counts as text that is the same for the same counts."""
    return _as_text(tuple(sorted(counts.items())))


# The slices of a series share their counts: written out once, asked for a thousand times.
@lru_cache(maxsize=1024)
def _as_text(counts: tuple[tuple[str, int], ...]) -> str:
    return json.dumps(dict(counts), separators=(",", ":"))


def rows_for(connection: Connection, wanted: Iterable[Counts]) -> dict[str, int]:
    """Return the row of each distinct set of counts, by its canonical text; what is missing is added in one go."""
    digests = {hashlib.sha256(text.encode()).digest(): text for text in {canonical(counts) for counts in wanted}}
    found = _known(connection, digests)
    # In one order everywhere, so that two batches that bring the same new counts never wait for each other in a circle.
    missing = sorted(digest for digest, text in digests.items() if text not in found)
    if missing:
        connection.execute(
            "INSERT INTO crosswalk.action_counts (digest, counts)"
            " SELECT digest, counts::jsonb FROM unnest(%s::bytea[], %s::text[]) AS new (digest, counts) ORDER BY digest"
            " ON CONFLICT DO NOTHING",
            (missing, [digests[digest] for digest in missing]),
        )
        found = _known(connection, digests)
    if len(found) != len(digests):
        raise Fatal("action counts that were just entered are not in the crosswalk")
    return found


def _known(connection: Connection, digests: Mapping[bytes, str]) -> dict[str, int]:
    rows = connection.execute(
        "SELECT digest, id FROM crosswalk.action_counts WHERE digest = ANY(%s)", (list(digests),)
    ).fetchall()
    return {digests[digest]: row for digest, row in rows}


def by_batch(connection: Connection, dag_id: str, run_id: str) -> dict[int, dict[str, int]]:
    """Return what was done in each batch of a DAG run, by batch number: how many elements each action met."""
    totals: dict[int, Counter[str]] = defaultdict(Counter)
    for number, counts, instances in connection.execute(
        "SELECT b.number, a.counts, count(*) FROM crosswalk.run r"
        " JOIN crosswalk.batch b ON b.run_id = r.id JOIN crosswalk.instance i ON i.batch_id = b.id"
        " JOIN crosswalk.action_counts a ON a.id = i.action_counts_id"
        " WHERE r.dag_id = %s AND r.airflow_run_id = %s GROUP BY b.number, a.id, a.counts",
        (dag_id, run_id),
    ):
        for action, count in counts.items():
            totals[number][action] += count * instances
    return {number: dict(sorted(total.items())) for number, total in sorted(totals.items())}


def total(counts: Iterable[Counts]) -> dict[str, int]:
    """Return the sum of several counts, by action."""
    added: Counter[str] = Counter()
    for one in counts:
        added.update(one)
    return dict(sorted(added.items()))
