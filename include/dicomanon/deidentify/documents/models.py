"""Encapsulated 3D models: geometry stays, names and comments go (PS3.3 A.85)."""

import re
import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType

from dicomanon.errors import Held
from dicomanon.reasons import HoldReason

_CleanText = Callable[[str], str]

_STL_HEADER = 80
_STL_TRIANGLE = 50
_STL_NUMBERS = 48
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_FACE_CORNER = re.compile(r"-?\d+(/(-?\d+)?){0,2}", re.ASCII)
_STL_LINES = frozenset({"facet normal", "outer loop", "vertex", "endloop", "endfacet"})
_REMOVED = "removed"

_GEOMETRY: Mapping[str, re.Pattern[str]] = MappingProxyType(
    dict.fromkeys(("v", "vn", "vt", "vp"), _NUMBER) | dict.fromkeys(("f", "l", "p"), _FACE_CORNER)
)
_MATERIAL = frozenset({
    "Ka", "Kd", "Ks", "Ke", "Tf", "Ns", "Ni", "Tr", "d", "illum", "sharpness", "Pr", "Pm", "Ps", "Pc", "Pcr", "aniso",
    "anisor",
})  # fmt: skip
_NAMED = frozenset({"o", "g", "usemtl", "newmtl", "mtllib"})
_SMOOTHING = re.compile(r"off|\d+", re.ASCII)


def clean_stl(data: bytes, clean: _CleanText) -> bytes:
    """Return an STL model without the header, the attribute bytes and the bytes behind the last triangle.

    Raises
    ------
    Held
        ``ENCAPSULATED_DOCUMENT``: it is neither binary STL nor ASCII STL.
    """
    if len(data) >= _STL_HEADER + 4:
        (count,) = struct.unpack_from("<L", data, _STL_HEADER)
        size = _STL_HEADER + 4 + count * _STL_TRIANGLE
        # Padding to an even length is all that may follow.
        if size <= len(data) <= size + 1:
            return _binary_stl(data, count)
    return _ascii_stl(_text(data))


def _binary_stl(data: bytes, count: int) -> bytes:
    cleaned = bytearray(data[: _STL_HEADER + 4 + count * _STL_TRIANGLE])
    cleaned[:_STL_HEADER] = bytes(_STL_HEADER)
    for low in (_STL_NUMBERS, _STL_NUMBERS + 1):
        # Two bytes of every triangle have no meaning by the format: some keep a colour there, anything fits.
        start = _STL_HEADER + 4 + low
        cleaned[start::_STL_TRIANGLE] = bytes(len(range(start, len(cleaned), _STL_TRIANGLE)))
    return bytes(cleaned)


def _ascii_stl(text: str) -> bytes:
    lines = []
    for line in text.splitlines():
        words = line.split()
        if not words:
            continue
        if words[0] in {"solid", "endsolid"}:
            lines.append(words[0])
            continue
        names = [word for word in words if not _NUMBER.fullmatch(word)]
        if " ".join(names) not in _STL_LINES or words[: len(names)] != names:
            raise _held("STL")
        lines.append(" ".join(words))
    if not lines or lines[0] != "solid":
        raise _held("STL")
    return ("\n".join(lines) + "\n").encode()


def clean_wavefront(data: bytes, clean: _CleanText) -> bytes:
    """Return an OBJ model: vertices, faces and lines as they are, names cleaned, comments gone.

    Raises
    ------
    Held
        ``ENCAPSULATED_DOCUMENT``: a statement that is neither geometry nor a name.
    """
    return _statements(data, clean, "OBJ", _GEOMETRY)


def clean_material_library(data: bytes, clean: _CleanText) -> bytes:
    """Return an MTL library: numbers as they are, names cleaned, comments gone.

    Raises
    ------
    Held
        ``ENCAPSULATED_DOCUMENT``: a statement that is neither a number nor a name, such as a texture's file.
    """
    return _statements(data, clean, "MTL", dict.fromkeys(_MATERIAL, _NUMBER))


def _statements(data: bytes, clean: _CleanText, what: str, numeric: Mapping[str, re.Pattern[str]]) -> bytes:
    lines = []
    for line in _text(data).replace("\\\n", " ").splitlines():
        keyword, *words = line.partition("#")[0].split() or [""]
        if not keyword:
            continue
        pattern = numeric.get(keyword)
        if pattern is not None and all(pattern.fullmatch(word) for word in words):
            lines.append(" ".join([keyword, *words]))
        elif keyword == "s" and len(words) == 1 and _SMOOTHING.fullmatch(words[0]):
            lines.append(f"s {words[0]}")
        elif keyword in _NAMED:
            lines.append(" ".join([keyword, _name(" ".join(words), clean)]))
        else:
            raise _held(what)
    return ("\n".join(lines) + "\n").encode()


def _name(name: str, clean: _CleanText) -> str:
    """Return a name if all of its words may stay, else one that says nothing: references have to match."""
    readable = re.sub(r"[_.\-/\\]+|(?<=[a-z])(?=[A-Z])|(?<=[^\W\d])(?=\d)|(?<=\d)(?=[^\W\d])", " ", name)
    return name if clean(readable) == readable and clean(name) == name else _REMOVED


def _text(data: bytes) -> str:
    try:
        return data.rstrip(b"\0").decode("utf-8")
    except UnicodeDecodeError:
        raise _held("a model that is no text") from None


def _held(what: str) -> Held:
    return Held(HoldReason.ENCAPSULATED_DOCUMENT, f"{what} with what is not geometry")
