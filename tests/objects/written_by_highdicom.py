"""Objects that highdicom writes: segmentations, maps, annotations, presentation states, reports, converted series."""

import warnings
from collections.abc import Iterator

import highdicom as hd
import numpy as np
from highdicom import ann, ko, legacy, pm, pr, sc, seg, sr
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, PositronEmissionTomographyImageStorage
from tests.objects.bases import ct, rng, series, written
from tests.objects.planting import (
    DEVICE_UID_ROOT,
    FAMILY,
    NAME,
    OPERATOR,
    PATIENT_ID,
    PHYSICIAN,
    STUDY_DATE,
    UID_ROOT,
    plant,
    uid,
)

from dicomanon.sample import images

_SIZE = 16
_SETTLED = ("1.2.840.10008.", UID_ROOT, DEVICE_UID_ROOT)
_WHEN = {"DA": STUDY_DATE, "TM": "101112", "DT": f"{STUDY_DATE}101112"}
_EQUIPMENT = {"manufacturer": "Nordlys", "manufacturer_model_name": "Writer", "software_versions": "1"}


def highdicom_objects() -> Iterator[tuple[str, bytes]]:
    """Yield one object of each kind that highdicom writes, drawn on three CT slices."""
    slices = [_slice(number) for number in range(1, 4)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, dataset in (
            *_segmentations(slices), *_presentation_states(slices), *_reports(slices), *_converted(),
            ("parametric-map", _parametric_map(slices)), ("secondary-capture", _secondary_capture(slices)),
            ("bulk-annotations", _annotations()),
        ):  # fmt: skip
            yield f"highdicom/{name}", written(plant(_made_again(name, dataset)))


def _made_again(name: str, dataset: Dataset) -> Dataset:
    """Put fixed dates, times and UIDs for those that are new with every writing."""
    uids: dict[str, str] = {}
    pending = [dataset]
    while pending:
        for element in pending.pop(0):
            if element.VR == "SQ":
                pending.extend(element.value)
            elif element.VR in _WHEN:
                element.value = _WHEN[element.VR]
            elif element.VR == "UI" and not str(element.value).startswith(_SETTLED):
                element.value = uids.setdefault(str(element.value), uid(name, len(uids)))
    return dataset


def _slice(number: int) -> Dataset:
    return images.ct(series("CT"), number, 3, rng(), size=_SIZE)


def _identity(name: str) -> dict[str, object]:
    return {
        "series_instance_uid": uid(name, "series"),
        "series_number": 9,
        "sop_instance_uid": uid(name),
        "instance_number": 1,
        **_EQUIPMENT,
    }


def _segmentations(slices: list[Dataset]) -> Iterator[tuple[str, Dataset]]:
    algorithm = hd.AlgorithmIdentificationSequence("Marker", codes.cid7162.ArtificialIntelligence, "1")
    description = seg.SegmentDescription(
        1,
        f"Lesion of {FAMILY}",
        codes.cid7150.Tissue,
        codes.cid7166.ConnectiveTissue,
        seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm,
        tracking_uid=uid("tracking"),
        tracking_id=f"{PATIENT_ID} lesion",
    )
    mask = np.zeros((3, _SIZE, _SIZE), dtype=np.uint8)
    mask[:, 4:8, 4:8] = 1
    for kind in ("BINARY", "FRACTIONAL", "LABELMAP"):
        name = f"segmentation-{kind.lower()}"
        yield (
            name,
            seg.Segmentation(
                slices,
                mask.astype(np.float64) if kind == "FRACTIONAL" else mask,
                kind,
                [description],
                device_serial_number="42",
                content_creator_name=PHYSICIAN,
                content_description=f"For {FAMILY}",
                content_label="LESION",
                **_identity(name),
            ),
        )


def _parametric_map(slices: list[Dataset]) -> Dataset:
    mapping = pm.RealWorldValueMapping("1", f"Map of {FAMILY}", codes.UCUM.NoUnits, (0, 255), 1.0, 0.0)
    return pm.ParametricMap(
        slices,
        np.zeros((3, _SIZE, _SIZE), dtype=np.uint8),
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[mapping],
        window_center=128,
        window_width=256,
        device_serial_number="42",
        content_creator_name=PHYSICIAN,
        **_identity("parametric-map"),
    )


def _presentation_states(slices: list[Dataset]) -> Iterator[tuple[str, Dataset]]:
    layer = pr.GraphicLayer(layer_name="NOTES", order=1, description=f"Notes on {FAMILY}")
    text = pr.TextObject(
        f"{NAME} {PATIENT_ID}",
        pr.AnnotationUnitsValues.PIXEL,
        (1.0, 1.0, 9.0, 9.0),
        tracking_id=FAMILY,
        tracking_uid=uid("text"),
    )
    line = pr.GraphicObject("POLYLINE", np.array([[1.0, 1.0], [5.0, 5.0]]), pr.AnnotationUnitsValues.PIXEL)
    shared = {
        "device_serial_number": "42",
        "content_label": "BOARD",
        "content_description": f"Seen with Dr {PHYSICIAN.split('^', maxsplit=1)[0]}",
        "content_creator_name": PHYSICIAN,
    }
    notes = {
        "graphic_layers": [layer],
        "graphic_annotations": [pr.GraphicAnnotation(slices, layer, graphic_objects=[line], text_objects=[text])],
    }
    yield "grayscale-presentation-state", pr.GrayscaleSoftcopyPresentationState(
        slices,
        voi_lut_transformations=[pr.SoftcopyVOILUTTransformation(40, 400, f"Window of {FAMILY}")],
        **notes, **shared, **_identity("gsps"),
    )  # fmt: skip
    yield "pseudo-color-presentation-state", pr.PseudoColorSoftcopyPresentationState(
        slices,
        palette_color_lut_transformation=hd.PaletteColorLUTTransformation(
            *(hd.PaletteColorLUT(0, np.arange(256, dtype=np.uint16), color) for color in ("red", "green", "blue"))
        ),
        **notes, **shared, **_identity("pseudo"),
    )  # fmt: skip


def _reports(slices: list[Dataset]) -> Iterator[tuple[str, Dataset]]:
    context = sr.ObservationContext(
        observer_person_context=sr.ObserverContext(
            codes.DCM.Person, sr.PersonObserverIdentifyingAttributes(PHYSICIAN, login_name="brimblethwick")
        ),
        observer_device_context=sr.ObserverContext(
            codes.DCM.Device,
            sr.DeviceObserverIdentifyingAttributes(uid("observer", root=DEVICE_UID_ROOT), name="ROOM9-DEVICE"),
        ),
    )
    measurement = sr.Measurement(codes.SCT.Diameter, 12.5, codes.UCUM.Millimeter)
    group = sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        sr.TrackingIdentifier(uid("roi"), f"Lesion of {FAMILY}"),
        referenced_region=sr.ImageRegion(
            "CIRCLE", np.array([[4.0, 4.0], [6.0, 4.0]]), sr.SourceImageForRegion.from_source_image(slices[0])
        ),
        finding_type=codes.SCT.Neoplasm,
        measurements=[measurement],
    )
    content = sr.MeasurementReport(context, codes.LN.CTUnspecifiedBodyRegion, [group])
    for kind in (sr.EnhancedSR, sr.ComprehensiveSR, sr.Comprehensive3DSR):
        yield (
            kind.__name__,
            kind(
                slices,
                content,
                is_complete=True,
                is_final=True,
                is_verified=True,
                institution_name="Tarnfeather Infirmary",
                institutional_department_name="Radiology Wing Gannetry",
                verifying_observer_name=OPERATOR,
                verifying_organization="Tarnfeather Infirmary",
                **_identity(kind.__name__),
            ),
        )
    keys = ko.KeyObjectSelection(
        codes.DCM.ForTeaching, slices, description=f"Shown by Dr {PHYSICIAN.split('^', maxsplit=1)[0]}"
    )
    yield "key-objects", ko.KeyObjectSelectionDocument(slices, keys, **_identity("keys"))


