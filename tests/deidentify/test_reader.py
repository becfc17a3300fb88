import struct
import zlib
from collections.abc import Sequence
from dataclasses import replace

import pytest
from tests.deidentify.builders import BIG, DEFLATED, EXPLICIT, IMPLICIT, Instance, Leaf, Nest, part10, write

from dicomanon.deidentify import reader
from dicomanon.deidentify.codec import BIG_EXPLICIT, LITTLE_EXPLICIT, LITTLE_IMPLICIT
from dicomanon.deidentify.reader import (
    MAXIMUM_DEPTH,
    Element,
    LargeSequence,
    Unreadable,
    read_data_set,
    read_part10,
)

CODECS = {EXPLICIT: LITTLE_EXPLICIT, IMPLICIT: LITTLE_IMPLICIT, BIG: BIG_EXPLICIT}


def _read(data: bytes, syntax: str = EXPLICIT):  # type: ignore[no-untyped-def]
    return read_data_set(memoryview(data), CODECS[syntax])


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
@pytest.mark.parametrize("undefined", [False, True])
def test_nested_sequences_are_read_at_every_level(syntax: str, undefined: bool) -> None:
    node: Leaf | Nest = Leaf(0x00080104, "LO", "deep")
    for _ in range(20):
        node = Nest(0x00081115, ((node,), ()), undefined=undefined)
    elements = _read(write([node], syntax), syntax)
    for _ in range(20):
        assert len(elements[0].items) == 2
        elements = elements[0].items[0]
    assert elements[0].tag == 0x00080104


def test_sequence_behind_vr_un_is_read_as_implicit() -> None:
    inner = (Leaf(0x00080100, "SH", "CODE"),)
    for undefined in (False, True):
        (element,) = _read(write([Nest(0x00081115, (inner,), vr="UN", undefined=undefined)]))
        assert element.vr == "SQ"
        assert element.items[0][0].vr == "SH"


def test_unknown_sequence_of_undefined_length_is_read_in_implicit() -> None:
    elements = _read(
        write([Nest(0x00091002, ((Leaf(0x00080100, "SH", "CODE"),),), undefined=True)], IMPLICIT), IMPLICIT
    )
    assert elements[0].items[0][0].tag == 0x00080100


def test_elements_out_of_order_are_put_in_order() -> None:
    data = write([Leaf(0x00100020, "LO", "B")]) + write([Leaf(0x00080060, "CS", "CT")])
    assert [element.tag for element in _read(data)] == [0x00080060, 0x00100020]


def test_zero_bytes_after_the_end_are_dropped() -> None:
    for syntax in (EXPLICIT, IMPLICIT):
        for padding in (b"\0", b"\0" * 7, b"\0" * 512):
            assert len(_read(write([Leaf(0x00080060, "CS", "CT")], syntax) + padding, syntax)) == 1


TEXT = write([Leaf(0x00080060, "CS", "CT")])
SEQUENCE = write([Nest(0x00081115, ((Leaf(0x00080100, "SH", "CODE"),),), undefined=True)])
FRAGMENTS = struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF)
ITEM = struct.pack("<HHL", 0xFFFE, 0xE000, 4) + b"abcd"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(TEXT[:-1], id="value cut short"),
        pytest.param(TEXT + b"garbage", id="bytes after the end"),
        pytest.param(TEXT + b"more garbage after the end", id="more bytes after the end"),
        pytest.param(TEXT + TEXT, id="duplicate"),
        pytest.param(TEXT + write([Leaf(0x00080016, "UI", "1.2")]) + TEXT, id="duplicate out of order"),
        pytest.param(TEXT.replace(b"CS", b"C?"), id="unknown VR"),
        pytest.param(SEQUENCE[:-8], id="sequence without delimitation"),
        pytest.param(SEQUENCE[:-16], id="item without delimitation"),
        pytest.param(SEQUENCE[:-4] + b"\1\0\0\0", id="delimitation with a length"),
        pytest.param(SEQUENCE[-8:], id="delimitation out of place"),
        pytest.param(write([Leaf(0x00081115, "SQ", b"no item at all!!")]), id="no item in a sequence"),
        pytest.param(write([Leaf(0x00081115, "SQ", b"short")]), id="cut short within a sequence"),
        pytest.param(
            write([Leaf(0x00081115, "SQ", ITEM[:4] + b"\xff\0\0\0" + b"x" * 8)]), id="item longer than sequence"
        ),
        pytest.param(FRAGMENTS + ITEM, id="fragments without delimitation"),
        pytest.param(FRAGMENTS + b"no fragments", id="no fragments"),
        pytest.param(struct.pack("<HH2sHL", 8, 0x119, b"UC", 0, 0xFFFFFFFF), id="text of undefined length"),
        pytest.param(struct.pack("<HH2sH", 8, 0x119, b"UC", 0), id="header cut short"),
    ],
)
def test_malformed_data_set_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        _read(data)


