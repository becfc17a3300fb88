"""Finds planted PHI in files and folders, in whatever form it may have taken, without ever printing it.

Shares no code with :mod:`dicomanon.validate`: it is the second pair of eyes that judges the first.
"""

import io
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from dicomanon.sample.forms import SHORTEST, forms
from dicomanon.sample.unpacking import unpacked

_WORD = 4
_WINDOW = 8 << 20
_CONTEXT = 64
_CHANCE_RUN = 24
_DEEPEST = 4
_HEX_DIGITS = frozenset(b"0123456789abcdefABCDEF")
_MULTIPLIER = np.uint32(2654435761)
_TABLE_BITS = 20


@dataclass(frozen=True, slots=True)
class Leak:
    """One planted string found in one place.

    Attributes
    ----------
    where
        File below the scanned folder, with ``!member`` for what was unpacked from it; masked when the
        file's own name is what leaks.
    kind
        The form it had: ``text``, ``utf-16``, ``hex``, ``base64``, ``byte-swapped``, ``json``, ``url``, ``html``,
        with ``file name`` in front when the name of the file holds it.
    planted
        Index of the string in the list that the scanner was given; the string itself is not kept here.
    offset
        Byte offset of the first find of this form in this place.
    """

    where: str
    kind: str
    planted: int
    offset: int


@dataclass(frozen=True, slots=True, repr=False)
class _Pattern:
    """One form of one planted string, ASCII-folded."""

    data: bytes
    planted: int
    kind: str
    exact: bytes | None
    """The unfolded bytes, where case carries meaning (base64)."""
    digits: bool


