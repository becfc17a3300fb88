"""Published profiles: which rules may be used, who said so, when and why; rows are only ever added."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, LiteralString
from uuid import UUID, uuid4

from dicomanon.crosswalk.access_events import record_access_event
from dicomanon.crosswalk.audit.events import Subject, SubjectKind
from dicomanon.crosswalk.rows import ProfileApproval, ProfilePublication
from dicomanon.crosswalk.sealed import open_phi, seal_text
from dicomanon.crosswalk.session import Connection, Session
from dicomanon.errors import Fatal
from dicomanon.values import Phi

_LOCK_SPACE = 0x0D1D

_COLUMNS: LiteralString = (
    "SELECT id, version, name, code_version, published_by, published_at, content, content_digest, reason_sealed"
    " FROM crosswalk.profile_version"
)


@dataclass(frozen=True, slots=True)
class Signature:
    """Somebody who published or approved, with the reason they gave."""

    who: str
    reason: Phi[str]


@dataclass(frozen=True, slots=True)
class PublishedProfile:
    """A profile as it was published.

    Attributes
    ----------
    publication
        Who published and approved it, and when.
    content
        Canonical JSON of the whole profile; its digest was checked when it was read.
    signatures
        The reasons of the publisher and of those who approved, in that order. People type names into reasons.
    """

    publication: ProfilePublication
    content: str = field(repr=False)
    signatures: tuple[Signature, ...] = field(default=(), repr=False)


class Profiles:
    """What was published, and who approved it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def publish(
        self, version: str, content: str, *, actor: str, reason: str, code_version: str
    ) -> tuple[PublishedProfile, bool]:
        """Keep a profile for ever, under its version.

        Parameters
        ----------
        version
            Name and content hash, as every object will name it.
        content
            Canonical JSON of the whole profile.
        actor, reason
            Who publishes it, and why.
        code_version
            Of the code that checked it.

        Returns
        -------
        tuple
            The profile as it stands in the crosswalk, and whether it is new: a version that is published already
            stays as it is, whoever publishes it again.

        Raises
        ------
        Fatal
            Actor or reason is empty, or the version has no name.
        """
        _require_signed(actor, reason)
        name, at, digits = version.partition("@")
        if not (name and at and digits):
            raise Fatal("a profile is published under a version such as site@0123456789ab")
        with self._session.transaction() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (_LOCK_SPACE, version))
            existing = self._find(connection, version)
            if existing is not None:
                return existing, False
            row = uuid4()
            connection.execute(
                "INSERT INTO crosswalk.profile_version"
                " (id, version, name, content, content_digest, code_version, published_by, reason_sealed)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                (
                    row,
                    version,
                    name,
                    content,
                    _digest(content),
                    code_version,
                    actor.strip(),
                    seal_text(self._session.keys.site, "profile_version.reason", row, reason),
                ),
            )
            self._record(connection, actor, "profile.publish", reason, version)
            return self._found(connection, version), True

    def approve(self, version: str, *, actor: str, reason: str) -> tuple[PublishedProfile, bool]:
        """Record that a second person stands for a published profile too.

        Returns
        -------
        tuple
            The profile, and whether the approval is new: nobody counts twice.

        Raises
        ------
        Fatal
            No such version is published, actor or reason is empty, or the actor is who published it.
        """
        _require_signed(actor, reason)
        with self._session.transaction() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (_LOCK_SPACE, version))
            published = self._found(connection, version)
            who = actor.strip()
            if published.publication.published_by.lower() == who.lower():
                raise Fatal("nobody approves what they published: a second person has to")
            if who.lower() in {approval.approved_by.lower() for approval in published.publication.approvals}:
                return published, False
            row = uuid4()
            connection.execute(
                "INSERT INTO crosswalk.profile_approval (id, profile_id, approved_by, reason_sealed)"
                " SELECT %s, id, %s, %s FROM crosswalk.profile_version WHERE version = %s",
                (row, who, seal_text(self._session.keys.site, "profile_approval.reason", row, reason), version),
            )
            self._record(connection, who, "profile.approve", reason, version)
            return self._found(connection, version), True

    def find(self, version: str) -> PublishedProfile | None:
        """Return a published profile.

        Raises
        ------
        Fatal
            Its content is not what was published.
        """
        with self._session.transaction() as connection:
            return self._find(connection, version)

    def all(self) -> list[PublishedProfile]:
        """Return every published profile, by name, the newest of a name first."""
        with self._session.transaction() as connection:
            rows = connection.execute(_COLUMNS + " ORDER BY name, published_at DESC").fetchall()
            return self._open(connection, rows)

    def _record(self, connection: Connection, actor: str, action: str, reason: str, version: str) -> None:
        subject = Subject(SubjectKind.PROFILE, version)
        record_access_event(connection, self._session.keys.site, actor.strip(), action, reason, 1, subject=subject)

    def _found(self, connection: Connection, version: str) -> PublishedProfile:
        found = self._find(connection, version)
        if found is None:
            raise Fatal("no such profile version is published: `dicomanon profile list` names them")
        return found

    def _find(self, connection: Connection, version: str) -> PublishedProfile | None:
        rows = connection.execute(_COLUMNS + " WHERE version = %s", (version,)).fetchall()
        return next(iter(self._open(connection, rows)), None)

    def _open(self, connection: Connection, rows: list[tuple[Any, ...]]) -> list[PublishedProfile]:
        approvals: dict[UUID, list[tuple[ProfileApproval, Signature]]] = {}
        site = self._session.keys.site
        for profile_id, row, who, when, sealed in connection.execute(
            "SELECT profile_id, id, approved_by, approved_at, reason_sealed FROM crosswalk.profile_approval"
            " WHERE profile_id = ANY(%s) ORDER BY approved_at",
            ([row[0] for row in rows],),
        ):
            signature = Signature(who, open_phi(site, "profile_approval.reason", row, sealed))
            approvals.setdefault(profile_id, []).append((ProfileApproval(who, when), signature))
        found = []
        for row, version, name, code_version, who, when, content, digest, sealed in rows:
            if digest != _digest(content):
                raise Fatal("a published profile is not what was published: its digest differs; restore the crosswalk")
            signed = approvals.get(row, [])
            found.append(
                PublishedProfile(
                    ProfilePublication(version, name, code_version, who, when, tuple(one for one, _ in signed)),
                    content,
                    (
                        Signature(who, open_phi(site, "profile_version.reason", row, sealed)),
                        *(signature for _, signature in signed),
                    ),
                )
            )
        return found


