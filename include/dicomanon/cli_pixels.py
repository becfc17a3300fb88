"""``dicomanon pixels``: devices that write into their pictures, and fixtures of what is decided about them."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dicomanon.cli_site import is_site, signer, site_crosswalk, site_profile_name
from dicomanon.console import DONE, PARTLY, err, out, say
from dicomanon.crosswalk.roles.role import Role
from dicomanon.devices import ConfirmedBox, DeviceDecision

if TYPE_CHECKING:
    from dicomanon.crosswalk.rows import SeenDevice
    from dicomanon.deidentify.pixels.fixtures import Expected

pixels_app = typer.Typer(
    help="Text in the pixels: devices that a person should look at first, and regression fixtures.",
    no_args_is_help=True,
)
fixtures_app = typer.Typer(
    help="Headers of real devices, without PHI and pixels, and what is decided about them: checked after every change.",
    no_args_is_help=True,
)
pixels_app.add_typer(fixtures_app, name="fixtures")

Json = Annotated[bool, typer.Option("--json", help="For programs.")]
FixtureFile = Annotated[Path, typer.Option(dir_okay=False, help="The site's own file of fixtures, one a line.")]
_FIXTURES = Path("device_fixtures.jsonl")
_CONNECTIONS = 4
"""To the crosswalk: as many pictures as a browser asks for at once."""


@pixels_app.command("check")
def check_files(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", exists=True, dir_okay=False, help="DICOM files.")],
    profile: Annotated[str | None, typer.Option(help="Shipped name, or a file; else the one in force.")] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(file_okay=False, help="Folder for a PNG of each first frame, texts outlined. PHI: keep it safe."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what is decided about the pixels of files, and which text is found. Nothing is stored or recorded.

    In the picture, red text identifies, orange text cannot be read, green text stays; blue boxes are those of a device
    rule or a confirmation.
    """
    from dicomanon.devices import ConfirmedDevices
    from dicomanon.pipeline.pixel_check import check_pixels, write_picture
    from dicomanon.profile import compile_profile, load_profile

    compiled = compile_profile(load_profile(profile or site_profile_name()))
    confirmed = ConfirmedDevices()
    if is_site():
        with site_crosswalk(Role.REVIEWER) as crosswalk:
            confirmed = crosswalk.devices.confirmed()
    if pictures is not None:
        pictures.mkdir(parents=True, exist_ok=True, mode=0o700)
    reports = {}
    for number, file in enumerate(files, 1):
        done = check_pixels(file, compiled, confirmed)
        if pictures is not None and done.picture:
            done.report["picture"] = str(pictures / f"{number:04}.png")
            write_picture(done, pictures / f"{number:04}.png")
        reports[str(file)] = done.report
    if as_json:
        out.print_json(json.dumps(reports))
        return
    for name, report in reports.items():
        say(name)
        for key, value in report.items():
            lines = [_shown(one) for one in value] if isinstance(value, list) else [str(value)]
            for number, line in enumerate(lines or ["-"]):
                say(f"  {'' if number else key:<9} {line or '-'}")


def _shown(value: object) -> str:
    """Return an entry of a report as people read it."""
    if not isinstance(value, dict):
        return str(value)
    return "  ".join(
        f"{name} {','.join(map(str, one)) if isinstance(one, list) else one}" for name, one in value.items()
    )


@pixels_app.command("devices")
def devices(
    unconfirmed: Annotated[bool, typer.Option("--unconfirmed", help="Only those that nobody has confirmed.")] = False,
    as_json: Json = False,
) -> None:
    """Name the devices that were met, what waits for them, and what was said of them."""
    from dicomanon.pipeline.device_text import device_text

    with site_crosswalk(Role.REVIEWER) as crosswalk:
        crosswalk.releases.record_access(signer(), "pixels.devices", "devices and what was said of them", 1)
        seen = crosswalk.devices.all()
    wanted = [device for device in seen if not (unconfirmed and device.confirmations)]
    if as_json:
        out.print_json(json.dumps([_as_row(device) for device in wanted]))
        return
    for device in wanted:
        for line in device_text(device).lines():
            say(line)
    if not wanted:
        say("no device waits" if unconfirmed else "no device that a person should look at first was met")


@pixels_app.command("confirm")
def confirm(
    device: Annotated[
        str, typer.Argument(metavar="ID", help="Of `dicomanon pixels devices`; its first digits will do.")
    ],
    decision: Annotated[
        DeviceDecision,
        typer.Option("--as", help="clean: OCR goes on alone; mask: cover the boxes, OCR reads the rest; hold: always."),
    ],
    reason: Annotated[str, typer.Option(help="What you looked at, and saw; kept for ever, sealed.")],
    box: Annotated[
        list[str] | None, typer.Option(metavar="X,Y,W,H", help="Left, top, width, height in pixels; may be repeated.")
    ] = None,
) -> None:
    """Say what becomes of a device's pictures. Look at several of them first: `dicomanon pixels review`."""
    from dicomanon.pipeline.device_confirmation import confirm_device

    boxes = [_box(text) for text in box or ()]
    with site_crosswalk(Role.REVIEWER) as crosswalk:
        confirmed = confirm_device(crosswalk, device, decision, boxes, author=signer(), reason=reason)
    for line in confirmed.lines():
        say(line)


