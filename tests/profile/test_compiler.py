from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.profile.making import CT, FULL_DATES, MODIFIED_DATES, compiled

from dicomanon.errors import Held
from dicomanon.profile import Action, TextKind, compile_profile, load_profile, shipped_profiles
from dicomanon.reasons import HoldReason
from dicomanon.standard.confidentiality import (
    attributes_beyond_table,
    confidentiality_by_tag,
    descriptions_beyond_table,
)
from dicomanon.standard.dictionary import dictionary_vrs, uid_roles
from dicomanon.standard.iods import iod_by_sop_class
from dicomanon.standard.tables import parse_tag, read_table

RESEARCH = compile_profile(load_profile("research"))
STRICT = compile_profile(load_profile("strict"))
SHIPPED = {name: compile_profile(load_profile(name)) for name in shipped_profiles()}
NESTED = 0x0008_1115
RELEASES_NOTHING = {Action.EMPTY, Action.REMOVE, Action.DUMMY, Action.PSEUDONYM}


def test_method_codes_name_what_is_carried_out_and_not_the_cleaning_of_pixels() -> None:
    assert [code.value for code in STRICT.method_codes] == ["113100"]
    assert [code.value for code in RESEARCH.method_codes] == [
        "113100", "113103", "113104", "113105", "113107", "113108", "113111",
    ]  # fmt: skip
    assert "clean-pixel-data" in RESEARCH.profile.options


def test_profile_says_what_it_does_with_dates() -> None:
    dates = {name: (one.modifies_dates, one.keeps_dates) for name, one in SHIPPED.items()}
    assert dates == {
        "device-qa": (True, False), "full-dates": (False, True), "research": (True, False), "strict": (False, False),
    }  # fmt: skip


def test_same_profile_is_compiled_once() -> None:
    assert compile_profile(load_profile("research")) is RESEARCH
    assert RESEARCH.actions_for(CT) is RESEARCH.actions_for(CT)
    assert RESEARCH.actions_for(CT, "CT") is RESEARCH.actions_for(CT, "MR")


@pytest.mark.parametrize("sop_class", ["", "1.2.3", "1.2.840.10008.5.1.4.1.1.6", "1.3.12.2.1107.5.9.1"])
def test_unknown_sop_class_is_held(sop_class: str) -> None:
    with pytest.raises(Held) as held:
        RESEARCH.actions_for(sop_class)
    assert held.value.reason is HoldReason.UNKNOWN_SOP_CLASS


def test_threads_share_one_compilation() -> None:
    profile = compile_profile(load_profile("research"))
    with ThreadPoolExecutor(4) as pool:
        rules = list(pool.map(profile.actions_for, ["1.2.840.10008.5.1.4.1.1.128"] * 16))
    assert all(rule is rules[0] for rule in rules)


def test_all_items_without_rules_of_their_own_share_one_level() -> None:
    root = RESEARCH.actions_for(CT)
    assert root.inside(NESTED) is root.inside(0x0040_0275) is root.inside(NESTED).inside(0x0009_1001)


# -- precedence of options ---------------------------------------------------------------------------------------------


def test_device_dates_are_shifted_with_all_others_though_the_device_option_would_keep_them() -> None:
    installation = 0x0018_1205
    assert compiled("retain-device-identity").actions_for(CT)[installation].action is Action.KEEP_DATE
    both = compiled("retain-device-identity", MODIFIED_DATES).actions_for(CT)[installation]
    assert both.action is Action.SHIFT_DATE
    assert compiled("retain-device-identity", FULL_DATES).actions_for(CT)[installation].action is Action.KEEP_DATE


def test_text_that_two_options_clean_is_cleaned_once() -> None:
    allergies = 0x0010_2110
    for options in (["clean-descriptors"], ["retain-patient-characteristics"]):
        assert compiled(*options).actions_for(CT)[allergies].action is Action.CLEAN
    assert compiled("clean-descriptors", "retain-patient-characteristics").actions_for(CT)[allergies].action is (
        Action.CLEAN
    )


# -- single attributes -------------------------------------------------------------------------------------------------


