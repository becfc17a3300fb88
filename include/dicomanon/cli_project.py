"""``dicomanon project``: which logins of the database see the releases of which project."""

import json
from typing import Annotated

import typer

from dicomanon.cli_site import signer, site_crosswalk
from dicomanon.console import out, say
from dicomanon.crosswalk.roles.role import Role

project_app = typer.Typer(
    help="Members of projects: logins of the database that see a project's releases in the schema research.",
    no_args_is_help=True,
)

Project = Annotated[str, typer.Argument(help="As the cohort requests name it.")]
Login = Annotated[str, typer.Argument(help="A login of the database server, which has the role dicomanon_researcher.")]
Why = Annotated[str, typer.Option("--reason", help="Why; kept in the audit trail.")]


@project_app.command("members")
def members(
    project: Annotated[str | None, typer.Argument(help="Only of this project.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Name the members of a project, or of all."""
    with site_crosswalk(Role.AUDITOR) as crosswalk:
        found = crosswalk.projects.members(project)
    if as_json:
        rows = [
            {"project": m.project, "login": m.login, "added_by": m.added_by, "added_at": m.added_at.isoformat()}
            for m in found
        ]
        out.print_json(json.dumps(rows))
        return
    for member in found:
        say(f"{member.project}  {member.login}  added by {member.added_by} on {member.added_at:%Y-%m-%d}")
    if not found:
        say("no members")


@project_app.command("add")
def add(project: Project, login: Login, reason: Why) -> None:
    """Let a login see a project's releases, those to come included."""
    with site_crosswalk(Role.ADMIN) as crosswalk:
        new = crosswalk.projects.add(project, login, actor=signer(), reason=reason)
    say(f"{login} {'is now' if new else 'was already'} a member of {project}")


@project_app.command("remove")
def remove(project: Project, login: Login, reason: Why) -> None:
    """Take a project's releases out of a login's sight; what it has copied by then stays where it is."""
    with site_crosswalk(Role.ADMIN) as crosswalk:
        was = crosswalk.projects.remove(project, login, actor=signer(), reason=reason)
    say(f"{login} {'is no longer' if was else 'was no'} a member of {project}")
