"""``dicomanon keys``: the keys that the crosswalk is sealed with, their rotation and their destruction."""

import json
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from dicomanon.cli_site import signer, site_crosswalk
from dicomanon.console import out, say
from dicomanon.crosswalk.roles.role import Role
from dicomanon.errors import Fatal

if TYPE_CHECKING:
    from dicomanon.crosswalk.database import Crosswalk
    from dicomanon.crosswalk.keys.management import KeyStatus

keys_app = typer.Typer(
    help="Keys of the crosswalk: what there is of them, rotation, destruction. None is ever shown.",
    no_args_is_help=True,
)

Pseudonym = Annotated[str, typer.Argument(metavar="PSEUDONYM", help="Of the patient, as the research side knows them.")]


class Rotated(StrEnum):
    """What can be rotated."""

    MASTER = "master"
    WRAPPING = "wrapping"


@keys_app.command("status")
def status(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Say which master and wrapping keys are in use, and what is left to do."""
    with site_crosswalk(Role.ADMIN) as crosswalk:
        found = crosswalk.keys.status()
    if as_json:
        out.print_json(json.dumps(asdict(found), default=str))
        return
    for line in _lines(found):
        say(line)


@keys_app.command("rotate")
def rotate(
    which: Annotated[Rotated, typer.Argument(help="master: wraps the wrapping keys; wrapping: wraps the data keys.")],
    finish: Annotated[
        bool, typer.Option("--finish", help="master: let the former one open nothing any more, and forget it.")
    ] = False,
) -> None:
    """Replace a key while the others go on working. May be broken off, and started again.

    The master key of the keyring file is made anew here; another one, you configure first. Both open until --finish.
    """
    if which is Rotated.WRAPPING:
        if finish:
            raise typer.BadParameter("a rotation of the wrapping key finishes itself", param_hint="--finish")
        with site_crosswalk(Role.ADMIN) as crosswalk:
            number, rewrapped = crosswalk.keys.rotate_wrapping_key()
            _record(crosswalk, "keys.rotate_wrapping", rewrapped)
        say(f"wrapping key {number} is in use; {rewrapped} data keys were wrapped anew, the former key is retired")
    elif finish:
        _finish_master()
    else:
        _rotate_master()


@keys_app.command("reseal")
def reseal(
    patient: Annotated[
        str | None, typer.Option(metavar="PSEUDONYM", help="Give this patient and all their studies new data keys.")
    ] = None,
) -> None:
    """Seal anew, with new data keys: what an earlier version sealed without, or one patient."""
    with site_crosswalk(Role.ADMIN) as crosswalk:
        if patient:
            studies = crosswalk.keys.reseal(patient)
            _record(crosswalk, "keys.reseal", studies, patient)
            say(f"new data keys: 1 patient, {studies} studies")
        else:
            patients, studies = crosswalk.keys.reseal_unsealed()
            say(f"sealed anew: {patients} patients, {studies} studies")


@keys_app.command("destroy")
def destroy(
    pseudonym: Pseudonym,
    reason: Annotated[str, typer.Option(help="Why; kept in the audit trail, sealed.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Make everything that the crosswalk has sealed of a patient unreadable for ever (crypto-shredding).

    Research identifiers and lineage stay, and so do objects in the research PACS. Backups of the database are not
    reached: see the runbook.
    """
    if not yes:
        typer.confirm(f"destroy the keys of {pseudonym}? Nobody can undo this", abort=True)
    with site_crosswalk(Role.ADMIN) as crosswalk:
        done = crosswalk.keys.destroy(pseudonym, actor=signer(), reason=reason)
    say(f"destroyed: the keys of {pseudonym}, of {done.studies} studies with {done.instances} instances")
    say("  backups, replicas and write-ahead logs still hold what they held: see the runbook, Destroy a patient's keys")


def _record(crosswalk: "Crosswalk", action: str, count: int, pseudonym: str | None = None) -> None:
    from dicomanon.crosswalk.audit.events import Subject, SubjectKind

    subject = Subject(SubjectKind.PSEUDONYM, pseudonym) if pseudonym else None
    crosswalk.releases.record_access(signer(), action, "keys of the crosswalk were managed", count, subject=subject)


def _rotate_master() -> None:
    from dicomanon.crosswalk.keys.opening import renew_keyring_file
    from dicomanon.settings import CrosswalkSettings

    settings = CrosswalkSettings.load()
    with site_crosswalk(Role.ADMIN) as crosswalk:
        masters = crosswalk.keys.status().masters
    # More than one: an earlier rotation waits for its end, or the new master key was configured before this.
    renewed = len(masters) == 1 and settings.master_key_from == "keyring"
    if renewed:
        renew_keyring_file(settings)
    with site_crosswalk(Role.ADMIN) as crosswalk:
        admitted = crosswalk.keys.admit_master_key()
        masters = crosswalk.keys.status().masters
        if len(masters) > 1:
            _record(crosswalk, "keys.rotate_master", admitted)
    if len(masters) == 1:
        raise Fatal("there is one master key, and it is in use: configure the new one first, see the runbook")
    say(f"master key {masters[0].name} opens {admitted} more wrapping keys; the former one still opens them, too")
    if renewed:
        say("  the keyring file was replaced: copy it to where its copies are; old backups need the former copies")
    say("  when every process has been given it: dicomanon keys rotate master --finish")


def _finish_master() -> None:
    from dicomanon.crosswalk.keys.opening import forget_former_keys
    from dicomanon.settings import CrosswalkSettings

    with site_crosswalk(Role.ADMIN) as crosswalk:
        removed = crosswalk.keys.retire_other_master_keys()
        _record(crosswalk, "keys.rotate_master_finish", removed)
    forgotten = forget_former_keys(CrosswalkSettings.load())
    say(f"only the master key in use opens the crosswalk now; {removed} slots of others were removed")
    if forgotten:
        say("  the keyring file was replaced: copy it to where its copies are; old backups need the former copies")


def _lines(found: "KeyStatus") -> list[str]:
    lines = []
    for master in found.masters:
        notes = [f"opens {master.opens} of {len(found.wrapping)} wrapping keys"]
        notes += ["in use"] * master.in_use + ["not at hand"] * (not master.at_hand)
        lines.append(f"master key    {master.name}: {', '.join(notes)}")
    lines += [
        f"wrapping key  {key.number}, made {key.created_at:%Y-%m-%d}: wraps {key.data_keys} data keys"
        for key in found.wrapping
    ]
    lines.append(f"destroyed     keys of {found.destroyed_patients} patients")
    if len(found.masters) > 1:
        lines.append("to do         dicomanon keys rotate master --finish, when every process has the one in use")
    if len(found.wrapping) > 1:
        lines.append("to do         dicomanon keys rotate wrapping, which was broken off")
    if found.unsealed_patients or found.unsealed_studies:
        lines.append(
            f"to do         dicomanon keys reseal: {found.unsealed_patients} patients and"
            f" {found.unsealed_studies} studies have no data key yet"
        )
    return lines
