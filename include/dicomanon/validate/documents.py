"""Takes the text out of encapsulated documents, so that it is searched as all text is; what it cannot read is told.

Deliberately small: no encryption, no pictures, fonts that write letters as letters or say in a ToUnicode map how not.
A document with more than that is one whose text this room cannot vouch for, and its instance is held.
"""

import base64
import binascii
import html
import re
import zlib
from collections.abc import Iterator
from typing import Final

_MOST: Final = 1 << 27
"""Text inflates a few times; what inflates more is an attack."""
_TAIL: Final = 1024
_STREAM: Final = re.compile(rb"(?<!end)stream\r?\n")
_FILTER: Final = re.compile(rb"/Filter\s*(\[[^\]]*\]|/[A-Za-z0-9]+)")
_NAME: Final = re.compile(rb"/([A-Za-z0-9]+)")
_ESCAPES: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
_LITERAL_PART: Final = re.compile(rb"\\([0-7]{1,3}|\r\n|[\s\S])|[()]|[^\\()]+")
_OPENED: Final = re.compile(rb"\(|<(?!<)[0-9A-Fa-f\s]*>")
_OPERAND: Final = re.compile(
    rb"(?P<hex><[0-9A-Fa-f\s]*>)|(?P<number>-?\d*\.?\d+)|(?P<open>\()|(?P<array>[\[\]])|(?P<word>[A-Za-z'\"*]+)|<<|>>|/[^\s/\[\]<>()]*"
)
_SPACE: Final = -180
"""A step to the right, in thousandths of the type size, that readers see as a blank."""
_SHOWN: Final = frozenset({b"Tj", b"TJ", b"'", b'"'})
_UNREADABLE: Final = (b"/Encrypt", b"/EmbeddedFile", b"/JavaScript", b"/RichMedia", b"/XFA", b"/Launch")
_OUTLINE_FONTS: Final = (b"/FontFile", b"/Length1", b"/CIDFontType0C", b"/Type1C", b"/OpenType")
_BINARY_STREAMS: Final = (b"/XRef", b"/ICCBased", b"/FunctionType")


class Unsearchable(Exception):
    """The text of a document cannot be taken out; holds no part of it."""


def document_text(data: bytes, mime_type: str) -> str:
    """Return all text of a document, its own description of itself included.

    Parameters
    ----------
    data
        The value of Encapsulated Document (0042,0011).
    mime_type
        MIME Type of Encapsulated Document (0042,0012).

    Raises
    ------
    Unsearchable
        It is of another kind than PDF, XML and plain text, or has parts whose text cannot be read.
    """
    if data.lstrip(b"\0\r\n\t ").startswith(b"%PDF-"):
        return "\n".join(_pdf_text(data))
    if mime_type == "application/pdf":
        raise Unsearchable("no PDF")
    if mime_type in {"text/xml", "application/xml", "text/plain", "text/html"} or data.lstrip().startswith(b"<?xml"):
        return _marked_up_text(data)
    raise Unsearchable("a kind of document that is not searched")


def _marked_up_text(data: bytes) -> str:
    """Return the text of XML with its attributes: a name is a name wherever it stands."""
    body = data.rstrip(b"\0")
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = body.decode("utf-16", "replace")
    else:
        declared = re.match(rb"<\?xml[^>]*encoding=[\"']([A-Za-z0-9_.-]+)", body)
        try:
            text = body.decode(declared[1].decode("ascii") if declared else "utf-8-sig")
        except (LookupError, UnicodeDecodeError):
            raise Unsearchable("unknown character set") from None
    if "\0" in text or re.search(r"representation\s*=\s*[\"']B64|;base64,", text):
        raise Unsearchable("embedded binary content")
    # Doctypes can define entities that stand for text.
    if "<!ENTITY" in text.upper():
        raise Unsearchable("entities")
    return html.unescape(re.sub(r"[<>=\"]+", " ", re.sub(r"</?[A-Za-z][\w:.-]*", " ", text)))


