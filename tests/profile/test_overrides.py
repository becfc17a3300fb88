from typing import Any

import pytest
from pydantic import ValidationError
from tests.profile.making import CT, MODIFIED_DATES, compiled, profile

from dicomanon.profile import Action, AttributeRule, TextKind
from dicomanon.profile.checking import hints
from dicomanon.profile.explaining import explain

MR = "1.2.840.10008.5.1.4.1.1.4"
WHY = {"reason": "for a test"}
REQUEST, STEP = 0x0040_0275, 0x0040_0007


def root(*overrides: dict[str, Any], options: tuple[str, ...] = (), sop_class: str = CT, modality: str = "") -> Any:
    return compiled(*options, overrides=list(overrides)).actions_for(sop_class, modality)


def rule(action: str, keyword: str, *options: str) -> AttributeRule:
    level = root({"keyword": keyword, "action": action, **WHY}, options=options)
    return level[explain(profile(), _tag(keyword)).tag]  # type: ignore[no-any-return]


def _tag(keyword: str) -> int:
    from dicomanon.standard.names import tag_named

    tag = tag_named(keyword)
    assert tag is not None
    return tag


def refusal(*overrides: dict[str, Any], options: tuple[str, ...] = ()) -> str:
    with pytest.raises(ValidationError) as refused:
        profile(*options, overrides=list(overrides))
    return str(refused.value)


# -- what an override names --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [{"keyword": "StudyDescription"}, {"tag": "0008,1030"}, {"tag": "(0008,1030)"}, {"tag": "00081030"}]
)
def test_keyword_and_tag_name_the_same_attribute(name: dict[str, str]) -> None:
    level = root({**name, "action": "keep", **WHY})
    assert level[0x0008_1030].action is Action.KEEP
    assert level.inside(REQUEST)[0x0008_1030].action is Action.KEEP
    assert level[0x0008_103E].action is Action.REMOVE


def test_path_limits_an_override_to_one_place() -> None:
    level = root({"keyword": "ScheduledProcedureStepDescription", "path": "RequestAttributesSequence", "action": "keep",
                  **WHY}, options=("clean-descriptors",))  # fmt: skip
    assert level.inside(REQUEST)[STEP].action is Action.KEEP
    assert level[STEP].action is Action.CLEAN
    assert level.inside(0x0008_1115)[STEP].action is Action.CLEAN
    assert level.inside(REQUEST).inside(REQUEST)[STEP].action is Action.CLEAN


def test_path_may_end_with_the_attribute_itself_and_may_be_tags() -> None:
    path = "0008,1115 > ReferencedSOPSequence > PurposeOfReferenceCodeSequence > CodeMeaning"
    level = root({"keyword": "CodeMeaning", "path": path, "action": "keep", **WHY})
    deep = level.inside(0x0008_1115).inside(0x0008_1199).inside(0x0040_A170)
    assert deep[0x0008_0104].action is Action.KEEP
    assert level.inside(0x0008_1115)[0x0008_0104].action is Action.CLEAN


def test_override_may_hold_for_one_sop_class_or_modality_only() -> None:
    by_class = {"keyword": "StationName", "sop_class": CT, "action": "keep", **WHY}
    assert root(by_class)[0x0008_1010].action is Action.KEEP
    assert root(by_class, sop_class=MR)[0x0008_1010].action is not Action.KEEP
    by_modality = {"keyword": "StationName", "modality": "MR", "action": "keep", **WHY}
    assert root(by_modality, modality="MR")[0x0008_1010].action is Action.KEEP
    assert root(by_modality, modality="CT")[0x0008_1010].action is not Action.KEEP
    assert root(by_modality)[0x0008_1010].action is not Action.KEEP


def test_most_special_override_counts_whatever_the_order() -> None:
    overrides = [
        {"keyword": "StationName", "modality": "CT", "sop_class": CT, "action": "scrub", **WHY},
        {"keyword": "StationName", "action": "keep", **WHY},
        {"keyword": "StationName", "modality": "CT", "action": "empty"},
        {"keyword": "StationName", "path": "ReferencedSeriesSequence", "action": "dummy"},
    ]
    for order in (overrides, overrides[::-1]):
        level = root(*order, modality="CT")
        assert level[0x0008_1010].action is Action.SCRUB
        assert level.inside(0x0008_1115)[0x0008_1010].action is Action.DUMMY
        assert root(*order, sop_class=MR, modality="CT")[0x0008_1010].action is Action.EMPTY
        assert root(*order, sop_class=MR)[0x0008_1010].action is Action.KEEP


