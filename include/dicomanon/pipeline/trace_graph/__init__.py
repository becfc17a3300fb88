"""A trace as a picture: from the sealed source over tasks, objects, verdicts and receipts to releases."""

from pathlib import Path

from dicomanon.crosswalk.trace import Trace
from dicomanon.errors import Fatal
from dicomanon.pipeline.trace_graph.draw import draw

__all__ = ["draw", "write_graph"]


def write_graph(trace: Trace, file: Path) -> None:
    """Write the picture of a trace.

    Raises
    ------
    Fatal
        The file cannot be written.
    """
    try:
        file.write_text(draw(trace), encoding="utf-8")
    except OSError as error:
        raise Fatal(f"the graph cannot be written: {error.strerror}") from None
