import pytest

from dicomanon.deidentify.codec import LITTLE_EXPLICIT
from dicomanon.deidentify.private_blocks import PrivateBlocks


@pytest.mark.parametrize(
    ("tag", "creator"),
    [(0x00190010, True), (0x001900FF, True), (0x0019000F, False), (0x00190100, False), (0x00191001, False)],
)
def test_creators_are_told_from_elements(tag: int, creator: bool) -> None:
    assert PrivateBlocks.is_creator(tag) is creator


def test_an_element_belongs_to_the_creator_of_its_block_in_its_group() -> None:
    blocks = PrivateBlocks(LITTLE_EXPLICIT)
    blocks.reserve(0x00190010, b"ACME ONE ")
    blocks.reserve(0x00190011, b" ACME TWO\0")
    assert blocks.creator(0x00191001) == "ACME ONE"
    assert blocks.creator(0x001911FF) == "ACME TWO"
    assert blocks.creator(0x00191201) == ""
    assert blocks.creator(0x001B1001) == ""


def test_only_creators_of_what_stays_are_written_before_it() -> None:
    blocks = PrivateBlocks(LITTLE_EXPLICIT)
    blocks.reserve(0x00190010, b"DOE^JANE")
    blocks.reserve(0x00190011, b"ACME")
    blocks.keep(0x00191101)
    chunks = [(0x00100020, b"id"), (0x00191101, b"kept"), (0x00280010, b"rows")]
    blocks.add_creators(chunks)
    assert [tag for tag, _ in chunks] == [0x00100020, 0x00190011, 0x00191101, 0x00280010]
    assert chunks[1][1] == LITTLE_EXPLICIT.element(0x00190011, "LO", b"ACME")
