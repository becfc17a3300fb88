"""Small valid objects to vary: a CT slice and a report, and the writing of them."""

import warnings
from io import BytesIO

import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from tests.objects.planting import plant

from dicomanon.sample import documents, images
from dicomanon.sample.headers import Series, Study, Uids
from dicomanon.sample.people import make_cast, some_day
from dicomanon.sample.planted import Planted

_SEED = 7


def series(modality: str, transfer_syntax: str = ExplicitVRLittleEndian, **values: object) -> Series:
    """Return a series of an invented study."""
    cast = make_cast(_SEED)
    day = some_day(np.random.default_rng(_SEED))
    study = Study("test", cast.patients[0], cast.sites[0], day, _SEED, "FOLLOW-UP", Uids(_SEED), cast, Planted())
    return Series(study, 1, modality, "Axial", "CHEST", transfer_syntax=transfer_syntax, **values)  # type: ignore[arg-type]


def rng() -> np.random.Generator:
    """Return the source of noise, the same for every object."""
    return np.random.default_rng(_SEED)


def ct(transfer_syntax: str = ExplicitVRLittleEndian, size: int = 16) -> Dataset:
    """Return a CT slice with planted identifiers."""
    return plant(images.ct(series("CT", transfer_syntax), 1, 1, rng(), size=size))


def report() -> Dataset:
    """Return a comprehensive SR with planted identifiers."""
    source = series("SR", rich=False)
    referenced = [(CTImageStorage, source.study.uids("image", number)) for number in range(2)]
    return plant(documents.structured_report(source, 1, source.study.uids("images"), referenced))


def written(dataset: Dataset, **options: object) -> bytes:
    """Return a Part 10 file."""
    file = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcmwrite(file, dataset, enforce_file_format=True, **options)  # type: ignore[arg-type]
    return file.getvalue()
