"""Shows what is decided about the pixels of a file, which text is found, and what would be made black.

A face is not looked for: that takes a whole series.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dicomanon.deidentify import look, parse
from dicomanon.deidentify.faces.facts import facts_of
from dicomanon.deidentify.faces.recognise import recognise
from dicomanon.deidentify.pixels.decision import PixelPath, decide
from dicomanon.deidentify.pixels.finding import find_text
from dicomanon.deidentify.pixels.image import PixelImage
from dicomanon.deidentify.pixels.reading import text_reader
from dicomanon.deidentify.pixels.regions import Box
from dicomanon.deidentify.pixels.seeing import judge_of
from dicomanon.deidentify.source import SourceInstance
from dicomanon.devices import ConfirmedDevices
from dicomanon.errors import Fatal, Held
from dicomanon.pipeline.pixel_outcome import outcome_of
from dicomanon.pipeline.pixel_picture import drawn
from dicomanon.profile import CompiledProfile
from dicomanon.profile.compiler import CLEAN_PIXEL_DATA


@dataclass(frozen=True, slots=True)
class PixelCheck:
    """What was seen of one file; nothing of it says what a text reads.

    Attributes
    ----------
    report
        Decision, reasons, whether the header speaks of a face, regions to be made black, and the texts of the first
        frame by class; ready for JSON.
    picture
        The first frame as PNG with texts and known boxes outlined, ``b""`` if there is none. It shows PHI.
    """

    report: dict[str, Any]
    picture: bytes = b""


def check_pixels(path: Path, profile: CompiledProfile, devices: ConfirmedDevices) -> PixelCheck:
    """Look at the pixels of a file as a run would; nothing is stored.

    Raises
    ------
    Fatal
        The file cannot be read.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise Fatal(f"a file cannot be read ({error.strerror})") from None
    try:
        source = parse(raw)
        decision = decide(source, profile, devices)
        report: dict[str, Any] = {
            "decision": decision.path,
            "risk": decision.risk,
            "reasons": list(decision.reasons),
            "flagged": decision.flagged_as,
            "outcome": outcome_of(decision, profile).text,
            "face": recognise(facts_of(source)).sight,
        }
        image = PixelImage.of(source) if decision.path not in {PixelPath.NOTHING, PixelPath.HOLD} else None
        if image is None:
            return PixelCheck(report)
        first = image.frame(0)
        texts = find_text(first, text_reader(), judge_of([source], profile))
        report["texts"] = [
            {"class": text.text_class, "box": _as_typed(text.box), "score": round(text.score, 2)} for text in texts
        ]
        if profile.has(CLEAN_PIXEL_DATA):
            report["regions"] = _regions(source, profile, devices)
        black = [region.box for region in decision.regions if region.holds_for(0)]
        return PixelCheck(report, drawn(first, texts, black))
    except Held as held:
        return PixelCheck({"held": held.reason, "detail": held.detail})


def write_picture(check: PixelCheck, path: Path) -> None:
    """Write the picture of a check, for the eyes of whoever asked only.

    Raises
    ------
    Fatal
        The file is there already, or cannot be written.
    """
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(check.picture)
    except OSError as error:
        raise Fatal(f"a picture cannot be written ({error.strerror}): name a new folder") from None


def _regions(source: SourceInstance, profile: CompiledProfile, devices: ConfirmedDevices) -> list[dict[str, Any]]:
    return [
        {
            "box": _as_typed(region.box),
            "frames": "all" if region.frames is None else [min(region.frames), max(region.frames)],
        }
        for region in look(source, profile, devices).regions
    ]


def _as_typed(box: Box) -> list[int]:
    """Return left, top, width and height, as ``dicomanon pixels confirm --box`` takes them."""
    return [box.left, box.top, box.width, box.height]
