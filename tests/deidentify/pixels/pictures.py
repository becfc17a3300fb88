"""Images with text drawn into them, in every encoding."""

from collections.abc import Sequence
from io import BytesIO

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels import get_encoder
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
)
from tests.objects.bases import ct, written

from dicomanon.sample.pixels import body, noisy

Pixels = npt.NDArray[np.generic]
SIZE = 256


def slice_of_body(seed: int = 1, size: int = SIZE) -> Pixels:
    """Return an axial slice, (size, size), int16 Hounsfield units with noise."""
    return noisy(body(size, 0.4 + seed / 1000).astype(np.int16), np.random.default_rng(seed), 12)


def with_text(picture: Pixels, text: str, *, at: tuple[int, int] = (10, 30), value: float | None = None) -> Pixels:
    """Return a picture with a line of text as scanners draw it; ``at`` is where its baseline starts, (x, y)."""
    canvas = np.zeros(picture.shape[:2], np.uint8)
    cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 1, cv2.LINE_AA)
    alpha = canvas[..., None] / 255 if picture.ndim == 3 else canvas / 255
    shown = float(picture.max()) if value is None else value
    return np.rint(picture * (1 - alpha) + shown * alpha).astype(picture.dtype)


def instance(
    frames: Pixels | Sequence[Pixels],
    *,
    photometric: str = "MONOCHROME2",
    syntax: str = ExplicitVRLittleEndian,
    planar: int = 0,
    bits: int = 0,
    name: str = "Featherstone^Wilhelmina",
    **attributes: object,
) -> bytes:
    """Return a Part 10 file of a CT slice whose pixels are replaced."""
    pictures = [frames] if isinstance(frames, np.ndarray) else list(frames)
    first = pictures[0]
    dataset: Dataset = ct()
    dataset.PatientName = name
    dataset.Rows, dataset.Columns = first.shape[:2]
    dataset.SamplesPerPixel = 3 if first.ndim == 3 else 1
    dataset.PhotometricInterpretation = photometric
    dataset.BitsAllocated = first.dtype.itemsize * 8
    dataset.BitsStored = bits or dataset.BitsAllocated
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(first.dtype.kind == "i")
    if first.ndim == 3:
        dataset.PlanarConfiguration = planar
    if len(pictures) > 1:
        dataset.NumberOfFrames = len(pictures)
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    dataset.file_meta.TransferSyntaxUID = syntax
    if syntax == JPEGBaseline8Bit:
        dataset.PixelData = encapsulate([_jpeg(picture) for picture in pictures])
        dataset.LossyImageCompression = "01"
    elif UID(syntax).is_compressed and not UID(syntax).is_deflated:
        dataset.PixelData = encapsulate([_compressed(picture, dataset, syntax) for picture in pictures])
    else:
        order = ">" if syntax == ExplicitVRBigEndian else "<"
        laid_out = [np.moveaxis(each, -1, 0) if planar else each for each in pictures]
        data = b"".join(
            np.ascontiguousarray(each).astype(each.dtype.newbyteorder(order)).tobytes() for each in laid_out
        )
        dataset.PixelData = data + b"\0" * (len(data) & 1)
    dataset["PixelData"].VR = "OB" if dataset.BitsAllocated == 8 or UID(syntax).is_encapsulated else "OW"
    dataset["PixelData"].is_undefined_length = UID(syntax).is_encapsulated
    return written(dataset)


def _jpeg(picture: Pixels) -> bytes:
    buffer = BytesIO()
    options = {"subsampling": "4:2:2"} if picture.ndim == 3 else {}
    Image.fromarray(picture).save(buffer, "JPEG", quality=90, **options)
    return buffer.getvalue()


def _compressed(picture: Pixels, dataset: Dataset, syntax: str) -> bytes:
    options: dict[str, object] = {"planar_configuration": 0} if picture.ndim == 3 else {}
    encoded: bytes = get_encoder(UID(syntax)).encode(
        np.ascontiguousarray(picture),
        rows=dataset.Rows,
        columns=dataset.Columns,
        samples_per_pixel=dataset.SamplesPerPixel,
        number_of_frames=1,
        bits_allocated=dataset.BitsAllocated,
        bits_stored=dataset.BitsStored,
        pixel_representation=dataset.PixelRepresentation,
        photometric_interpretation=dataset.PhotometricInterpretation,
        **options,
    )
    return encoded
