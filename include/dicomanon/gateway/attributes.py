"""Attributes that may be searched by and returned, per level: read from ``attributes.csv`` (PS3.18 10.6.1.2, 10.6.3.3).

At a level above the instance a PACS answers out of whichever instance of the study it likes, shown or hidden. So there
is a list, and what can be counted is counted by the crosswalk.
"""

import csv
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import cache
from importlib import resources


class Level(IntEnum):
    """What rows are about; a lower level has the attributes of those above it."""

    STUDY = 1
    SERIES = 2
    INSTANCE = 3


class KnownBy(StrEnum):
    """Who says what the value is."""

    PACS = "pacs"
    CROSSWALK = "crosswalk"
    GATEWAY = "gateway"


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of a row.

    Attributes
    ----------
    is_default
        Whether it is in each row, asked for or not.
    """

    keyword: str
    tag: str
    vr: str
    level: Level
    known_by: KnownBy
    is_default: bool


@cache
def by_name() -> dict[str, Attribute]:
    """Return the attributes by keyword in lower case, and by tag."""
    text = resources.files("dicomanon.gateway").joinpath("attributes.csv").read_text("utf-8")
    found = {}
    for row in csv.DictReader(text.splitlines()):
        attribute = Attribute(
            row["keyword"],
            row["tag"],
            row["vr"],
            Level[row["level"].upper()],
            KnownBy(row["known_by"]),
            row["returned"] == "always",
        )
        found[attribute.keyword.lower()] = found[attribute.tag.lower()] = attribute
    return found


@cache
def of_level(level: Level) -> tuple[Attribute, ...]:
    """Return the attributes that rows of a level may have, in the order of their tags."""
    return tuple(sorted({one for one in by_name().values() if one.level <= level}, key=lambda one: one.tag))


def find(name: str, level: Level) -> Attribute | None:
    """Return an attribute by keyword or tag, if rows of the level may have it."""
    attribute = by_name().get(name.lower())
    return attribute if attribute is not None and attribute.level <= level else None
