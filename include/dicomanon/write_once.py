"""Writes a secret or a proof to a file of its own, whole or not at all, and never over another."""

import os
from pathlib import Path

from dicomanon.errors import Fatal


def write_once(path: Path, content: bytes, what: str) -> None:
    """Write a file of mode 0600 that is not there yet; nobody ever sees a part of it.

    Raises
    ------
    Fatal
        It exists already, or cannot be written.
    """
    incoming = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(incoming, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(incoming, path)  # unlike a rename, it never replaces
        finally:
            incoming.unlink()
    except FileExistsError:
        raise Fatal(f"{what} exists already, and is never overwritten") from None
    except OSError as error:
        raise Fatal(f"{what} cannot be written: {type(error).__name__}") from None
