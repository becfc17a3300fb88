"""``dicomanon audit``: who was given, asked or decided what; whether the trail was touched; and copies of it."""

import json
import os
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dicomanon.cli_site import signer, site_crosswalk
from dicomanon.console import DONE, PARTLY, err, out, say
from dicomanon.crosswalk.roles.role import Role
from dicomanon.errors import Fatal

if TYPE_CHECKING:
    from dicomanon.crosswalk.audit.reported import Reported
    from dicomanon.crosswalk.audit.signed_head import SignedHead
    from dicomanon.crosswalk.audit.trail import Audit, Wanted

audit_app = typer.Typer(
    help="The audit trail: an append-only chain of who was given, asked or decided what.", no_args_is_help=True
)

_TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
Since = Annotated[datetime | None, typer.Option(formats=_TIMES, help="From then on, UTC.")]
Until = Annotated[datetime | None, typer.Option(formats=_TIMES, help="Before then, UTC.")]
Actor = Annotated[str | None, typer.Option(help="By this account or login.")]
Action = Annotated[str | None, typer.Option(help="Such as reidentify.show.")]
About = Annotated[
    str | None,
    typer.Option(help="Pseudonym, research UID, or id of a batch, release, device or profile; never a source value."),
]


class Format(StrEnum):
    """How entries are written for other programs."""

    DICOM = "dicom"
    FHIR = "fhir"