def test_birth_date_goes_unless_the_profile_shifts_it() -> None:
    birth_date = 0x0010_0030
    for profile in SHIPPED.values():
        assert profile.actions_for(CT)[birth_date].action is Action.EMPTY
    shifted = compiled(MODIFIED_DATES, birth_date="shift").actions_for(CT)[birth_date]
    assert (shifted.action, shifted.fallback) == (Action.SHIFT_DATE, Action.EMPTY)


def test_titles_are_descriptions_and_names_of_structures_are_labels() -> None:
    root = RESEARCH.actions_for("1.2.840.10008.5.1.4.1.1.481.3")
    assert root[0x3006_0002].text is TextKind.DESCRIPTION  # StructureSetLabel
    assert root[0x300A_0002].text is TextKind.DESCRIPTION  # RTPlanLabel
    for label in (0x3006_0026, 0x3006_0085, 0x0062_0005, 0x300A_00C2, 0x0070_0207):
        rule = root.inside(NESTED)[label]
        assert (rule.action, rule.text) == (Action.CLEAN, TextKind.LABEL)


def test_meaning_of_a_code_is_cleaned_under_every_profile_and_never_left_empty() -> None:
    for profile in SHIPPED.values():
        rule = profile.actions_for(CT).inside(NESTED)[0x0008_0104]
        assert (rule.action, rule.text, rule.fallback) == (Action.CLEAN, TextKind.CODE, Action.DUMMY)


def test_specific_character_set_stays_as_it_is() -> None:
    for profile in SHIPPED.values():
        assert profile.actions_for(CT)[0x0008_0005].action is Action.KEEP


def test_texts_of_graphics_are_cleaned_by_the_graphics_option_alone() -> None:
    text = 0x0070_0006
    root = compiled("clean-graphics").actions_for("1.2.840.10008.5.1.4.1.1.11.1")
    assert root[0x0070_0001].action is Action.RECURSE
    assert root.inside(0x0070_0001).inside(0x0070_0008)[text].action is Action.CLEAN
    assert root.inside(NESTED)[text].action is Action.DUMMY


def test_organisations_keep_no_uid_of_theirs_though_uids_are_retained() -> None:
    root = compiled("retain-uids").actions_for(CT)
    for tag, role in uid_roles().items():
        if role.startswith("organisation"):
            assert root[tag].action is Action.UID
        if role.startswith("instance-level"):
            assert root[tag].action is Action.KEEP_UID


def test_identity_of_the_institution_stays_word_for_word() -> None:
    rule = compiled("retain-institution-identity").actions_for(CT)[0x0008_0080]
    assert rule.action is Action.KEEP
    assert "OB" not in rule.accepted


def test_content_items_have_the_rules_of_their_concept() -> None:
    inside = RESEARCH.actions_for("1.2.840.10008.5.1.4.1.1.88.33").inside(0x0040_A730)
    assert inside.item(("121022", "DCM"), "TEXT") is None
    finding = inside.item(("121071", "DCM"), "TEXT")
    assert finding is not None
    assert finding[0x0040_A160].action is Action.CLEAN


# -- what must hold for every attribute --------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", sorted(uid_roles()))
def test_every_uid_attribute_is_mapped_replaced_or_removed(tag: int) -> None:
    rule = RESEARCH.actions_for(CT)[tag]
    assert rule.action in {Action.UID, Action.DUMMY, Action.REMOVE}
    if uid_roles()[tag].startswith(("instance-level", "structural", "context")) and tag >> 16 > 7:
        assert rule.action is Action.UID


@pytest.mark.parametrize("tag", [0x0009_0010, 0x7FE1_0010, 0x0011_1001])
def test_private_attributes_are_removed_and_not_remembered(tag: int) -> None:
    root = RESEARCH.actions_for(CT)
    size = len(root)
    assert root[tag].action is Action.REMOVE
    assert root.private("SOMEBODY", tag).action is Action.REMOVE
    assert len(root) == size


@pytest.mark.parametrize("tag", [0x0008_0000, 0x0008_FFFE, 0x0030_0001, 0x5020_3000, 0x6000_3000, 0x601E_0010])
def test_unknown_attributes_are_removed_and_not_remembered(tag: int) -> None:
    root = RESEARCH.actions_for(CT)
    size = len(root)
    assert root[tag].action is Action.REMOVE
    assert len(root) == size


