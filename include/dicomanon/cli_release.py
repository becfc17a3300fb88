"""``dicomanon release``: whether a folder is what was released, and what is made of a release beside it."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from dicomanon.cli_site import signer, site_crosswalk
from dicomanon.cohort.parameters import PROJECT_PATTERN
from dicomanon.console import DONE, PARTLY, err, out, say
from dicomanon.crosswalk.roles.role import Role
from dicomanon.errors import Fatal

if TYPE_CHECKING:
    from dicomanon.cohort.released import Retrieve

release_app = typer.Typer(help="What was released to projects. For data engineers, and audited.", no_args_is_help=True)

_NAME = re.compile(rf"({PROJECT_PATTERN})/0*([1-9][0-9]{{0,8}})")


Name = Annotated[str, typer.Argument(metavar="PROJECT/NUMBER", help="As its folder is called.")]
Target = Annotated[Path, typer.Argument(help="Folder to write to; one that was broken off is gone on with.")]


@release_app.command("archive")
def archive(release: Name, target: Target) -> None:
    """Write the objects of a release as ZIP files, one a study, with checksums, for where no DICOMweb client goes."""
    from dicomanon.cohort.archive import write_archive

    with _leaving(release, "release.archive", target) as (folder, retrieve, threads):
        counts = write_archive(folder, target, retrieve, threads=threads)
    say(
        f"{counts.studies} studies with {counts.instances} objects, {counts.bytes / 1e6:,.0f} MB in {target};"
        f" {counts.kept_studies} were there before"
    )


@release_app.command("nifti")
def nifti(release: Name, target: Target) -> None:
    """Convert the volumes of a release (CT, MR, PT, NM) to NIfTI with BIDS sidecars, by dcm2niix."""
    from dicomanon.cohort.nifti import CONVERSION, write_nifti

    with _leaving(release, "release.nifti", target) as (folder, retrieve, threads):
        counts = write_nifti(folder, target, retrieve, threads=threads)
    say(
        f"{counts.converted} of {counts.series} series in {counts.images} images in {target}; {CONVERSION} tells what"
        f" became of each; {counts.kept_series} were there before"
    )


@release_app.command("verify")
def verify(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Of a release, with its attestation.")],
    public_key: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="PEM of who signed; else the site's own key.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Check that a folder is the release that was signed: every file, and no other. Needs nothing of the site."""
    from dicomanon.cohort.attestation import check_release
    from dicomanon.cohort.releasing import site_key
    from dicomanon.local_stack.stack import require_site
    from dicomanon.signing import PublicKey

    if public_key is None:
        require_site()
    checked = check_release(folder, PublicKey.load(public_key) if public_key else site_key().public)
    if as_json:
        out.print_json(
            json.dumps({"misfits": checked.misfits, "has_ended": checked.has_ended, "attestation": checked.predicate})
        )
    else:
        said = checked.predicate
        say(f"the signature is good: release {said['project']}/{said['number']:04d}, {said['release']}")
        say(f"  {', '.join(f'{count} {name}' for name, count in said['counts'].items())}")
        for misfit in checked.misfits:
            err.print(misfit, markup=False)
        if checked.has_ended:
            err.print("the release has ended: its TOMBSTONE.json tells what to do")
        if not checked.misfits:
            say("every file is as it was signed")
    raise typer.Exit(PARTLY if checked.misfits or checked.has_ended else DONE)


@release_app.command("write")
def write(
    release: Annotated[UUID, typer.Argument(metavar="ID", help="As release.json tells it.")],
    folder: Annotated[Path, typer.Argument(help="Is not there yet.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the audit trail.")],
) -> None:
    """Write the files of a release again, the same bytes, out of the crosswalk alone."""
    from dicomanon.cohort.releasing import site_key, write_again
    from dicomanon.crosswalk.audit.events import Subject, SubjectKind

    if folder.exists():
        raise typer.BadParameter("there is something of this name already")
    with site_crosswalk(Role.COHORT) as crosswalk:
        found = crosswalk.releases.find(release)
        crosswalk.releases.record_access(
            signer(), "release.write", reason, found.row.instances, subject=Subject(SubjectKind.RELEASE, str(release))
        )
        write_again(crosswalk, folder.absolute().parent, folder, release, site_key())
    say(f"release {found.row.project}/{found.row.number:04d} is in {folder}")


@contextmanager
def _leaving(release: str, action: str, target: Path) -> Iterator[tuple[Path, "Retrieve", int]]:
    """Give a release's folder, what reads its objects, and how many at once, when it is recorded that they leave."""
    from dicomanon.cohort.own_objects import retrieve_for
    from dicomanon.local_stack.stack import require_site
    from dicomanon.pipeline.runtime import open_runtime

    require_site()
    named = _NAME.fullmatch(release)
    if named is None:
        raise typer.BadParameter("such as lung-ai/0001", param_hint="PROJECT/NUMBER")
    name = f"{named[1]}/{int(named[2]):04d}"
    with open_runtime(Role.COHORT) as runtime:
        folder = runtime.settings.release_dir / name
        if target.resolve().is_relative_to(runtime.settings.release_dir.resolve()):
            raise typer.BadParameter("not in the release folder: a release never changes", param_hint="TARGET")
        # Before anything leaves: who breaks it off has had some of it.
        runtime.crosswalk.releases.record_access(signer(), action, f"release {name}", _instances(folder))
        retrieve = retrieve_for(runtime.crosswalk, named[1], folder, runtime.research.retrieve_instance)
        yield folder, retrieve, runtime.settings.research.threads


def _instances(folder: Path) -> int:
    try:
        return int(json.loads((folder / "release.json").read_text("utf-8"))["instances"])
    except FileNotFoundError:
        raise Fatal("there is no such release in the release folder") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise Fatal("the release.json of that release cannot be read") from None
