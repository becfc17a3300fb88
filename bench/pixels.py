"""Burned-in text: how much of it is found, what is removed beside it, and how long looking takes.

Text of invented persons is drawn into generated pictures: several fonts, sizes, contrasts, places, modalities and
compressions. Found is a line whose strokes are all covered. The seeds are others than those of the tests.

    python bench/pixels.py [--pictures 200] [--seed 20261] [--only-time]
"""

import argparse
import random
import time
from collections import defaultdict
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console
from rich.table import Table

import objects
from dicomanon.deidentify import look, look_together, parse
from dicomanon.deidentify.pixels.finding import identifying_text
from dicomanon.deidentify.pixels.judging import TextJudge
from dicomanon.deidentify.pixels.reading import text_reader
from dicomanon.deidentify.pixels.views import Pixels, views
from dicomanon.deidentify.text import KnownValues
from dicomanon.deidentify.text_cleaning import cleaner_for
from dicomanon.devices import ConfirmedDevices
from dicomanon.profile import compile_profile, load_profile
from dicomanon.sample.bulk import write_ct_studies
from dicomanon.sample.pixels import body, noisy, projection, ultrasound_sector

SIZES = (8, 10, 12, 16, 24, 36, 60)
CONTRASTS = (1.0, 0.5, 0.25)
"""Of text to its surroundings, in the range that a viewer would show."""
FONTS = ("vector", "thin vector", "outline", "bitmap")
COMPRESSIONS = ("none", "lossy")
FAMILIES = ("Okonkwo", "Lindqvist", "Featherstone", "Abernathy", "Szczepanski", "Villanueva")
GIVEN = ("Adaeze", "Per", "Wilhelmina", "Tobias", "Ewa", "Marisol")
RESEARCH = compile_profile(load_profile("research"))
NOBODY = ConfirmedDevices()


def ct(rng: np.random.Generator) -> tuple[Pixels, float]:
    """Return a picture and the range of values that a viewer shows."""
    return noisy(body(512, rng.random()), rng, 14), 400


def mr(rng: np.random.Generator) -> tuple[Pixels, float]:
    picture = np.clip(body(256, rng.random()).astype(np.int32) + 1000, 0, 1600)
    return noisy(picture.astype(np.float32), rng, 30).clip(0, 4095).astype(np.uint16), 1600


def dx(rng: np.random.Generator) -> tuple[Pixels, float]:
    return projection(900, 760, rng), 2600


def us(rng: np.random.Generator) -> tuple[Pixels, float]:
    return ultrasound_sector(480, 640, rng), 255


MODALITIES: dict[str, Callable[[np.random.Generator], tuple[Pixels, float]]] = {"CT": ct, "MR": mr, "DX": dx, "US": us}


def glyphs(text: str, font: str, size: int) -> Pixels:
    """Return a line of text as opacity, from 0 to 1."""
    if font.endswith("vector"):
        face = cv2.FONT_HERSHEY_SIMPLEX if font == "vector" else cv2.FONT_HERSHEY_PLAIN
        stroke = 1 if font == "thin vector" else max(1, round(size / 14))
        scale = cv2.getFontScaleFromHeight(face, max(4, round(size * 0.72)), stroke)
        (width, height), below = cv2.getTextSize(text, face, scale, stroke)
        canvas = np.zeros((height + below + 6, width + 6), np.uint8)
        cv2.putText(canvas, text, (3, height + 2), face, scale, 255, stroke, cv2.LINE_AA)
        return canvas / 255
    face = ImageFont.load_default(size) if font == "outline" else ImageFont.load_default_imagefont()
    *_, right, bottom = face.getbbox(text)
    image = Image.new("L", (int(right) + 4, int(bottom) + 4))
    ImageDraw.Draw(image).text((2, 2), text, fill=255, font=face)
    canvas = np.asarray(image)
    enlarged = max(1, round(size / 11)) if font == "bitmap" else 1
    return np.kron(canvas, np.ones((enlarged, enlarged), np.uint8)) / 255


def drawn(
    picture: Pixels, shown: float, opacity: Pixels, contrast: float, dice: random.Random
) -> tuple[Pixels, Pixels]:
    """Return the picture with the text, and where its strokes are."""
    height, width = opacity.shape
    rows, columns = picture.shape[:2]
    top, left = dice.randrange(rows - height), dice.randrange(columns - width)
    result = picture.astype(np.float64)
    part = result[top : top + height, left : left + width]
    # Text stands out from the middle of what is behind it, towards where there is more room.
    behind = np.median(part)
    up = behind - np.percentile(picture, 1) < np.percentile(picture, 99) - behind
    value = behind + (contrast if up else -contrast) * shown
    alpha = opacity[..., None] if part.ndim == 3 else opacity
    part[...] = part * (1 - alpha) + value * alpha
    strokes = np.zeros((rows, columns), bool)
    strokes[top : top + height, left : left + width] = opacity > 0.4
    limits = np.iinfo(picture.dtype)
    return np.rint(result).clip(limits.min, limits.max).astype(picture.dtype), strokes


