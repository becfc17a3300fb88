"""``dicomanon`` as people type it, each time in a process of its own, which begins with everything imported.

To import takes longer than most commands do. So one process imports everything, once, and a fork of it becomes the
command: with the arguments, environment, folder and files that it is given, and nothing of the test's own process.
"""

import atexit
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from socket import AF_UNIX, SOCK_SEQPACKET, recv_fds, send_fds, socket, socketpair
from tempfile import TemporaryFile
from typing import NoReturn

COMMAND = Path(sys.executable).parent / "dicomanon"
"""For what is about the program itself, or about a process that stays."""

SECONDS = 120
"""After which a command is killed, since it hangs."""

_IMPORTED = (
    "dicomanon.cli",
    "dicomanon.cohort.extract",
    "dicomanon.pipeline.folder",
    "dicomanon.pipeline.runtime",
    "dicomanon.validate.checkpoint",
)
_MOST = 1 << 20
"""Bytes of a request."""
_one_at_a_time = threading.Lock()


def without_settings() -> dict[str, str]:
    """Return the environment without anything that names a site."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("DICOMANON_", "AIRFLOW"))}


def dicomanon(
    *arguments: str | Path, environment: Mapping[str, str] | None = None, cwd: Path | None = None, typed: str = ""
) -> "subprocess.CompletedProcess[str]":
    """Run the command to its end, without a terminal: what it asks for is read from what is typed.

    Parameters
    ----------
    environment, cwd
        Those of the test unless given.
    """
    request = {
        "arguments": [*map(str, arguments)],
        "environment": dict(os.environ if environment is None else environment),
        "cwd": str(cwd or Path.cwd()),
    }
    with TemporaryFile("w+") as given, TemporaryFile("w+") as out, TemporaryFile("w+") as err:
        given.write(typed)
        given.seek(0)
        with _one_at_a_time:
            send_fds(_server(), [json.dumps(request).encode()], [one.fileno() for one in (given, out, err)])
            answer = _server().recv(100)
        assert answer, "the process that commands are forks of has ended"
        out.seek(0)
        err.seek(0)
        done = subprocess.CompletedProcess(request["arguments"], int(answer), out.read(), err.read())
    assert "Traceback" not in done.stdout + done.stderr
    return done


@cache
def _server() -> socket:
    ours, its = socketpair(AF_UNIX, SOCK_SEQPACKET)
    # Not this folder before the standard library's: it has a site.py, too.
    process = subprocess.Popen(
        [sys.executable, "-P", __file__, str(its.fileno())],
        env=without_settings(), pass_fds=[its.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    its.close()
    atexit.register(process.wait)
    atexit.register(ours.close)
    return ours


def _serve(channel: socket) -> None:
    for module in _IMPORTED:
        import_module(module)
    # What is here is not looked at again by a collection, which would copy it into every fork.
    gc.freeze()
    while True:
        message, files, *_ = recv_fds(channel, _MOST, 3)
        if not message:
            return
        child = os.fork()
        if not child:
            channel.close()
            _become(files, **json.loads(message))
        for file in files:
            os.close(file)
        channel.send(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())


def _become(files: list[int], arguments: list[str], environment: dict[str, str], cwd: str) -> NoReturn:
    """Be the command from here on."""
    from dicomanon.cli import main

    os.setsid()
    signal.alarm(SECONDS)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["dicomanon", *arguments]
    status = 1
    try:
        with open(0) as sys.stdin, open(1, "w") as sys.stdout, open(2, "w", errors="backslashreplace") as sys.stderr:
            try:
                main()
            except SystemExit as end:
                status = end.code
            except BaseException:
                traceback.print_exc()
            atexit._run_exitfuncs()
    finally:
        # Not the interpreter's own end, which takes every module apart.
        os._exit(status)


if __name__ == "__main__":
    _serve(socket(fileno=int(sys.argv[1])))
