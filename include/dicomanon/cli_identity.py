"""``dicomanon identity``: what does not fit about who a patient is, and what admins decide about it."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, BinaryIO
from uuid import UUID

import typer

from dicomanon.cli_site import signer, site_crosswalk
from dicomanon.console import out, say
from dicomanon.crosswalk.roles.role import Role
from dicomanon.errors import Fatal

if TYPE_CHECKING:
    from dicomanon.crosswalk.decisions.identities import Identities
    from dicomanon.crosswalk.decisions.rows import Decided, KeyChange, Signed

identity_app = typer.Typer(
    help="Who is who: conflicts of identity, and merges, splits and overrulings; signed, audited, kept for ever.",
    no_args_is_help=True,
)

_NOTHING = "nothing is to be re-issued"

Event = Annotated[str, typer.Argument(metavar="EVENT", help="Of `dicomanon identity list`; its first digits will do.")]
MaybeEvent = Annotated[
    str | None, typer.Argument(metavar="[EVENT]", help="Of `dicomanon identity list`; its first digits will do.")
]
Reason = Annotated[str, typer.Option(help="Why; kept for ever, sealed.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")]
Json = Annotated[bool, typer.Option("--json", help="For programs.")]


@identity_app.command("list")
def list_events(
    everything: Annotated[bool, typer.Option("--all", help="Also what was decided.")] = False, as_json: Json = False
) -> None:
    """List what does not fit, oldest first; no PHI."""
    from dicomanon.pipeline.identity_text import event_line

    with site_crosswalk(Role.AUDITOR) as crosswalk:
        events = crosswalk.identities.events(open_only=not everything)
    if as_json:
        rows = [
            {
                "id": str(event.id),
                "kind": event.kind,
                "parts": event.parts,
                "held": event.held,
                "decided": event.decided,
                "recorded_at": event.recorded_at.isoformat(),
            }
            for event in events
        ]
        out.print_json(json.dumps(rows))
        return
    for event in events:
        say(event_line(event))
    if not events:
        say("no identity event" if everything else "no identity event is open")


@identity_app.command("show")
def show(
    event: Event, reason: Annotated[str, typer.Option(help="Why you look; kept in the audit trail, sealed.")]
) -> None:
    """Show who was known and who came. PHI on the screen; recorded before it is shown."""
    from dicomanon.pipeline.identity_text import shown

    with site_crosswalk(Role.ADMIN) as crosswalk:
        found = crosswalk.identities.show(_event(crosswalk.identities, event), actor=signer(), reason=reason)
    for line in shown(found):
        say(line)


@identity_app.command("merge")
def merge(
    reason: Reason,
    event: MaybeEvent = None,
    pseudonym: Annotated[
        list[str] | None, typer.Option(help="Of the two patients, given twice, where there is no event.")
    ] = None,
    from_file: Annotated[
        typer.FileBinaryRead | None,
        typer.Option(
            help="Changed Patient IDs: rows of old issuer, old id, new issuer, new id; or HL7 ADT^A40. - reads stdin.",
        ),
    ] = None,
    typed: Annotated[bool, typer.Option("--typed", help="Ask for one changed Patient ID; it is not shown.")] = False,
    keep: Annotated[str | None, typer.Option(metavar="PSEUDONYM", help="The one to keep; else the older one.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Say that two patients are one person: by event, by pseudonym, or by a changed Patient ID.

    New studies of either Patient ID get the surviving pseudonym and date shift; a study that has a pseudonym keeps it.
    """
    if sum((event is not None, bool(pseudonym), from_file is not None, typed)) != 1:
        raise typer.BadParameter("say one of EVENT, --pseudonym twice, --from-file, --typed")
    if keep and (from_file or typed):
        raise typer.BadParameter("of changed Patient IDs the older pseudonym is kept", param_hint="--keep")
    with _decisions(reason, dry_run) as (identities, signed):
        if event is not None:
            _tell(identities.merge_event(_event(identities, event), signed, keep=keep))
        elif pseudonym:
            _tell(identities.merge(pseudonym, signed, keep=keep))
        else:
            _merge_all(identities, _changes(from_file), signed)


@identity_app.command("unmerge")
def unmerge(
    pseudonym: Annotated[str, typer.Argument(help="Of the patient who was merged into another.")],
    reason: Reason,
    dry_run: DryRun = False,
) -> None:
    """Undo a merge: the patient's Patient IDs lead to their own pseudonym again."""
    with _decisions(reason, dry_run) as (identities, signed):
        _tell(identities.unmerge(pseudonym, signed))


