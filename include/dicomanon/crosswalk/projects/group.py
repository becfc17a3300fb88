"""Projects as data: their terms, version by version, and their logins; each change is in the audit trail."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, LiteralString
from uuid import uuid4

from dicomanon.crosswalk.access_events import record_access_event
from dicomanon.crosswalk.audit.events import Subject, SubjectKind
from dicomanon.crosswalk.projects.rows import ApprovalFor, ProjectMember, ProjectTerms, ProjectVersion
from dicomanon.crosswalk.sealed import seal_text
from dicomanon.crosswalk.session import Connection, Session
from dicomanon.errors import Fatal

_LOCK_SPACE = 0x0D21
_RELEASE_LOCK_SPACE = 0x0D1C
"""Of ``create_release()``."""
_IDENTIFIERS_AT_ONCE = 10_000

_SELECT: LiteralString = (
    "SELECT project, version, title, lead_name, ethics_number, ethics_expires, retention_days, profiles, criteria,"
    " minimum_patients, approval_for, from_before_pulls, set_by, set_at"
)
_OWN_PSEUDONYMS: LiteralString = ", crosswalk.has_own_pseudonyms(project)"


class Projects:
    """What projects may do, and who belongs to them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def set(self, project: str, terms: ProjectTerms, *, actor: str, reason: str) -> tuple[ProjectVersion, bool]:
        """Let terms hold from now on; return them as they stand, and whether they are new.

        Raises
        ------
        Fatal
            Actor or reason is empty, or the project would change its pseudonyms after a release.
        """
        with self._session.transaction() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (_LOCK_SPACE, project))
            former = next(iter(self._versions(connection, project)), None)
            if former is not None and former.terms == terms:
                return former, False
            _require_same_pseudonyms(connection, project, terms, former)
            row = uuid4()
            connection.execute(
                "INSERT INTO crosswalk.project_version (id, project, version, title, lead_name, ethics_number,"
                " ethics_expires, retention_days, profiles, criteria, minimum_patients, approval_for,"
                " own_pseudonyms, set_by, reason_sealed)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                (
                    *(row, project, former.version + 1 if former else 1, terms.title, terms.lead),
                    *(terms.ethics_number, terms.ethics_expires, terms.retention_days, list(terms.profiles)),
                    None if terms.criteria is None else list(terms.criteria),
                    *(terms.minimum_patients, sorted(terms.approval_for), terms.own_pseudonyms, actor.strip()),
                    seal_text(self._session.keys.site, "project_version.reason", row, reason),
                ),
            )
            self._record(connection, actor, "project.set", reason, project)
            return self._versions(connection, project)[0], True

    def versions(self, project: str | None = None) -> list[ProjectVersion]:
        """Return the terms of a project, or of all, by project, the newest first."""
        with self._session.transaction() as connection:
            return self._versions(connection, project)

    def newest(self, project: str) -> ProjectVersion | None:
        """Return the terms that hold; nothing where there is no such project."""
        with self._session.transaction() as connection:
            row = connection.execute(
                _SELECT + _OWN_PSEUDONYMS + " FROM crosswalk.project_terms(%s)", (project,)
            ).fetchone()
        return _version(row) if row else None

    def view_key(self, project: str) -> bytes | None:
        """Return the key of a project's own pseudonyms; nothing where it sees those of the research PACS."""
        with self._session.transaction() as connection:
            row = connection.execute("SELECT crosswalk.has_own_pseudonyms(%s)", (project,)).fetchone()
        return self._session.keyring.project_key(project) if row and row[0] else None

    def enter_identifiers(self, project: str, research_by_own: Mapping[str, str]) -> None:
        """Remember what a project calls something, so that it can be traced; may be repeated.

        Parameters
        ----------
        research_by_own
            Research UIDs and pseudonyms by the project's.

        Raises
        ------
        Fatal
            One stands for something else already, or the project has no pseudonyms of its own.
        """
        given = iter(research_by_own.items())
        while some := list(islice(given, _IDENTIFIERS_AT_ONCE)):
            own, research = zip(*some, strict=True)
            with self._session.transaction() as connection:
                connection.execute(
                    "SELECT crosswalk.enter_project_identifiers(%s, %s, %s)", (project, list(own), list(research))
                )

    def may_request(self, project: str, requester: str) -> bool:
        """Tell whether a login of Airflow may ask for a project's data now."""
        with self._session.transaction() as connection:
            row = connection.execute("SELECT crosswalk.requests_for(%s, %s)", (project, requester)).fetchone()
        return bool(row and row[0])

    def members(self, project: str | None = None) -> list[ProjectMember]:
        """Return the logins of the database that see the releases of a project, or of all."""
        return self._logins(
            "SELECT project, login, added_by, added_at FROM crosswalk.project_member"
            " WHERE %(project)s::text IS NULL OR project = %(project)s ORDER BY project, login",
            project,
        )

    def requesters(self, project: str | None = None) -> list[ProjectMember]:
        """Return the logins of Airflow that ask for a project, or for all."""
        return self._logins(
            "SELECT project, requester, added_by, added_at FROM crosswalk.project_requester"
            " WHERE %(project)s::text IS NULL OR project = %(project)s ORDER BY project, requester",
            project,
        )

    def add(self, project: str, login: str, *, actor: str, reason: str) -> bool:
        """Let a login of the database see a project's releases, those to come included; return whether it is new.

        Raises
        ------
        Fatal
            There is no such login on the server, or project, actor or reason is empty.
        """
        _require_name(project)
        with self._session.transaction() as connection:
            # A name that nobody has yet would be a promise to whoever is given it later.
            known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s AND rolcanlogin", (login,)).fetchone()
            if known is None:
                raise Fatal("the database has no such login: docs/runbook.md says how to make one for a researcher")
            return self._changed(
                connection, "project.add-member", actor, reason, project,
                "INSERT INTO crosswalk.project_member (project, login, added_by) VALUES (%s, %s, %s)"
                " ON CONFLICT DO NOTHING",
                (project, login, actor.strip()),
            )  # fmt: skip

    def remove(self, project: str, login: str, *, actor: str, reason: str) -> bool:
        """Take a project's releases out of a login's sight; return whether it saw them.

        Raises
        ------
        Fatal
            Actor or reason is empty.
        """
        with self._session.transaction() as connection:
            return self._changed(
                connection, "project.remove-member", actor, reason, project,
                "DELETE FROM crosswalk.project_member WHERE project = %s AND login = %s", (project, login),
            )  # fmt: skip

    def add_requester(self, project: str, requester: str, *, actor: str, reason: str) -> bool:
        """Let a login of Airflow ask for a project's data; return whether it is new.

        Raises
        ------
        Fatal
            Project, requester, actor or reason is empty.
        """
        _require_name(project)
        _require_name(requester)
        with self._session.transaction() as connection:
            return self._changed(
                connection, "project.add-requester", actor, reason, project,
                "INSERT INTO crosswalk.project_requester (project, requester, added_by) VALUES (%s, %s, %s)"
                " ON CONFLICT DO NOTHING",
                (project, requester, actor.strip()),
            )  # fmt: skip

    def remove_requester(self, project: str, requester: str, *, actor: str, reason: str) -> bool:
        """Let a login of Airflow ask for a project no more, requests at work included; return whether it could.

        Raises
        ------
        Fatal
            Actor or reason is empty.
        """
        with self._session.transaction() as connection:
            return self._changed(
                connection, "project.remove-requester", actor, reason, project,
                "DELETE FROM crosswalk.project_requester WHERE project = %s AND requester = %s", (project, requester),
            )  # fmt: skip

    def _changed(
        self, connection: Connection, action: str, actor: str, reason: str, project: str, statement: LiteralString,
        values: Sequence[str],
    ) -> bool:  # fmt: skip
        """Change who is in a list, with its entry of the audit trail; return whether that changed it."""
        changed = connection.execute(statement, values).rowcount
        self._record(connection, actor, action, reason, project, changed)
        return bool(changed)

    def _logins(self, query: LiteralString, project: str | None) -> list[ProjectMember]:
        with self._session.transaction() as connection:
            return [ProjectMember(*row) for row in connection.execute(query, {"project": project}).fetchall()]

    def _versions(self, connection: Connection, project: str | None) -> list[ProjectVersion]:
        rows = connection.execute(
            _SELECT + ", own_pseudonyms FROM crosswalk.project_version"
            " WHERE %(project)s::text IS NULL OR project = %(project)s ORDER BY project, version DESC",
            {"project": project},
        ).fetchall()
        return [_version(row) for row in rows]

    def _record(
        self, connection: Connection, actor: str, action: str, reason: str, project: str, count: int = 1
    ) -> None:
        subject = Subject(SubjectKind.PROJECT, project)
        record_access_event(connection, self._session.keys.site, actor, action, reason, count, subject=subject)


