import struct

import pytest
from tests.deidentify.builders import BIG, EXPLICIT, IMPLICIT, Leaf, Nest, Node, part10, write
from tests.deidentify.test_structured_content import COMPREHENSIVE_SR, code, text

from dicomanon.deidentify import parse
from dicomanon.deidentify.content_references import ContentReferences, content_references
from dicomanon.profile import CompiledProfile

FINDING, IDENTIFIER, GROUP = ("121071", "DCM"), ("121022", "DCM"), ("126010", "DCM")


def item(concept: tuple[str, str], *children: tuple[Node, ...]) -> tuple[Node, ...]:
    below = (Nest(0x0040A730, children),) if children else (text("value"),)
    return (Leaf(0x0040A040, "CS", "CONTAINER" if children else "TEXT"), code(0x0040A043, *concept, "Meaning"), *below)


def reference(*position: int, syntax: str = EXPLICIT) -> tuple[Node, ...]:
    value = struct.pack(f"{'>' if syntax == BIG else '<'}{len(position)}L", *position)
    return (Leaf(0x0040A010, "CS", "INFERRED FROM"), Leaf(0x0040DB73, "UL", value))


def references(profile: CompiledProfile, *items: tuple[Node, ...], syntax: str = EXPLICIT) -> ContentReferences | None:
    nodes = [
        Leaf(0x00080016, "UI", COMPREHENSIVE_SR), Leaf(0x00080018, "UI", "1.2.3"), Leaf(0x00100020, "LO", "P-1"),
        Leaf(0x0020000D, "UI", "1.2.4"), Leaf(0x0020000E, "UI", "1.2.5"), Nest(0x0040A730, items),
    ]  # fmt: skip
    source = parse(part10(write(nodes, syntax), syntax, COMPREHENSIVE_SR, "1.2.3"))
    rules = profile.actions_for(COMPREHENSIVE_SR, "SR")
    return content_references(source.file.elements, rules, source.file.buffer, little=source.file.codec.little)


def test_a_report_without_references_needs_nothing(research: CompiledProfile) -> None:
    assert references(research, item(IDENTIFIER), item(FINDING)) is None


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_items_behind_a_removed_one_move_up(syntax: str, research: CompiledProfile) -> None:
    group = item(GROUP, item(IDENTIFIER), item(FINDING), item(IDENTIFIER), item(FINDING))
    found = references(research, item(IDENTIFIER), group, reference(1, 2, 4, syntax=syntax), syntax=syntax)
    assert found is not None
    assert found.moved((1, 2, 4)) == (1, 1, 2)
    assert found.moved((1, 2, 2)) == (1, 1, 1)
    assert found.moved((1,)) == (1,)
    assert found.removed == {(1, 1), (1, 2, 1), (1, 2, 3)}


def test_a_reference_to_a_removed_item_goes_with_it(research: CompiledProfile) -> None:
    found = references(research, item(IDENTIFIER), reference(1, 1), item(FINDING), reference(1, 3))
    assert found is not None
    assert found.removed == {(1, 1), (1, 2)}
    assert found.moved((1, 3)) == (1, 1)


def test_a_reference_below_a_removed_item_goes_as_well() -> None:
    found = ContentReferences(frozenset({(1, 1)}))
    assert found.moved((1, 1, 1)) is None
    assert found.moved((1, 2, 1)) == (1, 1, 1)


def test_a_reference_without_a_position_goes(research: CompiledProfile) -> None:
    found = references(research, item(FINDING), (Leaf(0x0040DB73, "UL", b""),))
    assert found is not None
    assert found.removed == {(1, 2)}


def test_nothing_is_counted_where_the_content_does_not_stay(strict: CompiledProfile) -> None:
    assert references(strict, item(FINDING), reference(1, 1)) is None
