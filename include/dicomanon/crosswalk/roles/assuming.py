"""Takes a role on a connection: the login keeps its name, and has the rights of the role alone."""

import psycopg
from psycopg import sql

from dicomanon.crosswalk.roles.role import Role
from dicomanon.crosswalk.session import Connection
from dicomanon.errors import Fatal


def assume(connection: Connection, role: Role) -> None:
    """Act as ``role`` on this connection from now on.

    Raises
    ------
    Fatal
        The login is no member of the role.
    """
    try:
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role.group)))
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidParameterValue):
        raise Fatal(
            f"the login of DICOMANON_CROSSWALK_DSN may not act as {role.group}: name a login that may, or have an "
            f"administrator of the server say GRANT {role.group} TO it"
        ) from None
