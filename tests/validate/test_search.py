"""Known values are found in any bytes and encodings, and numbers of ours are not taken for them."""

import random

import numpy as np
import pytest

from dicomanon.validate.search import KnownValueSearch
from dicomanon.validate.variants import Kind, kind_of

NOISE = np.random.default_rng(3).integers(0, 256, 4096, np.uint8).tobytes()


def swapped(data: bytes) -> bytes:
    even = data[: len(data) // 2 * 2]
    return b"".join(even[i : i + 2][::-1] for i in range(0, len(even), 2)) + data[len(even) :]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("1.2.840.113619.2.55.3", Kind.UID),
        ("20190105", Kind.DATE),
        ("20191305", Kind.NUMBER),
        ("88120457", Kind.NUMBER),
        ("Smith", Kind.TEXT),
        ("A-10.2", Kind.TEXT),
    ],
)
def test_kind_is_told_by_form(value: str, kind: Kind) -> None:
    assert kind_of(value) is kind


@pytest.mark.parametrize("offset", range(5))
@pytest.mark.parametrize(
    "written",
    [
        b"featherstone", b"FEATHERSTONE", b"FeatherStone", "Featherstone".encode("utf-16-le"),
        "FEATHERSTONE".encode("utf-16-be"), swapped(b"Featherstone"), swapped(b" Featherstone"),
        swapped(b"xxfeatherstone-"),
    ],
)  # fmt: skip
def test_text_is_found_in_any_case_encoding_byte_order_and_alignment(written: bytes, offset: int) -> None:
    search = KnownValueSearch({"Featherstone"})
    assert search.hits(NOISE[: 1000 + offset] + written + NOISE[1000:])["text"] >= 1


def test_a_value_is_found_across_the_edge_of_what_is_looked_up_at_once() -> None:
    search = KnownValueSearch({"Featherstone"})
    edge = 2 * 65_536
    for start in range(edge - 20, edge + 4):
        data = bytearray(b"~" * (edge + 1000))
        data[start : start + 12] = b"featherstone"
        assert [(hit.start, hit.end) for hit in search.scan(bytes(data))] == [(start, start + 12)]


@pytest.mark.parametrize("size", range(14))
def test_bytes_of_any_length_are_searched(size: int) -> None:
    search = KnownValueSearch({"Featherstone"})
    assert len(search.scan(b"featherstone"[:size])) == (size >= 12)


@pytest.mark.parametrize("charset", ["latin-1", "utf-8", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("written", ["Müllerström", "MÜLLERSTRÖM", "müllerström"])
def test_umlauts_are_found_in_any_charset(written: str, charset: str) -> None:
    assert KnownValueSearch({"Müllerström"}).hits(NOISE + written.encode(charset) + NOISE) == {"text": 1}


def test_umlauts_are_found_when_written_without() -> None:
    assert KnownValueSearch({"Müllerström"}).hits(b"\0\0MULLERSTROM\0") == {"text": 1}


@pytest.mark.parametrize("charset", ["shift_jis", "euc_jp", "utf-8", "iso2022_jp"])
def test_ideographs_are_found(charset: str) -> None:
    assert KnownValueSearch({"山田太郎"}).hits(NOISE + "山田太郎".encode(charset) + NOISE)["text"] >= 1


@pytest.mark.parametrize(
    "written", ["20190105", "2019-01-05", "05/01/2019", "01/05/2019", "5 Jan 2019", "January 5, 2019", "20190105101500"]
)
def test_dates_are_found_in_any_written_form(written: str) -> None:
    assert KnownValueSearch({"20190105"}).hits(b"scan of " + written.encode() + b" and") == {"date": 1}


@pytest.mark.parametrize("written", ["120190105", "2.25.20190105", "2019010512", "201901051", "0.20190105"])
def test_digits_of_a_longer_number_are_no_date(written: str) -> None:
    found = KnownValueSearch({"20190105"}).hits(b" " + written.encode() + b" ")
    assert bool(found) is (written == "2019010512"), "only a date and hour goes on in digits"


@pytest.mark.parametrize("written", ["88120457", "0088120457", "id88120457x", "88120457.dcm"])
def test_number_is_found_also_padded(written: str) -> None:
    assert KnownValueSearch({"88120457"}).hits(b" " + written.encode() + b" ") == {"number": 1}


def test_number_stored_with_zeros_is_found_without() -> None:
    assert KnownValueSearch({"0088120457"}).hits(b" 88120457 ") == {"number": 1}


def test_no_number_is_found_in_uids_of_ours() -> None:
    generator = random.Random(5)
    uids = [f"2.25.{generator.getrandbits(128)}" for _ in range(300)]
    pieces = {uid[i : i + 8] for uid in uids for i in range(6, len(uid) - 8)}
    search = KnownValueSearch(piece for piece in pieces if not piece.startswith("0"))
    assert search.hits("\\".join(uids).encode()) == {}


def test_uid_is_found_whole_and_as_the_stem_of_another() -> None:
    search = KnownValueSearch({"1.2.276.0.7230010.3.1"})
    assert search.hits(b"UI\x16\x001.2.276.0.7230010.3.1\0") == {"uid": 1}
    assert search.hits(b"UI\x16\x001.2.276.0.7230010.3.1.5") == {"uid": 1}
    assert search.hits(b"1.2.276.0.7230010.3.17") == {}
    assert search.hits(b"1.1.2.276.0.7230010.3.1") == {}


@pytest.mark.parametrize("value", ["Li", "M", "", "F", "O "])
def test_very_short_values_are_never_searched(value: str) -> None:
    search = KnownValueSearch({value})
    assert search.hits(b"Li M F O" * 10) == {}
    assert list(search.words("li m f o")) == []


@pytest.mark.parametrize("data", [b"\x1f555000000222>>>", b"00000000200.00", b"0002-0000200+0"])
def test_a_small_number_behind_its_padding_is_not_sought_in_bytes(data: bytes) -> None:
    assert not KnownValueSearch(["-0000200", "0000200.00"]).scan(data)


def test_short_values_are_found_as_whole_words_only() -> None:
    search = KnownValueSearch({"Gray", "Ng Li", "4417"})
    assert [text for hit in search.words("grayscale, ng li; gray 4417 x44170 3.4417") for text in [hit.kind]] == [
        Kind.TEXT,
        Kind.TEXT,
        Kind.NUMBER,
    ]
    assert search.hits(b"Gray 4417 gray") == {}


def test_nothing_is_found_without_values() -> None:
    assert KnownValueSearch([]).hits(NOISE) == {}
    assert list(KnownValueSearch([]).words("text")) == []


def test_values_are_not_printed() -> None:
    assert "Featherstone" not in repr(KnownValueSearch({"Featherstone"}))


def test_many_uids_of_one_root_cost_little() -> None:
    uids = [f"1.2.840.113619.2.55.3.{n}" for n in range(2000)]
    assert KnownValueSearch(uids).hits(b" ".join(uid.encode() for uid in uids[:50])) == {"uid": 50}
