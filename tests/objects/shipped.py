"""Objects that come with pydicom and with our sample, with identifiers planted."""

import tempfile
import warnings
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pydicom.data
from pydicom import dcmread
from tests.objects.planting import plant

from dicomanon.sample.corpus import WAVES, write_sample

_PYDICOM = Path(pydicom.data.__file__).parent
_LARGEST = 600_000
"""Bytes; the sample's radiographs are larger and have nothing that its other objects lack, but for overlays and curves,
which images.py has."""


def pydicom_objects() -> Iterator[tuple[str, bytes]]:
    """Yield the Part 10 files in pydicom's wheel, DICOMDIRs left out."""
    for folder in ("test_files", "charset_files"):
        for path in sorted((_PYDICOM / folder).glob("*.dcm")):
            planted = _planted(path, name=folder == "test_files")
            if planted is not None:
                yield f"pydicom/{path.stem}", planted


def sample_objects() -> Iterator[tuple[str, bytes]]:
    """Yield one object of every kind in the sample."""
    with tempfile.TemporaryDirectory() as folder:
        kinds: dict[str, Path] = {}
        for wave in WAVES:
            for entry in write_sample(Path(folder), wave=wave).files:
                kinds.setdefault(entry.kind, Path(folder) / entry.path)
        for kind, path in kinds.items():
            if path.stat().st_size > _LARGEST:
                continue
            planted = _planted(path, name=True)
            assert planted is not None, kind
            yield f"sample/{kind}", planted


def _planted(path: Path, *, name: bool) -> bytes | None:
    """Return the file with identifiers, as it is if pydicom cannot write it, ``None`` if no Part 10 file."""
    raw = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = dcmread(BytesIO(raw))
        except (pydicom.errors.InvalidDicomError, EOFError):
            return None
        if not getattr(dataset, "file_meta", None) or "SOPClassUID" not in dataset:
            return None
        written = BytesIO()
        try:
            plant(dataset, name=name).save_as(written)
        except (ValueError, KeyError, AttributeError, NotImplementedError):
            return raw
    return written.getvalue()
