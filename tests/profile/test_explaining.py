import pytest
from tests.profile.making import CT, MODIFIED_DATES, profile

from dicomanon.errors import Held
from dicomanon.profile import Action, TextKind, load_profile
from dicomanon.profile.explaining import explain
from dicomanon.standard.names import tag_named

RESEARCH = load_profile("research")


def test_option_that_decides_is_named_with_its_section() -> None:
    explanation = explain(RESEARCH, 0x0008_1030, CT)
    assert (explanation.keyword, explanation.name, explanation.vr) == ("StudyDescription", "Study Description", "LO")
    assert (explanation.action, explanation.text) == (Action.CLEAN, TextKind.DESCRIPTION)
    assert (explanation.source, explanation.option) == ("option", "clean-descriptors")
    assert explanation.paragraph == "PS3.15 E.3.5"
    assert explanation.basic == "X"
    assert explanation.effect == "is cleaned: only harmless words stay; if nothing is left, it is removed"


def test_choice_is_resolved_for_the_iod() -> None:
    ct = explain(profile(), 0x0018_0010, CT)
    assert ct.why == "The Basic Profile empties it: Z/D comes to Z in this IOD."
    assert explain(profile(), 0x0018_0010, "1.2.840.10008.5.1.4.1.1.88.33").why.endswith(
        "does not define the attribute here."
    )


def test_without_a_sop_class_all_are_counted() -> None:
    explanation = explain(profile(), 0x0018_0010)
    assert sum(count for _, count in explanation.by_sop_class) == 180
    assert len(explanation.by_sop_class) > 1
    assert explanation.action is explanation.by_sop_class[0][0]
    assert explain(profile(), 0x0018_0010, CT).by_sop_class == ()


@pytest.mark.parametrize("keyword", ["InstitutionName", "OperatorsName", "ContentDate", "BodyPartExamined"])
def test_without_a_sop_class_nothing_is_said_of_this_iod(keyword: str) -> None:
    tag = tag_named(keyword)
    assert tag is not None
    explanation = explain(profile(), tag)
    assert "this IOD" not in explanation.why + explanation.rule
    assert "define" not in explanation.why
    if len(explanation.by_sop_class) > 1:
        assert f" in {explanation.by_sop_class[0][1]} of 180 SOP classes" in explanation.why


def test_overrides_that_hold_elsewhere_are_named() -> None:
    ours = profile(
        overrides=[
            {"keyword": "StationName", "modality": "CT", "action": "dummy"},
            {"keyword": "StationName", "path": "ReferencedSeriesSequence", "action": "empty"},
            {"keyword": "StationName", "sop_class": CT, "action": "remove"},
            {"keyword": "InstitutionName", "modality": "CT", "action": "remove"},
        ]
    )
    by_path = "ReferencedSeriesSequence > StationName: empty"
    by_modality = "StationName of modality CT: dummy"
    by_sop_class = "StationName in CTImageStorage: remove"
    assert set(explain(ours, 0x0008_1010).elsewhere) == {by_path, by_modality, by_sop_class}
    assert set(explain(ours, 0x0008_1010, CT).elsewhere) == {by_path, by_modality}
    assert explain(ours, 0x0008_1010, "1.2.840.10008.5.1.4.1.1.4", "CT").elsewhere == (by_path,)


def test_override_of_a_private_creator_that_holds_elsewhere_is_named() -> None:
    selector = {"creator": "GEMS_PARM_01", "group": "0043"}
    ours = profile(overrides=[{"private": selector, "modality": "MR", "action": "keep", "reason": "asked for"}])
    assert explain(ours, 0x0043_1027, creator="GEMS_PARM_01 ").elsewhere == (
        "GEMS_PARM_01 (0043,xxXX) of modality MR: keep",
    )
    assert explain(ours, 0x0043_1027, creator="OTHER").elsewhere == ()


def test_requirement_of_an_iod_against_the_code_is_told() -> None:
    explanation = explain(profile(), 0x0070_0082, "1.2.840.10008.5.1.4.1.1.11.1")
    assert explanation.action is Action.DUMMY
    assert "the IOD requires the attribute" in explanation.why


@pytest.mark.parametrize(
    ("tag", "why"),
    [
        (0x0008_1190, "locator: names hosts and carries original UIDs"),
        (0x0062_0006, "typed by the reader"),
        (0x0062_0005, "names a structure"),
    ],
)
def test_our_own_tables_give_their_reason(tag: int, why: str) -> None:
    explanation = explain(RESEARCH, tag, CT, path=(0x0062_0002,))
    assert explanation.source == "our table"
    assert why in explanation.why
    assert explanation.basic == ""


def test_private_attribute_is_explained_by_its_creator() -> None:
    explanation = explain(RESEARCH, 0x0019_100C, CT, creator="siemens mr header ")
    assert (explanation.source, explanation.name, explanation.vr) == ("PS3.15 Table E.3.10-1", "B Value", "IS")
    assert explanation.paragraph == "PS3.15 E.3.10, Table E.3.10-1"
    assert explain(RESEARCH, 0x0019_1008, CT, creator="SIEMENS MR HEADER").action is Action.REMOVE


def test_path_and_modality_find_the_override() -> None:
    ours = profile(
        overrides=[
            {"keyword": "StationName", "path": "ReferencedSeriesSequence", "modality": "CT", "action": "empty"},
        ]
    )
    assert explain(ours, 0x0008_1010, CT, "CT", (0x0008_1115,)).source == "override"
    assert explain(ours, 0x0008_1010, CT, "MR", (0x0008_1115,)).source != "override"
    assert explain(ours, 0x0008_1010, CT, "CT").source != "override"


def test_what_nobody_knows_is_removed_and_said_so() -> None:
    explanation = explain(profile(MODIFIED_DATES), 0x0010_FFF1, CT)
    assert (explanation.action, explanation.keyword, explanation.vr) == (Action.REMOVE, "", "")
    assert explanation.source == "general rule"


def test_unknown_sop_class_is_held() -> None:
    with pytest.raises(Held):
        explain(RESEARCH, 0x0008_1030, "1.2.3")
