"""The reader gives the place of every value, at every level, in every encoding, and stops at what is malformed."""

import struct
import warnings

import pytest
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import JPEGBaseline8Bit
from tests.validate.support import SYNTAXES, clean_dataset, encoded

from dicomanon.validate.elements import read_part10


def nested(depth: int, *, undefined: bool) -> Dataset:
    dataset = clean_dataset()
    inner = dataset
    for _ in range(depth):
        item = Dataset()
        item.CodeMeaning = "inner"
        inner.add_new(0x00081115, "SQ", Sequence([item]))
        inner[0x00081115].is_undefined_length = undefined
        item.is_undefined_length_sequence_item = undefined
        inner = item
    return dataset


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("undefined", [True, False])
def test_every_value_of_every_level_has_its_place(syntax: str, undefined: bool) -> None:
    data = encoded(nested(3, undefined=undefined), syntax)
    parsed = read_part10(data)
    assert not parsed.problems
    inner = [element for element in parsed.elements if element.tag == 0x00080104 and len(element.path) == 3]
    assert [parsed.body[e.start : e.start + e.length] for e in inner] == [b"inner "]
    assert inner[0].place == "0008,1115/0008,1115/0008,1115/0008,0104"
    assert next(e.tag for e in parsed.meta) == 0x00020000


def test_deflated_data_set_is_inflated() -> None:
    dataset = clean_dataset()
    SYNTAXES["deflated"] = "1.2.840.10008.1.2.1.99"
    try:
        parsed = read_part10(encoded(dataset, "deflated"))
    finally:
        del SYNTAXES["deflated"]
    assert not parsed.problems
    assert any(element.tag == 0x00100020 for element in parsed.elements)


def test_fragments_of_encapsulated_pixels_are_one_element() -> None:
    dataset = clean_dataset()
    dataset.PixelData = encapsulate([b"\xff\xd8one\xff\xd9", b"\xff\xd8two\xff\xd9"])
    dataset["PixelData"].is_undefined_length = True
    SYNTAXES["jpeg"] = JPEGBaseline8Bit
    try:
        data = encoded(dataset, "jpeg")
    finally:
        del SYNTAXES["jpeg"]
    parsed = read_part10(data)
    assert not parsed.problems
    pixels = parsed.elements[-1]
    assert b"one" in data[pixels.start : pixels.start + pixels.length]
    assert b"two" in data[pixels.start : pixels.start + pixels.length]


def test_unknown_sequence_of_undefined_length_is_read_as_implicit() -> None:
    data = bytearray(encoded(clean_dataset(), "explicit"))
    inner = struct.pack("<HHL", 0x0010, 0x0020, 4) + b"LEAK"
    item = struct.pack("<HHL", 0xFFFE, 0xE000, len(inner)) + inner
    end = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    data += struct.pack("<HH2sHL", 0x7FE1, 0x1010, b"UN", 0, 0xFFFFFFFF) + item + end
    parsed = read_part10(bytes(data))
    assert not parsed.problems
    assert parsed.elements[-1].path == (0x7FE11010,)
    assert parsed.elements[-1].tag == 0x00100020


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data + b"trailing",
        lambda data: data + b"trailing text that is longer than a header",
        lambda data: data[:-10],
        lambda data: data[:128] + b"NOPE" + data[132:],
        lambda data: data[:140] + b"\xff\xff\xff\x7f" + data[144:],
    ],
)
def test_malformed_bytes_are_a_problem_not_an_exception(spoil) -> None:
    assert read_part10(spoil(encoded(clean_dataset()))).problems


@pytest.mark.parametrize("length", [0, 5, 131, 132, 140, 200, 700, 1500])
def test_any_truncation_is_a_problem(length: int) -> None:
    assert read_part10(encoded(clean_dataset())[:length]).problems


def test_thousand_levels_do_not_exhaust_the_stack() -> None:
    opened = struct.pack("<HH2sHL", 0x0008, 0x1115, b"SQ", 0, 0xFFFFFFFF) + struct.pack(
        "<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF
    )
    closed = struct.pack("<HHL", 0xFFFE, 0xE00D, 0) + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        head = encoded(clean_dataset())
    meta_end = 144 + struct.unpack_from("<I", head, 140)[0]
    parsed = read_part10(head[:meta_end] + opened * 1000 + closed * 1000)
    assert not parsed.problems
    assert len(parsed.elements) == 1000
