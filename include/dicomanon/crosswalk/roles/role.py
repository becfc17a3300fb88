"""The roles that work is done under; a role of this package is a group role of the PostgreSQL server."""

from enum import StrEnum
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from dicomanon.errors import Fatal

if TYPE_CHECKING:
    from dicomanon.crosswalk.session import Connection


class Role(StrEnum):
    """Whom the database takes a session for; ``grants.toml`` says what each may do."""

    INGEST = "ingest"
    """Tasks of ``ingest_studies``, and ``dicomanon deidentify``."""
    COHORT = "cohort"
    """Tasks of ``cohort_extraction``: functions that return pseudonyms, and no table."""
    REVIEWER = "reviewer"
    """People who look at what is held and confirm devices."""
    AUDITOR = "auditor"
    """People who follow who did what, without a source value in reach."""
    ADMIN = "admin"
    """People who publish and approve rules, re-identify, and name the members of projects."""
    BACKUP = "backup"
    """Programs that copy everything as it is, sealed, and change nothing."""
    RESEARCHER = "researcher"
    """People with a login of their own who read the schema ``research``."""

    @property
    def group(self) -> str:
        """Return the name of the group role on the server."""
        return f"dicomanon_{self.value}"


def assume(connection: "Connection", role: Role) -> None:
    """Act as ``role`` on this connection from now on.

    Raises
    ------
    Fatal
        The login is no member of the role.
    """
    try:
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role.group)))
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidParameterValue, psycopg.errors.UndefinedObject):
        raise Fatal(
            f"the login of DICOMANON_CROSSWALK_DSN may not act as {role.group}: name a login that may, or have an "
            f"administrator of the server say GRANT {role.group} TO it"
        ) from None
