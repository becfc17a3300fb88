"""The text reader keeps what it does to itself."""

import os
import subprocess
import sys
from pathlib import Path

READS = """
import time
import numpy as np
from dicomanon.deidentify.pixels.reading import text_reader
from dicomanon.deidentify.pixels.views import View
text_reader().read(View(np.zeros((64, 64), np.uint8)))
time.sleep(1)  # What reports does so beside the work.
"""


def test_its_runtime_reports_to_nobody_and_keeps_no_identifier(tmp_path: Path) -> None:
    # These would keep it quiet by themselves, and no worker has them.
    quiet = {"CI", "ORT_DISABLE_TELEMETRY", "ORT_TELEMETRY_DISABLED", "ORT_RUNNING_UNIT_TESTS"}
    home = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "TMPDIR"), str(tmp_path))
    environment = {name: value for name, value in os.environ.items() if name not in quiet} | home
    subprocess.run([sys.executable, "-c", READS], env=environment, check=True, timeout=120)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
