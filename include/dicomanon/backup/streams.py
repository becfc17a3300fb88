"""Encrypts and decrypts on the way: what lies on disk is never in clear, and no more than a piece is in memory.

The format is age (https://age-encryption.org/v1): a fresh key for each file, ChaCha20-Poly1305 in pieces of 64 KiB, the
last one marked, so that a changed, shortened or lengthened file does not open.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pyrage

from dicomanon.backup.key import BackupKey
from dicomanon.errors import Fatal


class _Measured:
    """A file for writing that knows the digest and the size of what was written."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        self.size += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


def encrypt(source: IO[bytes], path: Path, key: BackupKey) -> tuple[str, int]:
    """Encrypt a stream into a new file, forced to disk; return the file's SHA-256 in hexadecimal and its size.

    Raises
    ------
    Fatal
        The file cannot be written.
    """
    with _disk_errors("written"), os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        measured = _Measured(file)
        pyrage.encrypt_io(source, measured, [key.identity.to_public()])
        file.flush()
        os.fsync(file.fileno())
    return measured.digest.hexdigest(), measured.size


def decrypt(path: Path, target: IO[bytes], key: BackupKey) -> None:
    """Decrypt a file into a stream; what was passed on before an error was authentic, and is not all.

    Raises
    ------
    Fatal
        Another key, or a file that was changed or cut short.
    BrokenPipeError
        Whoever reads the stream has ended.
    """
    try:
        with path.open("rb") as file:
            pyrage.decrypt_io(file, target, [key.identity])
    except pyrage.DecryptError:
        raise Fatal("the backup was not encrypted to this key: DICOMANON_BACKUP_KEY_FILE names another one") from None
    except BrokenPipeError:
        raise
    except OSError:
        raise Fatal("the backup cannot be read to its end: it was changed or cut short, or the disk fails") from None


def sha256(path: Path) -> str:
    """Return a file's digest in hexadecimal.

    Raises
    ------
    Fatal
        It cannot be read.
    """
    with _disk_errors("read"), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _disk_errors(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Fatal(f"the backup cannot be {what}: {error.strerror or type(error).__name__}") from None