@pixels_app.command("review")
def review(
    reason: Annotated[str, typer.Option(help="Why you look; kept in the audit trail with every picture, sealed.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of 127.0.0.1; 0 takes a free one.")] = 0,
) -> None:
    """Look at what is held for its pixels, in a browser, and confirm devices there. Ends with Ctrl-C.

    The pictures come out of the clinical PACS as you ask for them, into memory only; every one that you see is recorded
    with your name. The page answers on this machine alone, and to the browser that opened the printed address first.

    From another machine: `ssh -L 8765:127.0.0.1:8765 HOST`, there run this with `--port 8765`, and open the printed
    address in the browser where you are.
    """
    if not reason.strip():
        raise typer.BadParameter("say why: it is kept in the audit trail", param_hint="--reason")
    from dicomanon.pacs.query import ClinicalPacs
    from dicomanon.pipeline.profiles import resolve_profile
    from dicomanon.profile import compile_profile
    from dicomanon.review.app import create_app
    from dicomanon.review.door import Door
    from dicomanon.review.looks import Looks, for_a_person
    from dicomanon.review.serving import bound, serve
    from dicomanon.settings import ClinicalSettings

    with site_crosswalk(Role.REVIEWER, connections=_CONNECTIONS) as crosswalk:
        settings = ClinicalSettings.load()
        profile = resolve_profile(settings.profile, crosswalk, settings.profile_approvals)
        who = signer()
        crosswalk.releases.record_access(who, "pixels.devices", reason, 1)
        with bound(port) as listening, ClinicalPacs(for_a_person(settings.clinical)) as clinical:
            door = Door(listening.getsockname()[1])
            looks = Looks(
                crosswalk,
                clinical,
                compile_profile(profile),
                actor=who,
                reason=reason,
                at_once=settings.clinical.threads,
            )
            say(door.address)
            say(f"  opens once, on this machine; every picture is recorded as seen by {who}; Ctrl-C ends it")
            serve(create_app(crosswalk, looks, door, author=who), listening)


@fixtures_app.command("add")
def add(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", exists=True, dir_okay=False, help="DICOM files.")],
    into: FixtureFile = _FIXTURES,
) -> None:
    """Append what the headers of objects say of their devices, and what is decided about them today.

    Refused where a fact of the device may identify a person.
    """
    from dicomanon.pipeline.pixel_fixtures import add_fixtures

    added, known = add_fixtures(into, files)
    for fixture in added:
        say(f"{fixture.name}: {_expected(fixture.expected)}")
    say(f"{len(added)} added, {known} there already")


@fixtures_app.command("check")
def check(file: FixtureFile = _FIXTURES) -> None:
    """Check that what is decided is what the fixtures say. Exit code 0: it is; 1: something is decided otherwise."""
    from dicomanon.deidentify.pixels.fixtures import differences
    from dicomanon.pipeline.pixel_fixtures import read_fixtures

    fixtures = read_fixtures(file)
    found = differences(fixtures)
    for name, (expected, now) in found.items():
        err.print(f"{name}: was {_expected(expected)}; is {_expected(now)}", markup=False, soft_wrap=True)
    say(f"{len(fixtures) - len(found)} of {len(fixtures)} fixtures are met")
    raise typer.Exit(PARTLY if found else DONE)


def _box(text: str) -> ConfirmedBox:
    from dicomanon.pipeline.device_confirmation import box_of

    try:
        return box_of(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--box") from None


def _as_row(device: "SeenDevice") -> dict[str, Any]:
    return {
        "id": str(device.id),
        "state": device.state,
        **json.loads(device.key.to_json()),
        "first_seen_at": device.first_seen_at.isoformat(),
        "instances": device.instances,
        "studies": device.studies,
        "waiting": device.waiting,
        "confirmations": [
            {
                "decision": one.said.decision,
                "boxes": one.said.boxes,
                "confirmed_by": one.author,
                "confirmed_at": one.confirmed_at.isoformat(),
                "reason": one.reason.reveal(),
            }
            for one in device.confirmations
        ],
    }


def _expected(expected: "Expected") -> str:
    boxes = "".join(f" {','.join(map(str, box))}" for box in expected.boxes)
    flag = f", flagged as {expected.flagged_as}" if expected.flagged_as else ""
    return f"{expected.path}{boxes}, risk {expected.risk}{flag}"
