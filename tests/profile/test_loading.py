from pathlib import Path

import pytest

from dicomanon.errors import Fatal
from dicomanon.profile import load_profile, shipped_profiles
from dicomanon.profile.loading import ProfileRefused, parse_profile
from dicomanon.standard.confidentiality import option_names

GOOD = "name: ours\ntitle: Ours\nwhen_to_use: For a test.\noptions: []\n"
OVERRIDES = GOOD + "overrides:\n"
REFUSED = {"clean-recognizable-visual-features"}


def problems(text: str) -> list[str]:
    with pytest.raises(ProfileRefused) as refused:
        parse_profile(text.encode(), "ours.yaml")
    assert all(str(problem) in str(refused.value) for problem in refused.value.problems)
    return [str(problem) for problem in refused.value.problems]


def test_four_profiles_are_shipped_each_with_a_sentence_on_when_to_use_it() -> None:
    assert shipped_profiles() == ("device-qa", "full-dates", "research", "strict")
    for name in shipped_profiles():
        profile = load_profile(name)
        assert profile.name == name
        assert len(profile.when_to_use) > 60
        assert profile.when_to_use.endswith(".")


def test_research_keeps_what_researchers_need() -> None:
    profile = load_profile("research")
    assert profile.options == (
        "clean-descriptors", "clean-graphics", "clean-pixel-data", "clean-structured-content",
        "retain-longitudinal-modified-dates", "retain-patient-characteristics", "retain-safe-private",
    )  # fmt: skip
    assert (profile.maximum_age, profile.birth_date) == (89, "remove")
    assert load_profile("strict").options == ()


def test_full_dates_is_research_with_real_dates() -> None:
    research, full = load_profile("research"), load_profile("full-dates")
    assert {*research.options} ^ {*full.options} == {
        "retain-longitudinal-modified-dates", "retain-longitudinal-full-dates",
    }  # fmt: skip
    assert research.overrides == full.overrides


def test_profile_is_read_from_a_path(tmp_path: Path) -> None:
    path = tmp_path / "ours.yaml"
    path.write_text(GOOD)
    assert load_profile(path).name == "ours"
    assert load_profile(str(path)).name == "ours"


@pytest.mark.parametrize("option", sorted(set(option_names()) - REFUSED))
def test_every_option_but_the_one_that_a_switch_says_is_accepted(option: str) -> None:
    assert parse_profile(GOOD.replace("[]", f"[{option}]").encode(), "ours").options == (option,)


