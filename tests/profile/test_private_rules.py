"""Private attributes: PS3.15 section E.3.10 and Table E.3.10-1."""

import pytest
from tests.profile.making import CT, FULL_DATES, MODIFIED_DATES, compiled, profile

from dicomanon.profile import Action, AttributeRule
from dicomanon.profile.explaining import explain
from dicomanon.profile.private_rules import PrivateRules
from dicomanon.standard.safe_private import safe_private_rows

SAFE = compiled("retain-safe-private")
ROWS = sorted(safe_private_rows().items())
ACTIONS = {
    "SQ": Action.RECURSE, "UI": Action.UID, "DS": Action.KEEP_NUMBER, "IS": Action.KEEP_NUMBER,
    **dict.fromkeys(("AT", "FD", "FL", "SL", "SS", "UL", "US"), Action.KEEP),
    **dict.fromkeys(("CS", "LO", "LT", "SH", "ST"), Action.SCRUB),
}  # fmt: skip


def rule_of(creator: str, tag: int) -> AttributeRule:
    return SAFE.actions_for(CT).private(creator, tag)


@pytest.mark.parametrize("block", [0x10, 0x42, 0xFF])
def test_every_safe_attribute_stays_in_any_block_unless_it_is_bytes(block: int) -> None:
    for (_, group, number), row in ROWS:
        rule = rule_of(row.creator, group << 16 | block << 8 | number)
        assert rule.action is ACTIONS.get(row.vr, Action.REMOVE), row
        assert rule.fallback is Action.REMOVE
        assert (rule.action is Action.REMOVE) == bool(row.withheld)


def test_each_row_that_is_withheld_says_why() -> None:
    withheld = [row for _, row in ROWS if row.withheld]
    assert len(withheld) == 25
    assert {row.vr for row in withheld} == {"", "OB", "OW", "OW/OB"}
    for row in withheld:
        tag = row.group << 16 | 0x1000 | row.number
        explanation = explain(profile("retain-safe-private"), tag, CT, creator=row.creator)
        assert row.withheld in explanation.why


@pytest.mark.parametrize(
    "creator", ["SIEMENS MR HEADER", "siemens mr header", "Siemens MR Header ", " SIEMENS MR HEADER"]
)
def test_creator_is_found_whatever_case_and_padding(creator: str) -> None:
    assert rule_of(creator, 0x0019_100C).action is Action.KEEP_NUMBER


@pytest.mark.parametrize(
    ("creator", "tag"),
    [
        ("SIEMENS MR HEADER", 0x0021_100C),
        ("SIEMENS MR HEADER", 0x0019_1008),
        ("SIEMENS MR HEADER 2", 0x0019_100C),
        ("GEMS_ACQU_01", 0x0019_100C),
        ("", 0x0019_100C),
    ],
    ids=["group", "element", "longer creator", "other creator", "no creator"],
)
def test_what_the_table_does_not_list_goes(creator: str, tag: int) -> None:
    assert rule_of(creator, tag).action is Action.REMOVE


def test_numbers_stay_in_their_vr_and_length_only() -> None:
    matrix = rule_of("SIEMENS MR HEADER", 0x0019_1027)
    assert matrix.accepted == {"FD", "UN"}
    assert matrix.length == 48
    assert rule_of("GEMS_HELIOS_01", 0x0045_1001).accepted == {"SS", "US", "UN"}
    assert rule_of("SIEMENS Ultrasound SC2000", 0x0149_1001).length == 0


def test_items_of_safe_sequences_get_the_profile() -> None:
    root = SAFE.actions_for(CT)
    inside = root.inside(0x2001_105F)
    assert inside is root.inside(0x0008_1140)
    assert inside.private("Philips Imaging DD 001", 0x2001_1002).action is Action.KEEP_NUMBER


@pytest.mark.parametrize(
    ("options", "date", "time"),
    [
        ((), Action.REMOVE, Action.REMOVE),
        ((MODIFIED_DATES,), Action.SHIFT_DATE, Action.KEEP_TIME),
        ((FULL_DATES,), Action.KEEP_DATE, Action.KEEP_TIME),
    ],
)
def test_private_dates_are_treated_like_all_dates(options: tuple[str, ...], date: Action, time: Action) -> None:
    rules = PrivateRules(profile("retain-safe-private", *options))
    assert rules.of_vr("DA", "1", origin="").action is rules.of_vr("DT", "1", origin="").action is date
    assert rules.of_vr("TM", "1", origin="").action is time


def test_private_uids_stay_with_the_uids_option() -> None:
    both = compiled("retain-safe-private", "retain-uids").actions_for(CT)
    assert both.private("NQHeader", 0x0099_1002).action is Action.KEEP_UID


@pytest.mark.parametrize("vr", ["PN", "OB", "OW", "UN", "", "OW/OB"])
def test_names_and_bytes_never_stay(vr: str) -> None:
    assert PrivateRules(profile("retain-safe-private")).of_vr(vr, "1", origin="").action is Action.REMOVE


def test_what_an_object_declares_safe_stays_only_where_the_profile_trusts_it() -> None:
    assert SAFE.declared_safe("LO").action is Action.REMOVE
    trusting = compiled("retain-safe-private", trust_block_identifying_information=True)
    assert trusting.declared_safe("LO").action is Action.SCRUB
    assert trusting.declared_safe("UI").action is Action.UID
    assert trusting.declared_safe("UN").action is Action.REMOVE
    assert trusting.declared_safe("PN").action is Action.REMOVE