def _pdf_text(data: bytes) -> Iterator[str]:
    if b"%%EOF" not in data[-_TAIL:]:
        raise Unsearchable("a file cut short")
    objects = list(_streams(data))
    everything = [_outside_streams(data), *(body for head, body in objects if b"/ObjStm" in head)]
    for part in everything:
        if any(mark in part for mark in _UNREADABLE):
            raise Unsearchable("encryption, attachments or programs")
        # Strings of dictionaries: title, author, bookmarks, form fields, annotations.
        for literal in _literals(part):
            yield _pdf_string(literal)
    maps = [_to_unicode(body) for _, body in objects if b"beginbfchar" in body or b"beginbfrange" in body]
    composite = any(b"/Type0" in part or b"/Type3" in part for part in everything)
    if composite and not maps:
        raise Unsearchable("fonts whose characters are numbers of shapes")
    for head, body in objects:
        if b"/ObjStm" in head or any(mark in head for mark in (*_BINARY_STREAMS, *_OUTLINE_FONTS)):
            continue
        if b"/Subtype/XML" in head.replace(b" ", b"") or body.lstrip().startswith((b"<?xpacket", b"<x:xmpmeta")):
            yield _marked_up_text(body)
            continue
        if b"/Image" in head or re.search(rb"(?<![A-Za-z])BI\s[\s\S]*?\sID\s", body):
            raise Unsearchable("pictures")
        yield _shown(body, None)
        for mapping in maps:
            yield _shown(body, mapping)