def _converted() -> Iterator[tuple[str, Dataset]]:
    for name, kind, modality, sop_class in (
        ("ct", legacy.LegacyConvertedEnhancedCTImage, "CT", None),
        ("mr", legacy.LegacyConvertedEnhancedMRImage, "MR", MRImageStorage),
        ("pet", legacy.LegacyConvertedEnhancedPETImage, "PT", PositronEmissionTomographyImageStorage),
    ):
        source = series(modality)
        make = {
            "ct": lambda number: images.ct(source, number, 3, rng(), size=_SIZE),  # noqa: B023
            "mr": lambda number: images.mr(source, number, 3, rng(), size=_SIZE),  # noqa: B023
            "pet": lambda number: images.pt(source, number, 3, rng()),  # noqa: B023
        }[name]
        converted = kind([make(number) for number in range(1, 4)], uid(name, "series"), 9, uid(name, "converted"), 1)
        assert sop_class is None or converted.Modality == modality
        yield f"legacy-converted-{name}", converted


def _secondary_capture(slices: list[Dataset]) -> Dataset:
    return sc.SCImage.from_ref_dataset(
        slices[0],
        np.zeros((_SIZE, _SIZE, 3), dtype=np.uint8),
        "RGB",
        8,
        "PATIENT",
        uid("capture", "series"),
        10,
        uid("capture"),
        1,
        "Nordlys",
        patient_orientation=("L", "F"),
        transfer_syntax_uid=ExplicitVRLittleEndian,
    )


def _annotations() -> Dataset:
    slide = ct()
    slide.Modality = "SM"
    slide.SOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.6"
    slide.TotalPixelMatrixRows = slide.TotalPixelMatrixColumns = _SIZE
    slide.TotalPixelMatrixFocalPlanes = 1
    slide.NumberOfFrames = 1
    slide.ContainerIdentifier = PATIENT_ID
    slide.SpecimenDescriptionSequence = []
    group = ann.AnnotationGroup(
        1,
        uid("group"),
        f"Nuclei of {FAMILY}",
        codes.SCT.AnatomicalStructure,
        codes.SCT.Nucleus,
        ann.GraphicTypeValues.POINT,
        [np.array([[1.0, 1.0]])],
        ann.AnnotationGroupGenerationTypeValues.MANUAL,
        description=f"Marked by Dr {PHYSICIAN.split('^', maxsplit=1)[0]}",
    )
    return ann.MicroscopyBulkSimpleAnnotations(
        [slide], "2D", [group], device_serial_number="42", content_creator_name=PHYSICIAN, **_identity("annotations")
    )
