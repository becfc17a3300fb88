"""``dicomanon pixels``: devices that write into their pictures, and fixtures of what is decided about them."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dicomanon.cli_site import is_site, signer, site_crosswalk, site_profile_name
from dicomanon.console import DONE, PARTLY, err, out, say
from dicomanon.devices import ConfirmedBox, DeviceDecision
from dicomanon.errors import Fatal

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

_SHORT_ID = 8
_BOX_NUMBERS = 4
Json = Annotated[bool, typer.Option("--json", help="For programs.")]
FixtureFile = Annotated[Path, typer.Option(dir_okay=False, help="The site's own file of fixtures, one a line.")]
_FIXTURES = Path("device_fixtures.jsonl")


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

    In the picture, red text identifies, orange text cannot be read, green text stays.
    """
    from dicomanon.devices import ConfirmedDevices
    from dicomanon.pipeline.pixel_check import check_pixels, write_picture
    from dicomanon.profile import compile_profile, load_profile

    compiled = compile_profile(load_profile(profile or site_profile_name()))
    confirmed = ConfirmedDevices()
    if is_site():
        with site_crosswalk() as crosswalk:
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
    with site_crosswalk() as crosswalk:
        seen = crosswalk.devices.all()
    wanted = [device for device in seen if not (unconfirmed and device.confirmations)]
    if as_json:
        out.print_json(json.dumps([_as_row(device) for device in wanted]))
        return
    for device in wanted:
        for line in _lines(device):
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
    """Say what becomes of a device's pictures. Look at several of them first, in the clinical PACS."""
    boxes = [_box(text) for text in box or ()]
    with site_crosswalk() as crosswalk:
        found = _device(crosswalk.devices.all(), device)
        queued = crosswalk.devices.confirm(found.id, decision, boxes, author=signer(), reason=reason)
    say(f"{str(found.id)[:_SHORT_ID]} is confirmed: {decision}")
    if decision is DeviceDecision.HOLD:
        say(f"  {found.waiting} instances stay held")
    else:
        say(f"  {queued} instances are queued again: the next run takes them up, with all checks")


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
    numbers = [part.strip() for part in text.split(",")]
    if len(numbers) != _BOX_NUMBERS or not all(number.isdecimal() for number in numbers):
        raise typer.BadParameter("left, top, width and height in pixels, as in 0,0,1024,60", param_hint="--box")
    left, top, width, height = map(int, numbers)
    return left, top, width, height


def _device(seen: list["SeenDevice"], wanted: str) -> "SeenDevice":
    found = [device for device in seen if wanted and str(device.id).startswith(wanted.lower())]
    if len(found) != 1:
        told = "several devices begin so: give more digits" if found else "no such device was seen"
        raise Fatal(f"{told}; `dicomanon pixels devices` names them")
    return found[0]


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


def _lines(device: "SeenDevice") -> list[str]:
    from dicomanon.standard.names import sop_class_keyword

    key = device.key
    what = " / ".join(part or "-" for part in (key.manufacturer, key.model, key.software_versions))
    kind = f"{key.rows}x{key.columns} {sop_class_keyword(key.sop_class_uid)} {key.image_type}".rstrip()
    counts = f"{device.instances} instances of {device.studies} studies, {device.waiting} waiting"
    lines = [
        f"{str(device.id)[:_SHORT_ID]}  {key.modality or '-'}  {what}",
        f"  {kind}",
        f"  {device.state}; {counts}; first seen {device.first_seen_at:%Y-%m-%d}",
    ]
    for one in device.confirmations:
        boxes = "".join(f" {','.join(map(str, box))}" for box in one.said.boxes)
        lines.append(
            f"  {one.said.decision}{boxes} by {one.author} on {one.confirmed_at:%Y-%m-%d %H:%M}: {one.reason.reveal()}"
        )
    return lines


def _expected(expected: "Expected") -> str:
    boxes = "".join(f" {','.join(map(str, box))}" for box in expected.boxes)
    flag = f", flagged as {expected.flagged_as}" if expected.flagged_as else ""
    return f"{expected.path}{boxes}, risk {expected.risk}{flag}"