@identity_app.command("overrule")
def overrule(
    event: Event,
    reason: Reason,
    shared: Annotated[
        bool, typer.Option("--shared", help="The accession number is no order's, such as 0: never ask about it again.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Say that an event is no conflict; what it held is queued again."""
    with _decisions(reason, dry_run) as (identities, signed):
        _tell(identities.overrule(_event(identities, event), signed, shared=shared))


@identity_app.command("uphold")
def uphold(event: Event, reason: Reason, dry_run: DryRun = False) -> None:
    """Say that an event is right: what it holds stays held, and nobody is asked again."""
    with _decisions(reason, dry_run) as (identities, signed):
        _tell(identities.uphold(_event(identities, event), signed))


@identity_app.command("split")
def split(
    reason: Reason,
    event: MaybeEvent = None,
    study: Annotated[
        list[str] | None, typer.Option(metavar="UID", help="Research Study Instance UID; may be repeated.")
    ] = None,
    to: Annotated[str | None, typer.Option(metavar="PSEUDONYM", help="A known patient; else a new one.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Give studies to another patient: those named, or those that the event touches."""
    with _decisions(reason, dry_run) as (identities, signed):
        event_id = _event(identities, event) if event else None
        _tell(identities.split(study or [], signed, event_id=event_id, to=to))


@identity_app.command("reissues")
def reissues(as_json: Json = False) -> None:
    """List the stored instances that wait to be removed and made again under another pseudonym."""
    from dicomanon.pipeline.identity_text import reissue_lines

    with site_crosswalk(Role.AUDITOR) as crosswalk:
        waiting = crosswalk.identities.open_reissues()
    if as_json:
        rows = [
            {
                "instance_id": one.instance_id,
                "research_sop_uid": one.research_sop_uid,
                "study_id": str(one.study_id),
                "opened_at": one.opened_at.isoformat(),
            }
            for one in waiting
        ]
        out.print_json(json.dumps(rows))
        return
    for line in reissue_lines(waiting):
        say(line)
    say("`dicomanon removal reissue --open` removes them; then the next run makes them anew" if waiting else _NOTHING)


@contextmanager
def _decisions(reason: str, dry_run: bool) -> "Iterator[tuple[Identities, Signed]]":
    from dicomanon.crosswalk.decisions.rows import Signed

    if not reason.strip():
        raise typer.BadParameter("say why: it is kept with the decision", param_hint="--reason")
    with site_crosswalk(Role.ADMIN) as crosswalk:
        yield crosswalk.identities, Signed(signer(), reason, dry_run)


def _merge_all(identities: "Identities", changes: "Iterable[KeyChange]", signed: "Signed") -> None:
    """Carry out changes one by one; what was done before one that is refused stays, and may be said again."""
    for number, change in enumerate(changes, 1):
        try:
            _tell(identities.merge_keys(change, signed))
        except Fatal as error:
            raise Fatal(f"change {number}: {error}; those before it are carried out, and may be given again") from None


def _changes(file: BinaryIO | None) -> "list[KeyChange]":
    """Return the changes in a file, or the one that is typed."""
    from dicomanon.pipeline.identifier_changes import read_changes
    from dicomanon.settings import CrosswalkSettings

    try:
        text = _typed() if file is None else file.read().decode("utf-8")
    except UnicodeDecodeError:
        raise Fatal("the file is not UTF-8: convert it first") from None
    return read_changes(text, CrosswalkSettings.load().default_issuer)


def _typed() -> str:
    """Ask for a row; what is typed is not shown."""
    import csv
    from io import StringIO

    asked = ("old issuer (or empty)", "old Patient ID", "new issuer (or empty)", "new Patient ID")
    row = StringIO()
    csv.writer(row).writerow(
        [typer.prompt(one, default="", show_default=False, hide_input=True, err=True) for one in asked]
    )
    return row.getvalue()


def _event(identities: "Identities", digits: str) -> UUID:
    """Return the event that begins with these digits.

    Raises
    ------
    Fatal
        None does, or several do.
    """
    found = [event.id for event in identities.events(open_only=False) if str(event.id).startswith(digits.lower())]
    if len(found) != 1:
        how = "no" if not found else f"{len(found)}"
        raise Fatal(f"{how} identity event begins so: `dicomanon identity list --all` names them")
    return found[0]


def _tell(done: "Decided") -> None:
    from dicomanon.pipeline.identity_text import decided

    for line in decided(done):
        say(line)
