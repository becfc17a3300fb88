import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pydicom.pixels.decoders.rle import _rle_decode_frame
from tests.deidentify.pixels.images import RLE
from tests.deidentify.pixels.test_coefficients import GREY, described

from dicomanon.deidentify.pixels import run_length
from dicomanon.deidentify.pixels.decoding import decode
from dicomanon.deidentify.pixels.description import PixelDescription
from dicomanon.errors import Held
from dicomanon.reasons import HoldReason

ROWS, COLUMNS = st.integers(1, 9), st.integers(1, 300)
SHAPES = st.tuples(ROWS, COLUMNS) | st.tuples(ROWS, COLUMNS, st.just(3))
FRAMES = st.sampled_from(["u1", "u2", "u4"]).flatmap(
    lambda kind: arrays.arrays(kind, SHAPES, elements=st.integers(0, 255))
)


def of(cells: np.ndarray) -> PixelDescription:
    rows, columns, *colours = cells.shape
    bits = cells.dtype.itemsize * 8
    samples = 3 if colours else 1
    return replace(described(GREY, rows, columns), transfer_syntax=RLE, samples=samples, allocated=bits, stored=bits)


@given(FRAMES)
def test_cells_come_back_and_other_decoders_read_them(cells: np.ndarray) -> None:
    stream = run_length.encode(cells)
    assert len(stream) % 2 == 0
    assert np.array_equal(run_length.decode(stream, of(cells)), cells)
    rows, columns, *_ = cells.shape
    planes = _rle_decode_frame(stream, rows, columns, 3 if cells.ndim == 3 else 1, cells.dtype.itemsize * 8)
    theirs = np.frombuffer(planes, cells.dtype).reshape((3, rows, columns) if cells.ndim == 3 else (rows, columns))
    assert np.array_equal(np.moveaxis(theirs, 0, -1) if cells.ndim == 3 else theirs, cells)


def test_no_run_goes_beyond_its_row() -> None:
    stream = run_length.encode(np.zeros((4, 10), np.uint8))
    assert stream[64:] == b"\xf7\0" * 4


def header(*offsets: int) -> bytes:
    return struct.pack("<16L", len(offsets), *offsets, *[0] * (15 - len(offsets)))


ROW = b"\xf7\0"


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        bytes(64),
        header(64),
        header(64) + ROW * 3,
        header(64) + ROW * 5,
        header(60) + ROW * 4,
        header(64, 66) + ROW * 4,
        header(900) + ROW * 4,
    ],
    ids=range(8),
)
def test_held_when_a_frame_is_not_of_its_size(stream: bytes) -> None:
    with pytest.raises(Held) as held:
        decode(stream, of(np.zeros((4, 10), np.uint8)))
    assert held.value.reason is HoldReason.UNDECODABLE
