"""``dicomanon token``: the tokens by which people read a project's releases through the gateway."""

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dicomanon.cli_site import signer, site_crosswalk
from dicomanon.console import err, out, say
from dicomanon.crosswalk.roles.role import Role

if TYPE_CHECKING:
    from dicomanon.crosswalk.gateway.tokens import GatewayToken

token_app = typer.Typer(
    help="Tokens by which the members of a project read its releases through `dicomanon gateway`.",
    no_args_is_help=True,
)

Why = Annotated[str, typer.Option("--reason", help="Why; kept in the audit trail, with all that is read by it.")]
Json = Annotated[bool, typer.Option("--json", help="For programs.")]


@token_app.command("create")
def create(
    project: Annotated[str, typer.Argument(help="As `dicomanon project members` has it.")],
    login: Annotated[str, typer.Argument(help="A member of the project, who will read by it.")],
    reason: Why,
    hours: Annotated[
        int | None, typer.Option(min=1, help="How long it is good; by default as long as the site lets a token be.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a token and show it, this once: it is kept nowhere. Programs send it as `Authorization: Bearer TOKEN`."""
    from dicomanon.settings import CrosswalkSettings

    with site_crosswalk(Role.ADMIN) as crosswalk:
        longest = CrosswalkSettings.load().gateway_token_hours
        if hours is not None and hours > longest:
            raise typer.BadParameter(f"this site lets a token be good for {longest} hours", param_hint="--hours")
        lifetime = timedelta(hours=hours or longest)
        token, secret = crosswalk.tokens.create(project, login, lifetime=lifetime, actor=signer(), reason=reason)
    if as_json:
        out.print_json(json.dumps({**_as_row(token), "token": secret}))
        return
    say(secret)
    until = f"{token.expires_at:%Y-%m-%d %H:%M} UTC"
    err.print(f"good until {until} for {login} in {project}; id {token.id}", markup=False, soft_wrap=True)


@token_app.command("list")
def list_tokens(
    project: Annotated[str | None, typer.Argument(help="Only of this project.")] = None, as_json: Json = False
) -> None:
    """Name the tokens, the newest first: whose, who made them, until when, when used last. Never the tokens."""
    with site_crosswalk(Role.AUDITOR) as crosswalk:
        found = crosswalk.tokens.all(project)
    if as_json:
        out.print_json(json.dumps([_as_row(token) for token in found]))
        return
    for token in found:
        used = f"used {token.last_used_at:%Y-%m-%d %H:%M}" if token.last_used_at else "never used"
        say(
            f"{str(token.id)[:8]}  {token.project}  {token.login}  {token.state}, until"
            f" {token.expires_at:%Y-%m-%d %H:%M}  {used}  made by {token.made_by}"
        )
    if not found:
        say("no tokens")


@token_app.command("revoke")
def revoke(
    token: Annotated[str, typer.Argument(metavar="ID", help="Of `dicomanon token list`; its first digits will do.")],
    reason: Why,
) -> None:
    """End a token. It takes effect at the next request; what was read by then stays where it is."""
    with site_crosswalk(Role.ADMIN) as crosswalk:
        found, new = crosswalk.tokens.revoke(token, actor=signer(), reason=reason)
    say(f"{found.id} of {found.login} in {found.project} {'is' if new else 'was already'} revoked")


def _as_row(token: "GatewayToken") -> dict[str, Any]:
    return {
        "id": str(token.id),
        "project": token.project,
        "login": token.login,
        "state": token.state,
        "made_by": token.made_by,
        "made_at": token.made_at.isoformat(),
        "expires_at": token.expires_at.isoformat(),
        "revoked_by": token.revoked_by,
        "revoked_at": token.revoked_at.isoformat() if token.revoked_at else None,
        "last_used_at": token.last_used_at.isoformat() if token.last_used_at else None,
    }
