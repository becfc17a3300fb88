"""``dicomanon cohort``: requests that wait for an approval, which Airflow takes, and those that stay open."""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dicomanon.cli_site import signer, site_crosswalk
from dicomanon.cohort.parameters import APPROVAL_DAYS, APPROVE_VERSIONS, COHORT_DAG_ID
from dicomanon.console import out, say
from dicomanon.crosswalk.roles.role import Role

if TYPE_CHECKING:
    from dicomanon.crosswalk.projects.requests import HeldRequest
    from dicomanon.crosswalk.projects.standing import StandingRequest

cohort_app = typer.Typer(
    help="Requests for cohorts that wait for an approval; Airflow takes the answer (Required Actions).",
    no_args_is_help=True,
)
standing_app = typer.Typer(help="Requests that stay open, answered anew when there is more.", no_args_is_help=True)
cohort_app.add_typer(standing_app, name="standing")

WHY = {
    "identifiers": "it asks by what identifies people",
    "small-cohort": "it leads to fewer patients than the project's minimum",
    "overlap": "an earlier cohort of the project differs by fewer patients than that",
    "pull": "it has the clinical PACS asked for what is missing",
}


@cohort_app.command("requests")
def requests(
    all_of_them: Annotated[bool, typer.Option("--all", help="Those that wait no more, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Name the requests that wait."""
    with site_crosswalk(Role.AUDITOR) as crosswalk:
        held = crosswalk.requests.held(all_of_them=all_of_them)
    found = [one for one in held if all_of_them or not _is_over(one)]
    if as_json:
        out.print_json(json.dumps([_plain(one) for one in found]))
        return
    for one in found:
        say(f"{_run_id(one)}  {one.project}  by {one.requester}  {one.held_at:%Y-%m-%d %H:%M}  {_state(one)}")
    if not found:
        say("no request waits")


@cohort_app.command("show")
def show(run_id: Annotated[str, typer.Argument(help="The DAG run's id, as Airflow shows it.")]) -> None:
    """Show what a request asks, for which purpose, and why it waits; that is an entry of the audit trail."""
    with site_crosswalk(Role.ADMIN) as crosswalk:
        found, purpose, because = crosswalk.requests.look(f"{COHORT_DAG_ID}/{run_id}", actor=signer())
    say(f"{_run_id(found)}: {_state(found)}")
    say(f"  project    {found.project}")
    say(f"  requester  {found.requester}")
    say(f"  purpose    {purpose.reveal()}")
    say(f"  leads to   {found.patients} patients, {'to be counted' if found.dry_run else 'to be released'}")
    if "standing" in found.asked:
        say(f"  stays open if the answer is {APPROVE_VERSIONS}: later versions, for more people, wait for nobody")
    for name, count in sorted(found.asked.items()):
        say(f"  asks by    {name} ({count})")
    for reason in sorted(found.held_for):
        say(f"  waits for  {reason}: {WHY[reason]}")
    if because is not None:
        say(f"  reason     {because.reveal()}")


@standing_app.command("list")
def list_standing(
    all_of_them: Annotated[bool, typer.Option("--all", help="Those that have ended, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Name the requests that stay open, what came of each, and why one is paused."""
    with site_crosswalk(Role.AUDITOR) as crosswalk:
        found = crosswalk.standing.all(ended=all_of_them)
    if as_json:
        out.print_json(json.dumps([asdict(one) for one in found], default=str))
        return
    for one in found:
        newest = f"newest release {one.newest:04d}" if one.newest else "nothing released yet"
        say(f"{_run_id(one)}  {one.project}  by {one.requester}  until {one.until or 'ended'}  {newest}")
        if one.because:
            say(f"  {one.state} since {one.changed_at:%Y-%m-%d}: {one.because}")
    if not found:
        say("no request stays open")


@standing_app.command("end")
def end_standing(
    run_id: Annotated[str, typer.Argument(help="Of the DAG run that asked, as the list shows it.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the audit trail.")],
) -> None:
    """End a request that stays open, for good; what was released stays."""
    with site_crosswalk(Role.ADMIN) as crosswalk:
        crosswalk.standing.end(f"{COHORT_DAG_ID}/{run_id}", actor=signer(), reason=reason)
    say("it has ended")


def _run_id(held: "HeldRequest | StandingRequest") -> str:
    return held.request_key.partition("/")[2]


def _state(held: "HeldRequest") -> str:
    if held.decision:
        return f"{held.decision} by {held.decided_by}"
    return "nobody answered" if _is_over(held) else "waits"


def _is_over(held: "HeldRequest") -> bool:
    """Tell whether the run has given up waiting."""
    return held.decision is None and datetime.now(UTC) - held.held_at > timedelta(days=APPROVAL_DAYS)


def _plain(held: "HeldRequest") -> dict[str, Any]:
    times = {"held_at": held.held_at.isoformat(), "decided_at": held.decided_at and held.decided_at.isoformat()}
    return asdict(held) | times | {"id": str(held.id), "held_for": sorted(held.held_for)}
