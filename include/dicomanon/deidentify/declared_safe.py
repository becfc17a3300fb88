"""What an object itself says of its private attributes, in (0008,0300) (PS3.3 C.12.1)."""

from collections.abc import Sequence
from typing import Literal

from dicomanon.deidentify.reader import Element
from dicomanon.deidentify.source import SourceInstance

_CHARACTERISTICS = 0x00080300
_GROUP_REFERENCE = 0x00080301
_CREATOR_REFERENCE = 0x00080302
_STATUS = 0x00080303
_NONIDENTIFYING = 0x00080304
_LAST_BYTE = 0xFF
_US_BYTES = 2


class DeclaredSafe:
    """Private attributes that (0008,0300) of an object calls nonidentifying.

    Who wrote it may be wrong or lie: it is asked only where the profile trusts it.
    """

    def __init__(self, source: SourceInstance) -> None:
        self._buffer = source.file.buffer
        self._little = source.file.codec.little
        self._blocks: set[tuple[int, str]] = set()
        self._elements: set[tuple[int, str, int]] = set()
        declared = source.element(_CHARACTERISTICS)
        for item in (declared.items or ()) if declared is not None else ():
            self._read(item)

    def covers(self, creator: str, tag: int) -> bool:
        """Tell whether a private attribute is declared nonidentifying."""
        block = tag >> 16, creator
        return block in self._blocks or (*block, tag & _LAST_BYTE) in self._elements

    def _read(self, item: Sequence[Element]) -> None:
        values = {element.tag: self._value(element) for element in item if element.items is None}
        groups = self._numbers(values.get(_GROUP_REFERENCE, b""))
        creator = values.get(_CREATOR_REFERENCE, b"").decode("latin-1").strip(" \0")
        if len(groups) != 1 or not creator:
            return
        status = values.get(_STATUS, b"").strip(b" \0")
        if status == b"SAFE":
            self._blocks.add((groups[0], creator))
        elif status == b"MIXED":
            self._elements |= {
                (groups[0], creator, number & _LAST_BYTE) for number in self._numbers(values.get(_NONIDENTIFYING, b""))
            }

    def _value(self, element: Element) -> bytes:
        return bytes(self._buffer[element.value : element.end])

    def _numbers(self, value: bytes) -> list[int]:
        order: Literal["little", "big"] = "little" if self._little else "big"
        return [int.from_bytes(value[at : at + _US_BYTES], order) for at in range(0, len(value), _US_BYTES)]
