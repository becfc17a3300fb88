"""The forms that a string may take in a file: encodings, escapes, byte order, base64, hex."""

import base64
import codecs
import html
import json
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

SHORTEST = 8
"""Bytes that a form must have to be searched: shorter ones turn up by chance in pixel data."""
_BASE64_SHORTEST = 10
_DATE = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
_LOCAL_ENCODINGS = ("iso8859_2", "iso8859_4", "iso8859_5", "cp1250", "shift_jis", "euc_jp", "iso2022_jp", "gb18030")


def forms(value: str) -> Iterator[tuple[str, bytes]]:
    """Yield what a string may look like in a file: (kind, bytes); ASCII case is folded by the caller."""
    found: list[tuple[str, bytes]] = []
    texts = dict.fromkeys((value, value.lower(), value.upper(), value.title()))
    written = list(texts)
    if _DATE.fullmatch(value):
        written.append(f"{value[:4]}-{value[4:6]}-{value[6:]}")
    for text in written:
        found += [("text", encoded) for encoded in _encodings(text)]
        found += [("utf-16", text.encode("utf-16-le")), ("utf-16", text.encode("utf-16-be"))]
        found.append(("hex", text.encode().hex().encode()))
        for encoded in {text.encode(), *_encodings(text)}:
            found += [("byte-swapped", swapped) for swapped in _swapped(encoded)]
            found += [("base64", piece) for piece in _base64_pieces(encoded)]
        once = json.dumps(text)[1:-1]
        found += [("json", once.encode()), ("json", json.dumps(once)[1:-1].encode())]
        found += [("url", quote(text, safe="").encode()), ("url", quote_plus(text).encode())]
        escaped = html.escape(text)
        found += [("html", escaped.encode()), ("html", escaped.replace("&#x27;", "&#39;").encode())]
        found.append(("html", text.encode("ascii", "xmlcharrefreplace")))
    seen: set[bytes] = set()
    for kind, form in found:
        if len(form) >= SHORTEST and form not in seen:
            seen.add(form)
            yield kind, form


def _encodings(text: str) -> list[bytes]:
    encoded = [text.encode()]
    if text.isascii():
        return encoded
    for name in ("latin-1", *_LOCAL_ENCODINGS):
        try:
            data = codecs.encode(text, name)
        except UnicodeEncodeError:
            continue
        # Escape sequences at the ends depend on what stands beside the text.
        encoded.append(re.sub(rb"^\x1b\$?.?.|\x1b\(.$", b"", data) if name == "iso2022_jp" else data)
    return encoded


def _swapped(data: bytes) -> Iterator[bytes]:
    """Yield the text as it stands in 16-bit words of the other byte order, starting at an even and at an odd byte."""
    for first in (0, 1):
        pairs = data[first : first + (len(data) - first) // 2 * 2]
        swapped = bytearray(len(pairs))
        swapped[0::2], swapped[1::2] = pairs[1::2], pairs[0::2]
        yield bytes(swapped)


def _base64_pieces(data: bytes) -> Iterator[bytes]:
    """Yield the base64 characters that the text alone decides, for the three ways it can lie in groups of three."""
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + data)
        piece = whole[-(-shift * 8 // 6) : (shift + len(data)) * 8 // 6]
        if len(piece) >= _BASE64_SHORTEST:
            yield piece
            yield piece.replace(b"+", b"-").replace(b"/", b"_")
