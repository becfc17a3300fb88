"""Prepares Airflow's metadata database in one process: schema, roles, one login each, pools.

Run as ``python -m dicomanon.airflow_setup`` with Airflow's own environment, and with
``AIRFLOW_ADMIN_PASSWORD``, ``AIRFLOW_ENGINEER_PASSWORD`` and ``AIRFLOW_RESEARCHER_PASSWORD``. Safe to run again: what
exists is brought up to date, passwords of existing logins are left alone.
"""

import os
import sys
from dataclasses import dataclass
from typing import Any

from dicomanon.errors import Fatal


@dataclass(frozen=True, slots=True)
class Login:
    """One of the logins made at set-up; its password comes from the environment."""

    username: str
    role: str
    title: str

    @property
    def password_variable(self) -> str:
        """Name of the environment variable that holds the first password."""
        return f"AIRFLOW_{self.username.upper()}_PASSWORD"


LOGINS = (
    Login("admin", "Admin", "Administrator"),
    Login("engineer", "Op", "Data engineer"),
    Login("researcher", "Researcher", "Researcher"),
)

RESEARCHER_PERMISSIONS = (
    ("can_read", "Website"),
    ("can_read", "DAG Runs"),
    ("can_create", "DAG Runs"),
    ("can_read", "Task Instances"),
    ("can_read", "Task Logs"),
    ("can_read", "XComs"),
    ("can_read", "HITL Detail"),
    ("can_read", "DAG Dependencies"),
    ("can_read", "DAG Versions"),
    ("can_read", "DAG Warnings"),
    ("can_read", "My Profile"),
    ("can_edit", "My Profile"),
    ("can_read", "My Password"),
    ("can_edit", "My Password"),
    ("menu_access", "DAGs"),
)
"""What a researcher may do anywhere; which DAGs it may be done to, each DAG's ``access_control`` says."""

POOLS = {
    "clinical_pacs": (2, "Tasks that read the clinical PACS at once"),
    "research_pacs": (2, "Tasks that write to the research PACS at once"),
}


def main() -> None:
    """Bring the metadata database to the state that the DAGs count on."""
    missing = [login.password_variable for login in LOGINS if not os.environ.get(login.password_variable)]
    if missing:
        raise Fatal(f"set the first passwords in {', '.join(missing)}")
    _migrate()
    _seed_logins()
    _seed_pools()


def _migrate() -> None:
    from airflow.cli import cli_parser

    arguments = cli_parser.get_parser().parse_args(["db", "migrate"])
    arguments.func(arguments)


def _seed_logins() -> None:
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    with get_application_builder() as builder:
        security: Any = builder.sm
        security.sync_roles()
        researcher = security.find_role("Researcher") or security.add_role("Researcher")
        for action, resource in RESEARCHER_PERMISSIONS:
            security.add_permission_to_role(researcher, security.create_permission(action, resource))
        for login in LOGINS:
            if security.find_user(username=login.username):
                continue
            created = security.add_user(
                login.username, login.title, "DICOManon", f"{login.username}@localhost", security.find_role(login.role),
                os.environ[login.password_variable],
            )  # fmt: skip
            if not created:
                raise Fatal(f"Airflow refused to make the login {login.username}")


def _seed_pools() -> None:
    from airflow.models.pool import Pool
    from airflow.utils.session import create_session

    with create_session() as session:
        for name, (slots, description) in POOLS.items():
            if Pool.get_pool(name, session=session) is None:  # an admin's own slots are kept
                Pool.create_or_update_pool(
                    name, slots=slots, description=description, include_deferred=False, session=session
                )


if __name__ == "__main__":
    try:
        main()
    except Fatal as error:
        sys.exit(f"error: {error}")
