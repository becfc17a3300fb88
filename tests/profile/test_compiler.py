from concurrent.futures import ThreadPoolExecutor

import pytest

from dicomanon.errors import Held
from dicomanon.profile import Action, compile_profile, load_profile
from dicomanon.reasons import HoldReason
from dicomanon.standard.confidentiality import confidentiality_by_tag
from dicomanon.standard.dictionary import dictionary_vrs, uid_roles
from dicomanon.standard.iods import iod_by_sop_class
from dicomanon.standard.tables import parse_tag, read_table

CT = "1.2.840.10008.5.1.4.1.1.2"
RESEARCH = compile_profile(load_profile("research"))
STRICT = compile_profile(load_profile("strict"))


def test_method_codes_name_what_is_carried_out() -> None:
    assert [code.value for code in STRICT.method_codes] == ["113100"]
    assert [code.value for code in RESEARCH.method_codes] == ["113100", "113107"]


def test_same_profile_is_compiled_once() -> None:
    assert compile_profile(load_profile("research")) is RESEARCH
    assert RESEARCH.actions_for(CT) is RESEARCH.actions_for(CT)


@pytest.mark.parametrize("sop_class", ["", "1.2.3", "1.2.840.10008.5.1.4.1.1.6", "1.3.12.2.1107.5.9.1"])
def test_unknown_sop_class_is_held(sop_class: str) -> None:
    with pytest.raises(Held) as held:
        RESEARCH.actions_for(sop_class)
    assert held.value.reason is HoldReason.UNKNOWN_SOP_CLASS


def test_dates_shift_only_where_the_option_has_a_c() -> None:
    for tag, row in confidentiality_by_tag().items():
        shifted = RESEARCH.actions_for(CT).top[tag].action in {Action.SHIFT_DATE, Action.KEEP_TIME}
        cell = row.options.get("retain-longitudinal-modified-dates", "")
        assert shifted == (cell == "C" and row.vr in {"DA", "DT", "TM", "SH"})
        assert STRICT.actions_for(CT).top[tag].action not in {Action.SHIFT_DATE, Action.KEEP_TIME}


def test_birth_date_is_never_shifted() -> None:
    assert RESEARCH.actions_for(CT).top[0x0010_0030].action is Action.EMPTY


@pytest.mark.parametrize("tag", sorted(uid_roles()))
def test_every_uid_attribute_is_mapped_replaced_or_removed(tag: int) -> None:
    rule = RESEARCH.actions_for(CT).top[tag]
    assert rule.action in {Action.UID, Action.DUMMY, Action.REMOVE}
    if uid_roles()[tag].startswith(("instance-level", "structural", "context")) and tag >> 16 > 7:
        assert rule.action is Action.UID


@pytest.mark.parametrize("tag", [0x0009_0010, 0x7FE1_0010, 0x0011_1001])
def test_private_attributes_are_removed_and_not_remembered(tag: int) -> None:
    top = RESEARCH.actions_for(CT).top
    size = len(top)
    assert top[tag].action is Action.REMOVE
    assert len(top) == size


@pytest.mark.parametrize("tag", [0x0008_0000, 0x0008_FFFE, 0x0030_0001, 0x5020_3000, 0x6000_3000, 0x601E_0010])
def test_unknown_attributes_are_removed_and_not_remembered(tag: int) -> None:
    top = RESEARCH.actions_for(CT).top
    size = len(top)
    assert top[tag].action is Action.REMOVE
    assert len(top) == size


def test_no_persons_name_is_kept_whatever_the_table_says() -> None:
    for tag, vr in dictionary_vrs().items():
        if vr == "PN":
            for level in (RESEARCH.actions_for(CT).top, RESEARCH.actions_for(CT).nested):
                assert level[tag].action in {Action.EMPTY, Action.REMOVE, Action.DUMMY, Action.PSEUDONYM}


def test_no_date_is_kept_as_it_is_whatever_the_table_says() -> None:
    for tag, vr in dictionary_vrs().items():
        if vr in {"DA", "DT"}:
            assert RESEARCH.actions_for(CT).top[tag].action is not Action.KEEP
            assert STRICT.actions_for(CT).top[tag].action is not Action.KEEP


def test_every_sequence_that_can_need_a_dummy_has_one_tabulated() -> None:
    tabulated = {parse_tag(row["path"].split(">")[0]) for row in read_table("dummy_items")}
    needed = set()
    for sop_class in iod_by_sop_class():
        actions = RESEARCH.actions_for(sop_class)
        for level in (actions.top, actions.nested):
            needed |= {
                tag
                for tag, row in confidentiality_by_tag().items()
                if row.vr == "SQ" and level[tag].action is Action.DUMMY
            }
    assert needed <= tabulated


def test_every_vr_that_can_need_a_dummy_has_one_tabulated() -> None:
    tabulated = {row["vr"] for row in read_table("dummy_values")} | {"SQ", "UI"}
    assert {row.vr.split("/")[0] for row in confidentiality_by_tag().values()} <= tabulated


def test_threads_share_one_compilation() -> None:
    profile = compile_profile(load_profile("research"))
    with ThreadPoolExecutor(4) as pool:
        rules = list(pool.map(profile.actions_for, ["1.2.840.10008.5.1.4.1.1.128"] * 16))
    assert all(rule is rules[0] for rule in rules)
