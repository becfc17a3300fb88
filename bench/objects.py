"""Builds the objects that ``bench/deidentify.py`` measures on: large in one way each, alike on every machine."""

import datetime as dt
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage

from dicomanon.sample import bulk, documents, images
from dicomanon.sample.headers import Series, Study, Uids, code, item, items, reference
from dicomanon.sample.people import make_cast, some_day
from dicomanon.sample.planted import Planted

FRAME_SIZE = 64
"""Rows and columns of a frame: small, so that the functional groups and not the pixels are measured."""
GROUP_CREATOR = "SIEMENS MR SDI 02"
"""What such scanners reserve for a sequence of their own in each frame; not on the list of safe attributes."""
SAFE_CREATOR = "SIEMENS MR HEADER"
_FINDINGS = ("nodule", "cyst", "calcification", "lymph node", "effusion", "haemangioma", "scar", "ground-glass opacity")
_SITES = ("left upper lobe", "right lower lobe", "liver segment IV", "spleen", "left adrenal gland", "mediastinum")


def write_ct(folder: Path, count: int) -> None:
    """Write ``count`` CT slices of 0.5 MB of one study."""
    bulk.write_ct_studies(folder, 1, count)


def write_dx(folder: Path, count: int) -> None:
    """Write ``count`` radiographs of 20 MB."""
    bulk.write_dx(folder, count)


def write_multi_frame(folder: Path, frames: int) -> None:
    """Write one enhanced MR: a frame has about 1.5 kB of public and private functional groups, and 8 kB of pixels."""
    rng = np.random.default_rng([7, frames])
    study = _study("bench-frames")
    dataset = images.enhanced_mr(Series(study, 1, "MR", "ep2d_perf 2000 measurements", "BRAIN"), 1, rng, frames=2)
    dataset.PerFrameFunctionalGroupsSequence = items(*(_frame(study, number) for number in range(frames)))
    dataset.NumberOfFrames = frames
    dataset.Rows = dataset.Columns = FRAME_SIZE
    dataset.PixelData = rng.integers(0, 4096, (frames, FRAME_SIZE, FRAME_SIZE), np.uint16).tobytes()
    _write(dataset, folder / f"frames{frames:05d}.dcm")


def write_report(folder: Path, count: int, *, first: int = 0) -> None:
    """Write one structured report with ``count`` content items, in groups of measurements, no text twice.

    Groups are numbered from ``first`` on: two reports can have all of their prose apart.
    """
    study = _study("bench-report")
    series = Series(study, 1, "SR", "Findings")
    sources = [(CTImageStorage, study.uids("image", number)) for number in range(200)]
    dataset = documents.structured_report(series, 1, study.uids("images"), sources)
    dataset.ContentSequence = items(*_content_items(study, count, first))
    _write(dataset, folder / f"items{count:05d}.dcm")


def _study(key: str) -> Study:
    cast = make_cast(4711)
    day = some_day(np.random.default_rng(4711))
    return Study(key, cast.patients[4], cast.sites[0], day, 1, "MR BRAIN PERFUSION", Uids(4711), cast, Planted())