def lossy(picture: Pixels) -> Pixels:
    """Return what is left of a picture after JPEG in eight bits."""
    if picture.dtype != np.uint8:
        low, high = float(picture.min()), float(picture.max())
        picture = ((picture - low) * (255 / (high - low))).astype(np.uint8)
    buffer = BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=85)
    return np.asarray(Image.open(buffer))


def recall(console: Console, pictures: int, seed: int) -> None:
    dice, rng = random.Random(seed), np.random.default_rng(seed)
    found: dict[tuple[str, object], list[bool]] = defaultdict(list)
    removed: list[float] = []
    changed = 0
    for _ in range(pictures):
        modality, compression = dice.choice(list(MODALITIES)), dice.choice(COMPRESSIONS)
        size, contrast, font = dice.choice(SIZES), dice.choice(CONTRASTS), dice.choice(FONTS)
        family, given = dice.choice(FAMILIES), dice.choice(GIVEN)
        judge = judge_of(f"{family}^{given}")
        clean, shown = MODALITIES[modality](rng)
        opacity = glyphs(dice.choice((f"{family}, {given}", f"{given} {family}".upper())), font, size)
        if opacity.shape[1] >= clean.shape[1]:
            continue
        picture, strokes = drawn(clean, shown, opacity, contrast, dice)
        if compression == "lossy":
            clean, picture = lossy(clean), lossy(picture)
        covered = np.zeros(strokes.shape, bool)
        for text in identifying_text(picture, text_reader(), judge, unreadable=modality != "CT"):
            covered[text.box.top : text.box.bottom, text.box.left : text.box.right] = True
        hit = bool(covered[strokes].mean() > 0.95)
        for key in (("size", size), ("contrast", contrast), ("font", font), ("modality", modality)):
            found[key].append(hit)
        found["compression", compression].append(hit)
        found["all", ""].append(hit)
        near = cv2.dilate(strokes.astype(np.uint8), np.ones((2 * size + 1, 4 * size + 1), np.uint8)).astype(bool)
        removed.append(float((covered & ~near).sum() / covered.size))
        changed += bool(identifying_text(clean, text_reader(), judge, unreadable=modality != "CT"))
    table = Table(title=f"Lines of text found, of {len(found['all', ''])}")
    for name in ("", "", "lines", "found"):
        table.add_column(name, justify="right")
    for (kind, value), hits in sorted(found.items(), key=lambda item: (item[0][0], str(item[0][1]).zfill(5))):
        table.add_row(kind, str(value), str(len(hits)), f"{100 * sum(hits) / len(hits):.1f} %")
    console.print(table)
    console.print(f"removed beyond a line around the text: {100 * np.mean(removed):.3f} % of a picture")
    console.print(f"pictures without text that were changed: {changed} of {len(removed)}")


def judge_of(name: str) -> TextJudge:
    known = KnownValues(names=frozenset({name}))
    return TextJudge(known.needles, cleaner_for(known, RESEARCH, None).clean)


def times(console: Console) -> None:
    """Measure looking at real objects, and what reading every frame by itself would take in the same run."""
    table = Table(title="Seconds for a thousand instances, one core")
    for name in ("", "looking", "reading every frame", "saved"):
        table.add_column(name, justify="right")
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_ct_studies(folder / "ct", studies=1, slices=256, seed=7)
        objects.write_dx(folder / "dx", 3)
        slices = [parse(path.read_bytes()) for path in sorted((folder / "ct").rglob("*.dcm"))]
        radiographs = [parse(path.read_bytes()) for path in sorted((folder / "dx").rglob("*.dcm"))]
        rng = np.random.default_rng(8)
        cine = [ultrasound_sector(480, 640, rng) for _ in range(4)]
        text_reader()
        started = time.process_time()
        for start in range(0, len(slices), 128):
            look_together(slices[start : start + 128], RESEARCH, NOBODY)
        together = (time.process_time() - started) / len(slices)
        add(table, "CT of a series", together, seconds(lambda: look(slices[0], RESEARCH, NOBODY)))
        add(table, "DX of 20 MB", seconds(lambda: look(radiographs[0], RESEARCH, NOBODY)), None)
        frame = seconds(lambda: [text_reader().read(view) for view in views(cine[0])])
        # Eight frames share two projections.
        add(table, "US cine of 64 frames", frame * 2 * 64 / 8, frame * 64)
    console.print(table)


def seconds(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(3):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return best


def add(table: Table, name: str, looking: float, every: float | None) -> None:
    shown = ("", "") if every is None else (f"{every * 1000:.0f}", f"{every / looking:.1f} times")
    table.add_row(name, f"{looking * 1000:.1f}", *shown)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--seed", type=int, default=20261)
    parser.add_argument("--only-time", action="store_true")
    given = parser.parse_args()
    console = Console()
    times(console)
    if not given.only_time:
        recall(console, given.pictures, given.seed)


if __name__ == "__main__":
    main()
