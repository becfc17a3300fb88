"""Runs PostgreSQL's own programs: their login goes by environment, and nothing of what they say is passed on.

What ``pg_dump`` and ``pg_restore`` print may quote a row. Only what matches :data:`_KNOWN` is told, in our words.
"""

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import psycopg

from dicomanon.errors import DicomanonError, Fatal, Retriable
from dicomanon.local_stack.postgres import BINARIES

_KNOWN: tuple[tuple[re.Pattern[bytes], type[DicomanonError], str], ...] = (
    (
        re.compile(rb"SSL support is not compiled in"),
        Fatal,
        "it speaks no TLS, and the server wants it: DICOMANON_BACKUP_PROGRAMS names a folder of one that does",
    ),
    (
        re.compile(rb"server version mismatch"),
        Fatal,
        "the server is newer than this version's programs: upgrade DICOManon",
    ),
    (
        re.compile(rb"role \"[^\"]*\" does not exist"),
        Fatal,
        "the server lacks a role that the backup grants something to: make the site's roles first",
    ),
    (re.compile(rb"permission denied|must be owner"), Fatal, "the login may not do this: use the one that owns it"),
    (re.compile(rb"already exists"), Fatal, "something of the same name is there already: restore into an empty place"),
    (re.compile(rb"No space left on device"), Fatal, "the disk is full"),
    (re.compile(rb"connection to server|terminating connection"), Retriable, "the database cannot be reached"),
    (re.compile(rb"lock timeout|canceling statement"), Retriable, "the database is busy"),
)


def connection_environment(dsn: str) -> dict[str, str]:
    """Return the variables by which libpq knows where to connect: arguments would show in the list of processes.

    Raises
    ------
    Fatal
        The connection string cannot be read; its text is not repeated.
    """
    try:
        options = psycopg.pq.Conninfo.parse(dsn.encode())
    except psycopg.Error:
        raise Fatal("DICOMANON_CROSSWALK_DSN is no connection string of PostgreSQL") from None
    return {
        option.envvar.decode(): option.val.decode()
        for option in options
        if option.val is not None and option.envvar is not None
    }


@contextlib.contextmanager
def running(
    program: str, arguments: Sequence[str], dsn: str, folder: Path = BINARIES
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program with pipes at both ends; killed when the block is left by an exception.

    Parameters
    ----------
    folder
        Where the program is.

    Raises
    ------
    Fatal, Retriable
        It failed.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    with _scratch() as said:
        process = subprocess.Popen(
            [str(folder / program), "--no-password", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            env=environment | connection_environment(dsn) | {"PGAPPNAME": "dicomanon", "LC_ALL": "C"},
            cwd="/",
        )
        with process:
            try:
                yield process
                _close(process.stdin)
            except BrokenPipeError:
                # It ended before it had read everything; what it said tells why.
                pass
            except BaseException:
                process.kill()
                raise
        os.lseek(said, 0, os.SEEK_SET)
        text = os.read(said, 1 << 20)
    if process.returncode:
        raise _failure(program, process.returncode, text)


def _close(stream: IO[bytes] | None) -> None:
    if stream is not None:
        stream.close()


def _failure(program: str, status: int, text: bytes) -> DicomanonError:
    for pattern, kind, message in _KNOWN:
        if pattern.search(text):
            return kind(f"{program}: {message}")
    return Fatal(f"{program} failed with status {status}; what it said may quote rows and is not kept")


@contextlib.contextmanager
def _scratch() -> Iterator[int]:
    descriptor = os.memfd_create("postgres-messages")
    try:
        yield descriptor
    finally:
        os.close(descriptor)