@pytest.mark.parametrize("name", SHIPPED)
def test_no_persons_name_is_kept_whatever_the_table_says(name: str) -> None:
    root = SHIPPED[name].actions_for(CT)
    for tag, vr in dictionary_vrs().items():
        if vr == "PN":
            assert {root[tag].action, root.inside(NESTED)[tag].action} <= RELEASES_NOTHING


@pytest.mark.parametrize("name", ["research", "strict", "device-qa"])
def test_no_date_is_kept_as_it_is_whatever_the_table_says(name: str) -> None:
    root = SHIPPED[name].actions_for(CT)
    for tag, vr in dictionary_vrs().items():
        if vr in {"DA", "DT"}:
            assert root[tag].action not in {Action.KEEP, Action.KEEP_DATE}


@pytest.mark.parametrize("name", SHIPPED)
def test_no_text_is_kept_without_a_look_at_it(name: str) -> None:
    root = SHIPPED[name].actions_for(CT)
    for tag, vr in dictionary_vrs().items():
        if vr in {"AE", "CS", "LO", "LT", "SH", "ST", "UC", "UR", "UT"} and tag != 0x0008_0005:
            assert root[tag].action is not Action.KEEP


@pytest.mark.parametrize("name", SHIPPED)
def test_pictures_within_pictures_go(name: str) -> None:
    root = SHIPPED[name].actions_for(CT)
    assert root[0x7FE0_0010].action is Action.KEEP
    assert root.inside(NESTED)[0x7FE0_0010].action is Action.REMOVE


def test_attributes_of_our_tables_go_or_are_cleaned() -> None:
    for tag, code in {**attributes_beyond_table(), **descriptions_beyond_table()}.items():
        basic = {"X": Action.REMOVE, "Z": Action.EMPTY, "D": Action.DUMMY}[code]
        assert STRICT.actions_for(CT)[tag].action is basic
        cleaned = RESEARCH.actions_for(CT)[tag]
        assert (cleaned.action, cleaned.fallback) == (Action.CLEAN, basic) or cleaned.action is basic
        assert (tag in attributes_beyond_table()) <= (cleaned.action is basic)


def test_every_sequence_that_can_need_a_dummy_has_one_tabulated() -> None:
    tabulated = {parse_tag(row["path"].split(">")[0]) for row in read_table("dummy_items")}
    needed = set()
    for sop_class in iod_by_sop_class():
        root = STRICT.actions_for(sop_class)
        for level in (root, root.inside(NESTED)):
            needed |= {
                tag
                for tag, row in confidentiality_by_tag().items()
                if row.vr == "SQ" and Action.DUMMY in {level[tag].action, level[tag].fallback}
            }
    assert needed <= tabulated


def test_every_vr_that_can_need_a_dummy_has_one_tabulated() -> None:
    tabulated = {row["vr"] for row in read_table("dummy_values")} | {"SQ", "UI"}
    assert {row.vr.split("/")[0] for row in confidentiality_by_tag().values()} <= tabulated


# -- attributes outside their IOD --------------------------------------------------------------------------------------


def test_attributes_outside_their_iod_go_if_the_profile_says_so_whatever_the_options_say() -> None:
    kept = compiled(MODIFIED_DATES, "clean-descriptors").actions_for(CT)
    removed = compiled(MODIFIED_DATES, "clean-descriptors", outside_iod="remove").actions_for(CT)
    allergies, structure_set_date = 0x0010_2110, 0x3006_0008  # in no composite IOD; in none of images
    assert kept[allergies].action is Action.CLEAN
    assert removed[allergies].action is Action.REMOVE
    assert removed[structure_set_date].action is Action.SHIFT_DATE  # a simple code: its types are not known
    treatment_date = 0x3008_0250  # a compound code, so its types are known
    assert kept[treatment_date].action is Action.SHIFT_DATE
    assert removed[treatment_date].action is Action.REMOVE
    assert removed[0x0008_0020].action is Action.SHIFT_DATE
