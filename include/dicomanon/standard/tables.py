"""Reads the CSV files of ``standard/data``."""

import csv
import hashlib
from functools import cache
from importlib.resources import files
from io import StringIO


def read_table(name: str) -> list[dict[str, str]]:
    """Return the rows of ``standard/data/<name>.csv`` in the order of the file."""
    text = files("dicomanon.standard").joinpath("data", f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(StringIO(text, newline="")))


def parse_tag(text: str) -> int:
    """Return ``GGGG,EEEE`` as a number."""
    group, element = text.split(",")
    return int(group, 16) << 16 | int(element, 16)


def format_tag(tag: int) -> str:
    """Return a tag as ``(GGGG,EEEE)``; the number of a private tag is kept, it holds no value."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


@cache
def tables_digest() -> str:
    """Return a digest of all tables: rules have changed if and only if it has."""
    digest = hashlib.sha256()
    for path in sorted(files("dicomanon.standard").joinpath("data").iterdir(), key=lambda path: path.name):
        if path.name.endswith(".csv"):
            digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
