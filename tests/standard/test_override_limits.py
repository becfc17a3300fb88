"""The table of what no override may do names real attributes and real actions."""

from typing import get_args

from dicomanon.profile.schema import OverrideAction
from dicomanon.standard.confidentiality import confidentiality_by_tag
from dicomanon.standard.names import keyword_of
from dicomanon.standard.tables import parse_tag, read_table


def test_rows_name_attributes_and_actions_that_there_are() -> None:
    for row in read_table("override_limits"):
        assert keyword_of(parse_tag(row["tag"])) == row["keyword"]
        assert set(row["refused"].split("|")) < set(get_args(OverrideAction))


def test_no_option_of_the_standard_keeps_what_may_not_be_kept() -> None:
    for row in read_table("override_limits"):
        if row["refused"] == "keep":
            assert dict(confidentiality_by_tag()[parse_tag(row["tag"])].options) == {}
