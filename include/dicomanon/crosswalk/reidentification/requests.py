"""Asking, deciding and showing; each step is committed with its entry of the audit trail, or not at all."""

import re
from typing import Any, LiteralString
from uuid import UUID, uuid4

from dicomanon.crosswalk.access_events import record_access_event
from dicomanon.crosswalk.audit.events import Subject, SubjectKind
from dicomanon.crosswalk.reidentification.request import ReidentificationRequest, RequestState
from dicomanon.crosswalk.reidentification.source_value import source_value, subject_of
from dicomanon.crosswalk.sealed import open_phi, seal_text
from dicomanon.crosswalk.session import Connection, Session
from dicomanon.errors import Fatal
from dicomanon.values import Phi

_LOCK_SPACE = 0x0D1E
_FIRST_DIGITS = re.compile(r"[0-9a-f-]{4,36}")

_COLUMNS: LiteralString = (
    "SELECT r.id, r.kind, r.identifier, r.requested_by, r.requested_at, r.expires_at, r.ticket_sealed, r.reason_sealed,"
    " d.decision, d.decided_by, d.decided_at, s.shown_at, clock_timestamp() >= r.expires_at"
    " FROM crosswalk.reidentification_request r"
    " LEFT JOIN crosswalk.reidentification_decision d ON d.request_id = r.id"
    " LEFT JOIN crosswalk.reidentification_showing s ON s.request_id = r.id"
)


