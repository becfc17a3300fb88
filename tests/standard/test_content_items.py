import pytest

from dicomanon.standard.content_items import (
    content_item_rows,
    current_concept,
    table_rows,
    technical_text_concepts,
)
from dicomanon.standard.tables import read_table

VALUE_TYPES = {
    "TEXT",
    "PNAME",
    "NUM",
    "CODE",
    "CONTAINER",
    "UIDREF",
    "DATE",
    "TIME",
    "DATETIME",
    "IMAGE",
    "COMPOSITE",
    "WAVEFORM",
}


def test_every_row_is_one_that_the_profile_knows_how_to_carry_out() -> None:
    assert {row.value_type for row in table_rows()} == VALUE_TYPES
    assert {row.basic for row in table_rows()} == {"X", "D", "X/D"}


def test_a_concept_has_one_row_per_value_type() -> None:
    for rows in content_item_rows().values():
        assert len({row.value_type for row in rows}) == len(rows)


def test_every_alias_leads_to_a_row() -> None:
    for row in read_table("sr_concept_aliases"):
        assert current_concept(row["code_value"], row["coding_scheme"]) in content_item_rows(), row


def test_no_concept_is_both_identifying_and_technical() -> None:
    assert not technical_text_concepts() & content_item_rows().keys()


@pytest.mark.parametrize("scheme", ["SRT", "SNM3", "99SDM"])
def test_retired_snomed_codes_are_those_of_the_table(scheme: str) -> None:
    assert current_concept("PA-30029", scheme) == ("440252007", "SCT")


def test_a_code_of_another_scheme_is_another_concept() -> None:
    assert current_concept("121022", "99LOCAL") not in content_item_rows()
