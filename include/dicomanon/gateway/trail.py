"""Records every request before it is answered: whatever waits is one transaction, and who asked waits for its end.

An entry at a time would be a wait for the disk at a time, of which the database has a few hundred a second
(docs/decisions/0013); together they are as many as there are requests. Nothing waits in memory for later, so nothing is
lost when the process ends, and nothing leaves while the trail cannot be written.
"""

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Final, Self

from dicomanon.crosswalk.gateway.showing import Use
from dicomanon.errors import DicomanonError, Fatal
from dicomanon.guard import no_values_escape

_MOST_AT_ONCE: Final = 500


class Trail:
    """The audit trail as the gateway writes it; for any number of threads.

    Parameters
    ----------
    write
        Commits entries, all or none.
    """

    def __init__(self, write: Callable[[Sequence[Use]], None]) -> None:
        self._write = write
        self._waiting: queue.SimpleQueue[tuple[Use, Future[None]] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._is_open = False
        self._writer = threading.Thread(target=self._work, name="audit trail", daemon=True)

    def __enter__(self) -> Self:
        self._is_open = True
        self._writer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Write what waits, and take no more."""
        with self._lock:
            self._is_open = False
            self._waiting.put(None)
        self._writer.join()

    def record(self, use: Use) -> None:
        """Return when the entry is committed.

        Raises
        ------
        Retriable, Fatal
            It is not in the trail, or nobody knows: nothing may be given out.
        """
        done: Future[None] = Future()
        with self._lock:
            if not self._is_open:
                raise Fatal("the gateway ends: nothing is recorded any more")
            self._waiting.put((use, done))
        done.result()

    def _work(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch = [first]
            ending = False
            while len(batch) < _MOST_AT_ONCE:
                try:
                    following = self._waiting.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    ending = True
                    break
                batch.append(following)
            self._commit(batch)
            if ending:
                return

    def _commit(self, batch: Sequence[tuple[Use, "Future[None]"]]) -> None:
        try:
            with no_values_escape():
                self._write([use for use, _ in batch])
        except DicomanonError as error:
            for _, done in batch:
                done.set_exception(error)
        else:
            for _, done in batch:
                done.set_result(None)
