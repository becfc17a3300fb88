"""Every row of PS3.15 Table E.1-1 under every option, judged by an oracle of its own that reads the CSV alone.

The oracle knows the words of PS3.15: section E.1.1 for the codes, Table E.1-1 for the cells, sections E.3.1 to E.3.11
for what K and C mean. It imports nothing of what it judges.
"""

import csv
from itertools import combinations
from pathlib import Path

import pytest
from tests.profile.making import CT, compiled, profile

import dicomanon.standard
from dicomanon.profile import Profile
from dicomanon.profile.explaining import explain

DATA = Path(dicomanon.standard.__file__).parent / "data"


def _rows(name: str) -> list[dict[str, str]]:
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


ROWS = _rows("ps3_15_table_e1_1")
CONCRETE = [row for row in ROWS if "x" not in row["tag"] and "gggg" not in row["tag"]]
COLUMNS = {row["option"]: row["e1_1_column"] for row in _rows("confidentiality_options") if row["e1_1_column"]}
SOP_CLASSES = [row["sop_class_uid"] for row in _rows("sop_class_iod")]
TYPES = {
    (row["sop_class_uid"], row["tag"], row["level"]): row["resolved_action"] for row in _rows("ps3_3_types_for_e1_1")
}
REQUIRED = {
    (uid, row["tag"], row["level"]): {"1": "D", "2": "Z"}[row["ps3_3_type"]]
    for row in _rows("ps3_3_type_conflicts_with_basic_profile")
    if row["ps3_3_type"] in {"1", "2"} and row["sop_class_uids"] != "MANY"
    for uid in row["sop_class_uids"].split(";")
}
SECTIONS = {
    "clean_graph": "E.3.3",
    "clean_struct_cont": "E.3.4",
    "clean_desc": "E.3.5",
    "rtn_long_full_dates": "E.3.6",
    "rtn_long_modif_dates": "E.3.6",
    "rtn_pat_chars": "E.3.7",
    "rtn_dev_id": "E.3.8",
    "rtn_uids": "E.3.9",
    "rtn_safe_priv": "E.3.10",
    "rtn_inst_id": "E.3.11",
}

BASIC = {"X": "remove", "Z": "empty", "D": "dummy", "U": "uid", "K+recurse": "recurse"}
KEEP_BY_VR = {
    "SQ": "recurse",  # "cleaned for Sequences": the profile is applied to the items
    "UI": "keep-uid",
    "DA": "keep-date",
    "DT": "keep-date",
    "TM": "keep-time",
    "AS": "cap-age",
    "DS": "keep-number",
    "US": "keep",
}


def tag_of(row: dict[str, str]) -> int:
    return int(row["tag"].replace(",", ""), 16)


def basic(row: dict[str, str], sop_class: str, level: str) -> str:
    """E.1.1: X, Z, D, U; a choice by the type in the IOD; what the IOD does not define may be removed."""
    key = (sop_class, row["tag"], level)
    code = REQUIRED.get(key) or TYPES.get(key) or ("X" if "/" in row["basic_profile"] else row["basic_profile"])
    return "recurse" if code == "U" and row["vr"] == "SQ" else BASIC[code]


PUBLISHED = {"ContextGroupVersion", "ContextGroupLocalVersion", "TemplateVersion", "TemplateLocalVersion"}
"""Dates that can be looked up: moved, they would tell by how many days."""


def expected(  # noqa: PLR0911 - one line per paragraph reads best
    row: dict[str, str], options: frozenset[str], sop_class: str = CT, level: str = "top"
) -> str:
    if row["tag"] < "0008":
        return "remove"  # of commands, file meta information and directories nothing is in a data set
    if row["keyword"] in {"PatientName", "PatientID"}:
        return "pseudonym"  # the replacement value of Z and of D
    fallback, vr = basic(row, sop_class, level), row["vr"]
    cells = {COLUMNS[option]: row[COLUMNS[option]] for option in options if row[COLUMNS[option]]}
    if cells.get("rtn_long_modif_dates") == "C" and row["keyword"] in PUBLISHED:
        return fallback
    if cells.get("rtn_long_modif_dates") == "C":
        return {"DA": "shift-date", "DT": "shift-date", "TM": "keep-time", "SH": "keep-time"}.get(vr, fallback)
    if "K" in cells.values():
        if "rtn_long_full_dates" in cells and vr == "SH":
            return "keep-time"  # an offset from UTC
        if "rtn_inst_id" in cells and vr != "SQ":
            return "keep"
        return fallback if vr == "OB" else KEEP_BY_VR.get(vr, "scrub")
    if "C" in cells.values():
        if vr == "SQ":
            return "clean-content" if "clean_struct_cont" in cells else "recurse"
        return fallback if vr == "OB" else "clean"
    if row["keyword"] == "EncapsulatedDocument" and "clean-descriptors" in options:
        return "clean-document"  # D by our choice of the replacement value
    return fallback


def _interacting() -> list[frozenset[str]]:
    """Nothing, each option, each pair that meets in a row and may, and everything that may be together."""
    pairs = {
        frozenset(pair)
        for row in ROWS
        for pair in combinations([option for option, column in COLUMNS.items() if row[column]], 2)
    }
    dates = {"retain-longitudinal-full-dates", "retain-longitudinal-modified-dates"}
    single = [frozenset[str](), *(frozenset({option}) for option in COLUMNS)]
    everything = [frozenset(COLUMNS) - {date} for date in sorted(dates)]
    return [*single, *sorted((pair for pair in pairs if not dates <= pair), key=sorted), *everything]


