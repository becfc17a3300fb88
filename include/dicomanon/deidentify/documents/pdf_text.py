"""Reads the text of a PDF document, and refuses documents whose text is not all there is to read."""

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from pypdf import PageObject, PdfReader, apply_configuration
from pypdf._codecs import adobe_glyphs
from pypdf.generic import ArrayObject, DictionaryObject, NameObject, StreamObject

from dicomanon.errors import Held
from dicomanon.reasons import HoldReason

# Its warnings quote the document.
logging.getLogger("pypdf").setLevel(logging.CRITICAL + 1)

_MAXIMUM_BYTES = 64 << 20
_MAXIMUM_PAGES = 300
_MAXIMUM_OPERATIONS = 400_000
_MAXIMUM_CHARACTERS = 2_000_000
_LIMITS: dict[str, Any] = {
    "zlib_maximum_output_length": 16 << 20,
    "lzw_maximum_output_length": 16 << 20,
    "run_length_maximum_output_length": 16 << 20,
    "array_based_stream_maximum_output_length": 16 << 20,
    "stream_decoding_work_maximum_length": 64 << 20,
    "stream_parsing_work_maximum_count": 1_000_000,
    "zlib_maximum_recovery_input_length": 1 << 20,
    "xform_maximum_invocations_per_extraction": 500,
    "page_tree_maximum_entries": 5_000,
    "jbig2dec_binary": None,
}
_MAXIMUM_DEPTH = 12

_PICTURE_PIXELS = 300_000
"""As much as a logo or a signature has; a scanned line of text has more."""
_PICTURE_SHARE = 0.08
"""The share of the page that logos may cover."""
_PATH_SEGMENTS = 5_000
"""Tables and frames have some hundred; tracings and text drawn as outlines have many thousand."""
_CURVES = 1_500
_PATH_OPERATORS = frozenset({b"m", b"l", b"c", b"v", b"y", b"re"})
_CURVE_OPERATORS = frozenset({b"c", b"v", b"y"})

_LETTER = (612.0, 792.0)
_SIDES = range(144, 2001)
_READABLE_ENCODINGS = frozenset({"/WinAnsiEncoding", "/MacRomanEncoding", "/StandardEncoding", "/PDFDocEncoding"})
_STANDARD_FONTS = ("Helvetica", "Courier", "Times", "Arial", "Symbol", "ZapfDingbats")
_NONSYMBOLIC = 1 << 5
_UNREADABLE_SHARE = 0.02
_PRIVATE_USE = range(0xE000, 0xF900)
_BULLET = "\N{BULLET}"
_INVISIBLE = dict.fromkeys([0xAD, *range(0x200B, 0x2010), 0x2060, 0xFEFF]) | dict.fromkeys(
    [0xA0, *range(0x2000, 0x200B), 0x202F, 0x3000, 0x09], " "
)
_LIGATURES = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st", 0xFB06: "st"}
_REPLACED = _INVISIBLE | _LIGATURES


@dataclass(frozen=True, slots=True)
class ReadPage:
    """A page: its size in points, its text by lines, and how many small pictures it shows."""

    width: float
    height: float
    text: str
    pictures: int


def read_pages(data: bytes) -> Iterator[ReadPage]:
    """Yield the pages of a document.

    Raises
    ------
    Held
        ``ENCAPSULATED_DOCUMENT``: the document is encrypted or a form, has no text, has a picture or a drawing of
        more than a logo's worth (a scanned page, a tracing), uses a font whose codes cannot be mapped to Unicode, or is
        larger than our limits. Limits count work, not time, so that the same document always ends the same way.
    """
    if len(data) > _MAXIMUM_BYTES:
        raise _held("larger than can be read")
    with apply_configuration(**_LIMITS):
        reader = PdfReader(BytesIO(data))
        if reader.is_encrypted:
            raise _held("encrypted")
        form = _dictionary(reader.root_object.get("/AcroForm"))
        if form.get("/XFA") is not None or _array(form.get("/Fields")):
            raise _held("a form")
        if len(reader.pages) > _MAXIMUM_PAGES:
            raise _held("more pages than can be read")
        budget = _Budget()
        pages = [_read(page, budget) for page in reader.pages]
    if not any(page.text.strip() for page in pages):
        raise _held("no text")
    yield from pages


def _held(what: str) -> Held:
    return Held(HoldReason.ENCAPSULATED_DOCUMENT, f"PDF: {what}")


class _Budget:
    """What is left of the work that one document may cost."""

    def __init__(self) -> None:
        self.operations = _MAXIMUM_OPERATIONS
        self.characters = _MAXIMUM_CHARACTERS


class _Resources:
    """What the content of a page refers to by name, on the page or in forms within it.

    A name may mean another thing in each form; the worst of them counts.
    """

    def __init__(self, page: PageObject) -> None:
        self.pictures: dict[str, int] = {}
        self._readable: set[str] = set()
        self._unreadable: set[str] = set()
        self._seen: set[int] = set()
        self._add(_dictionary(page.get("/Resources")), 0)

    def is_readable(self, font: str) -> bool:
        """Tell whether text in a font is text for us too."""
        return font in self._readable and font not in self._unreadable

    def _add(self, resources: DictionaryObject, depth: int) -> None:
        if depth > _MAXIMUM_DEPTH:
            raise _held("forms nested too deep")
        if id(resources) in self._seen:
            return
        self._seen.add(id(resources))
        for name, font in _dictionary(resources.get("/Font")).items():
            (self._readable if _is_readable(_dictionary(font)) else self._unreadable).add(str(name))
        for name, reference in _dictionary(resources.get("/XObject")).items():
            content = _dictionary(reference)
            if content.get("/Subtype") == "/Image":
                pixels = _number(content.get("/Width")) * _number(content.get("/Height"))
                self.pictures[str(name)] = max(self.pictures.get(str(name), 0), pixels)
            else:
                self._add(_dictionary(content.get("/Resources")), depth + 1)


