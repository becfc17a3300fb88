from collections import Counter

from dicomanon.standard.confidentiality import (
    attributes_beyond_table,
    confidentiality_by_tag,
    confidentiality_rows,
    descriptions_beyond_table,
    method_codes,
    option_names,
)
from dicomanon.standard.dictionary import dictionary_vrs


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
    assert set(attributes_beyond_table().values()) == {"X"}
    assert set(descriptions_beyond_table().values()) == {"X", "Z", "D"}
