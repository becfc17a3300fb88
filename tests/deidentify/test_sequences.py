"""A sequence in pieces has the bytes that it has in one piece, and what is long in it is not copied."""

import pytest

from dicomanon.deidentify.codec import BIG_EXPLICIT, LITTLE_EXPLICIT, LITTLE_IMPLICIT, Codec
from dicomanon.deidentify.sequences import WrittenSequence

TAG = 0x00081115


@pytest.mark.parametrize("codec", [LITTLE_EXPLICIT, LITTLE_IMPLICIT, BIG_EXPLICIT])
@pytest.mark.parametrize("lengths", [[], [0], [10] * 3, [5000], [10, 5000, 0, 70_000, 10], [3000] * 40])
def test_bytes_are_those_of_a_sequence_in_one_piece(codec: Codec, lengths: list[int]) -> None:
    bodies = [bytes([number]) * length for number, length in enumerate(lengths)]
    written = WrittenSequence(codec)
    for body in bodies:
        written.add_item([body[:7], body[7:]])
    assert b"".join(written.encoded(TAG)) == codec.sequence(TAG, bodies)


def test_short_sequence_is_one_piece() -> None:
    written = WrittenSequence(LITTLE_EXPLICIT)
    written.add_item([b"some", b"text"])
    assert len(written.encoded(TAG)) == 1


def test_bulk_stays_a_view_of_the_source_at_every_level() -> None:
    bulk = memoryview(bytes(1 << 20))
    pieces = [bulk]
    for _ in range(3):
        written = WrittenSequence(LITTLE_EXPLICIT)
        written.add_item([b"before", *pieces, b"behind"])
        pieces = written.encoded(TAG)  # type: ignore[assignment]
    assert any(piece is bulk for piece in pieces)
    assert max(len(piece) for piece in pieces if piece is not bulk) < 100
