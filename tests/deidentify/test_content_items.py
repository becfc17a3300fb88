import pytest
from tests.deidentify.builders import EXPLICIT, Leaf, Nest, Node, write

from dicomanon.deidentify.codec import LITTLE_EXPLICIT
from dicomanon.deidentify.content_items import concept_of
from dicomanon.deidentify.reader import read_data_set

VALUE_TYPE = Leaf(0x0040A040, "CS", "TEXT ")


def _concept(*code: Leaf) -> Nest:
    return Nest(0x0040A043, (code,))


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([], (("", ""), "")),
        ([VALUE_TYPE], (("", ""), "TEXT")),
        ([VALUE_TYPE, Nest(0x0040A043, ())], (("", ""), "TEXT")),
        ([_concept(Leaf(0x00080100, "SH", "121106"), Leaf(0x00080102, "SH", "DCM"))], (("121106", "DCM"), "")),
        ([_concept(Leaf(0x00080102, "SH", "LN"), Leaf(0x00080119, "UC", "1-2 "))], (("1-2", "LN"), "")),
        ([_concept(Leaf(0x00080120, "UR", "urn:x:1"))], (("urn:x:1", ""), "")),
        ([Leaf(0x0040A043, "UN", b"")], (("", ""), "")),
    ],
)
def test_concept_and_value_type_are_read_where_they_are(
    nodes: list[Node], expected: tuple[tuple[str, str], str]
) -> None:
    buffer = memoryview(write(nodes, EXPLICIT))
    assert concept_of(read_data_set(buffer, LITTLE_EXPLICIT), buffer) == expected
