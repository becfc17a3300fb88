"""What the gateway says when it does not give what was asked for: a status of HTTP, and words without values."""

from collections.abc import Mapping
from typing import Final

from starlette.responses import JSONResponse, Response

from dicomanon.errors import DicomanonError, Held, Retriable

BAD_REQUEST: Final = 400
UNAUTHORIZED: Final = 401
NOT_FOUND: Final = 404
METHOD_NOT_ALLOWED: Final = 405
NOT_ACCEPTABLE: Final = 406
TOO_MUCH: Final = 413
TOO_MANY: Final = 429
INTERNAL: Final = 500
BAD_GATEWAY: Final = 502
UNAVAILABLE: Final = 503

_TITLES: Final = {
    BAD_REQUEST: "Bad Request",
    UNAUTHORIZED: "Unauthorized",
    NOT_FOUND: "Not Found",
    METHOD_NOT_ALLOWED: "Method Not Allowed",
    NOT_ACCEPTABLE: "Not Acceptable",
    TOO_MUCH: "Payload Too Large",
    TOO_MANY: "Too Many Requests",
    INTERNAL: "Internal Server Error",
    BAD_GATEWAY: "Bad Gateway",
    UNAVAILABLE: "Service Unavailable",
}
_COME_AGAIN_SECONDS: Final = "5"


class Refusal(Exception):
    """An answer instead of the one that was asked for.

    Parameters
    ----------
    status
        Of HTTP, as PS3.18 8.5 uses it.
    detail
        For the person who asked; never a value that came with the request or out of an object.
    """

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """Return it as problem details (RFC 9457)."""
        body = {"type": "about:blank", "title": _TITLES[self.status], "status": self.status, "detail": self.detail}
        return JSONResponse(body, self.status, self.headers, media_type="application/problem+json")


def nothing_there() -> Refusal:
    """Return the one answer for what does not exist and for what is not shown: they cannot be told apart."""
    return Refusal(NOT_FOUND, "There is nothing here that your token shows.")


def refusal_of(error: DicomanonError) -> Refusal:
    """Return what an error of ours is to the person who asked."""
    if isinstance(error, Retriable):
        return Refusal(UNAVAILABLE, f"{error}. Try again.", {"Retry-After": _COME_AGAIN_SECONDS})
    if isinstance(error, Held):
        return Refusal(BAD_GATEWAY, "The research PACS does not have what was released: tell its administrators.")
    return Refusal(BAD_GATEWAY, f"{error}. Tell the administrators of this gateway.")