class Reidentification:
    """The way back for one identifier at a time; rules of who and when are kept by triggers of the database, too."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def ask(
        self, identifier: str, *, actor: str, reason: str, ticket: str, hours: int, per_day: int
    ) -> ReidentificationRequest:
        """Ask for what is behind a pseudonym or a research UID.

        Parameters
        ----------
        hours
            How long it may be decided and shown.
        per_day
            How many requests a person may make in 24 hours, whatever becomes of them.

        Raises
        ------
        Fatal
            Actor, reason or ticket is empty, the identifier is unknown, or the person has asked too often; that is an
            entry of the trail, too.
        """
        if not (actor.strip() and reason.strip() and ticket.strip()):
            raise Fatal("a re-identification is asked for by somebody, for a reason, with a ticket")
        with self._session.transaction() as connection:
            subject = subject_of(connection, identifier)
            if self._has_asked(connection, actor) < per_day:
                row = self._enter(connection, subject, actor.strip(), reason, ticket, hours)
                return self._of(connection, row)
            self._record(connection, actor, "reidentify.limited", reason, subject)
        raise Fatal(f"you have asked for {per_day} re-identifications in 24 hours, which is all that this site allows")

    def all(self, *, actor: str) -> list[ReidentificationRequest]:
        """Return all requests, the newest first; that somebody read them is recorded before."""
        with self._session.transaction() as connection:
            self._record(connection, actor, "reidentify.list", "requests with their reasons", None)
        with self._session.transaction() as connection:
            rows = connection.execute(_COLUMNS + " ORDER BY r.requested_at DESC, r.id").fetchall()
        return [self._opened(row) for row in rows]

    def decide(self, request: str, *, approved: bool, actor: str, reason: str) -> ReidentificationRequest:
        """Approve or refuse a request; whoever asked may refuse it, which takes it back, and not approve it.

        Parameters
        ----------
        request
            Its id, or the first digits of it.

        Raises
        ------
        Fatal
            There is no such request, it was decided or has expired, or it is the actor's own.
        """
        if not (actor.strip() and reason.strip()):
            raise Fatal("a request is decided by somebody, for a reason")
        with self._session.transaction() as connection:
            found = self._named(connection, request)
            if found.state is not RequestState.ASKED:
                raise Fatal(f"this request is {found.state}: there is nothing to decide")
            if approved and _same(found.requested_by, actor):
                raise Fatal("nobody approves what they asked for: a second person has to")
            action = "reidentify.approve" if approved else "reidentify.refuse"
            event = self._record(connection, actor, action, f"request {found.id}: {reason}", found.subject)
            connection.execute(
                "INSERT INTO crosswalk.reidentification_decision"
                " (request_id, decision, decided_by, reason_sealed, event_id) VALUES (%s, %s, %s, %s, %s)",
                (
                    found.id,
                    "approved" if approved else "refused",
                    actor.strip(),
                    seal_text(self._session.keys.site, "reidentification_decision.reason", found.id, reason),
                    event,
                ),
            )
            return self._of(connection, found.id)

    def show(self, request: str, *, actor: str) -> tuple[ReidentificationRequest, Phi[str]]:
        """Return the value behind an approved request, once, to who asked.

        That it was shown is committed before the value is opened: should that fail, the request is used up.

        Raises
        ------
        Fatal
            There is no such request, it is not approved, was shown, has expired, or is somebody else's.
        """
        with self._session.transaction() as connection:
            found = self._named(connection, request)
            if not _same(found.requested_by, actor):
                raise Fatal("it is shown to who asked for it, and to nobody else")
            if found.state is not RequestState.APPROVED:
                raise Fatal(f"this request is {found.state}: there is nothing to show; ask for it anew")
            event = self._record(connection, actor, "reidentify.show", f"request {found.id}", found.subject)
            connection.execute(
                "INSERT INTO crosswalk.reidentification_showing (request_id, shown_to, event_id) VALUES (%s, %s, %s)",
                (found.id, actor.strip(), event),
            )
        with self._session.transaction() as connection:
            return self._of(connection, found.id), source_value(connection, self._session.keys, found.subject)

    def _has_asked(self, connection: Connection, actor: str) -> int:
        person = actor.strip().lower()
        # One at a time for a person: two requests at once would both see room for one.
        connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (_LOCK_SPACE, person))
        row = connection.execute(
            "SELECT count(*) FROM crosswalk.reidentification_request"
            " WHERE lower(requested_by) = %s AND requested_at > clock_timestamp() - interval '24 hours'",
            (person,),
        ).fetchone()
        return row[0] if row else 0

    def _enter(
        self, connection: Connection, subject: Subject, actor: str, reason: str, ticket: str, hours: int
    ) -> UUID:
        site, row = self._session.keys.site, uuid4()
        event = self._record(connection, actor, "reidentify.ask", f"request {row}, ticket {ticket}: {reason}", subject)
        connection.execute(
            "INSERT INTO crosswalk.reidentification_request"
            " (id, kind, identifier, requested_by, ticket_sealed, reason_sealed, hours, event_id)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            (
                row,
                subject.kind.value,
                subject.id,
                actor,
                seal_text(site, "reidentification_request.ticket", row, ticket),
                seal_text(site, "reidentification_request.reason", row, reason),
                hours,
                event,
            ),
        )
        return row

    def _named(self, connection: Connection, request: str) -> ReidentificationRequest:
        text = request.strip().lower()
        if not _FIRST_DIGITS.fullmatch(text):
            raise Fatal("a request is named by its id, or the first four digits of it or more")
        rows = connection.execute(_COLUMNS + " WHERE starts_with(r.id::text, %s)", (text,)).fetchall()
        if len(rows) != 1:
            raise Fatal("more than one request begins like that" if rows else "there is no such request")
        return self._opened(rows[0])

    def _of(self, connection: Connection, row: UUID) -> ReidentificationRequest:
        return self._named(connection, str(row))

    def _record(self, connection: Connection, actor: str, action: str, reason: str, subject: Subject | None) -> UUID:
        return record_access_event(
            connection, self._session.keys.site, actor.strip(), action, reason, 1, subject=subject
        )

    def _opened(self, row: tuple[Any, ...]) -> ReidentificationRequest:
        number, kind, identifier, who, asked, expires, ticket, reason, decision, decided_by, decided, shown, late = row
        site = self._session.keys.site
        return ReidentificationRequest(
            id=number,
            subject=Subject(SubjectKind(kind), identifier),
            requested_by=who,
            requested_at=asked,
            expires_at=expires,
            state=_state(decision, shown=shown is not None, late=late),
            ticket=open_phi(site, "reidentification_request.ticket", number, ticket),
            reason=open_phi(site, "reidentification_request.reason", number, reason),
            decided_by=decided_by,
            decided_at=decided,
            shown_at=shown,
        )


def _state(decision: str | None, *, shown: bool, late: bool) -> RequestState:
    if shown:
        return RequestState.SHOWN
    if decision == "refused":
        return RequestState.REFUSED
    if late:
        return RequestState.EXPIRED
    return RequestState.APPROVED if decision == "approved" else RequestState.ASKED


def _same(one: str, other: str) -> bool:
    return one.strip().lower() == other.strip().lower()
