"""The token of a request (RFC 6750): in its header and nowhere else, for addresses are written into logs."""

import re
from typing import Final

from dicomanon.crosswalk.gateway.tokens import PREFIX, digest_of

_TOKEN: Final = re.compile(r"bearer +(" + PREFIX + r"[0-9A-Za-z_-]{20,128})", re.IGNORECASE)


def token_digest(authorization: str | None) -> bytes | None:
    """Return the digest of the token that a header shows; ``None`` where it shows none."""
    found = _TOKEN.fullmatch((authorization or "").strip())
    return digest_of(found[1]) if found else None
