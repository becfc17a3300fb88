"""Writes an arrangement as SVG that needs nothing else: light or dark as the reader's screen is, text that is text."""

from importlib import resources
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from dicomanon.pipeline.trace_graph.layout import (
    HEADLINE,
    HEADLINE_LETTERS,
    LINE,
    MARGIN,
    PADDING,
    TOP,
    WIDTH,
    Arrangement,
    Placed,
)

_LETTERS: Final = 25
"""What a box takes of its smaller letters."""
_LEAN: Final = 0.5
"""How far along the way an edge turns."""


def svg(arrangement: Arrangement) -> str:
    """Return the picture."""
    width, height = arrangement.width, arrangement.height
    root = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {width:.0f} {height:.0f}",
            "width": f"{width:.0f}",
            "height": f"{height:.0f}",
        },
    )
    SubElement(root, "title").text = _printable(arrangement.graph.title)
    SubElement(root, "style").text = (resources.files(__package__) / "graph.css").read_text(encoding="utf-8")
    SubElement(root, "rect", {"class": "paper", "width": "100%", "height": "100%"})
    _text(root, MARGIN, MARGIN + HEADLINE, arrangement.graph.title, "title")
    for column, x in arrangement.columns.items():
        _text(root, x, TOP - LINE, arrangement.graph.columns[column], "column")
    edges = SubElement(root, "g", {"class": "edges"})
    for source, target in arrangement.graph.edges:
        SubElement(edges, "path", {"d": _path(arrangement.places[source], arrangement.places[target])})
    for placed in arrangement.places.values():
        _box(root, placed)
    indent(root)
    return tostring(root, encoding="unicode") + "\n"


def _box(root: Element, placed: Placed) -> None:
    node = placed.node
    group = SubElement(root, "g", {"class": f"node {node.tone}"})
    SubElement(group, "title").text = _printable(node.full or node.headline)
    place = {"x": f"{placed.x:.1f}", "y": f"{placed.y:.1f}"}
    SubElement(group, "rect", {**place, "width": f"{WIDTH:.0f}", "height": f"{placed.height:.1f}", "rx": "6"})
    SubElement(group, "rect", {**place, "class": "edge", "width": "4", "height": f"{placed.height:.1f}", "rx": "2"})
    left, baseline = placed.x + PADDING + 4, placed.y + PADDING + HEADLINE - 5
    _text(group, left, baseline, _cut(node.headline, HEADLINE_LETTERS), "headline")
    for number, line in enumerate(node.lines, 1):
        _text(group, left, baseline + LINE * number, _cut(line, _LETTERS), "line")


def _path(source: Placed, target: Placed) -> str:
    x1, y1 = source.x + WIDTH, source.y + source.height / 2
    x2, y2 = target.x, target.y + target.height / 2
    lean = (x2 - x1) * _LEAN
    return f"M{x1:.1f} {y1:.1f}C{x1 + lean:.1f} {y1:.1f} {x2 - lean:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"


def _text(parent: Element, x: float, y: float, text: str, kind: str) -> None:
    SubElement(parent, "text", {"x": f"{x:.1f}", "y": f"{y:.1f}", "class": kind}).text = _printable(text)


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else f"{text[: letters - 1]}…"


def _printable(text: str) -> str:
    """Return text that XML can hold, lines apart."""
    return "\n".join("".join(letter for letter in line if letter.isprintable()) for line in text.splitlines())
