"""Conditions of PS3.3 between attributes of the main data set that removing one of them would break.

Table E.1-1 of PS3.15 rules on each attribute by itself. It removes, say, the Responsible Person and keeps the role that
person had, which PS3.3 allows only beside the person.
"""

from collections.abc import Sequence
from functools import cache

from dicomanon.deidentify.codec import Buffer, Codec
from dicomanon.standard.tables import parse_tag, read_table

ONLY_WITH = "only-with"
"""May be present only where the other one is present and has a value."""
REQUIRED_WITH = "required-with"
"""Type 2C: shall be present, and may be empty, where the other one is present."""


@cache
def _conditions() -> tuple[frozenset[int], tuple[tuple[int, str, str, int], ...]]:
    """Return the tags that any condition is about, and the conditions."""
    rows = tuple(
        (parse_tag(row["tag"]), row["vr"], row["condition"], parse_tag(row["other"]))
        for row in read_table("attribute_conditions")
    )
    return frozenset(tag for tag, _, condition, other in rows for tag in (tag, other)), rows


def keep_conditions(elements: Sequence[tuple[int, Buffer]], codec: Codec) -> Sequence[tuple[int, Buffer]]:
    """Return the encoded elements of a main data set without those that may not stand alone, and with empty ones due.

    Parameters
    ----------
    elements
        As (tag, encoded element or piece of it); what is added is at the end.
    codec
        Their encoding.
    """
    concerned, conditions = _conditions()
    lengths: dict[int, int] = {}
    for tag, chunk in elements:
        if tag in concerned:
            lengths[tag] = lengths.get(tag, 0) + len(chunk)
    if not lengths:
        return elements
    missing: dict[int, bytes] = {}
    alone: set[int] = set()
    for tag, vr, condition, other in conditions:
        if condition == REQUIRED_WITH and other in lengths and tag not in lengths:
            missing[tag] = codec.header(tag, vr, 0)
        # No header is longer than eight bytes but those of sequences and bulk data, which have no such conditions.
        elif condition == ONLY_WITH and tag in lengths and lengths.get(other, 0) <= len(codec.header(other, "LO", 0)):
            alone.add(tag)
    return [*(element for element in elements if element[0] not in alone), *missing.items()]
