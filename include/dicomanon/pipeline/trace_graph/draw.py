"""Makes the graph of a trace, and its picture."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from dicomanon.crosswalk.trace import Trace, TracedBatch, TracedEvent, TracedRelease
from dicomanon.openlineage.naming import dag_run_uuid, generated_run_id, nominal_time
from dicomanon.pipeline.trace_graph.layout import HEADLINE_LETTERS, arrange
from dicomanon.pipeline.trace_graph.model import Graph, Node, Tone
from dicomanon.pipeline.trace_graph.rows import Outcome, Row, rows_of, totals_of
from dicomanon.pipeline.trace_graph.svg import svg
from dicomanon.pipeline.trace_graph.words import counted, lasted, short, size

_COLUMNS: Final = ("source", "pull and anonymize", "object", "validate", "verdict", "store", "receipt", "release")
_SOURCE, _PULL, _OBJECT, _VALIDATE, _VERDICT, _STORE, _RECEIPT, _RELEASE = range(len(_COLUMNS))
_TASKS: Final = {_PULL: "pull_and_anonymize", _VALIDATE: "validate", _STORE: "store"}
_STATES: Final = {"stored": Tone.GOOD, "held": Tone.HELD, "filtered": Tone.QUIET, "withdrawn": Tone.QUIET}
_MOST_RELEASES: Final = 20


def draw(trace: Trace) -> str:
    """Return a trace as SVG, readable by itself; identifiers are short there, and whole for whoever points at them.

    It holds what the trace holds, research identifiers and counts, and of ids of runs only those that Airflow made.
    """
    return svg(arrange(graph_of(trace)))


def graph_of(trace: Trace) -> Graph:
    """Return what is drawn of a trace."""
    graph = Graph(f"{trace.kind} {_named(trace)}", _COLUMNS)
    tasks = _Tasks(graph, trace.batches, trace.summary.batch_count if trace.summary else len(trace.batches))
    rows = rows_of(trace)
    for number, row in enumerate(rows):
        _add_row(graph, tasks, row, number)
    if trace.summary is not None:
        _add_totals(graph, tasks, rows, *totals_of(trace.summary))
    releases = trace.releases[-_MOST_RELEASES:]
    for release in releases:
        _add_release(graph, release, rows)
    for unfinished in trace.batches if not rows else ():
        tasks.tries(_PULL, unfinished.id)
    return graph


def _named(trace: Trace) -> str:
    if trace.kind != "run":
        return trace.identifier
    dag_id, _, run_id = trace.identifier.rpartition("/")
    return generated_run_id(run_id) or (f"of {dag_id}" if dag_id else "named by a person")


def _add_row(graph: Graph, tasks: "_Tasks", row: Row, number: int) -> None:
    source = graph.add(f"source {number}", _source(row))
    made = graph.add(f"object {number}", _object(row))
    tasks.between(_PULL, row.batch_id, source, made)
    judged = {
        outcome: graph.add(f"verdict {number} {place}", _verdict(outcome, row.kind))
        for place, outcome in enumerate(row.verdicts)
    }
    for outcome, verdict in judged.items():
        tasks.between(_VALIDATE, outcome.batch_id, made, verdict)
    for place, outcome in enumerate(row.receipts):
        receipt = graph.add(f"receipt {number} {place}", _receipt(outcome, row.kind))
        passed = [key for one, key in judged.items() if one.good and one.batch_id == outcome.batch_id]
        for verdict in passed or [made]:
            tasks.between(_STORE, outcome.batch_id, verdict, receipt)


def _add_totals(
    graph: Graph, tasks: "_Tasks", rows: Sequence[Row], verdicts: Sequence[Outcome], receipts: Sequence[Outcome]
) -> None:
    """Join verdicts and receipts that are counted over all instances to all rows."""
    for outcome in verdicts:
        verdict = graph.add(f"verdict all {outcome.good}", _verdict(outcome, "all"))
        # Of those that are held it is not known here whether they came so far.
        for number in (number for number, row in enumerate(rows) if row.state in {"validated", "stored"}):
            tasks.between(_VALIDATE, None, f"object {number}", verdict)
    for outcome in receipts:
        receipt = graph.add(f"receipt all {outcome.good}", _receipt(outcome, "all"))
        for verdict in [key for key in graph.nodes if key == "verdict all True"]:
            tasks.between(_STORE, None, verdict, receipt)


def _add_release(graph: Graph, release: TracedRelease, rows: Sequence[Row]) -> None:
    name = f"{release.project}/{release.number:04d}"
    when = f"{release.created_at:%Y-%m-%d %H:%M}"
    node = graph.add(
        f"release {release.id}",
        Node(
            _RELEASE, name, (f"for {release.requester}", when), f"release {name}, {release.id}, for {release.requester}"
        ),
    )
    holders = [number for number, row in enumerate(rows) if release.id in row.releases]
    receipts = [f"receipt {number} {place}" for number in holders for place in range(len(rows[number].receipts))]
    for receipt in receipts or [key for key in graph.nodes if key == "receipt all True"]:
        graph.join(receipt, node)


def _source(row: Row) -> Node:
    digest = f"SHA-256 {row.input_digest[:8]}…" if row.input_digest else ""
    amount = "" if row.kind == "instance" else counted(row.instances, "instance")
    told = [line for line in (amount, size(row.input_bytes) if row.input_bytes else "", digest) if line]
    full = [f"source UIDs: {row.source}", *told[:-1], f"SHA-256 {row.input_digest}" if row.input_digest else ""]
    return Node(_SOURCE, row.source, tuple(told), "\n".join(line for line in full if line), Tone.QUIET)


def _object(row: Row) -> Node:
    headline = {
        "instance": short(row.name or "no object"),
        "series": _with_modality(row),
        "batch": f"batch {row.name}" if row.name else "in no batch yet",
        "all": row.modality or "all others",
    }[row.kind]
    state = f"{row.state}: {row.reason}" if row.reason else row.state
    amount = row.modality if row.kind == "instance" else counted(row.instances, "instance")
    told = " · ".join(one for one in (amount, size(row.output_bytes) if row.output_bytes else "") if one)
    full = (
        f"{row.kind} {row.name}".strip(),
        state,
        counted(row.instances, "instance"),
        f"profile {row.made_by}" if row.made_by else "",
        f"SHA-256 {row.output_digest}" if row.output_digest else "",
    )
    return Node(
        _OBJECT,
        headline,
        tuple(line for line in (state, told) if line),
        "\n".join(line for line in full if line),
        _STATES.get(row.state, Tone.DATA),
    )


def _with_modality(row: Row) -> str:
    word = row.modality or "series"
    return f"{word} {short(row.name, HEADLINE_LETTERS - 1 - len(word))}" if row.name else word


def _verdict(outcome: Outcome, kind: str) -> Node:
    word = "passed" if outcome.good else "failed"
    lines = (outcome.detail,) if outcome.detail else ()
    headline = word if kind == "instance" else f"{outcome.instances:,} {word}"
    return Node(_VERDICT, headline, lines, f"verdict: {headline} {outcome.detail}".strip(), _tone(outcome))


def _receipt(outcome: Outcome, kind: str) -> Node:
    word = outcome.detail or ("confirmed" if outcome.good else "not shown")
    headline = word if kind == "instance" else f"{outcome.instances:,} {word}"
    said = "shown by QIDO-RS" if outcome.good else "not confirmed by QIDO-RS"
    return Node(_RECEIPT, headline, (), f"receipt: {headline}; {said}", _tone(outcome))


def _tone(outcome: Outcome) -> Tone:
    return Tone.GOOD if outcome.good else Tone.BAD


@dataclass(frozen=True, slots=True)
class _Try:
    key: str
    node: Node
    failed: bool


class _Tasks:
    """The tries of the tasks of each batch, as nodes, between what they took and what they made."""

    def __init__(self, graph: Graph, batches: Sequence[TracedBatch], count: int) -> None:
        self._graph = graph
        self._count = count
        self._batches = {batch.id: batch for batch in batches}

    def between(self, column: int, batch_id: int | None, taken: str, made: str) -> None:
        """Join what was taken over the try that did it to what was made; over tries that failed to nothing."""
        tries = self.tries(column, batch_id)
        for one in tries:
            self._graph.join(taken, one)
        self._graph.join(tries[-1], made)

    def tries(self, column: int, batch_id: int | None) -> list[str]:
        """Return the nodes of a task's tries, the one that came last at the end."""
        batch = self._batches.get(batch_id or 0)
        found = list(_tries(column, batch)) if batch else []
        if not found:
            found = [_Try(f"task {column} all", self._untold(column), failed=False)]
        return [self._graph.add(one.key, one.node) for one in sorted(found, key=lambda one: not one.failed)]

    def _untold(self, column: int) -> Node:
        name = _COLUMNS[column]
        if not self._count:
            return Node(column, name, (), f"{name}: nothing is told of the task", Tone.TASK)
        batches = counted(self._count, "batch")
        return Node(column, name, (batches,), f"{name} in {batches}", Tone.TASK)


