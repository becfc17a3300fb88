import pytest
from tests.profile.making import CT, MODIFIED_DATES, profile

from dicomanon.errors import Held
from dicomanon.profile import Action, TextKind, load_profile
from dicomanon.profile.explaining import explain

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
