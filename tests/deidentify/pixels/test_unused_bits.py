import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import pixel_array

from dicomanon.deidentify.pixels.unused_bits import clear_unused_bits
from dicomanon.errors import Held
from dicomanon.reasons import HoldReason


def decoded(words: np.ndarray, allocated: int, stored: int, high_bit: int, *, signed: bool) -> list[int]:
    """The pixel values of PS3.5 section 8.1.1, one by one in plain arithmetic."""
    values = []
    for word in words.tolist():
        value = (word >> (high_bit + 1 - stored)) & ((1 << stored) - 1)
        if signed and value >> (stored - 1):
            value -= 1 << stored
        values.append(value)
    return values


@st.composite
def images(draw: st.DrawFn) -> tuple[int, int, int, bool, bool, list[int]]:
    allocated = draw(st.sampled_from([8, 16, 32]))
    stored = draw(st.integers(1, allocated))
    high_bit = draw(st.integers(stored - 1, allocated - 1))
    words = draw(st.lists(st.integers(0, (1 << allocated) - 1), min_size=1, max_size=40))
    return allocated, stored, high_bit, draw(st.booleans()), draw(st.booleans()), words


@given(images())
def test_pixels_stay_and_nothing_else_does(image: tuple[int, int, int, bool, bool, list[int]]) -> None:
    allocated, stored, high_bit, signed, little, cells = image
    dtype = np.dtype(f"{'<' if little else '>'}u{allocated // 8}")
    before = np.array(cells, dtype=dtype)
    cleared = clear_unused_bits(
        memoryview(before.tobytes()),
        allocated=allocated,
        stored=stored,
        high_bit=high_bit,
        signed=signed,
        little=little,
    )
    after = np.frombuffer(cleared, dtype=dtype)
    facts = (allocated, stored, high_bit)
    assert decoded(after, *facts, signed=signed) == decoded(before, *facts, signed=signed)
    pixel = ((1 << stored) - 1) << (high_bit + 1 - stored)
    above = (1 << allocated) - (1 << (high_bit + 1))
    beside = {(int(word) >> high_bit & 1, int(word) & ~pixel) for word in after}
    assert beside <= {(0, 0), (1, 0)} or (signed and beside <= {(0, 0), (1, above)})


def clear(words: list[int], *, signed: bool, stored: int = 12, high_bit: int = 11, little: bool = True) -> list[int]:
    dtype = np.dtype("<u2" if little else ">u2")
    view = memoryview(np.array(words, dtype=dtype).tobytes())
    cleared = clear_unused_bits(view, allocated=16, stored=stored, high_bit=high_bit, signed=signed, little=little)
    return list(np.frombuffer(cleared, dtype=dtype).tolist())


def test_an_overlay_above_unsigned_pixels_goes() -> None:
    assert clear([0x1FFF, 0x0ABC, 0xF000], signed=False) == [0x0FFF, 0x0ABC, 0]


def test_an_overlay_below_the_pixels_goes() -> None:
    assert clear([0x123F, 0x4560], signed=False, high_bit=15) == [0x1230, 0x4560]


def test_sign_extension_stays() -> None:
    words = [0xFFFF, 0x0001, 0xF800]
    assert clear(words, signed=True) == words


def test_zeros_above_negative_pixels_stay() -> None:
    words = [0x0FFF, 0x0001, 0x0800]
    assert clear(words, signed=True) == words


def test_an_overlay_above_signed_pixels_becomes_sign_extension() -> None:
    assert clear([0x1FFF, 0x1001, 0x0800], signed=True) == [0xFFFF, 0x0001, 0xF800]


def test_an_overlay_in_the_only_bit_above_the_sign_goes() -> None:
    # Cell by cell each of these could be sign extension or zero; together they are a picture.
    assert clear([0xC000, 0x4000, 0x0001], signed=True, stored=15, high_bit=14) == [0xC000, 0xC000, 0x0001]


def test_big_endian_cells_are_read_as_such() -> None:
    assert clear([0x1FFF, 0x0ABC], signed=False, little=False) == [0x0FFF, 0x0ABC]


@pytest.mark.parametrize(("allocated", "stored", "high_bit"), [(16, 16, 15), (8, 8, 7), (16, 12, 11)])
def test_clean_pixel_data_is_returned_as_it_came(allocated: int, stored: int, high_bit: int) -> None:
    view = memoryview(np.full(1000, 0x0102, dtype="<u2").tobytes())
    facts = {"allocated": allocated, "stored": stored, "high_bit": high_bit}
    assert clear_unused_bits(view, **facts, signed=False, little=True) is view


def test_a_lonely_last_byte_is_cleared() -> None:
    view = memoryview(b"\x01\x00\x02\x00X")
    assert bytes(clear_unused_bits(view, allocated=16, stored=12, high_bit=11, signed=False, little=True)) == (
        b"\x01\x00\x02\x00\x00"
    )


def test_an_empty_value_is_clean() -> None:
    view = memoryview(b"")
    assert clear_unused_bits(view, allocated=16, stored=12, high_bit=11, signed=True, little=True) is view


@pytest.mark.parametrize(
    ("allocated", "stored", "high_bit"),
    [(16, 12, 10), (16, 17, 16), (16, 0, 0), (12, 8, 7), (16, 12, 16), (24, 12, 11)],
)
def test_held_when_the_header_describes_no_such_cell(allocated: int, stored: int, high_bit: int) -> None:
    with pytest.raises(Held) as held:
        clear_unused_bits(
            memoryview(bytes(24)), allocated=allocated, stored=stored, high_bit=high_bit, signed=False, little=True
        )
    assert held.value.reason is HoldReason.BURNED_IN_RISK


def test_a_reader_shows_the_same_pixels_without_the_overlay() -> None:
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    image.Rows, image.Columns, image.SamplesPerPixel = 32, 32, 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
    plain = (np.arange(1024, dtype="<u2") * 3) & 0x0FFF
    overlay = (np.arange(1024) % 7 == 0).astype("<u2") << 15
    image.PixelData = (plain | overlay).tobytes()
    cleared = clear_unused_bits(
        memoryview(image.PixelData), allocated=16, stored=12, high_bit=11, signed=False, little=True
    )
    image.PixelData = bytes(cleared)
    assert (pixel_array(image).ravel() == plain).all()
    assert image.PixelData == plain.tobytes()


def test_memory_is_that_of_one_copy() -> None:
    view = memoryview(np.full(16 << 20, 0x1234, dtype="<u2").tobytes())
    tracemalloc.start()
    cleared = clear_unused_bits(view, allocated=16, stored=12, high_bit=11, signed=True, little=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert cleared is not view
    assert peak < 1.2 * len(view)