def _tries(column: int, batch: TracedBatch) -> Iterable[_Try]:
    by_try: dict[tuple[int, int], list[TracedEvent]] = defaultdict(list)
    for event in batch.events:
        if event.task_id.rpartition(".")[2] == _TASKS[column]:
            by_try[event.map_index, event.try_number].append(event)
    run = generated_run_id(batch.run_id) or f"run {dag_run_uuid(batch.dag_id, batch.run_id)}"
    nominal = nominal_time(batch.run_id)
    when = f"run of {nominal:%Y-%m-%d %H:%M}" if nominal else short(run, 20)
    for (map_index, number), events in by_try.items():
        first, last = events[0], events[-1]
        errors = [event.error for event in events if event.error]
        ended = any(event.event in {"succeeded", "failed"} for event in events)
        lines = (
            when,
            f"batch {batch.number}, try {number}",
            errors[-1] if errors else lasted(last.recorded_at - first.recorded_at) if ended else "did not end",
        )
        full = (
            f"{batch.dag_id} {first.task_id}",
            run,
            f"batch {batch.number} ({batch.id}), map index {map_index}, try {number}, on {first.worker}",
            f"{first.recorded_at:%Y-%m-%d %H:%M:%S} to {last.recorded_at:%H:%M:%S}",
            ", ".join(f"{name} {count}" for event in events for name, count in event.counts.items()),
            *errors,
        )
        tone = Tone.BAD if errors or not ended else Tone.TASK
        yield _Try(
            f"task {column} {batch.id} {map_index} {number}",
            Node(column, batch.dag_id, lines, "\n".join(line for line in full if line), tone),
            failed=tone is Tone.BAD,
        )