@pytest.mark.parametrize("data", [b"Zukovsky Brunhilde", b"uZkovsky Brunhilde"], ids=["even group", "odd group"])
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_message_shows_no_bytes_of_a_value_that_were_read_as_a_tag(data: bytes, syntax: str) -> None:
    with pytest.raises(Unreadable) as caught:
        _read(write([Leaf(0x00080060, "CS", "CT")], syntax) + data, syntax)
    assert not any(character.isdigit() for character in str(caught.value))


def test_nesting_beyond_all_reason_is_unreadable_and_no_recursion_error() -> None:
    node: Leaf | Nest = Leaf(0x00080104, "LO", "deep")
    for _ in range(MAXIMUM_DEPTH + 1):
        node = Nest(0x00081115, ((node,),), undefined=True)
    with pytest.raises(Unreadable, match="too deeply"):
        _read(write([node]))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"DICM",
        bytes(132),
        bytes(128) + b"DICM",
        Instance().raw()[:200],
        part10(b"", syntax="1.2.3"),
        part10(b"", syntax="1.2.840.10008.1.2.4.94"),
        part10(b"", syntax="1.2.840.10008.5.1.4.1.1.2"),
        part10(b"no deflated data", syntax=DEFLATED),
    ],
)
def test_what_is_no_complete_file_is_unreadable(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        read_part10(memoryview(raw))


def test_deflated_data_set_is_inflated_and_what_follows_is_dropped() -> None:
    deflater = zlib.compressobj(wbits=-15)
    data = deflater.compress(TEXT) + deflater.flush()
    file = read_part10(memoryview(part10(data + b"Smith^John", syntax=DEFLATED)))
    assert bytes(file.buffer) == TEXT


def test_deflated_data_set_cut_short_is_unreadable() -> None:
    deflater = zlib.compressobj(wbits=-15)
    data = deflater.compress(TEXT * 100) + deflater.flush()
    with pytest.raises(Unreadable, match="deflated"):
        read_part10(memoryview(part10(data[:-4], syntax=DEFLATED)))


def test_message_of_the_error_names_the_tag_and_not_the_value() -> None:
    with pytest.raises(Unreadable) as error:
        _read(write([Leaf(0x00100010, "PN", "Featherstone")])[:-2])
    assert "(0010,0010)" in str(error.value)
    assert "Feather" not in str(error.value)


def all_of(elements: Sequence[Element]) -> list[tuple[object, ...]]:
    return [
        (*element[:-1], None if element.items is None else [all_of(item) for item in element.items])
        for element in elements
    ]


class TestShortSequences:
    """Those of the main data set are known by their bytes when they come again."""

    REQUEST = Nest(
        0x00400275, ((Leaf(0x00401001, "SH", "RP1"), Nest(0x00321064, ((),))), (Leaf(0x00400007, "LO", "CT"),))
    )

    @pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
    def test_items_are_where_they_are_in_the_object_at_hand(self, syntax: str) -> None:
        for before in ("", "a", "some text"):
            data = write([Leaf(0x00080070, "LO", before), self.REQUEST], syntax)
            _, request = _read(data, syntax)
            first, second = request.items
            assert [element.tag for element in first] == [0x00321064, 0x00401001]
            assert data[first[1].value : first[1].end].strip() == b"RP1"
            assert data[second[0].value : second[0].end] == b"CT"
            assert len(request.items) == 2
            assert request.items[1:] == [second]

    def test_same_bytes_under_another_encoding_are_not_the_same_sequence(self) -> None:
        value = write([Leaf(0x00401001, "SH", "RP1")], IMPLICIT)
        item = b"\xfe\xff\x00\xe0" + len(value).to_bytes(4, "little") + value
        header = b"\x40\x00\x75\x02"
        implicit = header + len(item).to_bytes(4, "little") + item
        explicit = header + b"SQ\0\0" + len(item).to_bytes(4, "little") + item
        assert _read(implicit, IMPLICIT)[0].items[0][0].vr == "SH"
        with pytest.raises(Unreadable):
            _read(explicit)

    def test_what_is_wrong_in_one_is_found_at_once_and_again(self) -> None:
        good = write([self.REQUEST])
        _read(good)
        wrong = good.replace(b"SH\x04\x00RP1", b"SH\x40\x00RP1")
        for _ in range(2):
            with pytest.raises(Unreadable):
                _read(wrong)

    def test_what_is_in_them_is_counted_each_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        data = write([replace(self.REQUEST, tag=tag) for tag in range(0x00400275, 0x00400280)])
        _read(data)
        monkeypatch.setattr(reader, "MAXIMUM_ELEMENTS", 50)
        with pytest.raises(Unreadable, match="too many"):
            _read(data)

    def test_nothing_long_is_kept(self) -> None:
        kept = reader._read_short_sequence.cache_info()
        _read(write([Nest(0x00400275, ((Leaf(0x00400007, "LT", "x" * reader.SHORT_SEQUENCE),),))]))
        assert reader._read_short_sequence.cache_info() == kept


class TestLargeSequences:
    """They are read anew at each turn, and are the same as if they had been kept."""

    @pytest.fixture(params=[False, True], ids=["defined", "undefined"])
    def nested(self, request: pytest.FixtureRequest) -> tuple[Nest, ...]:
        texts = (Leaf(0x0040A160, "UT", "x" * 300),)
        inner = Nest(0x0040A730, (texts,) * 100, undefined=request.param)
        unknown = Nest(0x0040A043, (texts,) * 80, vr="UN", undefined=request.param)
        return (Nest(0x0040A730, ((unknown, inner), texts, (inner, *texts), ()), undefined=request.param),)

    @pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
    def test_read_as_if_kept(self, nested: tuple[Nest, ...], syntax: str, monkeypatch: pytest.MonkeyPatch) -> None:
        nodes = nested if syntax != BIG else tuple(replace(node, items=node.items[1:]) for node in nested)
        data = memoryview(write(nodes, syntax))
        codec = CODECS[syntax]
        large = read_data_set(data, codec)
        assert isinstance(large[0].items, LargeSequence)
        monkeypatch.setattr(reader, "LARGE_SEQUENCE", 1 << 30)
        kept = read_data_set(data, codec)
        assert isinstance(kept[0].items, list)
        assert all_of(large) == all_of(kept)
        assert all_of(large) == all_of(kept)
        assert len(large[0].items) == len(kept[0].items)
        assert all_of(large[0].items[-2]) == all_of(kept[0].items[-2])
        assert [all_of(item) for item in large[0].items[1:2]] == [all_of(item) for item in kept[0].items[1:2]]

    def test_what_is_wrong_in_them_is_found_at_once(self, nested: tuple[Nest, ...]) -> None:
        data = write(nested)
        with pytest.raises(Unreadable):
            read_data_set(memoryview(data[:-200]), LITTLE_EXPLICIT)
