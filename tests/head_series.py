"""A CT of the head that nobody has, as objects with planted identifiers."""

from pathlib import Path

import imagecodecs
import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLosslessSV1
from tests.deidentify.faces.heads import SAGITTAL, Phantom, phantom
from tests.site import encoded

from dicomanon.pipeline.profile_text import as_yaml
from dicomanon.profile import load_profile
from dicomanon.sample import images
from dicomanon.sample.headers import Series, Study

AIR = -1000


def head_ct(of: Study, head: Phantom, *, series: int = 1, syntax: str = "", first: int = 1) -> list[Dataset]:
    """Return the slices of a head; with a transfer syntax, compressed in it."""
    where = Series(of, series, "CT", "Schaedel 3.0 H30s", "HEAD")
    slices = []
    for number, plane in enumerate(head.planes):
        dataset = images.ct(where, first + number, len(head.planes), np.random.default_rng(number), size=8)
        dataset.Rows, dataset.Columns = int(plane.rows), int(plane.columns)
        dataset.PixelSpacing, dataset.SliceThickness = [*plane.spacing], 3
        dataset.ImagePositionPatient = [f"{value:.3f}" for value in plane.position]
        dataset.ImageOrientationPatient = [*plane.along_row, *plane.along_column]
        dataset.PixelData = np.rint(head.volume.values[number]).astype("<i2").tobytes()
        if syntax == JPEGLosslessSV1:
            _compress_as_lossless_jpeg(dataset)
        elif syntax:
            dataset.compress(syntax, generate_instance_uid=False)
        slices.append(dataset)
    return slices


def _compress_as_lossless_jpeg(dataset: Dataset) -> None:
    """Write what scanners write most, and pydicom does not."""
    cells = np.frombuffer(dataset.PixelData, "<u2").reshape(dataset.Rows, dataset.Columns)
    frame = imagecodecs.jpeg8_encode(cells, lossless=True, predictor=1, bitspersample=16)
    dataset.PixelData = encapsulate([bytes(frame)])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = JPEGLosslessSV1


def scouts(of: Study, *, first: int) -> list[Dataset]:
    """Return sagittal slices of the same head, too few for a volume, in the same series."""
    head = phantom(axes=SAGITTAL, spacing=(20.0, 4.0, 4.0))
    return head_ct(of, Phantom(head.volume, head.planes[3:6], head.brain, head.face), first=first)


def defacing_profile(folder: Path) -> Path:
    """Return the file of a profile that takes faces out."""
    path = folder / "defaces.yaml"
    changes = {"name": "defaces", "recognizable_visual_features": "deface"}
    path.write_text(as_yaml(load_profile("research").model_copy(update=changes)))
    return path


def raw(datasets: list[Dataset]) -> list[bytes]:
    return [encoded(dataset) for dataset in datasets]