# -- what it does ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keyword", "action"),
    [
        ("StudyDescription", Action.KEEP),
        ("PatientSex", Action.KEEP),
        ("PatientWeight", Action.KEEP_NUMBER),
        ("StudyDate", Action.KEEP_DATE),
        ("StudyTime", Action.KEEP_TIME),
        ("FrameOfReferenceUID", Action.KEEP_UID),
        ("PatientAge", Action.CAP_AGE),
        ("RequestAttributesSequence", Action.RECURSE),
        ("PregnancyStatus", Action.KEEP),
        ("MakerNote", Action.KEEP),
    ],
)
def test_keeping_goes_by_vr(keyword: str, action: Action) -> None:
    assert rule("keep", keyword).action is action


@pytest.mark.parametrize("action", ["remove", "empty", "dummy"])
def test_replacing_needs_no_reason(action: str) -> None:
    level = root({"keyword": "Manufacturer", "action": action})
    assert level[0x0008_0070].action == action


def test_cleaning_knows_what_words_to_expect() -> None:
    assert rule("clean", "StudyDescription").text is TextKind.DESCRIPTION
    assert rule("clean", "ROIName").text is TextKind.LABEL
    assert rule("scrub", "StudyDescription").text is TextKind.TECHNICAL


def test_fallback_is_what_the_table_would_have_done() -> None:
    assert rule("scrub", "AccessionNumber").fallback is Action.EMPTY
    assert rule("clean", "StudyDescription", "clean-descriptors").fallback is Action.REMOVE


def test_a_private_attribute_is_kept_by_what_dictionaries_know_of_it() -> None:
    private = {"creator": "GEMS_PARM_01", "group": "0043", "element": "xx01"}
    level = root({"private": private, "action": "keep", **WHY})
    assert level.private("GEMS_PARM_01", 0x0043_1001).action is Action.KEEP
    assert level.private("gems_parm_01 ", 0x0043_2001).length == 2
    assert level.private("GEMS_PARM_01", 0x0043_1002).action is Action.REMOVE
    assert level.private("SOMEBODY", 0x0043_1001).action is Action.REMOVE
    assert level.inside(REQUEST).private("GEMS_PARM_01", 0x0043_1001).action is Action.KEEP


def test_vr_of_an_unknown_private_attribute_may_be_given() -> None:
    private = {"creator": "OUR OWN", "group": "0099", "element": "01"}
    assert "give its vr" in refusal({"private": private, "action": "keep", **WHY})
    level = root({"private": {**private, "vr": "LO"}, "action": "clean", **WHY})
    assert level.private("OUR OWN", 0x0099_1001).action is Action.CLEAN


def test_whole_block_of_a_creator_may_be_removed_or_kept_as_far_as_it_is_known() -> None:
    siemens = {"creator": "SIEMENS MR HEADER", "group": "0019"}
    removed = root({"private": siemens, "action": "remove"}, options=("retain-safe-private",))
    assert removed.private("SIEMENS MR HEADER", 0x0019_100C).action is Action.REMOVE
    kept = root({"private": siemens, "action": "keep", **WHY})
    assert kept.private("SIEMENS MR HEADER", 0x0019_100C).action is Action.KEEP_NUMBER
    assert kept.private("SIEMENS MR HEADER", 0x0019_10FE).action is Action.REMOVE
    one_element = {**siemens, "element": "0C"}
    both = root({"private": siemens, "action": "keep", **WHY}, {"private": one_element, "action": "remove"})
    assert both.private("SIEMENS MR HEADER", 0x0019_100C).action is Action.REMOVE
    assert both.private("SIEMENS MR HEADER", 0x0019_100D).action is Action.SCRUB


