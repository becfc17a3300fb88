import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.deidentify.pixels.images import COMPRESSED_KINDS, ENCODERS, RLE, Kind, picture

from dicomanon.deidentify.pixels.streams import Header, end_of, header_of
from dicomanon.errors import Held

STREAMED = [kind for kind in COMPRESSED_KINDS if kind.syntax != RLE]


def header(kind: Kind) -> Header:
    return header_of(ENCODERS[kind.syntax](picture(kind)[0], kind))


@pytest.mark.parametrize("kind", STREAMED, ids=lambda kind: kind.named)
def test_a_frame_tells_its_size(kind: Kind) -> None:
    found = header(kind)
    assert (found.rows, found.columns, found.components) == (40, 52, kind.samples)
    assert found.precision in {kind.bits, 8 * -(-kind.bits // 8)}


@given(st.sampled_from([b"", b"\xff\xd8", b"\xff\x4f\xff\x51"]), st.binary(max_size=200))
def test_whatever_is_no_frame_is_held(start: bytes, rest: bytes) -> None:
    with pytest.raises(Held):
        header_of(start + rest)


@pytest.mark.parametrize("tail", [b"", b"\0", b"\0\0\0", b"\xff"])
def test_padding_after_the_end_is_none_of_the_frame(tail: bytes) -> None:
    assert end_of(b"\xff\xd8 data \xff\xd9" + tail) == 8


@pytest.mark.parametrize("stream", [b"\xff\xd8 data", b"\xff\xd8 data \xff\xd9 more", b"\xff\xd8\xff\xd9" + bytes(40)])
def test_held_when_a_frame_has_no_end(stream: bytes) -> None:
    with pytest.raises(Held):
        end_of(stream)
