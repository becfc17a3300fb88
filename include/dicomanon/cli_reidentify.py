"""``dicomanon reidentify``: who a research identifier belongs to, asked by one, approved by another, shown once."""

import json
from typing import Annotated

import typer

from dicomanon.cli_site import signer, site_crosswalk
from dicomanon.console import out, say
from dicomanon.crosswalk.roles.role import Role

reidentify_app = typer.Typer(
    help="The way back for one patient or object: you ask, a second person approves, you are shown it once.",
    no_args_is_help=True,
)

Request = Annotated[
    str, typer.Argument(metavar="REQUEST", help="Its id, of `ask` or `list`; the first digits will do.")
]
Reason = Annotated[str, typer.Option(prompt="Why", help="Kept for ever, sealed. Left out, it is asked for.")]


@reidentify_app.command("ask")
def ask(
    identifier: Annotated[
        str,
        typer.Argument(help="Pseudonym, or research study, series or SOP Instance UID; never a value of a patient."),
    ],
    reason: Reason,
    ticket: Annotated[str, typer.Option(prompt="Ticket", help="Where the need is on record; kept for ever, sealed.")],
) -> None:
    """Ask for the Patient ID of a pseudonym, or the source UID of a research UID. Nothing is shown yet."""
    from dicomanon.settings import CrosswalkSettings

    settings = CrosswalkSettings.load()
    with site_crosswalk(Role.ADMIN) as crosswalk:
        asked = crosswalk.reidentification.ask(
            identifier,
            actor=signer(),
            reason=reason,
            ticket=ticket,
            hours=settings.reidentify_hours,
            per_day=settings.reidentify_per_day,
        )
    say(str(asked.id))
    say(
        f"  waits for a second person: dicomanon reidentify approve {str(asked.id)[:8]}; expires "
        f"{asked.expires_at:%Y-%m-%d %H:%M} UTC"
    )


@reidentify_app.command("list")
def list_requests(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Show all requests with their reasons, the newest first. That you looked is recorded; no value is shown."""
    with site_crosswalk(Role.ADMIN) as crosswalk:
        requests = crosswalk.reidentification.all(actor=signer())
    if as_json:
        out.print_json(
            json.dumps(
                [
                    {
                        "id": str(one.id),
                        "state": one.state.value,
                        "kind": one.subject.kind.value,
                        "identifier": one.subject.id,
                        "requested_by": one.requested_by,
                        "requested_at": one.requested_at.isoformat(),
                        "expires_at": one.expires_at.isoformat(),
                        "ticket": one.ticket.reveal(),
                        "reason": one.reason.reveal(),
                        "decided_by": one.decided_by,
                        "decided_at": one.decided_at.isoformat() if one.decided_at else None,
                        "shown_at": one.shown_at.isoformat() if one.shown_at else None,
                    }
                    for one in requests
                ]
            )
        )
        return
    for one in requests:
        decided = f", decided by {one.decided_by}" if one.decided_by else ""
        say(f"{str(one.id)[:8]}  {one.state}  {one.subject.kind} {one.subject.id}")
        say(f"          {one.requested_by} on {one.requested_at:%Y-%m-%d %H:%M}{decided}")
        say(f"          {one.ticket.reveal()}: {one.reason.reveal()}")
    if not requests:
        say("nobody has asked")


@reidentify_app.command("approve")
def approve(request: Request, reason: Reason) -> None:
    """Let the person who asked see it, once. Nobody approves what they asked for."""
    with site_crosswalk(Role.ADMIN) as crosswalk:
        found = crosswalk.reidentification.decide(request, approved=True, actor=signer(), reason=reason)
    say(f"approved: {found.requested_by} may see it once, until {found.expires_at:%Y-%m-%d %H:%M} UTC")


@reidentify_app.command("refuse")
def refuse(request: Request, reason: Reason) -> None:
    """Refuse a request, or take your own back."""
    with site_crosswalk(Role.ADMIN) as crosswalk:
        crosswalk.reidentification.decide(request, approved=False, actor=signer(), reason=reason)
    say("refused")


@reidentify_app.command("show")
def show(request: Request) -> None:
    """Print the value, once, to the person who asked for it. PHI: it is on your screen alone; keep it safe."""
    with site_crosswalk(Role.ADMIN) as crosswalk:
        _, value = crosswalk.reidentification.show(request, actor=signer())
    say(value.reveal())