def _require_same_pseudonyms(
    connection: Connection, project: str, terms: ProjectTerms, former: ProjectVersion | None
) -> None:
    """Refuse to give a project other pseudonyms than it has data under; a trigger does so for any program."""
    if terms.own_pseudonyms == (former is not None and former.terms.own_pseudonyms):
        return
    # No release between the look and the change: numbers of releases are given under this lock.
    connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (_RELEASE_LOCK_SPACE, project))
    if (
        connection.execute("SELECT FROM crosswalk.release WHERE project = %s LIMIT 1", (project,)).fetchone()
        is not None
    ):
        raise Fatal(
            "own_pseudonyms cannot change: the project has releases, and its patients would get a second pseudonym;"
            " make another project"
        )


def _require_name(name: str) -> None:
    if not name.strip():
        raise Fatal("a project and its members have names")


def _version(row: Sequence[Any]) -> ProjectVersion:
    project, version, title, lead, number, expires, days, profiles, criteria, minimum, approval_for, *others = row
    is_from_before_pulls, set_by, at, own_pseudonyms = others
    terms = ProjectTerms(
        title=title,
        lead=lead,
        ethics_number=number,
        ethics_expires=expires,
        retention_days=days,
        profiles=tuple(profiles),
        criteria=None if criteria is None else tuple(criteria),
        minimum_patients=minimum,
        approval_for=frozenset(map(ApprovalFor, approval_for))
        | (frozenset({ApprovalFor.PULL}) if is_from_before_pulls else frozenset()),
        own_pseudonyms=own_pseudonyms,
    )
    return ProjectVersion(project, version, terms, set_by, at)
