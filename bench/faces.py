"""What it takes to take the face out of a CT of 200 slices of 512 by 512: seconds a slice, and memory.

The head is made of ellipsoids (tests/deidentify/faces/heads.py). One process; pixels are not read by OCR, but looked at
together as in a run. Memory is the peak of the process.

    PYTHONPATH=. python bench/faces.py [--syntax UID]
"""

import argparse
import resource
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from pydicom.uid import ExplicitVRLittleEndian
from rich.console import Console
from rich.table import Table
from tests.deidentify.faces.heads import Phantom, phantom
from tests.head_series import head_ct, raw
from tests.site import study

from dicomanon.deidentify import (
    PatientContext,
    UidMapper,
    deidentify,
    encode_in_pieces,
    find_faces,
    look_together,
    parse,
)
from dicomanon.deidentify.faces.volume import Plane
from dicomanon.devices import ConfirmedDevices
from dicomanon.profile import compile_profile, load_profile

SIZE = 512
FINER = 4
TOGETHER = 128


def head() -> Phantom:
    """Return a head in slices of 1.4 mm and pixels of 0.5 mm."""
    coarse = phantom(spacing=(1.4, 2.0, 2.0))
    planes, values = [], []
    for plane, picture in zip(coarse.planes, coarse.volume.values, strict=True):
        fine = np.full((SIZE, SIZE), -1000.0)
        wide = picture.repeat(FINER, 0).repeat(FINER, 1)[:SIZE, :SIZE]
        fine[: wide.shape[0], : wide.shape[1]] = wide
        values.append(fine)
        planes.append(Plane(plane.position, plane.along_row, plane.along_column, (0.5, 0.5), SIZE, SIZE))
    volume = type(coarse.volume)(np.stack(values), coarse.volume.origin, coarse.volume.steps, "CT")
    return Phantom(volume, planes, coarse.brain, coarse.face)


def make(syntax: str) -> list[bytes]:
    return raw(head_ct(study("bench"), head(), syntax=syntax))


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--syntax", default="", help="transfer syntax of the objects; explicit VR little endian if left out"
    )
    syntax = parser.parse_args().syntax
    with ProcessPoolExecutor(1) as maker:  # what making them takes is not measured
        objects = maker.submit(make, syntax).result()
    before = peak()
    changes = {"recognizable_visual_features": "deface"}
    profile = compile_profile(load_profile("research").model_copy(update=changes))
    context = PatientContext("D4K7QZ0M2XYA", -1500, UidMapper(bytes(32)))
    table = Table("step", "seconds", "ms a slice", title=f"{len(objects)} slices, {syntax or ExplicitVRLittleEndian}")

    def timed(name: str, started: float) -> None:
        seconds = time.perf_counter() - started
        table.add_row(name, f"{seconds:.2f}", f"{1000 * seconds / len(objects):.1f}")

    started = time.perf_counter()
    sources = [parse(data) for data in objects]
    timed("parse", started)
    started = time.perf_counter()
    faces = find_faces(sources)
    timed(f"find the face (peak {peak()} MB)", started)
    started = time.perf_counter()
    seen = [
        one
        for at in range(0, len(sources), TOGETHER)
        for one in look_together(sources[at : at + TOGETHER], profile, ConfirmedDevices())
    ]
    timed("look for text", started)
    for name, found in (("de-identify without the face", faces), ("hold as it is", [None] * len(faces))):
        started = time.perf_counter()
        done = [
            deidentify(source, profile, context, seen=each, face=face)
            for source, each, face in zip(sources, seen, found, strict=True)
        ]
        written = sum(len(encode_in_pieces(one)) > 0 for one in done if hasattr(one, "chunks"))
        timed(f"{name} ({written} written)", started)
    Console().print(table)
    megabytes = sum(map(len, objects)) >> 20
    print(f"objects {megabytes} MB, peak of the process {peak()} MB, {peak() - before} MB more than before")


if __name__ == "__main__":
    main()
