"""The scanner finds a planted string in every form that a pipeline may leave it in, and never says what it found."""

import base64
import gzip
import html
import io
import json
import os
import time
import zipfile
import zlib
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from tests.patience import HUNG

from dicomanon.sample import leaks
from dicomanon.sample.leaks import Leak, LeakScanner

PLANTED = (
    "O'Thistlemantle^Rosalindrette",
    "Gżegżółkowa",
    "KX2410415696",
    "20220405",
    "山梨川^太郎左衛門",
    "+1 902 555 0143",
)
FILLER = bytes(range(256)) * 40


@pytest.fixture(scope="module")
def scanner() -> LeakScanner:
    return LeakScanner(PLANTED)


def swapped(data: bytes) -> bytes:
    return np.frombuffer(data + b"\0" * (len(data) % 2), dtype="<u2").byteswap().tobytes()


FORMS = {
    "as it is": lambda text: text.encode(),
    "upper case": lambda text: text.upper().encode(),
    "lower case": lambda text: text.lower().encode(),
    "utf-16-le": lambda text: text.encode("utf-16-le"),
    "utf-16-be": lambda text: text.encode("utf-16-be"),
    "byte-swapped": lambda text: swapped(text.encode()),
    "base64": lambda text: base64.b64encode(text.encode()),
    "base64 within": lambda text: base64.b64encode(b"x" + text.encode() + b"yz"),
    "hex": lambda text: text.encode().hex().encode(),
    "hex in capitals": lambda text: text.encode().hex().upper().encode(),
    "json": lambda text: json.dumps({"a": text}).encode(),
    "json in json": lambda text: json.dumps(json.dumps({"a": text})).encode(),
    "url": lambda text: quote(text).encode(),
    "html": lambda text: html.escape(text).encode(),
    "gzip": lambda text: gzip.compress(text.encode()),
}


class TestForms:
    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.parametrize("index", range(len(PLANTED)))
    @pytest.mark.parametrize("shift", [0, 2])
    def test_found_in_every_form(self, scanner: LeakScanner, form: str, index: int, shift: int) -> None:
        data = FORMS[form](PLANTED[index])
        before = b"" if form == "gzip" else b" " * shift + b"|" * 2
        found = scanner.scan_bytes(before + data + FILLER)
        if form == "base64 within" and len(PLANTED[index].encode()) < 9:
            pytest.skip("too few characters are decided by the text alone")
        assert index in {leak.planted for leak in found}

    @pytest.mark.parametrize("encoding", ["iso8859_2", "iso2022_jp", "shift_jis", "euc_jp", "gb18030", "latin-1"])
    def test_found_in_the_character_sets_of_dicom(self, scanner: LeakScanner, encoding: str) -> None:
        for index, value in enumerate(PLANTED):
            try:
                data = value.encode(encoding)
            except UnicodeEncodeError:
                continue
            assert index in {leak.planted for leak in scanner.scan_bytes(FILLER + data + FILLER)}

    @pytest.mark.parametrize("position", range(9))
    def test_found_at_every_alignment_and_at_both_ends(self, scanner: LeakScanner, position: int) -> None:
        data = b"x" * position + b"kx2410415696"
        assert scanner.scan_bytes(data) == [Leak("bytes", "text", 2, position)]
        assert scanner.scan_bytes(data + b"y" * position)

    def test_date_is_found_in_iso_form_and_within_a_date_time(self, scanner: LeakScanner) -> None:
        assert [leak.planted for leak in scanner.scan_text("seen 2022-04-05 by")] == [3]
        assert [leak.planted for leak in scanner.scan_text("20220405101500.000000-0400")] == [3]

    def test_date_inside_a_digest_or_a_long_uid_is_chance(self, scanner: LeakScanner) -> None:
        assert scanner.scan_text("deadbeef01" + "20220405" + "abcdef0123456789") == []
        assert scanner.scan_text("2.25.3312345678" + "20220405" + "998877665544332211") == []
        assert scanner.scan_text("2.999.1." + "20220405" + ".12")

    def test_nothing_in_noise(self, scanner: LeakScanner) -> None:
        assert scanner.scan_bytes(np.random.default_rng(1).bytes(4 << 20)) == []


class TestPlaces:
    def test_found_across_window_borders(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(leaks, "_WINDOW", 1000)
        scanner = LeakScanner(PLANTED)
        for position in range(900, 1100):
            data = b"." * position + b"KX2410415696" + b"." * 3000
            assert scanner.scan_bytes(data) == [Leak("bytes", "text", 2, position)]

    def test_found_in_zip_zlib_pdf_stream_and_gzip_within_a_file(self, scanner: LeakScanner) -> None:
        text = b"KX2410415696 " * 3
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("inner.txt", gzip.compress(text))
        assert {leak.where for leak in scanner.scan_bytes(packed.getvalue())} == {"bytes!inner.txt!inflated"}
        assert scanner.scan_bytes(zlib.compress(text))
        assert scanner.scan_bytes(b"%PDF-1.4 <<>>stream\n" + zlib.compress(text) + b"\nendstream")
        assert scanner.scan_bytes(FILLER + gzip.compress(text) + FILLER)
        assert scanner.scan_bytes(gzip.compress(b"clean") + gzip.compress(text))

    def test_found_in_compressed_parquet(self, scanner: LeakScanner, tmp_path: Path) -> None:
        path = tmp_path / "manifest.parquet"
        table = pyarrow.table({"study": ["a"] * 50 + ["KX2410415696"] * 50})
        pyarrow.parquet.write_table(table, path, compression="zstd")
        assert {leak.planted for leak in scanner.scan_path(path)} == {2}

    def test_found_in_a_file_name_which_is_then_masked(self, scanner: LeakScanner, tmp_path: Path) -> None:
        (tmp_path / "kx2410415696").mkdir()
        (tmp_path / "kx2410415696" / "clean.txt").write_text("nothing")
        (leak,) = scanner.scan_path(tmp_path)
        assert leak == Leak("<masked name of file 0>", "file name text", 2, 0)

    def test_folder_is_searched_to_the_bottom(self, scanner: LeakScanner, tmp_path: Path) -> None:
        (tmp_path / "a" / "b").mkdir(parents=True)
        (tmp_path / "a" / "b" / "log").write_text("-- 20220405 --")
        (tmp_path / "a" / "clean").write_text("nothing")
        assert [(leak.where, leak.planted) for leak in scanner.scan_path(tmp_path)] == [("a/b/log", 3)]

    def test_missing_path_is_an_error_and_not_a_clean_bill(self, scanner: LeakScanner, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            scanner.scan_path(tmp_path / "absent")


class TestSecrecy:
    def test_report_never_holds_the_string(self, scanner: LeakScanner) -> None:
        found = scanner.scan_bytes("|".join(PLANTED).encode(), where="log")
        assert len({leak.planted for leak in found}) == len(PLANTED)
        shown = repr(found) + repr(scanner)
        assert not any(value in shown for value in PLANTED)

    def test_short_string_is_refused_by_index(self) -> None:
        with pytest.raises(ValueError, match="planted string 1 ") as raised:
            LeakScanner(["Thistlemantle", "Smith"])
        assert "Smith" not in str(raised.value)


def test_searches_a_hundred_megabytes_in_seconds(scanner: LeakScanner) -> None:
    data = os.urandom(100 << 20)
    started = time.process_time()
    scanner.scan_bytes(data)
    assert time.process_time() - started < HUNG
