"""A stretch of a text that something was found in, and what is to stand in its place."""

from typing import NamedTuple


class Span(NamedTuple):
    """From ``start`` up to ``end``; ``replacement`` is ``None`` where nothing stays."""

    start: int
    end: int
    replacement: str | None = None


def without_overlaps(spans: list[Span]) -> list[Span]:
    """Return spans in order; where two overlap, one that removes both."""
    merged: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if merged and span.start < merged[-1].end:
            last = merged[-1]
            if span.end <= last.end and (last.replacement is None or span.replacement is not None):
                continue
            merged[-1] = Span(last.start, max(last.end, span.end))
        else:
            merged.append(span)
    return merged