class LeakScanner:
    """Search for planted strings in any case, encoding and packing that a pipeline is likely to leave them in.

    Every form has at least eight bytes, so an occurrence always covers one whole aligned 4-byte word. One table
    look-up per word of data rejects nearly everything at memory speed; what is left is compared byte by byte.

    Parameters
    ----------
    planted
        The strings to look for, each of at least eight bytes in UTF-8.

    Raises
    ------
    ValueError
        If a string is too short to tell a leak from chance; the message gives its index only.
    """

    def __init__(self, planted: Sequence[str]) -> None:
        patterns: dict[tuple[bytes, bytes | None], _Pattern] = {}
        for index, value in enumerate(planted):
            if len(value.encode()) < SHORTEST:
                raise ValueError(f"planted string {index} has fewer than {SHORTEST} bytes: a find would prove nothing")
            for kind, form in forms(value):
                folded = form.lower()
                exact = form if kind == "base64" else None
                pattern = _Pattern(folded, index, kind, exact, value.isdigit() and kind in {"text", "byte-swapped"})
                patterns.setdefault((folded, exact), pattern)
        self._patterns = list(patterns.values())
        self._longest = max((len(pattern.data) for pattern in self._patterns), default=0)
        anchors: dict[int, list[tuple[int, _Pattern]]] = {}
        for pattern in self._patterns:
            for phase in range(_WORD):
                word = int.from_bytes(pattern.data[phase : phase + _WORD], "little")
                anchors.setdefault(word, []).append((phase, pattern))
        self._anchors = anchors
        self._words: NDArray[np.uint32] = np.array(sorted(anchors), dtype=np.uint32)
        self._table: NDArray[np.bool_] = np.zeros(1 << _TABLE_BITS, dtype=np.bool_)
        self._table[_slots(self._words)] = True

    def scan_path(self, path: Path) -> list[Leak]:
        """Search a file, or every regular file below a folder, names included.

        What is packed is searched too: gzip, zlib, zip and Parquet files, and gzip and PDF streams that begin in the
        first 32 MiB of any other file.

        Returns
        -------
        list of Leak
            The first find per file, planted string and form; empty when nothing leaked.

        Raises
        ------
        OSError
            If the path is missing or something below it may not be read.
        """
        root = path.parent if path.is_file() else path
        files = [path] if path.is_file() else _regular_files(path)
        leaks: list[Leak] = []
        for number, file in enumerate(files):
            relative = file.relative_to(root).as_posix()
            named = self._search_all(relative.encode(errors="surrogateescape"), "")
            where = f"<masked name of file {number}>" if named else relative
            leaks += [Leak(where, f"file name {leak.kind}", leak.planted, leak.offset) for leak in named]
            try:
                stream = file.open("rb")
            except FileNotFoundError:  # gone since it was listed, so it holds nothing any more
                continue
            with stream:
                leaks += self._scan_stream(stream, where, 0)
        return leaks

    def scan_bytes(self, data: bytes, where: str = "bytes") -> list[Leak]:
        """Search a byte string as if it were a file; ``where`` names it in the result."""
        return self._scan_stream(io.BytesIO(data), where, 0)

    def scan_text(self, text: str, where: str = "text") -> list[Leak]:
        """Search a text, for example captured log output."""
        return self.scan_bytes(text.encode(errors="surrogateescape"), where)

    def _scan_stream(self, stream: BinaryIO, where: str, depth: int) -> list[Leak]:
        head = stream.read(_WORD)
        stream.seek(0)
        leaks = list(self._search_windows(stream, where))
        if depth >= _DEEPEST:
            return leaks
        stream.seek(0)
        for name, inner in unpacked(stream, head):
            leaks += self._scan_stream(io.BytesIO(inner), f"{where}!{self._shown(name)}", depth + 1)
        return leaks

    def _shown(self, name: str) -> str:
        return "<masked>" if self._search_all(name.encode(errors="surrogateescape"), "") else name

    def _search_all(self, data: bytes, where: str) -> list[Leak]:
        return list(self._search_windows(io.BytesIO(data), where))

    def _search_windows(self, stream: BinaryIO, where: str) -> Iterator[Leak]:
        seen: set[tuple[int, str]] = set()
        margin = self._longest + _CONTEXT
        kept = b""
        base = 0
        while True:
            fresh = stream.read(_WINDOW)
            window = kept + fresh
            last = len(fresh) < _WINDOW
            # A find that starts within the last margin is judged in the next window, where its neighbours are in view.
            end = len(window) if last else len(window) - margin
            for start, pattern in self._search(window):
                key = (pattern.planted, pattern.kind)
                if start < end and key not in seen and not _by_chance(window, start, pattern):
                    seen.add(key)
                    yield Leak(where, pattern.kind, pattern.planted, base + start)
            if last:
                return
            cut = max(0, end - margin)
            kept = window[cut:]
            base += cut

    def _search(self, data: bytes) -> Iterator[tuple[int, _Pattern]]:
        folded = data.lower()
        # Padded so that the last bytes make a whole word too; zeros never complete a pattern.
        padded = folded + b"\0" * (-len(folded) % _WORD)
        words = np.frombuffer(padded, dtype="<u4")
        if not len(self._words) or not len(words):
            return
        likely = np.flatnonzero(self._table[_slots(words)])
        places = np.searchsorted(self._words, words[likely])
        places[places == len(self._words)] = 0
        certain = likely[self._words[places] == words[likely]]
        for position, word in zip((certain * _WORD).tolist(), words[certain].tolist(), strict=True):
            for phase, pattern in self._anchors[word]:
                start = position - phase
                if (
                    start >= 0
                    and folded.startswith(pattern.data, start)
                    and (pattern.exact is None or data.startswith(pattern.exact, start))
                ):
                    yield start, pattern


def _slots(words: NDArray[np.uint32]) -> NDArray[np.uint32]:
    product: NDArray[np.uint32] = np.multiply(words, _MULTIPLIER, dtype=np.uint32)
    return np.right_shift(product, np.uint32(32 - _TABLE_BITS))


def _regular_files(folder: Path) -> list[Path]:
    """Return every regular file below a folder, sorted; what may not be listed is an error, not a clean bill."""

    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError) or not folder.exists():
            raise error

    files = []
    for parent, _, names in os.walk(folder, onerror=refuse):
        files += [Path(parent, name) for name in names if _is_regular(Path(parent, name))]
    return sorted(files)


def _is_regular(file: Path) -> bool:
    try:
        return stat.S_ISREG(file.lstat().st_mode)
    except FileNotFoundError:
        return False


def _by_chance(window: bytes, start: int, pattern: _Pattern) -> bool:
    """Tell whether a date or number lies inside a long run of hex digits.

    Digests, sealed columns in a database dump and UIDs under 2.25 are such runs, and eight given digits do turn up
    in them; what a person or program wrote down is not that long.
    """
    if not pattern.digits:
        return False
    first, last = start, start + len(pattern.data)
    while first > 0 and start - first < _CHANCE_RUN and window[first - 1] in _HEX_DIGITS:
        first -= 1
    while last < len(window) and last - start < 2 * _CHANCE_RUN and window[last] in _HEX_DIGITS:
        last += 1
    return last - first >= _CHANCE_RUN
