"""``dicomanon removal``: withdrawal of a patient, recall of a release, re-issue; decided, carried out, certified."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dicomanon.cli_site import signer, site_crosswalk
from dicomanon.console import DONE, PARTLY, err, out, say
from dicomanon.crosswalk.roles.role import Role
from dicomanon.errors import DicomanonError

if TYPE_CHECKING:
    from dicomanon.crosswalk.removals.rows import Extent, Removal, RemovalKind
    from dicomanon.pipeline.runtime import Runtime
    from dicomanon.signing import PublicKey

removal_app = typer.Typer(
    help="Take objects out of the research PACS again: withdrawal, recall, re-issue. For admins, and audited.",
    no_args_is_help=True,
)

Reason = Annotated[str, typer.Option(help="Why, in words; sealed in the crosswalk.")]
Ticket = Annotated[str, typer.Option(help="Where it is filed; kept in clear, so nothing about a patient.")]
Go = Annotated[bool, typer.Option("--yes", help="Carry it out at once; without, only what it would take is shown.")]
Id = Annotated[str, typer.Argument(metavar="REMOVAL", help="Its id, or how that begins.")]
Json = Annotated[bool, typer.Option("--json", help="For programs.")]


@removal_app.command("withdraw")
def withdraw(
    reason: Reason,
    ticket: Ticket,
    pseudonym: Annotated[str, typer.Argument(help="Of the patient; without, his Patient ID is asked for.")] = "",
    yes: Go = False,
) -> None:
    """End a patient's consent: remove all that is his, end the releases that have it, and never take him up again.

    This cannot be undone.
    """
    from dicomanon.crosswalk.removals.rows import RemovalKind

    _request_of_patient(RemovalKind.WITHDRAWAL, pseudonym, reason, ticket, yes)


@removal_app.command("reissue")
def reissue(
    reason: Reason,
    ticket: Ticket,
    pseudonym: Annotated[str, typer.Argument(help="Of the patient; without, his Patient ID is asked for.")] = "",
    owed: Annotated[
        bool, typer.Option("--open", help="Of every patient with objects that wait in `dicomanon identity reissues`.")
    ] = False,
    with_recalled: Annotated[
        bool, typer.Option("--with-recalled", help="Make anew what was recalled, too: once its cause is mended.")
    ] = False,
    yes: Go = False,
) -> None:
    """Remove all objects of a patient, to be made anew under new research UIDs by the next runs.

    What was recalled stays held unless it is asked for.
    """
    from dicomanon.crosswalk.removals.rows import RemovalKind, Requester

    if owed:
        if pseudonym:
            raise typer.BadParameter("with --open no patient is named")
        if with_recalled:
            raise typer.BadParameter("what was recalled is made anew for one patient at a time")
        with _runtime(Role.ADMIN) as runtime:
            removals = runtime.crosswalk.removals.request_owed(Requester(signer()), reason=reason, ticket=ticket)
            _go_on(runtime, removals, yes)
        return
    _request_of_patient(RemovalKind.RE_ISSUE, pseudonym, reason, ticket, yes, with_recalled=with_recalled)


@removal_app.command("recall")
def recall(
    release: Annotated[str, typer.Argument(help="PROJECT/NUMBER, such as lung-ai/0001.")],
    reason: Reason,
    ticket: Ticket,
    objects: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="File with one research SOP Instance UID a line; else all."),
    ] = None,
    yes: Go = False,
) -> None:
    """Take a release back, or some objects of it, from every release that has them; they are held as recalled."""
    from dicomanon.crosswalk.removals.rows import Requester
    from dicomanon.pipeline.removal.asking import release_named

    project, number = release_named(release)
    uids = objects.read_text(encoding="ascii", errors="replace").split() if objects else []
    with _runtime(Role.ADMIN) as runtime:
        removal = runtime.crosswalk.removals.request_recall(
            project, number, Requester(signer()), reason=reason, ticket=ticket, research_sop_uids=uids
        )
        _go_on(runtime, [removal], yes)


@removal_app.command("approve")
def approve(removal: Id, reason: Reason) -> None:
    """Stand for a removal that another person requested."""
    with site_crosswalk(Role.ADMIN) as crosswalk:
        removals = crosswalk.removals
        done = removals.approve(removals.find(removal), signer(), reason)
    say(f"{done.persons} stand for {done.kind} {done.id}")


@removal_app.command("run")
def run(removal: Id) -> None:
    """Carry a removal out, or go on with one that was broken off; ask the research PACS again what it shows."""
    with _runtime(Role.REMOVAL) as runtime:
        _carry_out(runtime, runtime.crosswalk.removals.find(removal))


@removal_app.command("list")
def list_removals(as_json: Json = False) -> None:
    """Show every removal and how far it is."""
    with site_crosswalk(Role.AUDITOR) as crosswalk:
        found = crosswalk.removals.all()
    if as_json:
        out.print_json(json.dumps([_facts(one) for one in found]))
        return
    for one in found:
        say(f"{one.id}  {one.kind:<10}  {one.state:<9}  {one.pseudonym or '-':<12}  {one.ticket}")


@removal_app.command("show")
def show(
    removal: Id,
    objects: Annotated[bool, typer.Option("--objects", help="List the objects that are not known to be gone.")] = False,
    as_json: Json = False,
) -> None:
    """Show what a removal takes, or took, and what is left to be removed by hand."""
    with site_crosswalk(Role.AUDITOR) as crosswalk:
        removals = crosswalk.removals
        found = removals.find(removal)
        left = removals.objects(found, left=True)
        if as_json:
            listed = [[one.research_study_uid, one.research_series_uid, one.research_sop_uid] for one in left]
            out.print_json(json.dumps({**_facts(found), "left": listed if objects else len(left)}))
            return
        for name, value in _facts(found).items():
            say(f"{name:<12}  {value}")
        if found.steps:
            say(f"{'left':<12}  {len(left)} objects")
        else:
            _show_extent(removals.extent(found), found)
        for one in left if objects else ():
            say(f"{one.research_study_uid}  {one.research_series_uid}  {one.research_sop_uid}")


@removal_app.command("verify")
def verify(
    certificate: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="File of a certificate.")],
    public_key: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="PEM of who signed; else the site's own key.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a certificate of removal, and show what it says."""
    from dicomanon.pipeline.removal.certificate import verify_certificate

    said = verify_certificate(certificate, _public_key(public_key))
    if as_json:
        out.print_json(json.dumps(said))
        return
    say("the signature is good")
    say(f"{said['kind']} {said['removal']}, ticket {said['ticket']}, patient {said['pseudonym'] or '-'}")
    say(f"  {len(said['objects'])} objects removed; {said['confirmed_by']}")
    for release in said["releases"]:
        say(f"  release {release['release']}, held by {release['held_by']}: {release['removed_instances']} objects")
    for sentence in said["not_undone"]:
        say(f"  not undone: {sentence}")


