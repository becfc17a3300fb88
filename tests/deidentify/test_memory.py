"""What a process keeps of the objects that it is done with is bounded, and none of their bytes."""

import gc
import sys
import tracemalloc
from collections.abc import Iterator

import pytest
from tests.deidentify.builders import CONTEXT, Instance, Leaf, Nest, letting_faces_pass

from dicomanon.deidentify import Deidentified, HeldInstance, deidentify, parse
from dicomanon.deidentify.text.folding import fold
from dicomanon.deidentify.text.known_values import normalized
from dicomanon.deidentify.values import ValueRewriter

SR = "1.2.840.10008.5.1.4.1.1.88.33"
CODE_VALUE, CODE_SEQUENCE, CONTENT, VALUE_TYPE = 0x00080100, 0x0040A168, 0x0040A730, 0x0040A040
RESEARCH = letting_faces_pass("research")


@pytest.fixture
def without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def report(items: int, first: int = 0) -> bytes:
    """Return a report with so many codes, no two alike."""
    coded = tuple(
        (
            Leaf(VALUE_TYPE, "CS", "CODE"),
            Nest(0x0040A043, ((Leaf(CODE_VALUE, "SH", "121071"), Leaf(0x00080102, "SH", "DCM")),)),
            Nest(CODE_SEQUENCE, ((Leaf(CODE_VALUE, "SH", f"M-{number:05}"), Leaf(0x00080102, "SH", "SRT")),)),
        )
        for number in range(first, first + items)
    )
    return Instance(extra=(Nest(CONTENT, coded),), sop_class=SR, pixels=None).raw()


def kept_after(raw: bytes) -> int:
    before = tracemalloc.get_traced_memory()[0]
    assert isinstance(deidentify(parse(raw), RESEARCH, CONTEXT), Deidentified)
    gc.collect()
    return tracemalloc.get_traced_memory()[0] - before


def test_what_a_report_leaves_behind_does_not_grow_with_it() -> None:
    deidentify(parse(report(20)), RESEARCH, CONTEXT)
    tracemalloc.start()
    try:
        assert kept_after(report(4000, first=100)) < 100_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("compare", [fold, normalized])
def test_texts_that_were_compared_are_not_kept(compare) -> None:  # type: ignore[no-untyped-def]
    compare("any")
    tracemalloc.start()
    try:
        for number in range(10_000):
            compare(f"Nodule of {number} mm in the left upper lobe")
        assert tracemalloc.get_traced_memory()[0] < 20_000
    finally:
        tracemalloc.stop()


@pytest.mark.usefixtures("without_collector")
@pytest.mark.parametrize("raw", [Instance().raw(), report(500)], ids=["image", "report"])
def test_bytes_of_an_object_go_with_it(raw: bytes) -> None:
    references = sys.getrefcount(raw)
    for _ in range(2):
        assert isinstance(deidentify(parse(raw), RESEARCH, CONTEXT), Deidentified)
    assert sys.getrefcount(raw) == references


@pytest.mark.usefixtures("without_collector")
@pytest.mark.parametrize("raw", [Instance().raw(), report(500)], ids=["image", "report"])
def test_bytes_of_a_held_object_go_with_it(raw: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def trip(*_: object) -> None:
        raise RuntimeError

    for method in ("text", "replaced"):
        monkeypatch.setattr(ValueRewriter, method, trip)
    references = sys.getrefcount(raw)
    changed = CONTEXT.__class__("OTHER", -77, CONTEXT.uids)
    assert isinstance(deidentify(parse(raw), RESEARCH, changed), HeldInstance)
    assert sys.getrefcount(raw) == references