@pytest.mark.parametrize("option", sorted(REFUSED))
def test_option_that_the_engine_does_not_carry_out_is_refused_by_name(option: str) -> None:
    (problem,) = problems(GOOD.replace("[]", f"[{option}]"))
    assert problem.startswith("line 4, column 1: options:")
    assert option in problem


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD + "maximum_ages: 3\n", "line 5, column 1: maximum_ages: no such key; did you mean maximum_age?"),
        (
            GOOD.replace("[]", "[clean-descriptor]"),
            "line 4, column 11: options[0]: no such option of PS3.15; did you mean clean-descriptors?",
        ),
        (
            GOOD.replace("[]", "\n  - retain-uids\n  - keep-all"),
            "line 6, column 5: options[1]: no such option of PS3.15",
        ),
        ("name: ours\ntitle: Ours\noptions: []\n", "line 1, column 1: when_to_use: this key is missing"),
        (GOOD + "birth_date: keep\n", "line 5, column 1: birth_date: one of remove or shift is wanted here"),
        (GOOD.replace("ours", "Our Own"), "line 1, column 1: name: a name is small letters, digits and hyphens"),
        (GOOD.replace("Ours", "''", 1), "line 2, column 1: title: a text is wanted here, and this is empty"),
        (GOOD.replace("Ours", "x" * 121, 1), "line 2, column 1: title: this is too long: 120 characters at most"),
        (GOOD.replace("[]", "all"), "line 4, column 1: options: a list is wanted here"),
        (GOOD + "maximum_age: old\n", "line 5, column 1: maximum_age: a whole number is wanted here"),
        (GOOD + "maximum_age: 0\n", "line 5, column 1: maximum_age: this is too small: 1 at least"),
        (GOOD + "maximum_age: 200\n", "line 5, column 1: maximum_age: this is too large: 130 at most"),
        (
            GOOD + "trust_block_identifying_information: perhaps\n",
            "line 5, column 1: trust_block_identifying_information: yes or no is wanted here",
        ),
        (GOOD + "name: twice\n", "line 5, column 1: name: this key is there twice"),
        (GOOD + "title: &a x\noutside_iod: *a\n", "line 5, column 1: title: this key is there twice"),
        (
            GOOD + "overrides: &a []\nbirth_date: *a\n",
            "line 5, column 12: birth_date: aliases are not allowed: write it out",
        ),
        (
            GOOD.replace("Ours", "!!python/name:os.system Ours"),
            "line 2, column 8: title: explicit types are not allowed",
        ),
        (
            GOOD.replace("[]", "[retain-longitudinal-modified-dates, retain-longitudinal-full-dates]"),
            "line 4, column 1: options: retain-longitudinal-full-dates and retain-longitudinal-modified-dates",
        ),
        (
            OVERRIDES + "  - keyword: StudyDescription\n    action: keep\n",
            "line 6, column 5: overrides[0]: it keeps more than the options do: a reason is needed",
        ),
        (
            OVERRIDES + "  - keyword: StudyDate\n    modalty: CT\n    action: empty\n",
            "line 7, column 5: overrides[0].modalty: no such key; did you mean modality?",
        ),
        (
            OVERRIDES + "  - private: {creator: X, grup: '0019'}\n    action: remove\n",
            "line 6, column 27: overrides[0].private.grup: no such key; did you mean group?",
        ),
        (
            OVERRIDES + "  - private: {creator: X}\n    action: remove\n",
            "line 6, column 5: overrides[0].private.group: this key is missing: all elements of a creator are those",
        ),
        (
            OVERRIDES + "  - private: {creator: X, group: '0019', vr: ZZ}\n    action: remove\n",
            "line 6, column 42: overrides[0].private.vr: PS3.5 6.2 defines no such VR",
        ),
        (
            OVERRIDES + "  - keyword: Rows\n    action: remove\n",
            "line 7, column 5: overrides[0].action: no picture can be read without it",
        ),
        (
            OVERRIDES + "  - keyword: StudyDat\n    action: empty\n",
            "line 6, column 5: overrides[0].keyword: no such attribute; did you mean StudyDate?",
        ),
        (
            OVERRIDES + "  - tag: 0008,0020\n    path: SeriesDate\n    action: empty\n",
            "line 7, column 5: overrides[0].path: part 1 of the path, SeriesDate, is no sequence",
        ),
        (
            OVERRIDES + "  - tag: 0008,0020\n    action: clean\n",
            "line 7, column 5: overrides[0].action: only text can be cleaned; the attribute has VR DA",
        ),
        (
            OVERRIDES + "  - tag: 0008,0020\n    action: drop\n",
            "line 7, column 5: overrides[0].action: one of keep, remove, empty, dummy, clean, scrub, uid, ",
        ),
        (
            OVERRIDES + "  - tag: 8,20\n    action: empty\n",
            "line 6, column 5: overrides[0].tag: a tag is GGGG,EEEE with hexadecimal digits, such as 0008,1030",
        ),
        (
            OVERRIDES + "  - keyword: Study Date\n    modality: mr\n    action: empty\n",
            "line 7, column 5: overrides[0].modality: a modality is capital letters",
        ),
        (
            OVERRIDES + "  - action: remove\n",
            "line 6, column 5: overrides[0]: name the attribute by exactly one of tag, keyword and private",
        ),
        ("- a list\n", "line 1, column 1: file: keys with values are wanted here"),
        ("just words", "line 1, column 1: file: keys with values are wanted here"),
        ("", "line 1, column 1: file: keys with values are wanted here"),
        ("name: [", "line 1, column 7: file: the bracket that opens here is not closed, or a comma is missing"),
        ("options: [a\ntitle: x\n", "line 1, column 10: file: the bracket that opens here is not closed, or a comm"),
        ("a: {b: [c], d: e\nf: g\nh: i\n", "line 1, column 4: file: the bracket that opens here is not closed"),
        ("name: ours\n\ttitle: x\n", "line 2, column 1: file: a tab: YAML wants blanks"),
        ("title: Ours: the first\n", "line 1, column 12: file: a text with a colon and a blank in it has to be in q"),
        ("title: 'Ours\nname: x\n", "line 1, column 8: file: the quote that opens here is not closed"),
        ("title: @ours\n", "line 1, column 8: file: a text that starts with this sign has to be in quotes"),
        ("title: *ours\n", "line 1, column 8: file: aliases are not allowed"),
        ('title: "a\\qb"\n', "line 1, column 11: file: a backslash in double quotes"),
        ("a:\n  - b: c\n d: e\n", "line 3, column 2: file: this does not go on what is above it"),
        ("a: b\n---\nc: d\n", "line 2, column 1: file: one document is wanted"),
        ("a: b\nc: \0\n", "line 2, column 4: file: a character that YAML does not allow"),
        ("? [a, b]\n: c\n", "line 1, column 3: file: a key is a word"),
    ],
)
def test_refusal_names_line_and_column(text: str, expected: str) -> None:
    found = problems(text)
    assert any(problem.startswith(expected) for problem in found), found