def _write(dataset: Dataset, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    dcmwrite(path, dataset, enforce_file_format=True)


def _frame(study: Study, number: int) -> Dataset:
    """Return the functional groups of a frame (PS3.3 C.7.6.16) as perfusion and angiography scanners fill them in."""
    time = dt.datetime.combine(study.day, dt.time(10, 20)) + dt.timedelta(milliseconds=150 * number)
    frame = item(
        FrameContentSequence=items(
            item(
                FrameAcquisitionNumber=number + 1,
                FrameAcquisitionDateTime=f"{time:%Y%m%d%H%M%S.%f}-0400",
                FrameReferenceDateTime=f"{time:%Y%m%d%H%M%S.%f}-0400",
                FrameAcquisitionDuration=0.15,
                StackID="1",
                InStackPositionNumber=number % 40 + 1,
                TemporalPositionIndex=number // 40 + 1,
                DimensionIndexValues=[1, number % 40 + 1, number // 40 + 1],
                FrameLabel=f"Phase {number // 40 + 1}",
            )
        ),
        PlanePositionSequence=items(item(ImagePositionPatient=[-115.25, -115.25, -30 + 0.5 * (number % 40)])),
        PlaneOrientationSequence=items(item(ImageOrientationPatient=[1, 0, 0, 0, 0.9998477, -0.0174524])),
        PixelMeasuresSequence=items(
            item(PixelSpacing=[1.796875, 1.796875], SliceThickness=0.5, SpacingBetweenSlices=0.5)
        ),
        FrameVOILUTSequence=items(item(WindowCenter=500 + number % 7, WindowWidth=1000)),
        MREchoSequence=items(item(EffectiveEchoTime=30.0)),
        TemporalPositionSequence=items(item(TemporalPositionTimeOffset=0.15 * number)),
        ReferencedImageSequence=items(
            item(
                ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.4",
                ReferencedSOPInstanceUID=study.uids("localizer", number % 40),
                PurposeOfReferenceCodeSequence=items(code("121311", "DCM", "Localizer")),
            )
        ),
    )
    safe = frame.private_block(0x0019, SAFE_CREATOR, create=True)
    safe.add_new(0x0C, "IS", str(number % 3 * 500))
    inner = Dataset()
    own = inner.private_block(0x0021, GROUP_CREATOR, create=True)
    own.add_new(0x01, "LO", f"{study.person.name.split('^')[0]} {number}" if number % 50 == 0 else "none")
    own.add_new(0x42, "IS", str(number))
    own.add_new(0x45, "FD", 0.15 * number)
    own.add_new(0x56, "DT", f"{time:%Y%m%d%H%M%S.%f}")
    own.add_new(0x75, "UI", study.uids("measurement", number // 40))
    own.add_new(0x88, "OB", bytes(64))
    frame.private_block(0x0021, GROUP_CREATOR, create=True).add_new(0xFE, "SQ", items(inner))
    return frame


def _content_items(study: Study, count: int, first: int) -> Iterator[Dataset]:
    """Yield measurement groups until, with what is in them, ``count`` content items are there (PS3.16 TID 1411)."""
    left, number = count, first
    while left > 0:
        children = list(islice(_measurements(study, number), left - 1))
        group = _content("CONTAINER", code("125007", "DCM", "Measurement Group"), ContinuityOfContent="SEPARATE")
        if children:
            group.ContentSequence = items(*children)
        yield group
        left -= 1 + len(children)
        number += 1


def _measurements(study: Study, number: int) -> Iterator[Dataset]:
    finding, site = _FINDINGS[number % len(_FINDINGS)], _SITES[number % len(_SITES)]
    surname = study.cast.physicians[number % len(study.cast.physicians)].split("^")[0]
    yield _content("TEXT", code("112039", "DCM", "Tracking Identifier"), TextValue=f"Lesion {number}")
    yield _content("UIDREF", code("112040", "DCM", "Tracking Unique Identifier"), UID=study.uids("lesion", number))
    yield _content(
        "CODE", code("121071", "DCM", "Finding"), ConceptCodeSequence=items(code(f"M-{number % 997}", "SRT", finding))
    )
    yield _content(
        "CODE", code("363698007", "SCT", "Finding Site"), ConceptCodeSequence=items(code("39607008", "SCT", site))
    )
    yield _content("PNAME", code("121008", "DCM", "Person Observer Name"), PersonName=study.cast.physicians[number % 3])
    yield _content("DATE", code("111526", "DCM", "DateTime Started"), Date=study.da)
    yield item(
        RelationshipType="CONTAINS",
        ValueType="IMAGE",
        ReferencedSOPSequence=items(reference(CTImageStorage, study.uids("image", number % 200))),
    )
    for place, name in enumerate(("Length", "Width", "Height", "Volume", "Mean attenuation", "Maximum")):
        yield _content(
            "NUM",
            code(f"G-A{place:03d}", "SRT", name),
            MeasuredValueSequence=items(
                item(
                    NumericValue=f"{(number * 7 + place * 13) % 971 / 10:.1f}",
                    MeasurementUnitsCodeSequence=items(code("mm", "UCUM", "mm")),
                )
            ),
        )
    for place in range(3):
        yield _content(
            "TEXT",
            code("121106", "DCM", "Comment"),
            TextValue=f"{finding.capitalize()} of {number % 83 + place} mm in the {site}, image {number * 3 + place}, "
            f"compared with {study.day:%d.%m.%Y} by Dr {surname}: unchanged for {study.person.name.split('^')[0]}.",
        )


def _content(value_type: str, concept: Dataset, **value: object) -> Dataset:
    return item(RelationshipType="CONTAINS", ValueType=value_type, ConceptNameCodeSequence=items(concept), **value)