class _Looker:
    """Watches the operators of a page for what is not text."""

    def __init__(self, resources: _Resources, page_area: float, budget: _Budget) -> None:
        self.pictures = 0
        self._resources = resources
        self._page_area = page_area
        self._budget = budget
        self._area = 0.0
        self._pixels = 0
        self._drawn: Counter[bytes] = Counter()

    def __call__(self, operator: bytes, operands: Any, cm: list[float], tm: list[float]) -> None:
        self._budget.operations -= 1
        if self._budget.operations < 0:
            raise _Refused("more content than can be read")
        if operator in _PATH_OPERATORS:
            self._drawn[operator] += 1
        elif operator == b"Tf":
            if not operands or not self._resources.is_readable(str(operands[0])):
                raise _Refused("a font that cannot be mapped to Unicode")
        elif operator == b"INLINE IMAGE":
            settings = operands.get("settings", {}) if isinstance(operands, dict) else {}
            width = _number(settings.get("/W", settings.get("/Width")))
            self._picture(width * _number(settings.get("/H", settings.get("/Height"))), cm)
        elif operator == b"Do" and operands and str(operands[0]) in self._resources.pictures:
            self._picture(self._resources.pictures[str(operands[0])], cm)

    def _picture(self, pixels: int, cm: list[float]) -> None:
        self.pictures += 1
        self._pixels += pixels
        # A picture is drawn in the unit square of its coordinate system (ISO 32000 8.9.5).
        self._area += abs(cm[0] * cm[3] - cm[1] * cm[2])
        if self._pixels > _PICTURE_PIXELS or self._area > _PICTURE_SHARE * self._page_area:
            raise _Refused("a picture")

    def finish(self) -> None:
        """Refuse a page whose lines and curves are more than tables and frames."""
        curves = sum(self._drawn[operator] for operator in _CURVE_OPERATORS)
        if curves > _CURVES or self._drawn.total() > _PATH_SEGMENTS:
            raise _held("a drawing")


class _Refused(BaseException):
    """Carries a refusal out of the library, which swallows exceptions inside forms."""


def _read(page: PageObject, budget: _Budget) -> ReadPage:
    width, height = (float(side) for side in (page.mediabox.width, page.mediabox.height))
    if int(width) not in _SIDES or int(height) not in _SIDES:
        width, height = _LETTER
    looker = _Looker(_Resources(page), width * height, budget)
    try:
        text = page.extract_text(visitor_operand_before=looker)
    except _Refused as refused:
        raise _held(str(refused)) from None
    looker.finish()
    budget.characters -= len(text)
    if budget.characters < 0:
        raise _held("more text than can be read")
    return ReadPage(width, height, _readable_text(text), looker.pictures)


def _readable_text(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_REPLACED)
    unknown = sum(1 for character in text if ord(character) in _PRIVATE_USE)
    if unknown > max(3, _UNREADABLE_SHARE * len(text)):
        raise _held("characters of a font's own")
    # Bullets of symbol fonts are of nobody else's.
    text = "".join([_BULLET if ord(character) in _PRIVATE_USE else character for character in text])
    if any(character == "\N{REPLACEMENT CHARACTER}" or (character < " " and character != "\n") for character in text):
        raise _held("characters that cannot be mapped to Unicode")
    return text


def _is_readable(font: DictionaryObject) -> bool:
    """Tell whether the codes of a font can be mapped to Unicode (ISO 32000 9.10.2).

    A wrong mapping would turn a name into letters that no rule knows as a name.
    """
    if isinstance(font.get("/ToUnicode", NameObject("/")).get_object(), StreamObject):
        return True
    if font.get("/Subtype") in {"/Type0", "/Type3"}:
        return False
    encoding = font.get("/Encoding", NameObject("/")).get_object()
    if isinstance(encoding, DictionaryObject):
        names = [entry for entry in _array(encoding.get("/Differences")) if isinstance(entry, NameObject)]
        if not all(name in adobe_glyphs or _is_unicode_name(name) for name in names):
            return False
        encoding = encoding.get("/BaseEncoding", NameObject("/")).get_object()
    if encoding in _READABLE_ENCODINGS:
        return True
    descriptor = _dictionary(font.get("/FontDescriptor"))
    if descriptor:
        return bool(_number(descriptor.get("/Flags")) & _NONSYMBOLIC)
    return str(font.get("/BaseFont", "")).removeprefix("/").startswith(_STANDARD_FONTS)


def _is_unicode_name(name: str) -> bool:
    """Tell whether a glyph's name is a code point, by the rules of the Adobe Glyph List (uni0041, u1F600)."""
    digits = name.removeprefix("/uni") if name.startswith("/uni") else name.removeprefix("/u")
    return 4 <= len(digits) <= 6 and all(digit in "0123456789ABCDEF" for digit in digits)  # noqa: PLR2004


def _dictionary(value: Any) -> DictionaryObject:
    resolved = value.get_object() if value is not None else None
    return resolved if isinstance(resolved, DictionaryObject) else DictionaryObject()


def _array(value: Any) -> ArrayObject:
    resolved = value.get_object() if value is not None else None
    return resolved if isinstance(resolved, ArrayObject) else ArrayObject()


def _number(value: Any) -> int:
    resolved = value.get_object() if hasattr(value, "get_object") else value
    return max(0, int(resolved)) if isinstance(resolved, int | float) else 0