def test_all_that_is_wrong_is_told_at_once_in_the_order_of_the_file() -> None:
    found = problems(
        OVERRIDES
        + "  - keyword: StudyDescription\n    action: keep\n"
        + "  - keyword: PatientsName\n    action: keep\n"
        + "  - keyword: StudyDate\n    action: uid\n"
    )
    assert [problem.split(":")[0] for problem in found] == [
        "line 6, column 5", "line 8, column 5", "line 11, column 5",
    ]  # fmt: skip


def test_names_that_there_are_not_are_told_together_with_a_wrong_form() -> None:
    found = problems(
        GOOD.replace("[]", "[clean-descriptor, retain-uids, keep-all]")
        + "birth_date: never\noverrides:\n"
        + "  - {keyword: StudyDat, action: remov}\n"
        + "  - {keyword: StudyTime, path: NoSuchSequenc, actoin: remove}\n"
        + "  - {keyword: Study Date, sop_class: Nothing, action: remove}\n"
        + "  - {private: {creator: X, group: '0019', vr: ZZ}, modality: mr, action: remove}\n"
        + "  - words\n"
    )
    assert [problem.split(": ")[1] for problem in found] == [
        "options[0]", "options[2]", "birth_date", "overrides[0].keyword", "overrides[0].action",
        "overrides[1].action", "overrides[1].path", "overrides[1].actoin", "overrides[2].keyword",
        "overrides[2].sop_class", "overrides[3].private.vr", "overrides[3].modality", "overrides[4]",
    ]  # fmt: skip


def test_all_names_of_an_override_are_looked_at() -> None:
    found = problems(
        OVERRIDES
        + "  - {keyword: StudyDat, path: NoSuchSequenc, sop_class: Nothing, action: remove}\n"
        + "  - {private: {creator: X, group: '0018', vr: ZZ}, path: StudyDate, action: remove}\n"
    )
    assert [problem.split(": ")[1] for problem in found] == [
        "overrides[0].keyword", "overrides[0].path", "overrides[0].sop_class", "overrides[1].private",
    ]  # fmt: skip


@pytest.mark.parametrize("text", [GOOD.replace("name: ours\n", "") + "overrides: none\n", "overrides:\n  - [a]\n"])
def test_overrides_that_are_none_do_not_hide_what_else_is_wrong(text: str) -> None:
    assert any("name: this key is missing" in problem for problem in problems(text))


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("ours", "Zzyzx Quillfeather"),
        GOOD.replace("[]", "[Zzyzx Quillfeather]"),
        GOOD + "birth_date: Zzyzx Quillfeather\n",
        OVERRIDES + "  - keyword: Zzyzx Quillfeather\n    action: remove\n",
        OVERRIDES + "  - private: {creator: X, group: Zzyzx Quillfeather}\n    action: remove\n",
        GOOD + "overrides: Zzyzx Quillfeather\n",
        "Zzyzx Quillfeather",
        "name: 'Zzyzx Quillfeather",
        "name: %Zzyzx Quillfeather",
        "name: *Quillfeather",
        "name: !Quillfeather!x y",
        "name: &Quillfeather &Quillfeather x",
        "name: [Quillfeather\nQuillfeather: x",
        "name: x\nQuillfeather\n",
    ],
)
def test_values_are_not_repeated(text: str) -> None:
    assert "Quillfeather" not in " ".join(problems(text))


def test_tags_and_groups_are_text_however_yaml_would_read_them() -> None:
    text = OVERRIDES + "  - tag: 00100010\n    action: empty\n"
    assert "the system writes this attribute" in problems(text)[0]
    text = (
        GOOD.replace("[]", "[retain-safe-private]")
        + "overrides:\n  - private: {creator: GEMS_PARM_01, group: 0043, element: 27}\n    action: remove\n"
    )
    assert parse_profile(text.encode(), "ours").overrides[0].private is not None


def test_numbers_and_switches_are_typed() -> None:
    text = GOOD.replace("[]", "[retain-patient-characteristics, retain-safe-private]")
    profile = parse_profile(f"{text}maximum_age: null\ntrust_block_identifying_information: yes\n".encode(), "ours")
    assert profile.maximum_age is None
    assert profile.trust_block_identifying_information
    assert "maximum_age" in problems(f"{text}maximum_age: old\n")[0]


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"name: \xe9\n", b"x" * 1_000_001, b"[" * 100_000])
def test_what_is_no_short_text_is_refused(content: bytes) -> None:
    with pytest.raises(ProfileRefused):
        parse_profile(content, "ours")


@pytest.mark.parametrize("name", ["nosuch", "../research", "research.yaml", "/etc/hostname", ""])
def test_unknown_name_is_fatal(name: str) -> None:
    with pytest.raises(Fatal):
        load_profile(name)
