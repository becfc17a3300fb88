"""What the crosswalk knows of the batch or the release that a task worked on: counts, versions and verdicts."""

from collections import Counter
from dataclasses import dataclass, field
from uuid import UUID

from dicomanon.crosswalk.rows import TaskEvent
from dicomanon.crosswalk.session import Connection


@dataclass(frozen=True, slots=True)
class BatchFacts:
    """A batch and what became of its instances by now; the last verdict of each counts."""

    number: int
    instances: int
    studies: int
    states: dict[str, int]
    profile_versions: tuple[str, ...]
    code_versions: tuple[str, ...]
    output_bytes: int
    passed: int
    failed: int
    findings: dict[str, int]


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """What belongs to a task beside what it said itself; empty where it worked on neither batch nor release."""

    batch: BatchFacts | None = None
    releases: tuple[UUID, ...] = field(default=())


_NOW = """
SELECT i.state::text, r.profile_version, r.code_version, count(*), coalesce(sum(i.output_bytes), 0)::bigint
FROM crosswalk.instance i LEFT JOIN crosswalk.recipe r ON r.id = i.recipe_id
WHERE i.batch_id = %s GROUP BY 1, 2, 3
"""

# By way of the instances: verdicts are found by instance, not by batch.
_VERDICTS = """
SELECT passed, findings, count(*) FROM (
    SELECT DISTINCT ON (v.instance_id) v.passed, v.findings
    FROM crosswalk.instance i JOIN crosswalk.verdict v ON v.instance_id = i.id AND v.batch_id = i.batch_id
    WHERE i.batch_id = %s ORDER BY v.instance_id, v.id DESC
) last GROUP BY passed, findings
"""


def task_facts(connection: Connection, event: TaskEvent) -> TaskFacts:
    """Return what is known of what a task worked on."""
    releases = connection.execute(
        "SELECT * FROM crosswalk.releases_of_request(%s)", (f"{event.dag_id}/{event.run_id}",)
    ).fetchall()
    return TaskFacts(_batch(connection, event.batch_id), tuple(row[0] for row in releases))


def _batch(connection: Connection, batch_id: int | None) -> BatchFacts | None:
    if batch_id is None:  # Not even asked: a cohort's tasks have no right to read batches.
        return None
    planned = connection.execute(
        "SELECT number, instances, studies FROM crosswalk.batch WHERE id = %s", (batch_id,)
    ).fetchone()
    if planned is None:
        return None
    states: Counter[str] = Counter()
    output_bytes, profiles, codes = 0, set(), set()
    for state, profile, code, instances, size in connection.execute(_NOW, (batch_id,)):
        states[state] += instances
        output_bytes += size
        profiles |= {profile} - {None}
        codes |= {code} - {None}
    verdicts: Counter[bool] = Counter()
    findings: Counter[str] = Counter()
    for passed, found, instances in connection.execute(_VERDICTS, (batch_id,)):
        verdicts[passed] += instances
        for rule, count in found.items():
            findings[rule] += count * instances
    return BatchFacts(
        number=planned[0],
        instances=planned[1],
        studies=planned[2],
        states=dict(sorted(states.items())),
        profile_versions=tuple(sorted(profiles)),
        code_versions=tuple(sorted(codes)),
        output_bytes=output_bytes,
        passed=verdicts[True],
        failed=verdicts[False],
        findings=dict(sorted(findings.items())),
    )
