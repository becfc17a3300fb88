"""Values that stand where PS3.15 wants a non-empty one (D): valid for the VR, the same for everybody."""

from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

from dicomanon.deidentify.codec import Codec
from dicomanon.standard.tables import parse_tag, read_table

Item: TypeAlias = "dict[int, DummyLeaf | Item]"

_NUMERIC_WIDTH = {
    "AT": 2, "FD": 8, "FL": 4, "OD": 8, "OF": 4, "OL": 4, "OV": 8, "OW": 2, "SL": 4, "SS": 2, "SV": 8, "UL": 4, "US": 2,
    "UV": 8,
}  # fmt: skip
_HEXADECIMAL = frozenset(_NUMERIC_WIDTH) | {"OB", "UN"}
NEW_UID = "new"


@dataclass(frozen=True, slots=True)
class DummyLeaf:
    """An attribute of a dummy item; the value ``new`` of a UID is made for the instance, a sequence has no items."""

    vr: str
    value: str


@cache
def _values() -> dict[tuple[int, str], str]:
    """Return dummies by tag and VR; the tag is 0 where any value of the VR does."""
    return {(parse_tag(row["tag"]) if row["tag"] else 0, row["vr"]): row["value"] for row in read_table("dummy_values")}


@cache
def dummy_value(vr: str, little: bool, tag: int = 0) -> bytes:
    """Return the dummy of a VR other than SQ and UI.

    Parameters
    ----------
    vr, little
        How it is encoded.
    tag
        Of the attribute: some take only values that PS3.3 enumerates, or of one length.
    """
    values = _values()
    return encode_value(vr, values.get((tag, vr)) or values[0, vr], little)


def encode_value(vr: str, value: str, little: bool) -> bytes:
    """Return a tabulated value as bytes; numbers are tabulated in hexadecimal, little end first."""
    if vr not in _HEXADECIMAL:
        return value.encode("ascii")
    encoded = bytes.fromhex(value)
    width = _NUMERIC_WIDTH.get(vr, 1)
    if little or width == 1:
        return encoded
    return b"".join(encoded[index : index + width][::-1] for index in range(0, len(encoded), width))


@cache
def _items() -> dict[int, Item]:
    items: dict[int, Item] = {}
    for row in read_table("dummy_items"):
        sequence, *path, leaf = (parse_tag(part) for part in row["path"].split(">"))
        item = items.setdefault(sequence, {})
        for tag in path:
            inner = item.setdefault(tag, {})
            assert isinstance(inner, dict)
            item = inner
        item[leaf] = DummyLeaf(row["vr"], row["value"])
    return items


def dummy_sequence(tag: int, codec: Codec, new_uid: str) -> bytes:
    """Return a sequence element with one item of dummies.

    Raises
    ------
    KeyError
        No dummy item is tabulated for the sequence.
    """
    return _encode_sequence(tag, _items()[tag], codec, new_uid)


def _encode_sequence(tag: int, item: Item, codec: Codec, new_uid: str) -> bytes:
    chunks = []
    for inner, content in sorted(item.items()):
        if isinstance(content, dict):
            chunks.append(_encode_sequence(inner, content, codec, new_uid))
            continue
        if content.vr == "SQ":
            chunks.append(codec.header(inner, "SQ", 0))
            continue
        value = new_uid if content.value == NEW_UID else content.value
        chunks.append(codec.element(inner, content.vr, encode_value(content.vr, value, codec.little)))
    return codec.sequence(tag, [b"".join(chunks)])
