"""Puts a folder of DICOM files into the clinical PACS, the way a modality would."""

from collections.abc import Iterator
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError

from dicomanon.pacs.store import ResearchPacs, StoreObject
from dicomanon.settings import Settings

Counts = dict[str, int]


def load_folder(folder: Path) -> Counts:
    """Store every DICOM file below ``folder``; files of another kind are counted as ``unreadable`` and left alone."""
    counts = {"files": 0, "stored": 0, "refused": 0, "unreadable": 0}

    def objects() -> Iterator[StoreObject]:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            counts["files"] += 1
            uid = _sop_instance_uid(path)
            if uid:
                yield StoreObject(sop_uid=uid, path=path)
            else:
                counts["unreadable"] += 1

    for result in ResearchPacs(Settings.load().clinical).store(objects()):
        counts["stored" if result.accepted else "refused"] += 1
    return counts


def _sop_instance_uid(path: Path) -> str:
    try:
        header = pydicom.dcmread(path, specific_tags=["SOPInstanceUID"], stop_before_pixels=True)
    except (InvalidDicomError, OSError, ValueError, EOFError):
        return ""
    return str(header.get("SOPInstanceUID", ""))