def test_explanation_names_the_override_and_its_reason() -> None:
    ours = profile(overrides=[{"keyword": "StationName", "action": "keep", "reason": "Scanners  differ."}])
    explanation = explain(ours, 0x0008_1010, CT)
    assert explanation.source == "override"
    assert explanation.why == "The profile's override of StationName says keep: Scanners differ."


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"keyword": "StudyDescription", "action": "keep"}, "a reason is needed"),
        ({"keyword": "StudyDescription", "action": "clean"}, "a reason is needed"),
        ({"keyword": "StudyDescription", "action": "keep", "reason": "  "}, "a reason is needed"),
        ({"keyword": "RequestAttributesSequence", "action": "keep"}, "a reason is needed"),
        ({"keyword": "FrameOfReferenceUID", "action": "keep"}, "a reason is needed"),
        ({"private": {"creator": "SIEMENS MR HEADER", "group": "0019"}, "action": "keep"}, "a reason is needed"),
        ({"keyword": "StudyDate", "action": "clean", **WHY}, "only text can be cleaned"),
        ({"keyword": "MakerNote", "action": "scrub", **WHY}, "only text can be scrubbed"),
        ({"keyword": "StudyDate", "action": "uid"}, "only a UID can be mapped"),
        ({"keyword": "StudyTime", "action": "shift-date", **WHY}, "only DA and DT can be shifted"),
        ({"keyword": "StudyDate", "action": "shift-date", **WHY}, MODIFIED_DATES),
        ({"keyword": "StudyDate", "action": "keep-time", **WHY}, "only times"),
        ({"keyword": "OperatorsName", "action": "keep", **WHY}, "no person's name is kept"),
        ({"keyword": "ReferencedSeriesSequence", "action": "dummy"}, "no dummy for this sequence"),
        ({"keyword": "PatientID", "action": "keep", **WHY}, "the system writes this attribute itself"),
        ({"keyword": "SOPInstanceUID", "action": "keep", **WHY}, "the system writes this attribute itself"),
        ({"keyword": "PixelData", "action": "remove"}, "the system writes this attribute itself"),
        ({"tag": "0002,0016", "action": "keep", **WHY}, "does not belong into a data set"),
        ({"tag": "6000,3000", "action": "keep", **WHY}, "curves and overlays go as a whole"),
        ({"tag": "0019,100C", "action": "keep", **WHY}, "use private"),
        ({"tag": "0010,FFF1", "action": "keep", **WHY}, "does not define this attribute"),
        ({"keyword": "StudyDescriptoin", "action": "remove"}, "did you mean StudyDescription?"),
        ({"keyword": "StudyDate", "path": "StudyTime", "action": "remove"}, "path, StudyTime, is no sequence"),
        ({"keyword": "StudyDate", "path": "NoSuchSequence", "action": "remove"}, "part 1 of the path is no such"),
        (
            {"keyword": "CodeValue", "path": "0040,0275 > ScheduledProtocolCodeSequenc", "action": "remove"},
            "part 2 of the path is no such attribute; did you mean ScheduledProtocolCodeSequence?",
        ),
        ({"keyword": "StudyDate", "path": "0040,0275 >", "action": "remove"}, "part 2 of the path is empty"),
        ({"keyword": "StudyDate", "path": "OriginalAttributesSequence", "action": "remove"}, "does nothing"),
        ({"keyword": "StudyDate", "sop_class": "1.2.3", "action": "remove"}, "not a storage SOP class"),
        ({"private": {"creator": "X", "group": "0018", "element": "01"}, "action": "remove"}, "group is odd"),
        ({"private": {"creator": "GEMS_PARM_01", "group": "0043", "element": "01"}, "action": "empty"}, "nothing requ"),
        ({"private": {"creator": "GEMS_PARM_01", "group": "0043"}, "action": "clean", **WHY}, "removed or kept"),
        ({"keyword": "CodeValue", "sop_class": "CTImageStorag", "action": "remove"}, "did you mean CTImageStorage?"),
        *(
            ({"keyword": keyword, "action": action}, "it can only be kept")
            for keyword in ("Rows", "BitsStored", "PhotometricInterpretation", "NumberOfFrames", "Modality")
            for action in ("remove", "empty", "dummy")
        ),
        ({"keyword": "Modality", "action": "clean"}, "it can only be kept"),
        ({"keyword": "PatientBirthDate", "action": "keep", **WHY}, "no option that keeps it: `birth_date: shift`"),
        ({"keyword": "IconImageSequence", "action": "keep", **WHY}, "it can only be removed"),
        ({"keyword": "ContentDate", "sop_class": "1.2.840.10008.5.1.4.1.1.88.33", "action": "remove"}, "dummy replac"),
        *(
            (
                {"private": {"creator": "US", "group": "0019", "element": "01", "vr": vr}, "action": "keep", **WHY},
                f"private bytes of VR {vr} are removed in any case",
            )
            for vr in ("OB", "OW", "OF", "OD", "UN")
        ),
        (
            {"private": {"creator": "US", "group": "0019", "element": "01", "vr": "DA"}, "action": "keep", **WHY},
            "the options keep no dates",
        ),
        (
            {"private": {"creator": "US", "group": "0019", "element": "01", "vr": "ZZ"}, "action": "remove"},
            "overrides[0].private.vr: PS3.5 6.2 defines no such VR",
        ),
        ({"keyword": "StudyDate", "tag": "0008,0020", "action": "remove"}, "exactly one of"),
        ({"action": "remove"}, "exactly one of"),
    ],
)  # fmt: skip
def test_contradictory_override_is_refused(override: dict[str, Any], message: str) -> None:
    assert message in refusal(override)


