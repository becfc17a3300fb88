"""What README shows, run as it is there."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.gateway.conftest import World

from dicomanon.local_stack.config import REPOSITORY


def test_the_part_for_programs_works(
    world: World, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (REPOSITORY / "README.md").read_text()
    (program,) = (block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "DICOMwebClient" in block)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "token.txt").write_text(world.token())
    mine = world.given["LUNG"]
    manifest = pd.DataFrame(
        {
            "StudyInstanceUID": [one.study for one in mine],
            "SeriesInstanceUID": [one.series for one in mine],
            "Modality": "CT",
        }
    )
    names: dict[str, Any] = {"manifest": manifest}
    exec(program.replace("http://127.0.0.1:8044/dicom-web", address), names)
    assert isinstance(names["volume"], np.ndarray)
    assert names["volume"].shape == (3, 32, 32)
    assert len(names["Volumes"](manifest)) == 2
