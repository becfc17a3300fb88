"""Sends a body while it is made: some pieces in memory, ended when nobody reads it, broken off when it fails."""

import asyncio
import logging
import threading
from collections.abc import Generator
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dicomanon.errors import DicomanonError
from dicomanon.guard import no_values_escape

_AHEAD: Final = 2
"""Pieces that are read from the PACS while the ones before are sent: without, each side waits for the other."""
_log: Final = logging.getLogger(__name__)

Pieces = Generator[bytes, None, None]


class Streamed(Response):
    """A body out of a generator that waits for the PACS, in a thread of its own.

    The first piece is made before this is: what fails until then is an answer of its own. What fails later leaves the
    body without its end, so that no client takes it for whole.

    Parameters
    ----------
    stall_seconds
        How long a piece may wait for the client to take it.
    """

    def __init__(self, pieces: Pieces, media_type: str, *, stall_seconds: float) -> None:
        self._pieces = pieces
        self._first = next(pieces, b"")
        self._stall_seconds = stall_seconds
        self.status_code = 200
        self.media_type = media_type
        self.background = None
        self.init_headers({"Content-Type": media_type})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        ahead = _Ahead(self._pieces, self._first)
        making = asyncio.ensure_future(run_in_threadpool(ahead.make))
        left = asyncio.ensure_future(_disconnected(receive))
        left.add_done_callback(lambda _: ahead.stop())
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            while (piece := await ahead.next()) is not None and not left.done():
                async with asyncio.timeout(self._stall_seconds):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                ahead.sent()
            await making
            if piece is None and not left.done():
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            _log.warning("a client took nothing for %.0f s: its answer is broken off", self._stall_seconds)
        except DicomanonError as error:
            _log.error("an answer is broken off: %s", error)
        finally:
            left.cancel()
            ahead.stop()
            await asyncio.shield(asyncio.wait([making]))


class _Ahead:
    """Pieces on their way from the thread that makes them to the loop that sends them, a few at most."""

    def __init__(self, pieces: Pieces, first: bytes) -> None:
        self._pieces = pieces
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._room = threading.Semaphore(_AHEAD)
        self._stopped = False
        self._ready.put_nowait(first)

    def make(self) -> None:
        """Make them all, unless stopped; in a thread.

        Raises
        ------
        DicomanonError
            One could not be made.
        """
        try:
            with no_values_escape():
                for piece in self._pieces:
                    self._room.acquire()
                    if self._stopped:
                        return
                    self._loop.call_soon_threadsafe(self._ready.put_nowait, piece)
        finally:
            self._pieces.close()
            self._loop.call_soon_threadsafe(self._ready.put_nowait, None)

    async def next(self) -> bytes | None:
        """Return the next one, ``None`` after the last."""
        return await self._ready.get()

    def sent(self) -> None:
        """Make room for another one."""
        self._room.release()

    def stop(self) -> None:
        """Make no more."""
        self._stopped = True
        self._room.release()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
