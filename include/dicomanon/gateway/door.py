"""Stands before every address: who asks, whether too often, and how many at once."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dicomanon.crosswalk.audit.events import SubjectKind
from dicomanon.crosswalk.gateway.showing import Bearer, Use
from dicomanon.errors import DicomanonError
from dicomanon.gateway.bearer import token_digest
from dicomanon.gateway.refusals import (
    METHOD_NOT_ALLOWED,
    TOO_MANY,
    UNAUTHORIZED,
    UNAVAILABLE,
    Refusal,
    refusal_of,
)
from dicomanon.guard import no_values_escape

_log: Final = logging.getLogger(__name__)

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="dicomanon gateway"'}
_WAIT_SECONDS: Final = 30.0
_FAILURES_A_MINUTE: Final = 30


class Door:
    """Middleware that lets through whoever shows a token that is good now.

    Parameters
    ----------
    bearer
        Tells whose a token is, by its digest; asked at each request.
    record
        Commits an entry of the audit trail.
    health
        Path that answers everybody that the gateway is there, and nothing else.
    at_once, at_once_per_token
        Requests that are answered at once; who is beyond the first number waits, beyond the second is sent away.
    a_minute
        Requests of a token.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        bearer: Callable[[bytes], Bearer | None],
        record: Callable[[Use], None],
        health: str,
        at_once: int,
        at_once_per_token: int,
        a_minute: int,
    ) -> None:
        self._app = app
        self._bearer = bearer
        self._record = record
        self._health = health
        self._places = asyncio.Semaphore(at_once)
        self._per_token = at_once_per_token
        self._inside: Counter[bytes] = Counter()
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._a_minute = RateLimitItemPerMinute(a_minute)
        self._failures = RateLimitItemPerMinute(_FAILURES_A_MINUTE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or have it answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        started = False

        async def sent(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        try:
            async with self._let_in(request):
                await self._app(scope, receive, sent)
        except Refusal as refusal:
            if started:
                raise
            await refusal.response()(scope, receive, sent)

    @asynccontextmanager
    async def _let_in(self, request: Request) -> AsyncIterator[None]:
        if request.method != "GET":
            raise Refusal(METHOD_NOT_ALLOWED, "This gateway reads, and nothing else.", {"Allow": "GET"})
        # Not request.url, which is made of the Host header, too: a path can be written into that.
        if request.scope["path"] == self._health:
            yield
            return
        digest = token_digest(request.headers.get("Authorization"))
        if digest is None:
            raise Refusal(UNAUTHORIZED, "Send your token: Authorization: Bearer TOKEN.", _CHALLENGE)
        try:
            bearer = await run_in_threadpool(self._asked, digest)
            if bearer is None:
                await self._turn_away(request, digest)
                raise Refusal(UNAUTHORIZED, "This token is not good, or not any more.", _CHALLENGE)
        except DicomanonError as error:
            raise refusal_of(error) from None
        if not self._limiter.hit(self._a_minute, digest.hex()):
            raise Refusal(TOO_MANY, "Too many requests in a minute.", {"Retry-After": "60"})
        if self._inside[digest] >= self._per_token:
            raise Refusal(TOO_MANY, f"At most {self._per_token} requests at once.", {"Retry-After": "1"})
        request.state.digest, request.state.bearer = digest, bearer
        self._inside[digest] += 1
        try:
            async with self._place():
                yield
        finally:
            self._inside[digest] -= 1
            if not self._inside[digest]:
                del self._inside[digest]

    def _asked(self, digest: bytes) -> Bearer | None:
        with no_values_escape():
            return self._bearer(digest)

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                await self._places.acquire()
        except TimeoutError:
            raise Refusal(UNAVAILABLE, "The gateway is busy. Try again.", {"Retry-After": "5"}) from None
        try:
            yield
        finally:
            self._places.release()

    async def _turn_away(self, request: Request, digest: bytes) -> None:
        """Record that a token was shown which is not good; from one place so often, and then only count it."""
        where = request.client.host if request.client else ""
        if self._limiter.hit(self._failures, "failures", where):
            await run_in_threadpool(self._record, Use(digest, "gateway.refuse", 0, SubjectKind.OTHER, "token"))
        else:
            _log.warning("tokens that are not good come faster than %d a minute", _FAILURES_A_MINUTE)
            raise Refusal(TOO_MANY, "Too many tokens that are not good.", {"Retry-After": "60"})
