"""What the stack says of the profile that it is started with, as far as only the crosswalk knows it."""

from pathlib import Path

import pytest

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.errors import Fatal
from dicomanon.local_stack import stack
from dicomanon.local_stack.config import StackConfig
from dicomanon.profile import load_profile

OWN = "name: site\ntitle: Ours\nwhen_to_use: For a test.\noptions: []\n"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DICOMANON_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "state").mkdir()
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "site.yaml"
    path.write_text(OWN)
    return path


def warnings(
    choices: dict[str, str], crosswalk_dsn: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    with Crosswalk(crosswalk_dsn, keyring) as crosswalk:
        crosswalk.migrate()
    monkeypatch.setattr(stack, "pipeline_environment", lambda _: {"DICOMANON_CROSSWALK_DSN": crosswalk_dsn})
    said: list[str] = []
    stack._tell_if_no_profile(StackConfig(choices=choices), keyring, said.append)
    return said


@pytest.mark.parametrize(
    ("choices", "warning"),
    [
        ({}, ""),
        ({"DICOMANON_PROFILE": "strict", "DICOMANON_PROFILE_APPROVALS": "2"}, ""),
        (
            {"DICOMANON_PROFILE": "site@0123456789ab"},
            "warning: nothing will be de-identified: no profile site@0123456789ab",
        ),
        (
            {"DICOMANON_PROFILE": "site.yaml", "DICOMANON_PROFILE_APPROVALS": "2"},
            "warning: nothing will be de-identified: profile {version} is not published",
        ),
    ],
)
def test_profile_that_the_crosswalk_does_not_have_is_warned_of(
    choices: dict[str, str],
    warning: str,
    file: Path,
    crosswalk_dsn: str,
    keyring: Keyring,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = warnings(choices, crosswalk_dsn, keyring, monkeypatch)
    assert len(said) == bool(warning)
    assert "".join(said).startswith(warning.format(version=load_profile(file).version))


def test_profile_file_is_kept_with_its_whole_path_since_tasks_run_elsewhere(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DICOMANON_PROFILE", "site.yaml")
    assert stack._chosen(StackConfig()).choices["DICOMANON_PROFILE"] == str(file)


def test_profile_that_is_none_is_refused_and_not_kept(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICOMANON_PROFILE", "nowhere.yaml")
    with pytest.raises(Fatal, match=r"no profile 'nowhere\.yaml'"):
        stack._chosen(StackConfig())
    assert not StackConfig.path().exists()
