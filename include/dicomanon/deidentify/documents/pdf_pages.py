"""Sets plain text as a minimal PDF document: pages, text, fonts that every reader has, and nothing else."""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dicomanon.errors import Held
from dicomanon.reasons import HoldReason

_SIZE = 9
_ADVANCE = 0.6 * _SIZE
"""Every glyph of Courier is 600 units wide."""
_LEADING = 11
_MARGIN = 36
_CODES = range(0x20, 0x100)
"""Codes that a font of ours gives to characters outside Windows-1252."""

_WIDE = (
    # Fonts for whole scripts by their predefined CMaps (ISO 32000 9.7.5.2): the reader brings the glyphs.
    (
        ("STSong-Light", "UniGB-UTF16-H", "GB1", 4),
        ((0x2E80, 0x9FFF), (0xF900, 0xFAFF), (0xFE30, 0xFE4F), (0xFF00, 0xFFEF)),
    ),
    (("HYSMyeongJo-Medium", "UniKS-UTF16-H", "Korea1", 1), ((0x1100, 0x11FF), (0xAC00, 0xD7AF))),
)
_NARROW = (
    (0x00A0, 0x052F),  # Latin, Greek, Cyrillic
    (0x1E00, 0x1FFF),  # the same with more accents
    (0x2010, 0x205F), (0x2070, 0x20CF), (0x2100, 0x27BF),  # punctuation, currencies, symbols
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SetPage:
    """A page to set: its size in points, and its text; what does not fit on it goes to further pages."""

    width: float
    height: float
    text: str


class _Fonts:
    """The fonts of a document, by name in the order in which they were first needed."""

    def __init__(self) -> None:
        self._codes: dict[str, tuple[str, int]] = {}
        self._wide: dict[int, dict[int, None]] = {}

    def run(self, character: str) -> tuple[str, bytes]:
        """Return the font for a character and its code in it.

        Raises
        ------
        Held
            ``ENCAPSULATED_DOCUMENT``: a script that needs more than placing glyphs one after the other.
        """
        if character.isascii():
            return "F", character.encode()
        try:
            return "F", character.encode("cp1252")
        except UnicodeEncodeError:
            point = ord(character)
        for index, (_, ranges) in enumerate(_WIDE):
            if any(first <= point <= last for first, last in ranges):
                self._wide.setdefault(index, {})[point] = None
                return f"W{index}", character.encode("utf-16-be")
        if not any(first <= point <= last for first, last in _NARROW):
            raise Held(HoldReason.ENCAPSULATED_DOCUMENT, "PDF: a script that cannot be set")
        if character not in self._codes:
            font, code = divmod(len(self._codes), len(_CODES))
            self._codes[character] = (f"N{font}", _CODES[code])
        name, code = self._codes[character]
        return name, bytes([code])

    def dictionaries(self, document: "_Document") -> bytes:
        """Add the fonts to a document and return the resource dictionary that names them."""
        base = "<< /Type /Font /Subtype /Type1 /BaseFont /Courier /Encoding"
        names = [("F", document.add(f"{base} /WinAnsiEncoding >>".encode()))]
        for index in range(-(-len(self._codes) // len(_CODES))):
            points = [ord(character) for character, (name, _) in self._codes.items() if name == f"N{index}"]
            glyphs = " ".join(f"/uni{point:04X}" for point in points)
            mapping = [f"<{code:02X}> <{point:04X}>" for code, point in zip(_CODES, points, strict=False)]
            unicode = document.add_stream(_to_unicode(mapping, "<00> <FF>"))
            differences = f"<< /Type /Encoding /Differences [{_CODES[0]} {glyphs}] >>"
            names.append((f"N{index}", document.add(f"{base} {differences} /ToUnicode {unicode} 0 R >>".encode())))
        for index in sorted(self._wide):
            (font, cmap, ordering, supplement), _ = _WIDE[index]
            mapping = [f"<{point:04X}> <{point:04X}>" for point in self._wide[index]]
            unicode = document.add_stream(_to_unicode(mapping, "<0000> <FFFF>"))
            system = f"<< /Registry (Adobe) /Ordering ({ordering}) /Supplement {supplement} >>"
            descriptor = document.add(
                f"<< /Type /FontDescriptor /FontName /{font} /Flags 4 /FontBBox [0 -200 1000 900] /ItalicAngle 0 "
                f"/Ascent 800 /Descent -200 /CapHeight 800 /StemV 80 >>".encode()
            )
            descendant = document.add(
                f"<< /Type /Font /Subtype /CIDFontType0 /BaseFont /{font} /CIDSystemInfo {system} "
                f"/FontDescriptor {descriptor} 0 R /DW 1000 >>".encode()
            )
            names.append((f"W{index}", document.add(
                f"<< /Type /Font /Subtype /Type0 /BaseFont /{font} /Encoding /{cmap} "
                f"/DescendantFonts [{descendant} 0 R] /ToUnicode {unicode} 0 R >>".encode()
            )))  # fmt: skip
        return f"<< /Font << {' '.join(f'/{name} {number} 0 R' for name, number in names)} >> >>".encode()


class _Document:
    """Objects of a PDF file, numbered from 1; the first two are the catalog and the page tree."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = [b"<< /Type /Catalog /Pages 2 0 R >>", b""]

    def add(self, body: bytes) -> int:
        """Add an object and return its number."""
        self.bodies.append(body)
        return len(self.bodies)

    def add_stream(self, data: bytes) -> int:
        """Add a stream, uncompressed: what has to be checked is to be seen."""
        return self.add(b"<< /Length %d >>\nstream\n%b\nendstream" % (len(data), data))

    def encoded(self) -> bytes:
        """Return the file."""
        parts = [b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"]
        position, offsets = len(parts[0]), []
        for number, body in enumerate(self.bodies, 1):
            offsets.append(position)
            parts.append(b"%d 0 obj\n%b\nendobj\n" % (number, body))
            position += len(parts[-1])
        size = len(offsets) + 1
        table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
        parts.append(
            b"xref\n0 %d\n0000000000 65535 f \n%btrailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
            % (size, table, size, position)
        )
        return b"".join(parts)


def set_pages(pages: Iterable[SetPage]) -> bytes:
    """Return a PDF 1.7 document with the text of the pages; the same text gives the same bytes.

    Raises
    ------
    Held
        ``ENCAPSULATED_DOCUMENT``: a script that needs more than placing glyphs one after the other.
    """
    document, fonts = _Document(), _Fonts()
    set_text: list[tuple[SetPage, int]] = []
    for page in pages:
        columns = max(20, int((page.width - 2 * _MARGIN) / _ADVANCE))
        rows = max(5, int((page.height - 2 * _MARGIN) / _LEADING))
        lines = _lines(page.text, columns)
        parts = [lines[start : start + rows] for start in range(0, max(1, len(lines)), rows)]
        set_text += [(page, document.add_stream(_content(part, page.height, fonts))) for part in parts]
    resources = document.add(fonts.dictionaries(document))
    kids = [
        document.add(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %g %g] /Resources %d 0 R /Contents %d 0 R >>"
            % (page.width, page.height, resources, content)
        )
        for page, content in set_text
    ]
    document.bodies[1] = b"<< /Type /Pages /Kids [%b] /Count %d >>" % (
        b" ".join(b"%d 0 R" % kid for kid in kids),
        len(kids),
    )
    return document.encoded()


def _lines(text: str, columns: int) -> list[str]:
    lines: list[str] = []
    for line in text.split("\n"):
        lines += textwrap.wrap(line.rstrip(), columns, drop_whitespace=False, break_on_hyphens=False) or [""]
    return lines


def _content(lines: Sequence[str], height: float, fonts: _Fonts) -> bytes:
    parts = [b"BT\n%d TL\n%d %g Td" % (_LEADING, _MARGIN, height - _MARGIN - _SIZE)]
    current = ""
    for line in lines:
        shown = bytearray()
        for character in line:
            if character < " ":
                continue
            font, code = fonts.run(character)
            if font != current:
                _show(parts, shown)
                parts.append(f"/{font} {_SIZE} Tf".encode())
                current = font
            shown += code
        _show(parts, shown)
        parts.append(b"T*")
    return b"\n".join([*parts, b"ET"])


def _show(parts: list[bytes], shown: bytearray) -> None:
    if shown:
        escaped = "".join(_escaped(code) for code in shown)
        parts.append(f"({escaped}) Tj".encode())
        shown.clear()


def _escaped(code: int) -> str:
    character = chr(code)
    if character in "()\\":
        return f"\\{character}"
    return character if " " <= character <= "~" else f"\\{code:03o}"


def _to_unicode(mapping: Sequence[str], codes: str) -> bytes:
    """Return the map that tells readers which letters the codes of a font are (ISO 32000 9.10.3)."""
    blocks = [mapping[start : start + 100] for start in range(0, len(mapping), 100)]
    shown = "\n".join(f"{len(block)} beginbfchar\n" + "\n".join(block) + "\nendbfchar" for block in blocks)
    return (
        "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n/CMapType 2 def\n/CMapName /U def\n"
        f"1 begincodespacerange\n{codes}\nendcodespacerange\n{shown}\nendcmap\nend\nend"
    ).encode()
