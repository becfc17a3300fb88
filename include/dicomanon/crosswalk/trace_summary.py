"""What a trace says of all its instances where it shows only some: counts by series, states, verdicts and versions."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any, Final, LiteralString, NamedTuple
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


@dataclass(frozen=True)
class Summed:
    """What is known of all instances that a trace finds, without a look at each.

    Attributes
    ----------
    summary
        For whoever reads the trace.
    action_counts
        How many elements each action met.
    newest_batches
        In which the instances were last, at most :data:`MOST_BATCHES`.
    """

    summary: TraceSummary
    action_counts: dict[str, int]
    newest_batches: list[int]


class _Group(NamedTuple):
    """Instances that are alike in all that is counted."""

    survivor_id: UUID | None
    series_id: int
    state: str
    batch_id: int | None
    recipe_id: int | None
    action_counts_id: int | None
    instances: int
    input_bytes: int
    output_bytes: int


_GROUPS: Final = (
    "SELECT p.survivor_id, i.series_id, i.state::text, i.batch_id, i.recipe_id, i.action_counts_id, count(*),"
    " sum(i.input_bytes)::bigint, sum(i.output_bytes)::bigint FROM traced JOIN crosswalk.instance i USING (id)"
    " JOIN crosswalk.study st ON st.id = i.study_id LEFT JOIN crosswalk.patient p ON p.id = st.patient_id"
    " GROUP BY 1, 2, 3, 4, 5, 6"
)
_SERIES: Final = (
    "SELECT se.id, st.research_study_uid, se.research_series_uid, se.modality FROM crosswalk.series se"
    " JOIN crosswalk.study st ON st.id = se.study_id WHERE se.id = ANY(%s)"
    " ORDER BY st.first_observed_at, st.id, se.id LIMIT %s"
)


def summarise(connection: Connection, find: LiteralString, parameters: Parameters) -> Summed:
    """Count everything that ``find`` finds; it is a query that gives ids of instances."""

    def ask(query: LiteralString) -> list[tuple[Any, ...]]:
        return connection.execute(_all(find, query), parameters).fetchall()

    # All instances are passed once: a patient, a batch or a release may have a hundred thousand.
    groups = [_Group(*row) for row in ask(_GROUPS)]
    states: Counter[str] = Counter()
    series: dict[int, Counter[str]] = defaultdict(Counter)
    made: Counter[int] = Counter()
    counted: Counter[int] = Counter()
    for group in groups:
        states[group.state] += group.instances
        series[group.series_id][group.state] += group.instances
        if group.recipe_id is not None:
            made[group.recipe_id] += group.instances
        if group.action_counts_id is not None:
            counted[group.action_counts_id] += group.instances
    batches = {group.batch_id for group in groups if group.batch_id is not None}
    judged = ask(
        "SELECT v.passed, count(*) FROM traced JOIN crosswalk.verdict v ON v.instance_id = traced.id GROUP BY 1"
    )
    confirmed = ask(
        "SELECT r.confirmed, count(*) FROM traced JOIN crosswalk.store_receipt r ON r.instance_id = traced.id"
        " GROUP BY 1"
    )
    listed = connection.execute(_SERIES, (list(series), MOST_SERIES)).fetchall()
    summary = TraceSummary(
        patients=len({group.survivor_id for group in groups if group.survivor_id is not None}),
        instances=states.total(),
        states=dict(sorted(states.items())),
        input_bytes=sum(group.input_bytes for group in groups),
        output_bytes=sum(group.output_bytes for group in groups),
        series_count=len(series),
        series=tuple(SeriesSummary(row[1], row[2], row[3], dict(sorted(series[row[0]].items()))) for row in listed),
        batch_count=len(batches),
        made_by=_made_by(connection, made),
        verdicts={"passed" if passed else "failed": count for passed, count in judged},
        receipts={"confirmed" if shown else "unconfirmed": count for shown, count in confirmed},
    )
    return Summed(summary, _action_totals(connection, counted), sorted(batches)[-MOST_BATCHES:])


def _made_by(connection: Connection, instances: Counter[int]) -> dict[str, int]:
    """Return how many instances each profile and code made, by how many each recipe has."""
    made: Counter[str] = Counter()
    for recipe, profile, code in connection.execute(
        "SELECT id, profile_version, code_version FROM crosswalk.recipe WHERE id = ANY(%s)", (list(instances),)
    ):
        made[f"{profile}, code {code}"] += instances[recipe]
    return dict(sorted(made.items()))


def _action_totals(connection: Connection, instances: Counter[int]) -> dict[str, int]:
    totals: Counter[str] = Counter()
    for shared, counts in connection.execute(
        "SELECT id, counts FROM crosswalk.action_counts WHERE id = ANY(%s)", (list(instances),)
    ):
        for action, count in counts.items():
            totals[action] += count * instances[shared]
    return dict(sorted(totals.items()))


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
