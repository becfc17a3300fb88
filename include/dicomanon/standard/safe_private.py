"""PS3.15 Table E.3.10-1: private attributes that are known to be safe, and what we do with those that only claim it."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from types import MappingProxyType

from pydicom._private_dict import private_dictionaries

from dicomanon.standard.tables import read_table


@dataclass(frozen=True, slots=True)
class SafePrivateRow:
    """One row of Table E.3.10-1.

    Attributes
    ----------
    creator
        Private creator as the table spells it.
    group, number
        Group, and last byte of the element; the block is whatever the creator reserved.
    vr, vm
        As the table says; five rows have no VR.
    withheld
        Why we remove it all the same, ``""`` if we do not.
    """

    creator: str
    group: int
    number: int
    vr: str
    vm: str
    meaning: str
    withheld: str


PrivateKey = tuple[str, int, int]
"""Creator as :func:`creator_key` gives it, group, last byte of the element."""


def creator_key(creator: str) -> str:
    """Return what a private creator is looked up by.

    Writers differ in case and padding; nobody tells two vendors apart by that (PS3.5 section 7.8.1).
    """
    return creator.strip(" \0").lower()


def _key(row: dict[str, str]) -> PrivateKey:
    return creator_key(row["private_creator"]), int(row["group"], 16), int(row["element"].removeprefix("xx"), 16)


@cache
def safe_private_rows() -> Mapping[PrivateKey, SafePrivateRow]:
    """Return Table E.3.10-1 by creator, group and last byte."""
    withheld = {_key(row): row["why"] for row in read_table("safe_private_withheld")}
    return MappingProxyType({
        (key := _key(row)): SafePrivateRow(
            row["private_creator"], key[1], key[2], row["vr"], row["vm"], row["meaning"], withheld.get(key, "")
        )
        for row in read_table("ps3_15_table_e3_10_1_safe_private")
    })  # fmt: skip


@cache
def _published_blocks() -> Mapping[str, Mapping[str, tuple[str, str, str, str]]]:
    """Return pydicom's private dictionary by creator; where two spellings meet, the later only adds."""
    blocks: dict[str, dict[str, tuple[str, str, str, str]]] = {}
    for creator, entries in private_dictionaries.items():
        block = blocks.setdefault(creator_key(creator), {})
        for tag, entry in entries.items():
            block.setdefault(tag.upper(), entry)
    return blocks


def published_private_vr(creator: str, group: int, number: int) -> tuple[str, str]:
    """Return VR and VM of a private attribute as far as a dictionary knows it, else two empty texts.

    Knowing what an attribute is makes it no safer: only a profile that names it keeps it.
    """
    row = safe_private_rows().get((creator_key(creator), group, number))
    if row is not None:
        return row.vr, row.vm
    entry = _published_blocks().get(creator_key(creator), {}).get(f"{group:04X}XX{number:02X}")
    return (entry[0], entry[1]) if entry else ("", "")


def similar_creator(creator: str) -> str:
    """Return the known private creator that somebody who wrote one that nobody knows may have meant, ``""`` if none."""
    known = _creators()
    wanted = creator_key(creator)
    close = [] if wanted in known else get_close_matches(wanted, known, n=1, cutoff=0.85)
    return known[close[0]] if close else ""


@cache
def _creators() -> Mapping[str, str]:
    names = [*(row.creator for row in safe_private_rows().values()), *private_dictionaries]
    return MappingProxyType({creator_key(name): name for name in reversed(names)})
