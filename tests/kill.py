"""Kills a PostgreSQL server as a power cut would: every process of it at once, nothing is said or written."""

import time
from pathlib import Path

import psutil

from dicomanon.local_stack.postgres import PostgresServer


def postmaster(server: PostgresServer) -> psutil.Process:
    return psutil.Process(int((Path(server.folder) / "data" / "postmaster.pid").read_text().splitlines()[0]))


def kill_server(server: PostgresServer) -> None:
    """SIGKILL the server and its children, of this server alone."""
    parent = postmaster(server)
    family = [parent, *parent.children(recursive=True)]
    for process in family:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(family, timeout=20)
    # The port is free and shared memory let go of only when the last child has gone.
    time.sleep(0.2)
