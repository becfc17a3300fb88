"""Making, naming and revoking the tokens by which people read through the gateway; each step is in the audit trail."""

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID, uuid4

from dicomanon.crosswalk.access_events import record_access_event
from dicomanon.crosswalk.audit.events import Subject, SubjectKind
from dicomanon.crosswalk.sealed import open_phi, seal_text
from dicomanon.crosswalk.session import Connection, Session
from dicomanon.errors import Fatal
from dicomanon.values import Phi

PREFIX = "dicomanon_"
"""What every token begins with, so that programs which look for secrets in files know one."""
_RANDOM_BYTES = 32

_COLUMNS: LiteralString = """
SELECT t.id, t.project, t.login::text, t.made_by, t.made_at, t.expires_at, t.reason_sealed, r.revoked_by, r.revoked_at,
       t.expires_at <= clock_timestamp(),
       NOT EXISTS (SELECT FROM crosswalk.project_member m
                   WHERE m.project = t.project AND m.login = t.login AND m.added_at <= t.made_at),
       (SELECT e.recorded_at FROM crosswalk.gateway_use u JOIN crosswalk.access_event e ON e.id = u.event_id
        WHERE u.token_id = t.id ORDER BY u.number DESC LIMIT 1),
       crosswalk.has_own_pseudonyms(t.project)
FROM crosswalk.gateway_token t LEFT JOIN crosswalk.gateway_token_revocation r ON r.token_id = t.id
"""


def digest_of(token: str) -> bytes:
    """Return what the crosswalk keeps of a token: its SHA-256. Of 256 random bits nothing slower is needed."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True, slots=True)
class GatewayToken:
    """What is known of a token; not the token.

    Attributes
    ----------
    login
        The project's member who reads by it.
    last_used_at
        When something was last asked for by it, whether it was given or refused.
    is_of_own_pseudonyms
        Whether its project sees other identifiers than the gateway shows.
    """

    id: UUID
    project: str
    login: str
    made_by: str
    made_at: datetime
    expires_at: datetime
    reason: Phi[str] = field(repr=False)
    revoked_by: str | None
    revoked_at: datetime | None
    is_expired: bool
    is_of_former_member: bool
    last_used_at: datetime | None
    is_of_own_pseudonyms: bool

    @property
    def state(self) -> str:
        """Return what it is good for, in a word or two."""
        if self.revoked_at is not None:
            return "revoked"
        if self.is_expired:
            return "expired"
        if self.is_of_own_pseudonyms:
            return "of own pseudonyms"
        return "of a former member" if self.is_of_former_member else "good"


class Tokens:
    """Tokens as admins handle them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def create(
        self, project: str, login: str, *, lifetime: timedelta, actor: str, reason: str
    ) -> tuple[GatewayToken, str]:
        """Make a token; return it together with what nobody can read again: the token itself.

        Parameters
        ----------
        project, login
            A project, and one of its members.
        lifetime
            From now on; how long it may be is the site's to say.

        Raises
        ------
        Fatal
            The login is no member of the project, the project has pseudonyms of its own, or actor or reason is empty.
        """
        _require_said(actor, reason)
        secret = PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
        new = uuid4()
        with self._session.transaction() as connection:
            if connection.execute("SELECT crosswalk.has_own_pseudonyms(%s)", (project,)).fetchone() == (True,):
                raise Fatal(
                    "the project has pseudonyms of its own, and the gateway shows those of the research PACS: give its"
                    " members archives of its releases"
                )
            made = connection.execute(
                "INSERT INTO crosswalk.gateway_token"
                " (id, token_digest, project, login, made_by, reason_sealed, made_at, expires_at)"
                " SELECT %s, %s, m.project, m.login, %s, %s, now, now + %s"
                " FROM crosswalk.project_member m, clock_timestamp() AS now WHERE m.project = %s AND m.login = %s",
                (
                    new,
                    digest_of(secret),
                    actor.strip(),
                    seal_text(self._session.keys.site, "gateway_token.reason", new, reason),
                    lifetime,
                    project,
                    login,
                ),
            ).rowcount
            if not made:
                raise Fatal("a token is for a member of the project: see `dicomanon project members`")
            token = self._named(connection, str(new))
            self._record(connection, actor, "token.create", f"token {new} for {login}: {reason}", token)
        return token, secret

    def all(self, project: str | None = None) -> list[GatewayToken]:
        """Return the tokens of a project, or of all, the newest first."""
        with self._session.transaction() as connection:
            rows = connection.execute(
                _COLUMNS + " WHERE %(project)s::text IS NULL OR t.project = %(project)s ORDER BY t.made_at DESC, t.id",
                {"project": project},
            ).fetchall()
        return [self._opened(row) for row in rows]

    def revoke(self, token: str, *, actor: str, reason: str) -> tuple[GatewayToken, bool]:
        """End a token, at the next request by it; return it, and whether it was not revoked before.

        Parameters
        ----------
        token
            Its id, or the first digits of it.

        Raises
        ------
        Fatal
            There is no such token, there are several, or actor or reason is empty.
        """
        _require_said(actor, reason)
        with self._session.transaction() as connection:
            found = self._named(connection, token)
            sealed = seal_text(self._session.keys.site, "gateway_token_revocation.reason", found.id, reason)
            ended = connection.execute(
                "INSERT INTO crosswalk.gateway_token_revocation (token_id, revoked_by, reason_sealed)"
                " VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                (found.id, actor.strip(), sealed),
            ).rowcount
            self._record(connection, actor, "token.revoke", f"token {found.id}: {reason}", found, count=ended)
            return self._named(connection, str(found.id)), bool(ended)

    def _record(
        self, connection: Connection, actor: str, action: str, reason: str, token: GatewayToken, *, count: int = 1
    ) -> None:
        subject = Subject(SubjectKind.PROJECT, token.project)
        record_access_event(connection, self._session.keys.site, actor, action, reason, count, subject=subject)

    def _named(self, connection: Connection, token: str) -> GatewayToken:
        rows = connection.execute(_COLUMNS + " WHERE starts_with(t.id::text, %s)", (token.strip().lower(),)).fetchall()
        if not token.strip() or not rows:
            raise Fatal("there is no such token: `dicomanon token list` names them by their ids")
        if len(rows) > 1:
            raise Fatal("several tokens begin so: give more digits of the id")
        return self._opened(rows[0])

    def _opened(self, row: tuple[Any, ...]) -> GatewayToken:
        (token_id, project, login, made_by, made_at, expires_at, sealed, *others) = row
        reason = open_phi(self._session.keys.site, "gateway_token.reason", token_id, sealed)
        return GatewayToken(token_id, project, login, made_by, made_at, expires_at, reason, *others)


def _require_said(actor: str, reason: str) -> None:
    if not (actor.strip() and reason.strip()):
        raise Fatal("a token is made and revoked by somebody, for a reason")
