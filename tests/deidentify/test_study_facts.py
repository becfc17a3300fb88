"""What cohorts are asked by is read where the standard has it, and what an object does not tell stays open."""

import pytest
from tests.deidentify.builders import Instance, Leaf, Nest, Node

from dicomanon.deidentify import parse
from dicomanon.identity import StudyFacts

AGENT, AGENTS, THICKNESS = 0x00180010, 0x00180012, 0x00180050
SHARED_GROUPS, PER_FRAME_GROUPS, PIXEL_MEASURES = 0x52009229, 0x52009230, 0x00289110


def facts(*extra: Node) -> StudyFacts:
    return parse(Instance(extra=extra).raw()).facts


def test_what_describes_a_series_is_read() -> None:
    read = facts(
        Leaf(0x00180015, "CS", "CHEST"),
        Leaf(THICKNESS, "DS", "1.25"),
        Leaf(0x00181030, "LO", "Low dose"),
        Leaf(0x00200060, "CS", "L"),
        Leaf(0x00321033, "LO", "Oncology"),
    )
    assert (read.body_part, read.slice_thickness, read.protocol_name) == ("CHEST", "1.25", "Low dose")
    assert (read.laterality, read.requesting_service) == ("L", "Oncology")


@pytest.mark.parametrize("groups", [SHARED_GROUPS, PER_FRAME_GROUPS])
def test_thickness_of_a_multi_frame_object_is_that_of_its_first_frame(groups: int) -> None:
    first, second = (Nest(PIXEL_MEASURES, ((Leaf(THICKNESS, "DS", text),),)) for text in ("0.625", "3"))
    assert facts(Nest(groups, ((first,), (second,)))).slice_thickness == "0.625"


def test_laterality_of_the_image_counts_where_the_series_has_none() -> None:
    assert facts(Leaf(0x00200060, "CS", ""), Leaf(0x00200062, "CS", "R")).laterality == "R"


@pytest.mark.parametrize(
    ("extra", "contrast"),
    [
        ((), "NO"),
        ((Leaf(AGENT, "LO", "ISOVUE 300"),), "YES"),
        ((Leaf(AGENT, "LO", "none"),), "NO"),
        ((Leaf(AGENT, "LO", ""),), ""),
        ((Nest(AGENTS, ((Leaf(0x00080104, "LO", "Iopamidol"),),)),), "YES"),
        ((Nest(AGENTS, ()),), ""),
    ],
)
def test_contrast_is_known_unless_the_module_is_there_and_empty(extra: tuple[Node, ...], contrast: str) -> None:
    assert facts(*extra).contrast == contrast
