from collections import Counter

from dicomanon.standard.confidentiality import (
    attributes_beyond_table,
    confidentiality_by_tag,
    confidentiality_rows,
    descriptions_beyond_table,
    method_codes,
    option_names,
    reasons_beyond_table,
    text_attributes,
)
from dicomanon.standard.dictionary import dictionary_vrs
from dicomanon.standard.names import tag_named
from dicomanon.standard.tables import parse_tag, read_table


def test_table_has_the_rows_and_codes_of_2026d() -> None:
    rows = confidentiality_rows()
    assert len(rows) == 657
    assert Counter(row.basic for row in rows) == {
        "X": 417, "D": 93, "U": 55, "Z": 42, "X/D": 23, "X/Z": 11, "X/Z/D": 8, "Z/D": 6, "X/Z/U*": 2,
    }  # fmt: skip


def test_only_four_rows_are_patterns() -> None:
    assert len(confidentiality_rows()) - len(confidentiality_by_tag()) == 4


def test_every_option_cell_is_keep_or_clean() -> None:
    assert {cell for row in confidentiality_rows() for cell in row.options.values()} == {"K", "C"}


def test_every_option_has_a_code_and_basic_comes_with_113100() -> None:
    codes = method_codes()
    assert codes[""].value == "113100"
    assert codes["retain-longitudinal-modified-dates"].value == "113107"
    assert {codes[option].value for option in option_names()} == {str(value) for value in range(113101, 113113)}


def test_attributes_beyond_the_table_are_known_and_not_in_it() -> None:
    for beyond in (attributes_beyond_table(), descriptions_beyond_table()):
        assert beyond.keys() <= dictionary_vrs().keys()
        assert not beyond.keys() & confidentiality_by_tag().keys()
    assert not attributes_beyond_table().keys() & descriptions_beyond_table().keys()
    assert set(attributes_beyond_table().values()) == {"X", "Z", "D"}
    assert set(descriptions_beyond_table().values()) == {"X", "Z", "D"}


def test_every_attribute_beyond_the_table_has_a_reason() -> None:
    assert reasons_beyond_table().keys() == attributes_beyond_table().keys() | descriptions_beyond_table().keys()
    assert all(row.why for row in reasons_beyond_table().values())


def test_column_of_composite_iods_is_read() -> None:
    rows = confidentiality_by_tag()
    assert rows[0x0008_0020].in_composite_iod
    assert not rows[0x0010_2110].in_composite_iod


def test_text_attributes_are_text_and_named_right() -> None:
    for tag, row in text_attributes().items():
        assert dictionary_vrs()[tag] in {"LO", "LT", "SH", "ST", "UC", "UT"}
        assert row.kind in {"label", "code", "term"}
        assert row.why


def test_only_attributes_without_a_code_of_their_own_have_a_fallback() -> None:
    for tag, row in text_attributes().items():
        has_code = tag in confidentiality_by_tag() or tag in reasons_beyond_table()
        assert (row.fallback == "") == has_code
        assert row.fallback in {"", "X", "Z", "D"}


def test_keywords_of_our_tables_are_those_of_their_tags() -> None:
    for table in ("attributes_beyond_e1_1", "descriptions_beyond_e1_1", "text_attributes"):
        for row in read_table(table):
            assert tag_named(row["keyword"]) == parse_tag(row["tag"])