@audit_app.command("list")
def list_entries(
    since: Since = None,
    until: Until = None,
    actor: Actor = None,
    action: Action = None,
    about: About = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="The newest so many.")] = 50,
    show_reasons: Annotated[
        bool, typer.Option("--show-reasons", help="Open the sealed reasons. May show PHI: needs --reason.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why you read reasons; kept in the trail, sealed.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show entries of the trail. That you looked becomes an entry, too.

    For a patient, a study, a series or an instance also what was done with a batch or a release that it is in.
    """
    from dicomanon.crosswalk.audit.reported import reported

    if show_reasons and not reason.strip():
        raise typer.BadParameter("reasons may name patients: say why you read them", param_hint="--reason")
    with site_crosswalk(Role.AUDITOR) as crosswalk:
        wanted = _wanted(since, until, actor, action, about)
        _record(crosswalk.audit, "audit.list", reason.strip() or "entries without reasons")
        found = list(reported(crosswalk.audit, crosswalk.audit.newest(wanted, limit)))
        reasons = {one.entry.id: crosswalk.audit.reason(one.entry) for one in found} if show_reasons else {}
    if as_json:
        rows = [_as_row(one) for one in found]
        for row, one in zip(rows, found, strict=True):
            if show_reasons:
                row["reason"] = reasons[one.entry.id].reveal()
        out.print_json(json.dumps(rows))
        return
    for one in found:
        entry = one.entry
        about_what = ", ".join(f"{subject.kind} {subject.id}" for subject in one.subjects)
        say(f"{entry.number:>8}  {entry.recorded_at:%Y-%m-%d %H:%M:%S}  {entry.actor}  {entry.action}  {about_what}")
        if show_reasons:
            say(f"{'':>8}  {reasons[entry.id].reveal()}")
    if not found:
        say("no entry is like that")


@audit_app.command("verify")
def verify(
    head: Annotated[
        list[Path] | None,
        typer.Option(exists=True, dir_okay=False, help="A signed head that was kept elsewhere; may be repeated."),
    ] = None,
    public_key: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="What heads were signed with; else that of the site's key."),
    ] = None,
) -> None:
    """Follow the whole chain and compare it with signed heads: those given, else those of the site's folder.

    Names the first entry that was changed, removed, exchanged or put in. That the end was cut off, or the chain was
    written anew, only a signed head can tell. Exit code 0: it holds; 1: it does not. Needs no keyring: only
    DICOMANON_CROSSWALK_DSN, and a login that may act as auditor.
    """
    import psycopg

    from dicomanon.crosswalk.audit.trail import follow, name_of_chain
    from dicomanon.crosswalk.roles.assuming import assume
    from dicomanon.crosswalk.session import translated
    from dicomanon.settings import DatabaseSettings

    heads = _signed_heads(head, public_key)
    with translated(), psycopg.connect(DatabaseSettings.load().crosswalk_dsn.get_secret_value()) as connection:
        assume(connection, Role.AUDITOR)
        connection.execute("SET timezone = 'UTC'")
        chain = name_of_chain(connection)
        if any(one.chain != chain for one in heads):
            raise Fatal("a signed head is of another trail than this one")
        checked = follow(connection, [one.head for one in heads])
    if checked.fault is not None:
        err.print(f"entry {checked.fault.number}: {checked.fault.what}", style="red", markup=False, soft_wrap=True)
        raise typer.Exit(PARTLY)
    say(f"{checked.entries:,} entries hold, the last is {checked.head.number}")
    if heads:
        newest = max(heads, key=lambda one: one.head.number)
        say(
            f"{len(heads)} signed heads agree, the newest of entry {newest.head.number}, signed "
            f"{newest.signed_at:%Y-%m-%d %H:%M:%S}"
        )
    else:
        say("no signed head was compared: an end that was cut off, or a chain written anew, would not be seen")
    raise typer.Exit(DONE)


@audit_app.command("head")
def sign() -> None:
    """Sign where the trail stands, once what came since the last head holds; write it to the site's folder.

    Keep copies where nobody who can write the crosswalk can write: they are what makes the trail hold.
    """
    from dicomanon.pipeline.audit_head import file_name, sign_head
    from dicomanon.settings import AuditSettings
    from dicomanon.signing import SigningKey

    with site_crosswalk(Role.AUDITOR) as crosswalk:
        settings = AuditSettings.load()
        signed, checked = sign_head(crosswalk.audit, SigningKey.load(settings.audit_key_file), settings.audit_head_dir)
    say(signed.to_json())
    err.print(
        f"{checked.entries} entries since the last head hold; {settings.audit_head_dir / file_name(signed)}",
        markup=False,
        soft_wrap=True,
    )


@audit_app.command("key")
def make_key(
    file: Annotated[Path, typer.Argument(dir_okay=False, help="New file for the private key.")],
) -> None:
    """Make the key that heads and certificates of removal are signed with, and print its public half.

    Keep the public half with whoever checks.
    """
    from dicomanon.signing import SigningKey

    sys.stdout.write(SigningKey.generate(file).public.pem())


@audit_app.command("export")
def export(
    to: Annotated[Format, typer.Option("--format", help="dicom: PS3.15 A.5 as in IHE ATNA, XML; fhir: R4, JSON.")],
    since: Since = None,
    until: Until = None,
    actor: Actor = None,
    action: Action = None,
    about: About = None,
    into: Annotated[Path | None, typer.Option(dir_okay=False, help="New file; else standard output.")] = None,
    source: Annotated[
        str, typer.Option(envvar="DICOMANON_AUDIT_SOURCE", help="Names this site in every message.")
    ] = "dicomanon",
) -> None:
    """Write entries for an audit repository, one message a line. Reasons stay sealed; the export becomes an entry."""
    from dicomanon.crosswalk.audit.dicom_message import dicom_message
    from dicomanon.crosswalk.audit.fhir import audit_event
    from dicomanon.crosswalk.audit.reported import reported

    # Two connections: one reads the trail, one asks for the names of what it is about.
    with site_crosswalk(Role.AUDITOR, connections=2) as crosswalk:
        wanted = _wanted(since, until, actor, action, about)
        _record(crosswalk.audit, "audit.export", f"as {to}")
        found = reported(crosswalk.audit, crosswalk.audit.entries(wanted))
        if to is Format.DICOM:
            lines: Iterable[str] = (dicom_message(one, source) for one in found)
        else:
            lines = (json.dumps(audit_event(one, source), ensure_ascii=False) for one in found)
        count = _write(lines, into)
    err.print(f"{count} entries", markup=False)


def _wanted(
    since: datetime | None, until: datetime | None, actor: str | None, action: str | None, about: str | None
) -> "Wanted":
    from dicomanon.crosswalk.audit.trail import Wanted

    return Wanted(
        since.replace(tzinfo=UTC) if since else None, until.replace(tzinfo=UTC) if until else None, actor, action, about
    )


def _record(audit: "Audit", action: str, reason: str) -> None:
    from dicomanon.crosswalk.audit.events import AccessEvent

    audit.record([AccessEvent(signer(), action, reason)])


def _signed_heads(files: list[Path] | None, public_key: Path | None) -> list["SignedHead"]:
    """Return the heads of the files, or those of the site's folder, or none where the site signs none."""
    from dicomanon.crosswalk.audit.signed_head import SignedHead
    from dicomanon.pipeline.audit_head import head_files
    from dicomanon.settings import AuditSettings
    from dicomanon.signing import PublicKey, SigningKey

    if not files and "DICOMANON_AUDIT_HEAD_DIR" not in os.environ:
        return []
    paths = files or head_files(AuditSettings.load().audit_head_dir)
    if public_key is not None:
        key = PublicKey.load(public_key)
    else:
        key = SigningKey.load(AuditSettings.load().audit_key_file).public
    return [SignedHead.load(path, key) for path in paths]


def _as_row(one: "Reported") -> dict[str, Any]:
    entry = one.entry
    return {
        "number": entry.number,
        "id": str(entry.id),
        "recorded_at": entry.recorded_at.isoformat(),
        "actor": entry.actor,
        "database_login": entry.database_login,
        "action": entry.action,
        "count": entry.count,
        "about": [{"kind": subject.kind.value, "id": subject.id} for subject in one.subjects],
        "hash": entry.hash.hex(),
    }


def _write(lines: Iterable[str], into: Path | None) -> int:
    count = 0
    try:
        descriptor = sys.stdout.fileno() if into is None else os.open(into, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", closefd=into is not None) as file:
            for line in lines:
                file.write(line + "\n")
                count += 1
    except OSError as error:
        raise Fatal(f"the entries cannot be written: {error.strerror}") from None
    return count
