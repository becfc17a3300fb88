"""What `generate_secrets.py` makes, for the tests that bring parts of the stack up."""

import subprocess
import sys

import pytest
from tests.deploy.compose import ROOT


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables that `generate_secrets.py` wrote."""
    folder = tmp_path_factory.mktemp("secrets")
    subprocess.run(
        [
            sys.executable, ROOT / "deploy" / "generate_secrets.py",
            "--env", folder / ".env", "--keyring", folder / "keyring.json",
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    lines = (folder / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
