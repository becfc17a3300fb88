"""What is drawn: nodes in columns, joined from left to right."""

from dataclasses import dataclass, field
from enum import StrEnum


class Tone(StrEnum):
    """How a node looks."""

    DATA = "data"
    TASK = "task"
    GOOD = "good"
    BAD = "bad"
    HELD = "held"
    QUIET = "quiet"


@dataclass(frozen=True, slots=True)
class Node:
    """A box with a headline and smaller lines; ``full`` is told to whoever points at it."""

    column: int
    headline: str
    lines: tuple[str, ...] = ()
    full: str = ""
    tone: Tone = Tone.DATA


@dataclass(slots=True)
class Graph:
    """Nodes by their key, in the order in which they were met, and edges between them."""

    title: str
    columns: tuple[str, ...]
    nodes: dict[str, Node] = field(default_factory=dict)
    edges: dict[tuple[str, str], None] = field(default_factory=dict)

    def add(self, key: str, node: Node) -> str:
        """Add a node unless it is there; return its key."""
        self.nodes.setdefault(key, node)
        return key

    def join(self, source: str, target: str) -> None:
        """Join two nodes, once."""
        self.edges[source, target] = None
