"""Who may enter: the one browser that opened the printed address first, and only from pages of ours."""

import re
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest

_OUR_HOST = re.compile(r"(127\.0\.0\.1|localhost)(:\d{1,5})?")
"""Whatever the port: a tunnel may have another one at its other end. A name that somebody points here is another."""
_ROOT_BYTES = 12
_SAME_PAGE = frozenset({"same-origin", "none"})


@dataclass(frozen=True, slots=True, repr=False)
class Asked:
    """What a request says of itself; names of headers in lower case."""

    method: str
    headers: Mapping[str, str]
    cookies: Mapping[str, str]


class Door:
    """Lets in whoever has the address, once, and from then on knows them by a cookie.

    Cookies do not tell ports apart: another server on this machine would be sent ours by a browser that visits it, and
    could come back with it. Therefore the cookie is for a path that only our pages know.

    Parameters
    ----------
    port
        Where the page is served.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._token: str | None = secrets.token_urlsafe(32)
        self._spending = threading.Lock()
        self._session = secrets.token_urlsafe(32)
        self.proof = secrets.token_urlsafe(32)
        """What every form of ours carries."""
        self.root = f"/{secrets.token_urlsafe(_ROOT_BYTES)}"
        """What every path of ours begins with."""
        self.cookie = "dicomanon-review"

    def __repr__(self) -> str:
        return f"Door({self._port})"

    @property
    def address(self) -> str:
        """The address to open; it holds a secret, and works once."""
        return f"http://127.0.0.1:{self._port}{self.root}/enter?token={self._token or 'spent'}"

    def enter(self, token: str) -> str | None:
        """Return the value of the cookie for the first who has the token, ``None`` for all others."""
        with self._spending:
            if self._token is None or not _same(token, self._token):
                return None
            self._token = None
        return self._session

    def refusal(self, asked: Asked, *, entering: bool = False) -> str | None:
        """Return why a request is refused, ``None`` if it is not.

        Parameters
        ----------
        entering
            Whether it is the first one, which has no cookie yet and may come from anywhere.
        """
        if not _OUR_HOST.fullmatch(asked.headers.get("host", "")):
            return "this page is served under 127.0.0.1 and localhost only"
        if entering:
            return None if asked.method == "GET" else "the address is opened, not sent to"
        if asked.headers.get("sec-fetch-site", "none") not in _SAME_PAGE:
            return "the request comes from another page"
        if not _same(asked.cookies.get(self.cookie, ""), self._session):
            return "this browser has not opened the address that the command printed"
        if asked.method not in {"GET", "HEAD"} and asked.headers.get("origin") != f"http://{asked.headers['host']}":
            return "the request comes from another page"
        return None

    def is_ours(self, proof: str) -> bool:
        """Tell whether a form is one that we made."""
        return _same(proof, self.proof)


def _same(given: str, expected: str) -> bool:
    return compare_digest(given.encode(), expected.encode())
