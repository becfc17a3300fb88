"""A preview in windows of any width: a table where it fits, else each element on lines of its own."""

from io import StringIO

import pytest
from rich.console import Console

from dicomanon.pipeline import preview_text
from dicomanon.pipeline.preview import Preview, PreviewedElement, Value
from dicomanon.values import Phi

LONG = "ReferringPhysicianIdentificationSequence"
RULE = "option retain-longitudinal-modified-dates C"
BEFORE = Value("DA", 8, "characters", Phi("20010203"))


def shown(width: int, monkeypatch: pytest.MonkeyPatch, *, terminal: bool = True) -> list[str]:
    screen = Console(file=StringIO(), width=width, force_terminal=terminal, color_system=None, highlight=False)
    monkeypatch.setattr(preview_text, "out", screen)
    monkeypatch.setattr(preview_text, "say", lambda line="": screen.print(line, markup=False, soft_wrap=True))
    path = (0x0040_0275, 0, 0x0040_0008, 0, 0x0008_0020)
    element = PreviewedElement(path, LONG, "shift-date", RULE, BEFORE, BEFORE, same=False)
    preview_text.show("site@0", Preview((element,), {"shift-date": 1}), changed_only=False, show_values=False)
    text = screen.file.getvalue()
    return [line.rstrip() for line in text.split("the object would")[0].splitlines()[1:]]


def test_a_narrow_window_gets_a_block_for_each_element_with_nothing_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(80, monkeypatch)
    assert max(map(len, lines)) <= 80
    words = " ".join(" ".join(lines).split())
    assert words == (
        f"0040,0275[1] > 0040,0008[1] > 0008,0020 {LONG} shift-date: {RULE} DA, 8 characters -> DA, 8 characters"
    )


def test_a_wide_window_gets_a_table_in_which_only_paths_and_keywords_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(150, monkeypatch)
    assert lines[0].split() == ["path", "keyword", "action", "rule", "before", "after"]
    assert max(map(len, lines)) <= 150
    assert f"shift-date  {RULE}  DA, 8 characters  DA, 8 characters" in lines[1]


def test_a_window_that_is_wide_enough_gets_a_line_for_each_element(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(shown(200, monkeypatch)) == 2
