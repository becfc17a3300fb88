"""What a trace says of all its instances where it shows only some: counts by series, states, verdicts and versions."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any, Final, LiteralString
from uuid import UUID

from psycopg.sql import SQL, Composed

from dicomanon.crosswalk.session import Connection
from dicomanon.crosswalk.trace import SeriesSummary, TracedLook, TraceSummary

MOST_SERIES: Final = 500
"""Series that a summary lists; of the others it has the count."""
MOST_BATCHES: Final = 200
"""Batches beyond those of the instances that are shown, the newest first."""
MOST_RELEASES: Final = 200
"""Releases of what is not shown instance by instance, the newest first."""
MOST_LOOKS: Final = 200
"""Looks at instances, the latest first."""

Parameters = dict[str, Any]


def summarise(connection: Connection, find: LiteralString, parameters: Parameters) -> TraceSummary:
    """Count everything that ``find`` finds; it is a query that gives ids of instances."""

    def ask(query: LiteralString, **more: int) -> list[tuple[Any, ...]]:
        return connection.execute(_all(find, query), parameters | more).fetchall()

    states, series, sizes = _by_series(
        ask(
            "SELECT i.series_id, i.state::text, count(*), sum(i.input_bytes)::bigint, sum(i.output_bytes)::bigint"
            " FROM traced JOIN crosswalk.instance i USING (id) GROUP BY 1, 2"
        )
    )
    listed = connection.execute(
        "SELECT se.id, st.research_study_uid, se.research_series_uid, se.modality FROM crosswalk.series se"
        " JOIN crosswalk.study st ON st.id = se.study_id WHERE se.id = ANY(%s)"
        " ORDER BY st.first_observed_at, st.id, se.id LIMIT %s",
        (list(series), MOST_SERIES),
    ).fetchall()
    made = ask(
        "SELECT r.profile_version, r.code_version, count(*) FROM traced JOIN crosswalk.instance i USING (id)"
        " JOIN crosswalk.recipe r ON r.id = i.recipe_id GROUP BY 1, 2"
    )
    judged = ask(
        "SELECT v.passed, count(*) FROM traced JOIN crosswalk.verdict v ON v.instance_id = traced.id GROUP BY 1"
    )
    confirmed = ask(
        "SELECT r.confirmed, count(*) FROM traced JOIN crosswalk.store_receipt r ON r.instance_id = traced.id"
        " GROUP BY 1"
    )
    patients = ask(
        "SELECT count(DISTINCT p.survivor_id) FROM traced JOIN crosswalk.instance i USING (id)"
        " JOIN crosswalk.study st ON st.id = i.study_id JOIN crosswalk.patient p ON p.id = st.patient_id"
    )
    return TraceSummary(
        patients=patients[0][0],
        instances=states.total(),
        states=dict(sorted(states.items())),
        input_bytes=sizes[0],
        output_bytes=sizes[1],
        series_count=len(series),
        series=tuple(SeriesSummary(row[1], row[2], row[3], dict(sorted(series[row[0]].items()))) for row in listed),
        batch_count=ask("SELECT count(DISTINCT i.batch_id) FROM traced JOIN crosswalk.instance i USING (id)")[0][0],
        made_by={f"{profile}, code {code}": count for profile, code, count in sorted(made)},
        verdicts={"passed" if passed else "failed": count for passed, count in judged},
        receipts={"confirmed" if shown else "unconfirmed": count for shown, count in confirmed},
    )


def action_totals(connection: Connection, find: LiteralString, parameters: Parameters) -> dict[str, int]:
    """Return how many elements each action met, over all that ``find`` finds."""
    totals: Counter[str] = Counter()
    for counts, instances in connection.execute(
        _all(
            find,
            "SELECT a.counts, count(*) FROM traced JOIN crosswalk.instance i USING (id)"
            " JOIN crosswalk.action_counts a ON a.id = i.action_counts_id GROUP BY a.id, a.counts",
        ),
        parameters,
    ):
        for action, count in counts.items():
            totals[action] += count * instances
    return dict(sorted(totals.items()))


def newest_batches(connection: Connection, find: LiteralString, parameters: Parameters) -> list[int]:
    """Return the batches in which the instances were last, at most :data:`MOST_BATCHES`."""
    query = (
        "SELECT DISTINCT i.batch_id FROM traced JOIN crosswalk.instance i USING (id) WHERE i.batch_id IS NOT NULL"
        " ORDER BY 1 DESC LIMIT %(batches)s"
    )
    return [row[0] for row in connection.execute(_all(find, query), parameters | {"batches": MOST_BATCHES})]


def newest_releases(connection: Connection, find: LiteralString, parameters: Parameters) -> set[UUID]:
    """Return the releases that hold one of the instances, at most :data:`MOST_RELEASES`."""
    query = (
        "SELECT re.id FROM crosswalk.release re WHERE EXISTS (SELECT FROM traced"
        " JOIN crosswalk.release_instance ri ON ri.instance_id = traced.id WHERE ri.release_id = re.id)"
        " ORDER BY re.created_at DESC LIMIT %(releases)s"
    )
    return {row[0] for row in connection.execute(_all(find, query), parameters | {"releases": MOST_RELEASES})}


def looks(connection: Connection, find: LiteralString, parameters: Parameters) -> tuple[TracedLook, ...]:
    """Return who was shown which of the instances, the latest first."""
    query = (
        "SELECT a.instance_id, i.research_sop_uid, a.actor, a.action, a.recorded_at FROM traced"
        " JOIN crosswalk.access_event a ON a.instance_id = traced.id JOIN crosswalk.instance i ON i.id = traced.id"
        " ORDER BY a.recorded_at DESC, a.id LIMIT %(looks)s"
    )
    return tuple(TracedLook(*row) for row in connection.execute(_all(find, query), parameters | {"looks": MOST_LOOKS}))


def _all(find: LiteralString, query: LiteralString) -> Composed:
    """Return a query about what ``find``, one of our own, finds."""
    return SQL("WITH traced (id) AS (SELECT DISTINCT * FROM ({}) found) {}").format(SQL(find), SQL(query))


def _by_series(
    rows: Iterable[tuple[Any, ...]],
) -> tuple[Counter[str], dict[Any, Counter[str]], tuple[int, int]]:
    states: Counter[str] = Counter()
    series: dict[Any, Counter[str]] = defaultdict(Counter)
    before, after = 0, 0
    for series_id, state, count, input_bytes, output_bytes in rows:
        states[state] += count
        series[series_id][state] += count
        before += input_bytes
        after += output_bytes
    return states, series, (before, after)
