"""Who belongs to which project: logins of the database that see the project's releases in the schema ``research``."""

from dataclasses import dataclass
from datetime import datetime

from dicomanon.crosswalk.access_events import record_access_event
from dicomanon.crosswalk.session import Session
from dicomanon.errors import Fatal


@dataclass(frozen=True, slots=True)
class ProjectMember:
    """A login that sees a project's releases."""

    project: str
    login: str
    added_by: str
    added_at: datetime


class Projects:
    """Members of projects; each change is in the audit trail."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def members(self, project: str | None = None) -> list[ProjectMember]:
        """Return the members of a project, or of all."""
        with self._session.transaction() as connection:
            rows = connection.execute(
                "SELECT project, login, added_by, added_at FROM crosswalk.project_member"
                " WHERE %(project)s::text IS NULL OR project = %(project)s ORDER BY project, login",
                {"project": project},
            ).fetchall()
        return [ProjectMember(*row) for row in rows]

    def add(self, project: str, login: str, *, actor: str, reason: str) -> bool:
        """Let a login see a project's releases, those to come included; return whether it is new.

        Raises
        ------
        Fatal
            There is no such login on the server, or project, actor or reason is empty.
        """
        if not project.strip():
            raise Fatal("a project has a name")
        with self._session.transaction() as connection:
            # A name that nobody has yet would be a promise to whoever is given it later.
            known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s AND rolcanlogin", (login,)).fetchone()
            if known is None:
                raise Fatal("the database has no such login: docs/runbook.md says how to make one for a researcher")
            added = connection.execute(
                "INSERT INTO crosswalk.project_member (project, login, added_by) VALUES (%s, %s, %s)"
                " ON CONFLICT DO NOTHING",
                (project, login, actor.strip()),
            ).rowcount
            record_access_event(connection, self._session.keys.site, actor, "project.add-member", reason, count=added)
        return bool(added)

    def remove(self, project: str, login: str, *, actor: str, reason: str) -> bool:
        """Take a project's releases out of a login's sight; return whether it saw them.

        Raises
        ------
        Fatal
            Actor or reason is empty.
        """
        with self._session.transaction() as connection:
            removed = connection.execute(
                "DELETE FROM crosswalk.project_member WHERE project = %s AND login = %s", (project, login)
            ).rowcount
            record_access_event(
                connection, self._session.keys.site, actor, "project.remove-member", reason, count=removed
            )
        return bool(removed)
