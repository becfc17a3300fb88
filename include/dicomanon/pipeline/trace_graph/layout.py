"""Places the nodes of a graph: each in its column, few crossings, near to what it is joined to. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dicomanon.pipeline.trace_graph.model import Graph, Node

WIDTH: Final = 176.0
HEADLINE_LETTERS: Final = 18
"""What a box takes of its larger letters."""
LINE: Final = 15.0
PADDING: Final = 9.0
HEADLINE: Final = 17.0
COLUMN_GAP: Final = 46.0
ROW_GAP: Final = 12.0
MARGIN: Final = 24.0
TOP: Final = 84.0
_SWEEPS: Final = 8


@dataclass(frozen=True, slots=True)
class Placed:
    """A node and its upper left corner."""

    node: Node
    x: float
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Arrangement:
    """A graph with a place for everything."""

    graph: Graph
    places: Mapping[str, Placed]
    columns: Mapping[int, float]
    """Left edge of each column that has nodes."""
    width: float
    height: float


def height_of(node: Node) -> float:
    """Return how high a node's box is."""
    return 2 * PADDING + HEADLINE + LINE * len(node.lines)


def arrange(graph: Graph) -> Arrangement:
    """Give each node its place."""
    joined: dict[str, set[str]] = defaultdict(set)
    for source, target in graph.edges:
        joined[source].add(target)
        joined[target].add(source)
    used = sorted({node.column for node in graph.nodes.values()})
    columns = [[key for key, node in graph.nodes.items() if node.column == column] for column in used]
    heights = {key: height_of(node) for key, node in graph.nodes.items()}
    middle = _middles(columns, joined, heights)
    lowest = min((middle[key] - heights[key] / 2 for key in middle), default=0.0)
    left = {column: MARGIN + place * (WIDTH + COLUMN_GAP) for place, column in enumerate(used)}
    places = {
        key: Placed(node, left[node.column], TOP + middle[key] - heights[key] / 2 - lowest, heights[key])
        for key, node in graph.nodes.items()
    }
    bottom = max((one.y + one.height for one in places.values()), default=TOP)
    width = max(2 * MARGIN + len(used) * (WIDTH + COLUMN_GAP) - COLUMN_GAP, 3 * WIDTH)
    return Arrangement(graph, places, left, width, bottom + MARGIN)


def _middles(
    columns: Sequence[list[str]], joined: Mapping[str, set[str]], heights: Mapping[str, float]
) -> dict[str, float]:
    """Return the vertical middle of each node: sweep over the columns, each drawn to where its neighbours are."""
    middle: dict[str, float] = {}
    for column in columns:
        middle |= _spread(column, dict.fromkeys(column, 0.0), heights)
    for sweep in range(_SWEEPS):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            wanted = {
                key: sum(middle[other] for other in joined[key]) / len(joined[key]) if joined[key] else middle[key]
                for key in column
            }
            # Sorting is stable: what wants the same place keeps the order that it was met in.
            column.sort(key=wanted.__getitem__)
            middle |= _spread(column, wanted, heights)
    return middle


def _spread(column: Sequence[str], wanted: Mapping[str, float], heights: Mapping[str, float]) -> dict[str, float]:
    """Return middles in the given order, as near to the wanted ones as boxes that do not overlap can be.

    Neighbours that would overlap become one block, which goes where its members want to be on average.
    """
    blocks: list[tuple[list[str], float, float]] = []
    for key in column:
        members, top, height = [key], wanted[key] - heights[key] / 2, heights[key]
        while blocks and blocks[-1][1] + blocks[-1][2] + ROW_GAP > top:
            before, above, size = blocks.pop()
            joint = size + ROW_GAP + height
            shared = (above * len(before) + (top - size - ROW_GAP) * len(members)) / (len(before) + len(members))
            members, top, height = before + members, shared, joint
        blocks.append((members, top, height))
    middles = {}
    for members, top, _ in blocks:
        offset = top
        for key in members:
            middles[key] = offset + heights[key] / 2
            offset += heights[key] + ROW_GAP
    return middles
