import subprocess
import sys

import pytest

from dicomanon.deidentify.text import vocabulary


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("liver", "m"), ("baker", "a"), ("smith", "n"), ("laura", "n"), ("because", "w"), ("hendrickson", "n"),
        ("achterlonie", "u"), ("petersen", "a"), ("jenna", "a"),
        ("lebermetastasen", "m"), ("wirbelkorperfraktur", "m"), ("ventriculoperitoneal", "m"), ("laparoskopisch", "m"),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "u"),
    ],
)  # fmt: skip
def test_kind_of_a_word(word: str, kind: str) -> None:
    assert vocabulary.kind_of(word) == kind


def test_every_line_is_found() -> None:
    words = vocabulary._Lines("words.xz")
    lines = words._data.decode().split("\n")[1:-1]
    for line in [*lines[:50], *lines[1::9973], *lines[-50:]]:
        word, kind = line.split("\t")
        assert words.find(word, b"\t") == kind.encode()
        assert words.find(word + "\u00a7", b"\t") is None


def test_nothing_is_loaded_by_importing_the_package() -> None:
    code = "import dicomanon.deidentify.text.vocabulary as v; import sys; sys.exit(v._words.cache_info().currsize)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