@contextmanager
def _runtime(role: Role) -> Iterator["Runtime"]:
    from dicomanon.local_stack.stack import require_site
    from dicomanon.pipeline.runtime import open_runtime

    require_site()
    with open_runtime(role) as runtime:
        yield runtime


def _request_of_patient(
    kind: "RemovalKind", pseudonym: str, reason: str, ticket: str, yes: bool, *, with_recalled: bool = False
) -> None:
    from dicomanon.crosswalk.removals.rows import Requester
    from dicomanon.pipeline.removal.asking import pseudonym_of

    # What is typed as an argument is in the shell's history and the list of processes: a Patient ID is asked for.
    patient_id = "" if pseudonym else typer.prompt("Patient ID (ID, or ID^^^ISSUER)", hide_input=True)
    with _runtime(Role.ADMIN) as runtime:
        if patient_id:
            pseudonym = pseudonym_of(
                runtime.crosswalk, patient_id, runtime.settings.default_issuer, actor=signer(), ticket=ticket
            )
        removal = runtime.crosswalk.removals.request_of_patient(
            kind, pseudonym, Requester(signer()), reason=reason, ticket=ticket, with_recalled=with_recalled
        )
        _go_on(runtime, [removal], yes)


def _go_on(runtime: "Runtime", removals: Sequence["Removal"], yes: bool) -> None:
    waiting = False
    failure: DicomanonError | None = None
    for removal in removals:
        say(f"{removal.kind} {removal.id}")
        _show_extent(runtime.crosswalk.removals.extent(removal), removal)
        missing = removal.approvals_left(runtime.settings.removal_approvals)
        if missing:
            err.print(f"{missing} more must stand for it: `dicomanon removal approve {removal.id} --reason WHY`")
            waiting = True
        elif yes:
            try:
                # Whoever may ask does not change the crosswalk; who changes it does as this role.
                with _runtime(Role.REMOVAL) as acting:
                    _carry_out(acting, removal)
            except DicomanonError as error:
                # The others do not wait for what one has met.
                failure = failure or error
        else:
            err.print(f"nothing is removed yet: `dicomanon removal run {removal.id}` does it")
    if not removals:
        say("nothing is to be re-issued")
    if failure is not None:
        raise failure
    raise typer.Exit(PARTLY if waiting else DONE)


def _carry_out(runtime: "Runtime", removal: "Removal") -> None:
    from dicomanon.pipeline.removal.certificate import certificate_file
    from dicomanon.pipeline.removal.steps import carry_out

    carry_out(
        runtime,
        removal.id,
        note=lambda step, counts: say(f"  {step:<9}  {', '.join(f'{value} {name}' for name, value in counts.items())}"),
    )
    say(f"  certificate in {certificate_file(runtime.settings.certificate_dir, removal)}")


def _show_extent(extent: "Extent", removal: "Removal") -> None:
    from dicomanon.crosswalk.removals.rows import RemovalKind

    states = ", ".join(f"{count} {state}" for state, count in extent.instances.items()) or "no instances"
    releases = ", ".join(f"{one.project}/{one.number:04d}" for one in extent.releases) or "none"
    say(f"  takes {states}; releases: {releases}")
    if removal.kind is RemovalKind.RE_ISSUE and extent.recalled:
        told = "are made anew, too" if removal.with_recalled else "stay held: --with-recalled makes them anew, too"
        say(f"  {extent.recalled} that were recalled {told}")


def _facts(removal: "Removal") -> dict[str, str]:
    return {
        "removal": str(removal.id),
        "kind": str(removal.kind),
        "state": removal.state,
        "patient": removal.pseudonym or "-",
        "ticket": removal.ticket,
        "requested by": removal.requester.name,
        "approved by": ", ".join(one.approved_by for one in removal.approvals) or "-",
        "requested at": removal.requested_at.isoformat(timespec="seconds"),
    }


def _public_key(file: Path | None) -> "PublicKey":
    from dicomanon.local_stack.stack import require_site
    from dicomanon.settings import SigningSettings
    from dicomanon.signing import PublicKey, SigningKey

    if file is not None:
        return PublicKey.load(file)
    require_site()
    return SigningKey.load(SigningSettings.load().audit_key_file).public