def test_what_a_picture_needs_may_be_kept_and_private_dates_with_an_option_for_dates() -> None:
    root({"keyword": "Rows", "action": "keep"})
    private = {"creator": "US", "group": "0019", "element": "01", "vr": "DA"}
    level = root({"private": private, "action": "keep", **WHY}, options=(MODIFIED_DATES,))
    assert level.private("US", 0x0019_1001).action is Action.SHIFT_DATE


@pytest.mark.parametrize("name", [CT, "CTImageStorage", "ct image", "CT Image Storage"])
def test_a_sop_class_has_three_names_and_one_version(name: str) -> None:
    ours = profile(overrides=[{"keyword": "StationName", "sop_class": name, "action": "empty"}])
    assert ours.overrides[0].sop_class == CT


@pytest.mark.parametrize(
    ("override", "hint"),
    [
        ({"private": {"creator": "GEMS_PARM_O1", "group": "0043"}, "action": "remove"}, "did you mean GEMS_PARM_01?"),
        ({"private": {"creator": "gems_parm_01 ", "group": "0043"}, "action": "remove"}, ""),
        ({"private": {"creator": "OUR OWN THING", "group": "0043"}, "action": "remove"}, ""),
        ({"keyword": "StationName", "modality": "FOO", "action": "remove"}, "CID 33"),
        ({"keyword": "StationName", "modality": "RTSTRUCT", "action": "remove"}, ""),
    ],
)
def test_what_may_be_misspelt_is_hinted_at_and_not_refused(override: dict[str, Any], hint: str) -> None:
    found = [message for _, message in hints(profile(overrides=[override]))]
    assert len(found) == bool(hint)
    assert hint in "".join(found)


def test_two_overrides_of_the_same_are_refused() -> None:
    assert "about the same" in refusal(
        {"keyword": "StudyDescription", "action": "remove"}, {"tag": "0008,1030", "action": "empty"}
    )


def test_reason_is_not_needed_where_the_options_keep_as_much() -> None:
    root({"keyword": "StudyDescription", "action": "clean"}, options=("clean-descriptors",))
    root({"keyword": "StudyDate", "action": "shift-date"}, options=(MODIFIED_DATES,))
    root({"keyword": "FrameOfReferenceUID", "action": "uid"})


def test_path_through_a_sequence_that_another_override_keeps_is_reached() -> None:
    level = root(
        {"keyword": "OriginalAttributesSequence", "action": "keep", **WHY},
        {"keyword": "ModifyingSystem", "path": "OriginalAttributesSequence", "action": "keep", **WHY},
    )
    assert level.inside(0x0400_0561)[0x0400_0563].action is Action.KEEP
