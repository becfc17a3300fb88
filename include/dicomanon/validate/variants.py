"""The forms in which a known value may be written, as text (dates, names) and as bytes (character sets, byte order)."""

import re
import unicodedata
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

MIN_BYTES: Final = 6
"""Shorter values are not searched among raw bytes: chance would find them in any image."""
MIN_DIGITS: Final = 8
MIN_TOKEN: Final = 3
"""Shorter values (M, F, O, Li) are not searched at all: they say nothing and occur everywhere."""


class Kind(StrEnum):
    """What a known value is, told by its form; names the rule that a hit breaks."""

    UID = "uid"
    DATE = "date"
    NUMBER = "number"
    TEXT = "text"


class Encoded(NamedTuple):
    """A value as bytes: ``width`` is the bytes per character, 0 where it varies; ``swapped`` as 16-bit words."""

    data: bytes
    width: int
    swapped: bool


_UID = re.compile(r"[0-2](?:\.\d+){3,}")
_DATE = re.compile(r"(?:18|19|20)\d{6}")
# The character sets of PS3.3 C.12.1.1.2 by their Python names, beside Latin-1 and UTF-8.
_CHARSETS: Final = (
    *("iso8859_2", "iso8859_3", "iso8859_4", "iso8859_5", "iso8859_6", "iso8859_7", "iso8859_8", "iso8859_9"),
    *("iso8859_15", "shift_jis", "euc_jp", "iso2022_jp", "euc_kr", "gb18030", "tis_620"),
)


def kind_of(value: str) -> Kind:
    """Tell the kind of a known value from its form alone: the crosswalk keeps values, not their attributes."""
    if _UID.fullmatch(value):
        return Kind.UID
    if _DATE.fullmatch(value) and _parse_date(value) is not None:
        return Kind.DATE
    return Kind.NUMBER if value.isdecimal() and value.isascii() else Kind.TEXT


def _parse_date(value: str) -> datetime | None:
    try:
        return datetime.strptime(value, "%Y%m%d")
    except ValueError:
        return None


def written_forms(value: str, kind: Kind) -> Iterator[str]:
    """Yield the ways in which people and programs write ``value``, its own first, in lower case."""
    if kind is Kind.DATE:
        yield value
        date = _parse_date(value)
        if date is None:
            return
        month, long_month, day = f"{date:%b}".lower(), f"{date:%B}".lower(), date.day
        for separator in "-/.":
            yield f"{date:%Y}{separator}{date:%m}{separator}{date:%d}"
            yield f"{date:%d}{separator}{date:%m}{separator}{date:%Y}"
            yield f"{date:%m}{separator}{date:%d}{separator}{date:%Y}"
        for name in {month, long_month}:
            for number in {f"{day:02d}", str(day)}:
                yield from (f"{number} {name} {date:%Y}", f"{number}-{name}-{date:%Y}", f"{number}{name}{date:%Y}")
                yield from (f"{name} {number}, {date:%Y}", f"{name} {number} {date:%Y}")
        return
    lower = value.lower()
    yield lower
    if kind is not Kind.TEXT:
        return
    plain = "".join(c for c in unicodedata.normalize("NFKD", lower) if not unicodedata.combining(c))
    if plain != lower:
        yield plain
    composed = unicodedata.normalize("NFC", lower)
    if composed not in (lower, plain):
        yield composed
    digits = re.sub(r"\D", "", lower)
    if len(digits) >= MIN_DIGITS and len(digits) >= len(re.sub(r"\W", "", lower)) - 1:
        yield digits


def encoded_forms(form: str) -> Iterator[Encoded]:
    """Yield the byte forms of one written form, ASCII letters in lower case, each at least six bytes long."""
    seen: set[bytes] = set()
    for text in (form,) if form.isascii() else (form, form.upper(), form.title()):
        for encoded in _encode(text):
            if len(encoded.data) >= MIN_BYTES and encoded.data not in seen:
                seen.add(encoded.data)
                yield encoded


def _encode(text: str) -> Iterator[Encoded]:
    ascii_only = text.isascii()
    if ascii_only:
        narrow = text.lower().encode("ascii")
        yield Encoded(narrow, 1, swapped=False)
        for start in (0, 1):
            words = narrow[start : start + (len(narrow) - start) // 2 * 2]
            swapped = bytearray(words)
            swapped[0::2], swapped[1::2] = words[1::2], words[0::2]
            yield Encoded(bytes(swapped), 1, swapped=True)
    else:
        for charset in ("latin-1", "utf-8", *_CHARSETS):
            try:
                yield Encoded(text.encode(charset).lower(), 0, swapped=False)
            except UnicodeEncodeError:
                continue
    for charset in ("utf-16-le", "utf-16-be"):
        yield Encoded(text.encode(charset).lower(), 2, swapped=False)
