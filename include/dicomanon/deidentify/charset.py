"""Text as Specific Character Set (0008,0005) encodes it, read and written strictly (PS3.3 C.12.1.1.2)."""

import re
import warnings
from functools import lru_cache

from pydicom.charset import decode_bytes, encode_string, python_encoding

_NAME = re.compile(r"ISO[ _-]?(IR|2022[ _-]?IR)[ _-]?(\d{1,3})")
_DEFAULT = "iso8859"
# Latin alphabet No. 9 is newer than pydicom's list.
_ENCODINGS = {**python_encoding, "ISO_IR 203": "iso8859-15"}
_ESCAPE = b"\x1b"
_UNDECODABLE = "\ufffd"
# Where the code elements go back to the initial ones (PS3.5 section 6.1.2.5.3).
_DELIMITERS = {ord(character) for character in "\\\r\n\t\f"}
_NAME_DELIMITERS = _DELIMITERS | {ord("^"), ord("=")}
_DELIMITED = re.compile(r"([\\\r\n\t\f])")


class CharacterSet:
    """The character repertoire of a data set or an item.

    Attributes
    ----------
    encodings
        Names of Python codecs, the initial one first.
    known
        Whether every name in the attribute is one of PS3.3 C.12.1.1.2, or one of their usual misspellings.
    """

    __slots__ = ("_extended", "encodings", "known")

    def __init__(self, names: tuple[str, ...]) -> None:
        encodings = [_ENCODINGS.get(_defined_term(name)) for name in names]
        self.known = None not in encodings
        self.encodings = [encoding or _DEFAULT for encoding in encodings] or [_DEFAULT]
        # Without a name only ASCII is declared; whatever else is there is in a character set that nobody told.
        self._extended = self.known and any(name.strip() for name in names)

    @staticmethod
    def of(value: bytes) -> "CharacterSet":
        """Return what the value of (0008,0005) stands for."""
        return _character_set(value)

    def decode(self, value: bytes, *, name: bool = False) -> str | None:
        """Return the text of a value, padding included; ``None`` if it is not in the declared character set.

        ``name`` tells a value of VR PN.
        """
        if value.isascii() and _ESCAPE not in value:
            return value.decode("ascii")
        if not self._extended:
            return None
        try:
            if _ESCAPE not in value and len(self.encodings) == 1:
                return value.decode(self.encodings[0])
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                text = str(decode_bytes(value, self.encodings, _NAME_DELIMITERS if name else _DELIMITERS))
        except (LookupError, ValueError, Warning):
            return None
        return None if _UNDECODABLE in text or "\x1b" in text else text

    def encode(self, text: str) -> bytes | None:
        """Return the bytes of a text, not a name, that :meth:`decode` reads as the same; ``None`` if there are none."""
        if text.isascii():
            return text.encode("ascii")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                value = b"".join([bytes(encode_string(part, self.encodings)) for part in _DELIMITED.split(text)])
        except (LookupError, ValueError, Warning):
            return None
        return value if self.decode(value) == text else None


def _defined_term(name: str) -> str:
    name = name.strip(" \0").upper()
    match = _NAME.fullmatch(name)
    if match is None:
        return name
    return f"ISO 2022 IR {match[2]}" if match[1].startswith("2022") else f"ISO_IR {match[2]}"


@lru_cache(maxsize=256)
def _character_set(value: bytes) -> CharacterSet:
    return CharacterSet(tuple(value.decode("latin-1").split("\\")))
