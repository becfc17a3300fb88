"""``dicomanon status`` names the profile in force, or why there is none."""

from pathlib import Path

import pytest

from dicomanon.crosswalk.database import Crosswalk
from dicomanon.crosswalk.keyring import Keyring
from dicomanon.pipeline.overview import overview
from dicomanon.profile import load_profile


@pytest.mark.parametrize(
    ("profile", "said"),
    [("strict", load_profile("strict").version), ("site@0123456789ab", "no profile site@0123456789ab comes with")],
)
def test_profile_in_force_is_named_also_where_no_pacs_answers(
    profile: str, said: str, crosswalk_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = tmp_path / "keyring.json"
    Keyring.generate(keys)
    with Crosswalk(crosswalk_dsn, Keyring.load(keys)) as crosswalk:
        crosswalk.migrate()
    variables = {
        "PROFILE": profile, "CROSSWALK_DSN": crosswalk_dsn, "KEYRING_FILE": str(keys),
        "STAGING_DIR": str(tmp_path), "DATA_DOCS_DIR": str(tmp_path), "RELEASE_DIR": str(tmp_path),
    }  # fmt: skip
    for pacs in ("CLINICAL", "RESEARCH"):
        variables |= {
            f"{pacs}__NAME": pacs.lower(), f"{pacs}__URL": "http://127.0.0.1:1/dicom-web",
            f"{pacs}__USERNAME": "pipeline", f"{pacs}__PASSWORD": "none",
        }  # fmt: skip
    for name, value in variables.items():
        monkeypatch.setenv(f"DICOMANON_{name}", value)
    report = overview()
    assert str(report["profile"]).startswith(said)
    assert report["studies"] == 0
    assert report["clinical PACS"] != "answers"
