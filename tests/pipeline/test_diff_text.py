"""Differences of profiles for people: a few lines that tell how much differs, and all of it on demand."""

from dicomanon.pipeline.diff_text import FEW, diff_lines
from dicomanon.profile.comparing import Difference


def attribute(number: int, second: str = "remove") -> Difference:
    return Difference("attribute", f"(0008,{number:04X}) Attribute{number}", "keep", second, f"then it is {second}")


OPTION = Difference("option", "clean-graphics", "yes", "no", "PS3.15 E.3.3")


def test_attributes_that_differ_alike_share_their_lines() -> None:
    many = [attribute(number) for number in range(FEW + 10)]
    lines = list(diff_lines([OPTION, *many, attribute(99, "empty")], every=False))
    assert lines[:4] == [
        "option clean-graphics: yes / no",
        "  PS3.15 E.3.3",
        f"{FEW + 10} attributes: keep / remove",
        "  then it is remove",
    ]
    assert lines[4].startswith("  (0008,0000) Attribute0, (0008,0001) Attribute1,")
    assert lines[4].endswith(", and 10 more")
    assert lines[5:8] == ["1 attribute: keep / empty", "  then it is empty", "  (0008,0063) Attribute99"]
    assert lines[8:] == [f"they differ in 1 option, {FEW + 11} attributes; --all names every attribute"]


def test_all_are_named_where_all_are_asked_for() -> None:
    many = [attribute(number) for number in range(50)]
    lines = list(diff_lines(many, every=True))
    assert [line.strip() for line in lines[2:-1]] == [one.subject for one in many]
    assert lines[-1] == "they differ in 50 attributes"


def test_nothing_is_left_out_for_want_of_one_more_place() -> None:
    lines = list(diff_lines([attribute(number) for number in range(FEW + 1)], every=False))
    assert "more" not in lines[2]
    assert "--all" not in lines[-1]


def test_of_the_same_there_is_nothing_to_say() -> None:
    assert list(diff_lines([], every=False)) == []
