"""``dicomanon project``: what projects may ask for, who asks, and which logins of the database see their releases."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dicomanon.cli_site import signer, site_crosswalk
from dicomanon.console import out, say
from dicomanon.crosswalk.roles.role import Role

if TYPE_CHECKING:
    from dicomanon.crosswalk.projects.rows import ProjectMember, ProjectVersion

project_app = typer.Typer(
    help="Projects: their terms, the logins of Airflow that ask for their data, and the logins of the database that"
    " see their releases in the schema research.",
    no_args_is_help=True,
)

Project = Annotated[str, typer.Argument(help="As the cohort requests name it.")]
Login = Annotated[
    str, typer.Argument(help="A login of the database server, which has the role dicomanon_researcher; or of Airflow.")
]
InAirflow = Annotated[
    bool, typer.Option("--airflow", help="A login of Airflow, which asks for cohorts, instead of one of the database.")
]
Why = Annotated[str, typer.Option("--reason", help="Why; kept in the audit trail.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


@project_app.command("set")
def set_terms(
    file: Annotated[Path, typer.Argument(help="TOML; docs/runbook.md shows one.", dir_okay=False)], reason: Why
) -> None:
    """Let a project do what a file says, from now on; earlier terms are kept."""
    from dicomanon.cohort.project_file import ProjectFile

    wanted = ProjectFile.read(file)
    with site_crosswalk(Role.ADMIN) as crosswalk:
        found, new = crosswalk.projects.set(wanted.project, wanted.terms(), actor=signer(), reason=reason)
    say(f"{found.project}: version {found.version} {'holds now' if new else 'was already so'}")


@project_app.command("show")
def show(project: Project, as_json: AsJson = False) -> None:
    """Show the terms of a project, and who set each version."""
    with site_crosswalk(Role.AUDITOR) as crosswalk:
        versions = crosswalk.projects.versions(project)
    if as_json:
        out.print_json(json.dumps([_plain(version) for version in versions]))
        return
    for line in _shown(versions):
        say(line)


@project_app.command("list")
def list_projects(as_json: AsJson = False) -> None:
    """Name the projects, with the terms that hold."""
    with site_crosswalk(Role.AUDITOR) as crosswalk:
        newest = {version.project: version for version in reversed(crosswalk.projects.versions())}
    found = [newest[project] for project in sorted(newest)]
    if as_json:
        out.print_json(json.dumps([_plain(version) for version in found]))
        return
    for version in found:
        terms = version.terms
        say(f"{version.project}  {terms.title}  {terms.lead}  ethics approval until {terms.ethics_expires:%Y-%m-%d}")
    if not found:
        say("no projects")


@project_app.command("members")
def members(
    project: Annotated[str | None, typer.Argument(help="Only of this project.")] = None, as_json: AsJson = False
) -> None:
    """Name the members of a project, or of all."""
    with site_crosswalk(Role.AUDITOR) as crosswalk:
        found = [("crosswalk", one) for one in crosswalk.projects.members(project)]
        found += [("airflow", one) for one in crosswalk.projects.requesters(project)]
    if as_json:
        out.print_json(json.dumps([_plain_member(where, member) for where, member in found]))
        return
    for where, member in found:
        login = f"{member.login} (Airflow)" if where == "airflow" else member.login
        say(f"{member.project}  {login}  added by {member.added_by} on {member.added_at:%Y-%m-%d}")
    if not found:
        say("no members")


@project_app.command("add")
def add(project: Project, login: Login, reason: Why, airflow: InAirflow = False) -> None:
    """Let a login see a project's releases, those to come included; or ask for cohorts."""
    with site_crosswalk(Role.ADMIN) as crosswalk:
        change = crosswalk.projects.add_requester if airflow else crosswalk.projects.add
        new = change(project, login, actor=signer(), reason=reason)
    say(f"{login} {'is now' if new else 'was already'} {_what(airflow)} of {project}")


@project_app.command("remove")
def remove(project: Project, login: Login, reason: Why, airflow: InAirflow = False) -> None:
    """Take a project's releases out of a login's sight, or let it ask no more; what it has copied stays where it is."""
    with site_crosswalk(Role.ADMIN) as crosswalk:
        change = crosswalk.projects.remove_requester if airflow else crosswalk.projects.remove
        was = change(project, login, actor=signer(), reason=reason)
    say(f"{login} {'is no longer' if was else 'was not'} {_what(airflow)} of {project}")


def _what(airflow: bool) -> str:
    return "a requester" if airflow else "a member"


def _plain(version: "ProjectVersion") -> dict[str, Any]:
    terms = asdict(version.terms) | {
        "ethics_expires": version.terms.ethics_expires.isoformat(),
        "approval_for": sorted(version.terms.approval_for),
    }
    told = {"project": version.project, "version": version.version}
    return told | terms | {"set_by": version.set_by, "set_at": version.set_at.isoformat()}


def _plain_member(where: str, member: "ProjectMember") -> dict[str, str]:
    return asdict(member) | {"added_at": member.added_at.isoformat(), "where": where}


def _shown(versions: list["ProjectVersion"]) -> Iterator[str]:
    if not versions:
        yield "no such project: `dicomanon project list` names them"
        return
    terms = versions[0].terms
    yield f"{versions[0].project}: {terms.title}"
    yield f"  lead               {terms.lead}"
    yield f"  ethics approval    {terms.ethics_number}, until {terms.ethics_expires:%Y-%m-%d}"
    yield f"  retention          {terms.retention_days} days"
    yield f"  profiles           {', '.join(terms.profiles) or 'any'}"
    yield f"  criteria           {'all' if terms.criteria is None else ', '.join(terms.criteria) or 'none'}"
    yield f"  smallest count     {terms.minimum_patients} patients"
    yield f"  needs an approval  {', '.join(sorted(terms.approval_for)) or 'nothing'}"
    yield f"  pseudonyms         {'of its own' if terms.own_pseudonyms else 'of the research PACS'}"
    for version in versions:
        yield f"  version {version.version} was set by {version.set_by} on {version.set_at:%Y-%m-%d}"