def _streams(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the dictionary and the decoded bytes of every stream."""
    at = 0
    total = 0
    while match := _STREAM.search(data, at):
        opened = data.rfind(b" obj", at, match.start())
        head = data[max(opened, at) : match.start()]
        end = data.find(b"endstream", match.end())
        if end < 0:
            raise Unsearchable("a stream without an end")
        body = _decoded(head, data[match.end() : end])
        total += len(body)
        if total > _MOST:
            raise Unsearchable("too large")
        yield head, body
        at = end + len(b"endstream")


def _outside_streams(data: bytes) -> bytes:
    pieces, at = [], 0
    while match := _STREAM.search(data, at):
        pieces.append(data[at : match.start()])
        end = data.find(b"endstream", match.end())
        at = end + len(b"endstream") if end >= 0 else len(data)
    return b"\n".join([*pieces, data[at:]])


def _decoded(head: bytes, body: bytes) -> bytes:
    found = _FILTER.search(head)
    for name in _NAME.findall(found[1]) if found else ():
        try:
            if name in (b"FlateDecode", b"Fl"):
                inflater = zlib.decompressobj()
                body = inflater.decompress(body, _MOST)
                if inflater.unconsumed_tail:
                    raise Unsearchable("too large")
            elif name in (b"ASCIIHexDecode", b"AHx"):
                digits = re.sub(rb"\s", b"", body.split(b">")[0])
                body = binascii.unhexlify(digits + b"0" * (len(digits) % 2))
            elif name in (b"ASCII85Decode", b"A85"):
                body = base64.a85decode(re.sub(rb"\s", b"", body.split(b"~>")[0]).removeprefix(b"<~"))
            elif b"/Image" in head:
                raise Unsearchable("pictures")
            else:
                raise Unsearchable("a filter that is not known")
        except (zlib.error, ValueError):
            raise Unsearchable("a stream that does not decode") from None
    # A predictor would leave the bytes of cross-reference tables, which hold no text, and of pictures.
    return body


def _literals(part: bytes) -> Iterator[bytes]:
    """Yield the strings of a piece of PDF, literal or hexadecimal."""
    at = 0
    while at < len(part):
        opened = _OPENED.search(part, at)
        if opened is None:
            return
        if opened.group() == b"(":
            text, at = _literal(part, opened.end())
            yield text
        else:
            at = opened.end()
            yield _hexadecimal(opened.group())


def _literal(part: bytes, at: int) -> tuple[bytes, int]:
    """Read a literal string from behind its bracket (ISO 32000-1 section 7.3.4.2)."""
    pieces: list[bytes] = []
    depth = 1
    for match in _LITERAL_PART.finditer(part, at):
        piece = match.group()
        if piece == b"(":
            depth += 1
        elif piece == b")":
            depth -= 1
            if not depth:
                return b"".join(pieces), match.end()
        elif match[1] is not None:
            escape = match[1]
            if escape.isdigit():
                piece = bytes([int(escape, 8) & 0xFF])
            else:
                piece = b"" if escape in (b"\n", b"\r", b"\r\n") else _ESCAPES.get(escape, escape)
        pieces.append(piece)
    return b"".join(pieces), len(part)


def _hexadecimal(text: bytes) -> bytes:
    digits = re.sub(rb"[\s<>]", b"", text)
    return binascii.unhexlify(digits + b"0" * (len(digits) % 2))


def _pdf_string(value: bytes) -> str:
    if value.startswith(b"\xfe\xff"):
        return value[2:].decode("utf-16-be", "replace")
    return value.removeprefix(b"\xef\xbb\xbf").decode("utf-8" if value.startswith(b"\xef\xbb\xbf") else "latin-1")


def _shown(body: bytes, mapping: dict[bytes, str] | None) -> str:
    """Return what the operators of a content stream show; strings of one operator are one word unless set apart."""
    shown: list[str] = []
    pending: list[str] = []
    at, in_array = 0, False
    while match := _OPERAND.search(body, at):
        at = match.end()
        if match["open"]:
            value, at = _literal(body, at)
            pending.append(_mapped(value, mapping))
        elif match["hex"]:
            pending.append(_mapped(_hexadecimal(match.group()), mapping))
        elif match["array"]:
            in_array = match.group() == b"["
        elif match["number"]:
            if in_array and float(match.group()) < _SPACE:
                pending.append(" ")
        elif match["word"]:
            if match.group() in _SHOWN:
                shown.append("".join(pending))
            pending = []
    return " ".join(shown)


def _mapped(value: bytes, mapping: dict[bytes, str] | None) -> str:
    if mapping is None:
        return _pdf_string(value)
    width = max(map(len, mapping), default=1)
    return "".join(mapping.get(value[at : at + width], "\ufffd") for at in range(0, len(value), width))


def _to_unicode(body: bytes) -> dict[bytes, str]:
    """Read a ToUnicode map (ISO 32000-1 section 9.10.3)."""
    mapping: dict[bytes, str] = {}
    for block in re.findall(rb"beginbfchar([\s\S]*?)endbfchar", body):
        codes = [_hexadecimal(one) for one in re.findall(rb"<[0-9A-Fa-f\s]*>", block)]
        for code, character in zip(codes[::2], codes[1::2], strict=False):
            mapping[code] = character.decode("utf-16-be", "replace")
    for block in re.findall(rb"beginbfrange([\s\S]*?)endbfrange", body):
        for low, high, target in re.findall(
            rb"<([0-9A-Fa-f\s]*)>\s*<([0-9A-Fa-f\s]*)>\s*(<[0-9A-Fa-f\s]*>|\[[^\]]*\])", block
        ):
            first, last, width = _hexadecimal(low), int(high, 16), len(_hexadecimal(low))
            targets = [_hexadecimal(one) for one in re.findall(rb"<[0-9A-Fa-f\s]*>", target)]
            for offset in range(min(last - int.from_bytes(first) + 1, 1 << 16)):
                code = (int.from_bytes(first) + offset).to_bytes(width)
                if target.startswith(b"["):
                    if offset < len(targets):
                        mapping[code] = targets[offset].decode("utf-16-be", "replace")
                elif targets:
                    moved = int.from_bytes(targets[0]) + offset
                    mapping[code] = moved.to_bytes(len(targets[0])).decode("utf-16-be", "replace")
    return mapping
