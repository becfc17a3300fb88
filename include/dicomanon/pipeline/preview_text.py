"""A preview as a table for people, and as JSON for programs; values are masked unless somebody may see them."""

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from dicomanon.console import out, say
from dicomanon.pipeline.preview import PSEUDONYM, Preview, PreviewedElement, Value, path_name

LONGEST_VALUE = 60
"""Characters of a value that a table shows; JSON has all."""
_WIDEST = 1000
_FOLDED = {"path": 24, "keyword": 26}
"""Columns that may be narrower than what is in them, and how narrow: two levels of tags, most keywords."""

_Row = tuple[str, str, str, str, str, str]
"""Path, keyword, action, rule, before and after, as they are shown."""


def show(version: str, seen: Preview, *, changed_only: bool, show_values: bool) -> None:
    """Print a preview; elements that differ only by the number of their item share a line."""
    say(f"profile {version}")
    held = f"the object would be held: {seen.reason}{': ' + seen.detail if seen.detail else ''}" if seen.reason else ""
    if not seen.elements:
        say(held)
        return
    rows = []
    for alike in _alike(_chosen(seen, changed_only=changed_only)):
        path, keyword, action, rule = _cells(alike[0])
        before, after = (_cut(text) for text in _sight(alike[0], show_values=show_values))
        more = f" and {len(alike) - 1} more" if len(alike) > 1 else ""
        rows.append((path, keyword + more, action, rule, before, after))
    tables = (_table(rows, folded=False), _table(rows, folded=True))
    fitting = next((table for table in tables if _width(table) <= out.width), None)
    # In a file or a pipe every row is one line, however long.
    if not out.is_terminal:
        Console(width=_WIDEST, highlight=False).print(tables[0])
    elif fitting is not None:
        out.print(fitting)
    else:
        for line in _blocks(rows, out.width):
            say(line)
    counts = ", ".join(f"{count} {action}" for action, count in sorted(seen.action_counts.items()))
    if seen.pixels:
        say(f"pixels: {seen.pixels}; `dicomanon pixels check` looks at them")
    say(f"{held}; its elements: {counts}" if held else f"the object would be de-identified: {counts}")
    say(f"the pseudonym {PSEUDONYM}, new UIDs and the date shift are made up for this one look")
    if not show_values:
        say("values are masked: --show-values --reason WHY shows them, and is recorded")


def _table(rows: Sequence[_Row], *, folded: bool) -> Table:
    """Return a table; where it is folded, long paths and keywords take more than one line."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("path", "keyword", "action", "rule", "before", "after"):
        folds = folded and column in _FOLDED
        table.add_column(column, overflow="fold", no_wrap=not folds, max_width=_FOLDED[column] if folds else None)
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _width(table: Table) -> int:
    return Measurement.get(out, out.options.update(width=_WIDEST), table).maximum


def _blocks(rows: Sequence[_Row], width: int) -> Iterator[str]:
    """Yield an element on a few lines of its own, for a window that the table is too wide for."""
    indent = " " * 4
    for path, keyword, action, rule, before, after in rows:
        yield from _wrapped(f"{path}  {keyword}", width, indent)
        yield from _wrapped(f"{indent}{action}: {rule}", width, indent * 2)
        together = f"{indent}{before} -> {after}"
        if len(together) <= width:
            yield together
        else:
            yield from _wrapped(f"{indent}{before}", width, indent)
            yield from _wrapped(f"{indent}-> {after}", width, indent)


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    return wrap(text, width, subsequent_indent=indent, break_on_hyphens=False)


def as_json(version: str, seen: Preview, *, changed_only: bool, show_values: bool) -> dict[str, Any]:
    """Return a preview with every element, ready for JSON."""
    rows = []
    for one in _chosen(seen, changed_only=changed_only):
        path, keyword, action, rule = _cells(one)
        before, after = _sight(one, show_values=show_values)
        rows.append(
            {"path": path, "keyword": keyword, "action": action, "rule": rule, "before": before, "after": after}
        )
    return {
        "profile": version,
        "outcome": "held" if seen.reason else "deidentified",
        "reason": seen.reason,
        "detail": seen.detail,
        "masked": not show_values,
        "action_counts": dict(seen.action_counts),
        "elements": rows,
    }


def _chosen(seen: Preview, *, changed_only: bool) -> list[PreviewedElement]:
    return [one for one in seen.elements if not (changed_only and one.same)]


def _cells(one: PreviewedElement) -> tuple[str, str, str, str]:
    return path_name(one.path), one.keyword, one.action, one.rule


def _sight(one: PreviewedElement, *, show_values: bool) -> tuple[str, str]:
    """Return what is shown of the value before and after."""

    def told(value: Value) -> str:
        return value.shown() if show_values else value.masked()

    before = told(one.before) if one.before else "not there"
    if one.after is None:
        return before, "gone"
    return before, "as it was" if one.same else told(one.after)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def _alike(elements: Sequence[PreviewedElement]) -> list[list[PreviewedElement]]:
    """Group what differs only by the number of an item: the frames of a multi-frame object are thousands."""
    groups: dict[tuple[Any, ...], list[PreviewedElement]] = {}
    for one in elements:
        gone = one.after is None
        groups.setdefault((one.path[::2], len(one.path) % 2, one.action, one.rule, gone, one.same), []).append(one)
    return list(groups.values())
