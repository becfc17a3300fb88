"""Writes many large objects quickly, to measure speed on: CT studies and 20 MB radiographs."""

import datetime as dt
from pathlib import Path

import numpy as np
from pydicom import dcmwrite

from dicomanon.sample import images
from dicomanon.sample.headers import Series, Study, Uids
from dicomanon.sample.people import make_cast, some_day
from dicomanon.sample.pixels import Pixels, body, projection
from dicomanon.sample.planted import Planted

_NOISE_PLANES = 4
_SIZE = 512
DX_SHAPE = (3320, 3020)
"""Rows and columns of a radiograph of 20 MB."""


def write_ct_studies(folder: Path, studies: int, slices: int, seed: int = 1) -> list[Path]:
    """Write CT studies of one series each, 512x512 in 16 bits (0.5 MB a slice), one patient after another.

    Every object differs from every other in header and pixels. The pixels are an anatomy per slice position and
    noise that is drawn a few times and then only shifted, since drawing it anew would take most of the time.

    Returns
    -------
    list of Path
        ``study<number>-<slice>.dcm`` in order of study and slice.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([seed, 4])
    noise = [rng.normal(0, 14, (_SIZE, _SIZE)).astype(np.int16) for _ in range(_NOISE_PLANES)]
    anatomies = [body(_SIZE, level / max(1, slices)) for level in range(1, slices + 1)]
    paths: list[Path] = []
    for number in range(1, studies + 1):
        series = Series(_study(seed, number, "bulk-ct"), 1, "CT", "Thorax 5.0 B30f", "CHEST")
        dataset = images.ct(series, 1, slices, rng)
        for instance in range(1, slices + 1):
            sop_uid = series.sop_uid(instance)
            dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = sop_uid
            dataset.InstanceNumber = instance
            dataset.InstanceCreationTime = dataset.AcquisitionTime = f"10{instance // 60 % 60:02d}{instance % 60:02d}"
            dataset.ImagePositionPatient[2] = dataset.SliceLocation = -250.0 + 5.0 * instance
            moved = np.roll(noise[instance % _NOISE_PLANES], (instance * 7 + number) % _SIZE, axis=0)
            dataset.PixelData = (anatomies[instance - 1] + moved).tobytes()
            path = folder / f"study{number:05d}-{instance:04d}.dcm"
            dcmwrite(path, dataset, enforce_file_format=True)
            paths.append(path)
    return paths


def write_dx(folder: Path, count: int, seed: int = 1) -> list[Path]:
    """Write radiographs of 20 MB, one patient and study each.

    Returns
    -------
    list of Path
        ``dx<number>.dcm`` in order.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([seed, 5])
    rows, columns = DX_SHAPE
    picture: Pixels | None = None
    paths: list[Path] = []
    for number in range(1, count + 1):
        series = Series(_study(seed, number, "bulk-dx"), 1, "DX", "Chest PA", "CHEST", model="Panel 43")
        dataset = images.dx(series, 1, rng, rows=2, columns=2)
        if picture is None:
            picture = projection(rows, columns, rng)
        dataset.Rows, dataset.Columns = rows, columns
        dataset.PixelData = np.roll(picture, number * 3, axis=0).tobytes()
        path = folder / f"dx{number:05d}.dcm"
        dcmwrite(path, dataset, enforce_file_format=True)
        paths.append(path)
    return paths


def _study(seed: int, number: int, key: str) -> Study:
    # The fifth of a cast has an ordinary name in an ordinary character set.
    cast = make_cast(seed * 100_000 + number)
    day = some_day(np.random.default_rng([seed, 6, number])) + dt.timedelta(days=number % 90)
    title = "CT CHEST" if key.endswith("ct") else "CHEST PA"
    return Study(f"{key}-{number}", cast.patients[4], cast.sites[0], day, number, title, Uids(seed), cast, Planted())
