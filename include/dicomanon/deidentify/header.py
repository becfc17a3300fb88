"""Elements of a main data set as they are asked for: by tag, decoded only where somebody wants text or a number."""

from dicomanon.deidentify.charset import CharacterSet
from dicomanon.deidentify.reader import Element, Part10
from dicomanon.values import MASK

SPECIFIC_CHARACTER_SET = 0x00080005
SOP_CLASS_UID = 0x00080016


class Header:
    """Elements of a main data set by tag; holds PHI and never prints it.

    Attributes
    ----------
    file
        Where they are.
    transfer_syntax
        Of the data set.
    character_set
        Of the main data set; items may declare their own.
    sop_class_uid
        ``""`` if absent.
    """

    def __init__(self, file: Part10) -> None:
        self.file = file
        self.transfer_syntax = file.transfer_syntax
        self._by_tag = {element.tag: element for element in file.elements}
        self.character_set = CharacterSet.of(self.raw(SPECIFIC_CHARACTER_SET))
        self.sop_class_uid = self.text(SOP_CLASS_UID)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({MASK})"

    def element(self, tag: int) -> Element | None:
        """Return where an element of the main data set is."""
        return self._by_tag.get(tag)

    def raw(self, tag: int) -> bytes:
        """Return the bytes of an element of the main data set, ``b""`` if absent or a sequence."""
        element = self._by_tag.get(tag)
        if element is None or element.items is not None:
            return b""
        return bytes(self.file.buffer[element.value : element.end])

    def text(self, tag: int) -> str:
        """Return an element of the main data set as text without its padding, ``""`` if absent.

        A value that the character set cannot decode is read as Latin-1: it is compared and sealed, never released.
        """
        value = self.raw(tag)
        if not value:
            return ""
        text = self.character_set.decode(value, name=self._by_tag[tag].vr == "PN")
        return (value.decode("latin-1") if text is None else text).strip(" \0")

    def number(self, tag: int) -> int | None:
        """Return an element of VR US of the main data set, ``None`` if it is absent or has not one value."""
        value = self.raw(tag)
        return int.from_bytes(value, "little" if self.file.codec.little else "big") if len(value) == 2 else None  # noqa: PLR2004
