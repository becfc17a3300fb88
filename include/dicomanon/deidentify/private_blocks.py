"""Which private creator reserved which block of an item or data set (PS3.5 section 7.8.1)."""

from dicomanon.deidentify.codec import Buffer, Codec

_FIRST_BLOCK, _LAST_BLOCK = 0x10, 0xFF
_BLOCK_SHIFT = 8
_ELEMENT_MASK = 0xFFFF


class PrivateBlocks:
    """Reservations of one data set, as they are met, and those whose elements stay.

    Parameters
    ----------
    codec
        How the creators that stay are encoded.
    """

    __slots__ = ("_codec", "_creators", "_kept")

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._creators: dict[int, bytes] = {}
        self._kept: set[int] = set()

    @staticmethod
    def is_creator(tag: int) -> bool:
        """Tell whether a private tag reserves a block."""
        return _FIRST_BLOCK <= tag & _ELEMENT_MASK <= _LAST_BLOCK

    def reserve(self, tag: int, value: bytes) -> None:
        """Note the value of a private creator element; the elements of its block come after it."""
        self._creators[tag] = value.strip(b" \0")

    def creator(self, tag: int) -> str:
        """Return who reserved the block of a private element, ``""`` if nobody did."""
        return self._creators.get(_creator_tag(tag), b"").decode("latin-1")

    def keep(self, tag: int) -> None:
        """Note that an element stays, and with it the reservation of its block."""
        self._kept.add(_creator_tag(tag))

    def add_creators(self, chunks: list[tuple[int, Buffer]]) -> None:
        """Put the creators of what stays to the other elements, in order.

        Rules name creators, so a creator that stays is one that a rule spells; all others may hold anything.
        """
        if self._kept:
            chunks += [(tag, self._codec.element(tag, "LO", self._creators[tag])) for tag in self._kept]
            chunks.sort(key=lambda chunk: chunk[0])


def _creator_tag(tag: int) -> int:
    return tag & ~_ELEMENT_MASK | (tag & _ELEMENT_MASK) >> _BLOCK_SHIFT
