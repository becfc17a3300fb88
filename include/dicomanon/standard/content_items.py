"""PS3.15 Table E.3.4-1: content items of structured reports by concept name, and the other codes of a concept."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from dicomanon.standard.confidentiality import BASIC_COLUMN
from dicomanon.standard.tables import read_table

TABLE = "E.3.4-1"

Concept = tuple[str, str]
"""Code value and coding scheme designator."""


@dataclass(frozen=True, slots=True)
class ContentItemRow:
    """One row of Table E.3.4-1; ``options`` maps an option's name to its cell, ``K`` or ``C``.

    ``table`` is where the row is from: the standard's table or ours, ``beyond E.3.4-1``.
    """

    meaning: str
    concept: Concept
    value_type: str
    basic: str
    options: Mapping[str, str]
    table: str = TABLE

    @property
    def is_age(self) -> bool:
        """Whether this is Subject Age."""
        return self.concept == _SUBJECT_AGE

    @property
    def is_birth_date(self) -> bool:
        """Whether this is Subject Birth Date."""
        return self.concept == _SUBJECT_BIRTH_DATE


_SUBJECT_AGE = ("121033", "DCM")
_SUBJECT_BIRTH_DATE = ("121031", "DCM")


@cache
def table_rows() -> tuple[ContentItemRow, ...]:
    """Return all rows of the table in the order of the standard."""
    columns = {row["e1_1_column"]: row["option"] for row in read_table("confidentiality_options") if row["e1_1_column"]}
    return tuple(
        ContentItemRow(
            meaning=row["code_meaning"],
            concept=_concept(row["code_value"], row["coding_scheme"]),
            value_type=row["value_type"],
            basic=row[BASIC_COLUMN],
            options=MappingProxyType({option: row[column] for column, option in columns.items() if row.get(column)}),
        )
        for row in read_table("ps3_15_table_e3_4_1_sr_content_items")
    )


@cache
def content_item_rows() -> Mapping[Concept, tuple[ContentItemRow, ...]]:
    """Return the rows of each concept, and those of identifiers that the table leaves out (PS3.15 section E.1.1)."""
    rows: dict[Concept, tuple[ContentItemRow, ...]] = {}
    for row in table_rows():
        rows[row.concept] = (*rows.get(row.concept, ()), row)
    for beyond in read_table("sr_concepts_beyond_e3_4_1"):
        concept = _concept(beyond["code_value"], beyond["coding_scheme"])
        basic, nothing = beyond[BASIC_COLUMN], MappingProxyType[str, str]({})
        row = ContentItemRow(beyond["code_meaning"], concept, beyond["value_type"], basic, nothing, f"beyond {TABLE}")
        rows[concept] = (*rows.get(concept, ()), row)
    return MappingProxyType(rows)


@cache
def technical_text_concepts() -> frozenset[Concept]:
    """Return concepts whose text equipment writes."""
    return frozenset(
        _concept(row["code_value"], row["coding_scheme"]) for row in read_table("sr_technical_text_concepts")
    )


def coding_scheme(designator: str) -> str:
    """Return the designator of a coding scheme that we use for its aliases (PS3.16 section 8)."""
    designator = designator.strip()
    return _schemes().get(designator.upper(), designator.upper())


def current_concept(code_value: str, designator: str) -> Concept:
    """Return the code that the table has for a concept: retired ones stay in use (PS3.15 section E.3.4, note 3)."""
    concept = _concept(code_value, designator)
    return _aliases().get(concept, concept)


def _concept(code_value: str, designator: str) -> Concept:
    return code_value.strip().upper(), coding_scheme(designator)


@cache
def _schemes() -> Mapping[str, str]:
    return {row["alias"].upper(): row["scheme"].upper() for row in read_table("sr_coding_scheme_aliases")}


@cache
def _aliases() -> Mapping[Concept, Concept]:
    return {
        _concept(row["code_value"], row["coding_scheme"]): _concept(
            row["current_code_value"], row["current_coding_scheme"]
        )
        for row in read_table("sr_concept_aliases")
    }
