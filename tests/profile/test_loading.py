from pathlib import Path

import pytest

from dicomanon.errors import Fatal
from dicomanon.profile import load_profile, shipped_profiles
from dicomanon.standard.confidentiality import option_names

GOOD = "name: ours\ntitle: Ours\nwhen_to_use: For a test.\noptions: []\n"


def test_research_and_strict_are_shipped() -> None:
    assert shipped_profiles() == ("research", "strict")
    assert load_profile("research").options == ("retain-longitudinal-modified-dates",)
    assert load_profile("strict").options == ()


def test_profile_is_read_from_a_path(tmp_path: Path) -> None:
    path = tmp_path / "ours.yaml"
    path.write_text(GOOD)
    assert load_profile(path).name == "ours"
    assert load_profile(str(path)).name == "ours"


@pytest.mark.parametrize("option", sorted(set(option_names()) - {"retain-longitudinal-modified-dates"}))
def test_option_that_the_engine_does_not_carry_out_is_refused_by_name(option: str, tmp_path: Path) -> None:
    path = tmp_path / "ours.yaml"
    path.write_text(GOOD.replace("[]", f"[{option}]"))
    with pytest.raises(Fatal, match=option):
        load_profile(path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a list",
        "name: [",
        GOOD + "extra: 1\n",
        GOOD.replace("ours", "Not A Name"),
        GOOD.replace("[]", "[no-such-option]"),
        GOOD.replace("[]", "[retain-longitudinal-modified-dates, retain-longitudinal-modified-dates]"),
        "name: ours\n",
        "!!python/object/apply:os.system ['true']",
    ],
)
def test_file_of_another_form_is_fatal(text: str, tmp_path: Path) -> None:
    path = tmp_path / "ours.yaml"
    path.write_text(text)
    with pytest.raises(Fatal):
        load_profile(path)


@pytest.mark.parametrize("name", ["nosuch", "../research", "research.yaml", "/etc/hostname", ""])
def test_unknown_name_is_fatal(name: str) -> None:
    with pytest.raises(Fatal):
        load_profile(name)