COMBINATIONS = _interacting()


def test_pairs_that_meet_in_a_row_are_among_the_combinations() -> None:
    pairs = [set(options) for options in COMBINATIONS if len(options) == 2]
    assert {"retain-device-identity", "retain-longitudinal-modified-dates"} in pairs
    assert {"retain-patient-characteristics", "clean-descriptors"} in pairs
    assert {"retain-device-identity", "retain-uids"} in pairs
    assert len(CONCRETE) == 653


def _profile(options: frozenset[str]) -> Profile:
    return profile(*sorted(options))


@pytest.mark.parametrize("options", COMBINATIONS, ids=lambda options: "+".join(sorted(options)) or "basic")
def test_every_row_does_what_its_cells_say(options: frozenset[str]) -> None:
    root = compiled(*sorted(options)).actions_for(CT)
    # A sequence that the option keeps is on the way to the nested level; any will do.
    nested = root.inside(0x0008_1115)
    wrong = [
        (row["tag"], level, rules[tag_of(row)].action)
        for row in CONCRETE
        for level, rules in (("top", root), ("nested", nested))
        if rules[tag_of(row)].action != expected(row, options, level=level)
    ]
    assert wrong == []


@pytest.mark.parametrize("options", COMBINATIONS, ids=lambda options: "+".join(sorted(options)) or "basic")
def test_every_row_is_explained_by_the_cell_that_decides(options: frozenset[str]) -> None:
    for row in CONCRETE:
        explanation = explain(_profile(options), tag_of(row), CT)
        assert explanation.action == expected(row, options), row["tag"]
        assert explanation.keyword == row["keyword"] or explanation.keyword
        assert explanation.basic == row["basic_profile"]
        assert dict(explanation.cells) == {option: row[col] for option, col in COLUMNS.items() if row[col]}
        assert explanation.why.endswith(".")
        in_force = {option for option in options if row[COLUMNS[option]]}
        if not in_force or explanation.action == "pseudonym" or row["tag"] < "0008":
            assert explanation.paragraph.startswith(("PS3.15 E.1.1, Table E.1-1", "PS3.10 7.1"))
            assert row["basic_profile"] in explanation.rule or explanation.rule.endswith("in this IOD")
        else:
            assert explanation.option in in_force
            column = COLUMNS[explanation.option]
            assert explanation.paragraph == f"PS3.15 {SECTIONS[column]}"
            assert explanation.rule.startswith(f"option {explanation.option} {row[column]}")


@pytest.mark.parametrize("level", ["top", "nested"])
def test_every_choice_comes_to_what_the_types_of_each_iod_demand(level: str) -> None:
    choices = [row for row in CONCRETE if "/" in row["basic_profile"] or any(row["tag"] == key[1] for key in REQUIRED)]
    assert len(choices) >= 50
    for sop_class in SOP_CLASSES:
        root = compiled().actions_for(sop_class)
        rules = root if level == "top" else root.inside(0x0008_1115)
        for row in choices:
            assert rules[tag_of(row)].action == expected(row, frozenset(), sop_class, level), (sop_class, row["tag"])


def test_what_an_option_does_not_understand_falls_back_to_the_code_of_the_iod() -> None:
    for options in COMBINATIONS:
        for sop_class in (CT, "1.2.840.10008.5.1.4.1.1.481.3", "1.2.840.10008.5.1.4.1.1.104.1"):
            root = compiled(*sorted(options)).actions_for(sop_class)
            for row in CONCRETE:
                rule = root[tag_of(row)]
                if rule.action in {"clean", "scrub", "shift-date", "keep-time", "keep-date", "keep-number", "cap-age"}:
                    assert rule.fallback == basic(row, sop_class, "top")


@pytest.mark.parametrize("options", COMBINATIONS, ids=lambda options: "+".join(sorted(options)) or "basic")
def test_curves_and_overlays_go_in_their_true_ranges_and_are_unknown_outside(options: frozenset[str]) -> None:
    root = compiled(*sorted(options)).actions_for(CT)
    for group in [*range(0x5000, 0x5020, 2), *range(0x6000, 0x6020, 2)]:
        for element in (0x0010, 0x3000, 0x4000):
            assert root[group << 16 | element].action == "remove"
            assert "curves and overlays" in root[group << 16 | element].origin
    for group in (0x5020, 0x50FE, 0x6020, 0x60FE):
        assert root[group << 16 | 0x3000].origin == "unknown attribute"


def test_repeating_rows_are_explained_with_their_cells() -> None:
    explained = {tag: explain(profile("clean-graphics"), tag, CT) for tag in (0x6002_3000, 0x6002_4000, 0x5002_2500)}
    assert {one.basic for one in explained.values()} == {"X"}
    assert {one.cells for one in explained.values()} == {(("clean-graphics", "C"),)}
    assert explain(profile(), 0x6002_0010, CT).basic == ""


@pytest.mark.parametrize("option", sorted(set(COLUMNS) - {"retain-safe-private"}))
def test_private_attributes_go_under_every_other_option(option: str) -> None:
    explanation = explain(profile(option), 0x0019_100C, CT, creator="SIEMENS MR HEADER")
    assert explanation.action == "remove"
    assert explanation.basic == "X"
    assert explanation.cells == (("retain-safe-private", "C"),)
