"""A private folder of events, one JSON line each: several processes append, one loads, and it stays bounded.

``events.jsonl`` is written to; grown large, or taken up by a loader, it is closed and moved to ``waiting/``, and to
``loaded/`` once it is in the crosswalk. A line that cannot be read is kept in ``damaged.jsonl``.
"""

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

log = logging.getLogger(__name__)

_ACTIVE: Final = "events.jsonl"
_DAMAGED: Final = "damaged.jsonl"
_MEGABYTE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class EventFiles:
    """The folder, and how much may be in it.

    Parameters
    ----------
    segment_megabytes
        A file that would grow beyond this is closed.
    segments
        Most closed files; the oldest go first, loaded ones before others.
    """

    folder: Path
    segment_megabytes: int = 8
    segments: int = 32

    def append(self, line: bytes) -> None:
        """Add a line, whole: nobody else's comes between, and a line that somebody left unfinished stays alone.

        Raises
        ------
        OSError
            The folder cannot be written.
        """
        with self._locked("write"):
            active = self.folder / _ACTIVE
            if active.exists() and active.stat().st_size + len(line) > self.segment_megabytes * _MEGABYTE:
                self._close(active)
            _append(active, line)

    def close_active(self) -> list[Path]:
        """Close the file that is written to, and return all that wait to be loaded, the oldest first."""
        with self._locked("write"):
            active = self.folder / _ACTIVE
            if active.exists() and active.stat().st_size:
                self._close(active)
            return _sorted(self._made("waiting"))

    def mark_loaded(self, segment: Path) -> None:
        """Move a file that is in the crosswalk out of the way."""
        with self._locked("write"):
            segment.rename(self._made("loaded") / segment.name)
            self._drop_oldest()

    def keep_damaged(self, line: bytes) -> None:
        """Keep a line that cannot be read, for somebody to look at; nothing removes it."""
        with self._locked("write"):
            _append(self.folder / _DAMAGED, line)

    @contextmanager
    def one_loader(self) -> Iterator[bool]:
        """Give ``True`` to one process at a time, ``False`` to others meanwhile."""
        with self._opened_lock("load") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def _close(self, active: Path) -> None:
        active.rename(self._made("waiting") / f"{time.time_ns():020d}-{os.getpid()}.jsonl")
        self._drop_oldest()

    def _drop_oldest(self) -> None:
        loaded, waiting = _sorted(self._made("loaded")), _sorted(self._made("waiting"))
        surplus = max(0, len(loaded) + len(waiting) - self.segments)
        for segment in (*loaded, *waiting)[:surplus]:
            segment.unlink()
        unread = surplus - len(loaded)
        if unread > 0:
            log.warning("%d files of OpenLineage events went unread: the folder is full, load it more often", unread)

    def _made(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        with self._opened_lock(name) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _opened_lock(self, name: str) -> Iterator[BinaryIO]:
        self.folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        with _private(self.folder / f".{name}.lock") as lock:
            yield lock


def _append(file: Path, line: bytes) -> None:
    with _private(file) as stream:
        size = stream.seek(0, os.SEEK_END)
        if size and os.pread(stream.fileno(), 1, size - 1) != b"\n":
            stream.write(b"\n")
        stream.write(line.rstrip(b"\n") + b"\n")


def _private(file: Path) -> BinaryIO:
    """Open for appending and reading; made readable by its owner alone, whatever the umask is."""
    return os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "ab+")


def _sorted(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.jsonl"))
