"""Detached processes are found again, told from strangers with the same number, and stopped with their children."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from tests.patience import HUNG

from dicomanon.errors import Fatal
from dicomanon.local_stack import processes

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
DEAF = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)",
]
PARENT = [
    sys.executable,
    "-c",
    "import subprocess, sys, time; child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],"
    " start_new_session=True); print(child.pid, flush=True); time.sleep(60)",
]


def eventually(condition: Callable[[], bool]) -> bool:
    return processes.wait_until(condition, seconds=10, interval=0.02)


def test_a_started_process_is_found_by_another_process(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from dicomanon.local_stack.processes import start_detached; "
        "print(start_detached(Path(sys.argv[1]), 'sleeper', sys.argv[2:]))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), *SLEEP], capture_output=True, text=True, check=True
    )
    assert processes.is_running(tmp_path, "sleeper")
    processes.stop(tmp_path, "sleeper")
    assert not psutil.pid_exists(int(said.stdout))
    assert not processes.is_running(tmp_path, "sleeper")


def test_its_output_and_environment_are_its_own(tmp_path: Path) -> None:
    program = "import os; print(sorted(os.environ))"
    processes.start_detached(tmp_path, "speaker", [sys.executable, "-c", program], environment={"ONLY": "this"})
    assert eventually(lambda: "ONLY" in (tmp_path / "speaker.log").read_text())
    assert "HOME" not in (tmp_path / "speaker.log").read_text()
    processes.stop(tmp_path, "speaker")


def test_stopping_ends_children_in_sessions_of_their_own(tmp_path: Path) -> None:
    processes.start_detached(tmp_path, "parent", PARENT)
    assert eventually(lambda: (tmp_path / "parent.log").read_text().strip().isdigit())
    child = int((tmp_path / "parent.log").read_text())
    assert psutil.pid_exists(child)
    processes.stop(tmp_path, "parent", patience_seconds=0.5)
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_a_process_that_ignores_the_request_is_ended(tmp_path: Path) -> None:
    number = processes.start_detached(tmp_path, "deaf", DEAF)
    assert eventually(lambda: "deaf" in (tmp_path / "deaf.log").read_text())
    started = time.monotonic()
    processes.stop(tmp_path, "deaf", patience_seconds=0.3)
    assert time.monotonic() - started < HUNG
    assert not psutil.pid_exists(number)


def test_stopping_what_is_not_there_does_nothing(tmp_path: Path) -> None:
    processes.stop(tmp_path, "nobody")
    assert not processes.is_running(tmp_path, "nobody")


@pytest.mark.parametrize("content", ["", "rubbish", "12 words and more", "999999999 1.0"])
def test_a_pid_file_that_leads_nowhere_means_not_running(tmp_path: Path, content: str) -> None:
    (tmp_path / "old.pid").write_text(content)
    assert not processes.is_running(tmp_path, "old")
    processes.stop(tmp_path, "old")
    assert not (tmp_path / "old.pid").exists()


def test_a_stranger_with_the_number_of_an_old_process_is_left_alone(tmp_path: Path) -> None:
    stranger = subprocess.Popen(SLEEP)
    try:
        started = psutil.Process(stranger.pid).create_time()
        (tmp_path / "old.pid").write_text(f"{stranger.pid} {started - 3600}\n")
        assert not processes.is_running(tmp_path, "old")
        processes.stop(tmp_path, "old")
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_fatal_names_the_log_of_a_process_that_ended_by_itself(tmp_path: Path) -> None:
    processes.start_detached(tmp_path, "brief", [sys.executable, "-c", "raise SystemExit(1)"])
    assert eventually(lambda: not processes.is_running(tmp_path, "brief"))
    with pytest.raises(Fatal, match=r"The brief one ended while it was starting: see .*brief\.log"):
        processes.require_running(tmp_path, "brief", "The brief one")


def test_waiting_ends_with_the_time(tmp_path: Path) -> None:
    assert processes.wait_until(lambda: True, seconds=0)
    assert not processes.wait_until(lambda: False, seconds=0.05, interval=0.01)


def test_the_folder_is_private(tmp_path: Path) -> None:
    processes.start_detached(tmp_path / "new", "sleeper", SLEEP)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "new").stat().st_uid == os.geteuid()
    processes.stop(tmp_path / "new", "sleeper")
