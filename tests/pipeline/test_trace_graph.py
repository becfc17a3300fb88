"""A trace as a picture: all of it where it fits, counts where it does not, in a browser as well, and no PHI."""

import os
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Browser, sync_playwright
from tests.site import DAG, Ingested, Run, Site, person, slices, study

from dicomanon.errors import Fatal, Retriable
from dicomanon.pipeline import ingest
from dicomanon.pipeline.trace_graph import draw, write_graph
from dicomanon.pipeline.trace_graph.draw import graph_of
from dicomanon.pipeline.trace_graph.layout import ROW_GAP, arrange
from dicomanon.pipeline.trace_graph.model import Graph, Node, Tone
from dicomanon.pipeline.trace_graph.rows import MOST_ROWS
from dicomanon.sample.leaks import LeakScanner

GENERATED = "manual__2026-11-26T05:22:30.123456+00:00_aB3dE6gH"
TYPED = "QUILLFEATHER^ROSA 7731"


def of_column(graph: Graph, name: str) -> list[Node]:
    return [node for node in graph.nodes.values() if graph.columns[node.column] == name]


def ways(graph: Graph, key: str) -> Iterator[list[str]]:
    """Every way from a node to an end, as columns."""
    ends = [target for source, target in graph.edges if source == key]
    here = graph.columns[graph.nodes[key].column]
    yield from ([here, *rest] for end in ends for rest in ways(graph, end)) if ends else ([here],)


