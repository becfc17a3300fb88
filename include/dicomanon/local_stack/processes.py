"""Background processes that outlive the command that starts them: started, found again, stopped."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from dicomanon.errors import Fatal


def start_detached(
    folder: Path, name: str, arguments: Sequence[str | Path], *, environment: Mapping[str, str] | None = None
) -> int:
    """Start ``arguments`` in a session of its own; output goes to ``folder/name.log``.

    Returns
    -------
    int
        The process id, which ``folder/name.pid`` also holds.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            [str(argument) for argument in arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=dict(environment) if environment is not None else None,
            cwd=folder,
        )
    # The start time tells the process from a later one that was given the same number.
    started = psutil.Process(process.pid).create_time()
    (folder / f"{name}.pid").write_text(f"{process.pid} {started}\n")
    return process.pid


def is_running(folder: Path, name: str) -> bool:
    """Tell whether the process that ``start_detached`` started is still there."""
    return _find(folder, name) is not None


def stop(folder: Path, name: str, *, patience_seconds: float = 20) -> None:
    """Ask the process and its children to end, and end them if they do not; does nothing when there is none."""
    process = _find(folder, name)
    if process is not None:
        family = [process, *process.children(recursive=True)]
        _signal_group(process.pid, signal.SIGTERM)
        _, alive = psutil.wait_procs(family, timeout=patience_seconds)
        for straggler in alive:
            try:
                straggler.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(alive, timeout=5)
    (folder / f"{name}.pid").unlink(missing_ok=True)


def require_running(folder: Path, name: str, title: str) -> None:
    """Refuse to go on when a process has ended by itself.

    Raises
    ------
    Fatal
        It has; the message names the log to read.
    """
    if not is_running(folder, name):
        raise Fatal(f"{title} ended while it was starting: see {folder / f'{name}.log'}")


def wait_until(condition: Callable[[], bool], *, seconds: float, interval: float = 0.25) -> bool:
    """Poll ``condition`` until it is true or the time is over; tell which."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(interval)
    return condition()


def _find(folder: Path, name: str) -> psutil.Process | None:
    try:
        number, started = (folder / f"{name}.pid").read_text().split()
        process = psutil.Process(int(number))
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return None
    if abs(process.create_time() - float(started)) > 1 or process.status() == psutil.STATUS_ZOMBIE:
        return None
    return process


def _signal_group(leader: int, number: signal.Signals) -> None:
    try:
        os.killpg(leader, number)
    except ProcessLookupError:
        return
