"""Writes a sequence item by item, in pieces: nothing long is copied, at however many levels it is nested."""

from collections.abc import Iterable

from dicomanon.deidentify.codec import ITEM, Buffer, Codec

_LONG = 1 << 12
"""Bytes of a piece that is left where it is; shorter ones are put together."""
_BLOCK = 1 << 14
"""Bytes that are put together at most: to move a whole report each time it outgrows its place would take its size."""


class WrittenSequence:
    """A sequence of defined length, as far as it is written."""

    __slots__ = ("_codec", "_done", "_last", "_length")

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._done: list[Buffer] = []
        self._last = bytearray()
        self._length = 0

    def add_item(self, pieces: Iterable[Buffer]) -> None:
        """Add an item, from the pieces of its encoded data set."""
        pieces = list(pieces)
        length = sum(map(len, pieces))
        header = self._codec.implicit.pack(ITEM >> 16, ITEM & 0xFFFF, length)
        self._length += len(header) + length
        self._last += header
        for piece in pieces:
            if len(piece) >= _LONG:
                self._close_block()
                self._done.append(piece)
            else:
                self._last += piece
        if len(self._last) >= _BLOCK:
            self._close_block()

    def encoded(self, tag: int) -> list[Buffer]:
        """Return the element in pieces."""
        header = self._codec.header(tag, "SQ", self._length)
        if not self._done:
            return [header + self._last]
        self._close_block()
        return [header, *self._done]

    def _close_block(self) -> None:
        if self._last:
            self._done.append(bytes(self._last))
            self._last.clear()