class TestWhatIsDrawn:
    def test_the_whole_way_of_an_object(self, site: Site) -> None:
        site.load(*slices(study("one")))
        Run(GENERATED).complete()
        with site.crosswalk() as crosswalk:
            (uid, *_) = site.research_objects()
            instance = crosswalk.lineage.trace(uid).instances()[0].instance_id  # type: ignore[union-attr]
            crosswalk.releases.create("LUNG", "ada", b"1", [instance])
        graph = graph_of(site.trace(uid))
        assert list(ways(graph, "source 0")) == [list(graph.columns)]
        (task,) = of_column(graph, "store")
        assert (task.headline, task.lines[:2]) == (DAG, ("run of 2026-11-26 05:22", "batch 1, try 5"))
        assert GENERATED in task.full
        (release,) = of_column(graph, "release")
        assert release.headline == "LUNG/0001"

    def test_tries_that_failed_lead_nowhere(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        site.load(*slices(study("one"), range(1, 2)))
        run = Run(GENERATED)
        (batch,) = run.pulled()
        run.validate(batch)
        store = ingest.store_batch

        def away(*_: Any) -> dict[str, int]:
            raise Retriable("the PACS is away")

        monkeypatch.setattr(ingest, "store_batch", away)
        with pytest.raises(Retriable):
            run.store(batch)
        monkeypatch.setattr(ingest, "store_batch", store)
        run.store(batch)
        graph = graph_of(site.trace(str(batch["id"])))
        failed, done = sorted(of_column(graph, "store"), key=lambda node: node.tone != Tone.BAD)
        assert (failed.tone, failed.lines[-1], done.tone) == (Tone.BAD, "Retriable", Tone.TASK)
        (key,) = [key for key, node in graph.nodes.items() if node is failed]
        assert key not in {source for source, _ in graph.edges}
        assert key in {target for _, target in graph.edges}

    def test_what_is_held_ends_there(self, ingested: Ingested) -> None:
        held = [row[0] for row in ingested.site.rows(
            "SELECT batch_id FROM crosswalk.instance WHERE state = 'held' LIMIT 1")]  # fmt: skip
        graph = graph_of(ingested.site.trace(str(held[0])))
        nodes = [key for key, node in graph.nodes.items() if node.tone is Tone.HELD]
        assert nodes
        assert not {source for source, _ in graph.edges} & set(nodes)

    def test_many_are_drawn_by_series_and_more_by_counts(self, ingested: Ingested) -> None:
        (run, *_) = [
            row[0] for row in ingested.site.rows("SELECT airflow_run_id FROM crosswalk.run ORDER BY opened_at")
        ]
        whole = ingested.site.trace(run)
        by_series = of_column(graph_of(whole), "object")
        assert len(whole.instances()) > MOST_ROWS >= len(by_series)
        assert sum(int(node.lines[-1].split()[0]) for node in by_series) == len(whole.instances())
        with ingested.site.crosswalk() as crosswalk:
            part = crosswalk.lineage.trace(run, 5)
        assert part and part.summary
        graph = graph_of(part)
        counted = sum(int(node.lines[-1].split()[0]) for node in of_column(graph, "object"))
        assert counted == part.summary.instances == len(whole.instances())
        (verdict,) = of_column(graph, "verdict")
        assert verdict.headline == f"{part.summary.verdicts['passed']} passed"

    @pytest.mark.parametrize("limit", [None, 3])
    def test_no_phi_is_in_it(self, site: Site, limit: int | None) -> None:
        objects = slices(study("one", person(1)), range(1, 6))
        site.load(*objects)
        Run(TYPED).complete()
        words = (TYPED, "QUILLFEATHER", person(1).name, person(1).patient_id, study("one", person(1)).uid)
        scanner = LeakScanner(tuple(str(word) for word in words))
        with site.crosswalk() as crosswalk:
            for identifier in (TYPED, f"ingest_studies/{TYPED}", *site.research_objects(), "1"):
                trace = crosswalk.lineage.trace(identifier, limit)
                assert trace
                assert scanner.scan_text(draw(trace)) == []

    def test_a_file_that_cannot_be_written_is_told(self, ingested: Ingested, tmp_path: Path) -> None:
        trace = ingested.site.trace(next(iter(ingested.research)))
        write_graph(trace, tmp_path / "graph.svg")
        assert fromstring((tmp_path / "graph.svg").read_text()).tag.endswith("svg")
        with pytest.raises(Fatal, match="No such file"):
            write_graph(trace, tmp_path / "none" / "graph.svg")


def first_run(ingested: Ingested) -> str:
    return str(ingested.site.rows("SELECT airflow_run_id FROM crosswalk.run ORDER BY opened_at LIMIT 1")[0][0])


@st.composite
def graphs(draw: Any) -> Graph:
    graph = Graph("any", ("a", "b", "c", "d"))
    columns = draw(st.lists(st.integers(0, 3), min_size=1, max_size=25))
    for number, column in enumerate(columns):
        graph.add(str(number), Node(column, "x", ("y",) * draw(st.integers(0, 3))))
    keys = st.sampled_from(sorted(graph.nodes))
    for source, target in draw(st.lists(st.tuples(keys, keys), max_size=40)):
        if graph.nodes[source].column < graph.nodes[target].column:
            graph.join(source, target)
    return graph


class TestLayout:
    @given(graphs())
    def test_no_box_covers_another_or_leaves_the_picture(self, graph: Graph) -> None:
        arranged = arrange(graph)
        assert arranged.places.keys() == graph.nodes.keys()
        by_column: dict[float, list[tuple[float, float]]] = {}
        for place in arranged.places.values():
            by_column.setdefault(place.x, []).append((place.y, place.y + place.height))
            assert place.y >= 0
            assert place.y + place.height <= arranged.height
        for spans in by_column.values():
            spans.sort()
            for (_, bottom), (top, _) in pairwise(spans):
                assert top - bottom >= ROW_GAP - 1e-6

    def test_rows_that_go_straight_stay_straight(self) -> None:
        graph = Graph("rows", ("a", "b", "c"))
        for row in range(4):
            for column in range(3):
                graph.add(f"{column}{row}", Node(column, "x"))
            graph.join(f"0{row}", f"1{row}")
            graph.join(f"1{row}", f"2{row}")
        places = arrange(graph).places
        for row in range(4):
            assert len({round(places[f"{column}{row}"].y, 3) for column in range(3)}) == 1


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium")
    assert path, "install it with deploy/system-packages.sh test"
    arguments = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


SPILLS = """() => [...document.querySelectorAll('g.node')].flatMap(node => {
  const box = node.querySelector('rect').getBBox();
  return [...node.querySelectorAll('text')].filter(text => {
    const own = text.getBBox();
    return own.x < box.x || own.x + own.width > box.x + box.width || own.y + own.height > box.y + box.height;
  }).map(text => text.textContent);
})"""


class TestInABrowser:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_texts_fit_and_can_be_selected(
        self, ingested: Ingested, tmp_path: Path, chromium: Browser, scheme: Any
    ) -> None:
        (run, *_) = [
            row[0] for row in ingested.site.rows("SELECT airflow_run_id FROM crosswalk.run ORDER BY opened_at")
        ]
        for name in (run, next(iter(ingested.research))):
            file = tmp_path / f"{uuid4()}.svg"
            write_graph(ingested.site.trace(name), file)
            with chromium.new_context(color_scheme=scheme) as context:
                page = context.new_page()
                page.goto(file.as_uri())
                assert page.evaluate(SPILLS) == []
                page.locator("text.headline").first.dblclick()
                assert page.evaluate("() => String(getSelection())").strip() == "sealed"
                ink = page.evaluate("() => getComputedStyle(document.querySelector('text')).fill")
                dark = sum(map(int, ink[4:-1].split(","))) < 3 * 128
                assert dark == (scheme == "light")
