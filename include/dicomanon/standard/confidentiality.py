"""PS3.15 Table E.1-1 and the codes of its profile and options (PS3.16 CID 7050)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from dicomanon.standard.tables import parse_tag, read_table

PRIVATE_ROW = "(gggg,eeee) where gggg is odd"
BASIC_COLUMN = "basic_profile"

CURVE_GROUPS = range(0x5000, 0x5020, 2)
"""What 50xx means: even groups 5000 to 501E (PS3.5-2004 section 7.6)."""
OVERLAY_GROUPS = range(0x6000, 0x6020, 2)
"""What 60xx means: even groups 6000 to 601E (PS3.5 section 7.6)."""


@dataclass(frozen=True, slots=True)
class ConfidentialityRow:
    """One row of Table E.1-1.

    ``tag`` is ``GGGG,EEEE``, or a pattern in four rows; ``options`` maps an option's name to its cell, ``K`` or ``C``;
    ``in_composite_iod`` is the table's column "In Std. Comp. IOD".
    """

    tag: str
    name: str
    keyword: str
    vr: str
    basic: str
    options: Mapping[str, str]
    in_composite_iod: bool


@dataclass(frozen=True, slots=True)
class BeyondRow:
    """What we do, for want of a row in Table E.1-1, with an attribute, as a Basic Profile code, and why."""

    code: str
    why: str


@dataclass(frozen=True, slots=True)
class TextRow:
    """What an attribute's text is for: ``label``, ``code`` or ``technical``; and the code if nothing of it is left."""

    kind: str
    fallback: str
    why: str


@dataclass(frozen=True, slots=True)
class MethodCode:
    """A coded entry of PS3.16 CID 7050."""

    value: str
    scheme: str
    meaning: str


@cache
def confidentiality_rows() -> tuple[ConfidentialityRow, ...]:
    """Return all rows of Table E.1-1 in the order of the standard."""
    columns = {row["e1_1_column"]: row["option"] for row in read_table("confidentiality_options") if row["e1_1_column"]}
    return tuple(
        ConfidentialityRow(
            tag=row["tag"],
            name=row["name"],
            keyword=row["keyword"],
            vr=row["vr"],
            basic=row[BASIC_COLUMN],
            options=MappingProxyType({option: row[column] for column, option in columns.items() if row[column]}),
            in_composite_iod=row["in_std_comp_iod"] == "Y",
        )
        for row in read_table("ps3_15_table_e1_1")
    )


@cache
def confidentiality_by_tag() -> Mapping[int, ConfidentialityRow]:
    """Return the rows that name one tag; curves, overlays and private attributes are ranges and not in it."""
    return MappingProxyType(
        {parse_tag(row.tag): row for row in confidentiality_rows() if "x" not in row.tag and row.tag != PRIVATE_ROW}
    )


@cache
def option_names() -> tuple[str, ...]:
    """Return the names of all options of PS3.15 Table E.1-1 and section E.3."""
    return tuple(row["option"] for row in read_table("confidentiality_options"))


@cache
def method_codes() -> Mapping[str, MethodCode]:
    """Return the code of the Basic Profile (key ``""``) and of each option, by option name."""
    codes = {
        row["code_value"]: MethodCode(row["code_value"], row["coding_scheme_designator"], row["code_meaning"])
        for row in read_table("ps3_16_cid_7050_deid_methods")
    }
    by_option = {row["option"]: codes[row["code_value"]] for row in read_table("confidentiality_options")}
    basic = {row["e1_1_column"]: row["code_value"] for row in read_table("ps3_16_cid_7050_deid_methods")}[BASIC_COLUMN]
    return MappingProxyType({"": codes[basic], **by_option})


@cache
def attributes_beyond_table() -> Mapping[int, str]:
    """Return attributes that E.1-1 leaves out and that identify all the same, with the Basic code we give them.

    PS3.15 E.1.1 lets a de-identifier remove more than the table says.
    """
    return MappingProxyType({parse_tag(row["tag"]): row["action"] for row in read_table("attributes_beyond_e1_1")})


@cache
def descriptions_beyond_table() -> Mapping[int, str]:
    """Return descriptive attributes that E.1-1 leaves out and that people type into, with the Basic code we give them.

    Their words are no identifiers, but names get typed into them; they are treated like their twins in the table.
    """
    return MappingProxyType({parse_tag(row["tag"]): row["action"] for row in read_table("descriptions_beyond_e1_1")})


@cache
def reasons_beyond_table() -> Mapping[int, BeyondRow]:
    """Return the rows of both tables of attributes that E.1-1 leaves out, with our reasons."""
    rows = [*read_table("attributes_beyond_e1_1"), *read_table("descriptions_beyond_e1_1")]
    return MappingProxyType({parse_tag(row["tag"]): BeyondRow(row["action"], row["why"]) for row in rows})


@cache
def text_attributes() -> Mapping[int, TextRow]:
    """Return the attributes whose text is not a description, whether they are in E.1-1 or not."""
    return MappingProxyType({
        parse_tag(row["tag"]): TextRow(row["kind"], row["fallback"], row["why"])
        for row in read_table("text_attributes")
    })  # fmt: skip


@cache
def published_dates() -> Mapping[int, str]:
    """Return attributes whose dates are the same in everybody's objects and can be looked up, with our reasons.

    Moved by a patient's days, they would tell how many these are, and with that every real date (PS3.15 E.3.6).
    """
    return MappingProxyType({parse_tag(row["tag"]): row["why"] for row in read_table("published_dates")})
