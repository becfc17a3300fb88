"""Decodes the text of an object's elements, once, into one string that every text check reads."""

import bisect
from collections.abc import Iterable, Sequence
from typing import Final

from pydicom.charset import convert_encodings, decode_bytes, python_encoding

from dicomanon.validate.elements import Element

CHARACTER_SET: Final = 0x00080005
TEXT_VRS: Final = frozenset({"AE", "AS", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_DELIMITERS: Final = {"\\", "^", "=", "\r", "\n", "\t", "\f"}
_SEPARATOR: Final = "\n\x1f\n"


class TextView:
    """All text of an object in lower case, with the way back from a position to its element.

    Attributes
    ----------
    joined
        The values one after another, parted so that nothing matches across them.
    elements
        The elements that have text, in order.
    values
        Their values as written.
    lowered
        The same in lower case.

    Parameters
    ----------
    data, elements
        The data set, and what is in it.
    documents
        Text from inside documents that elements hold.
    """

    def __init__(self, data: bytes, elements: Sequence[Element], documents: Iterable[tuple[Element, str]] = ()) -> None:
        self.elements: list[Element] = []
        self.values: list[str] = []
        self._starts: list[int] = []
        self._index: dict[int, int] = {}
        encodings: dict[int, list[str]] = {}
        pieces: list[str] = []
        for element in elements:
            if element.tag == CHARACTER_SET:
                value = data[element.start : element.start + element.length]
                encodings[element.item] = encodings_of(value.decode("latin-1").split("\\"))
            if not element.length or element.vr not in TEXT_VRS:
                continue
            value = data[element.start : element.start + element.length]
            text = decode_text(value, encodings.get(element.item) or encodings.get(0) or [])
            self._index[element.start] = len(pieces)
            self._append(pieces, element, text.rstrip(" \0"))
        for element, text in documents:
            self._append(pieces, element, text)
        position = 0
        for piece in pieces:
            self._starts.append(position)
            position += len(piece) + len(_SEPARATOR)
        self.lowered = pieces
        self.joined = _SEPARATOR.join(pieces)

    def _append(self, pieces: list[str], element: Element, text: str) -> None:
        self.elements.append(element)
        self.values.append(text)
        pieces.append(text.lower())

    def at(self, position: int) -> int:
        """Return the index of the element whose text stands at ``position`` of :attr:`joined`."""
        return bisect.bisect_right(self._starts, position) - 1

    def start_of(self, index: int) -> int:
        """Return where the text of an element begins in :attr:`joined`."""
        return self._starts[index]

    def index_of(self, element: Element) -> int | None:
        """Return the index of an element of the data set, None where it has no text."""
        return self._index.get(element.start)

    def word_around(self, start: int, end: int) -> str:
        """Return the whole word (letters and digits) around a range of :attr:`joined`."""
        text = self.joined
        while start > 0 and text[start - 1].isalnum():
            start -= 1
        while end < len(text) and text[end].isalnum():
            end += 1
        return text[start:end]


def decode_text(value: bytes, encodings: Sequence[str]) -> str:
    """Decode the value of a text element; what its character set does not allow becomes U+FFFD.

    pydicom's own leniency warns through the log, and some of its warnings repeat what they read.
    """
    if b"\x1b" not in value:
        return value.decode("ascii" if value.isascii() else encodings[0] if encodings else "latin-1", "replace")
    try:
        text: str = decode_bytes(value, list(encodings) or ["iso8859"], _DELIMITERS)
    except (LookupError, UnicodeError):
        return value.decode("latin-1")
    return text


def encodings_of(character_set: Iterable[str]) -> list[str]:
    """Return Python's names of a Specific Character Set (PS3.3 section C.12.1.1.2); none if one is unknown."""
    names = [name.strip(" \0") for name in character_set]
    if not all(name in python_encoding for name in names):
        return []
    return list(convert_encodings(names))