def publications(connection: Connection, versions: Iterable[str]) -> tuple[ProfilePublication, ...]:
    """Return who published and approved these versions, as far as they are published, by version."""
    approvals: dict[UUID, list[ProfileApproval]] = {}
    wanted = list(versions)
    for profile_id, who, when in connection.execute(
        "SELECT a.profile_id, a.approved_by, a.approved_at FROM crosswalk.profile_approval a"
        " JOIN crosswalk.profile_version v ON v.id = a.profile_id WHERE v.version = ANY(%s) ORDER BY a.approved_at",
        (wanted,),
    ):
        approvals.setdefault(profile_id, []).append(ProfileApproval(who, when))
    rows = connection.execute(
        "SELECT id, version, name, code_version, published_by, published_at FROM crosswalk.profile_version"
        " WHERE version = ANY(%s) ORDER BY version",
        (wanted,),
    ).fetchall()
    return tuple(
        ProfilePublication(version, name, code_version, who, when, tuple(approvals.get(row, ())))
        for row, version, name, code_version, who, when in rows
    )


def _require_signed(actor: str, reason: str) -> None:
    if not (actor.strip() and reason.strip()):
        raise Fatal("a profile is published and approved by somebody, for a reason: say why with --reason")


def _digest(content: str) -> bytes:
    return hashlib.sha256(content.encode()).digest()
