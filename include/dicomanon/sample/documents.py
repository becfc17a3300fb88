"""The objects of the sample that are not images: SR, KO, presentation state, structure set and PDF."""

from collections.abc import Sequence

from pydicom.dataset import Dataset
from pydicom.uid import (
    BasicTextSRStorage,
    ComprehensiveSRStorage,
    EncapsulatedPDFStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    RTStructureSetStorage,
)

from dicomanon.sample.headers import Series, Study, code, coded_person, item, items, new_object, reference

ImageReference = tuple[str, str]
"""SOP Class UID and SOP Instance UID."""


def structured_report(
    series: Series, instance: int, image_series: str, images: Sequence[ImageReference], *, comprehensive: bool = True
) -> Dataset:
    """Return a report with names, dates, identifiers, a measurement and images in its content tree (PS3.3 A.35.3)."""
    study = series.study
    cast, planted = study.cast, study.planted
    dataset = new_object(series, ComprehensiveSRStorage if comprehensive else BasicTextSRStorage, instance)
    _report_general(dataset, study)
    dataset.CompletionFlag = "COMPLETE"
    dataset.VerificationFlag = "VERIFIED"
    dataset.VerifyingObserverSequence = items(
        item(
            VerifyingObserverName=cast.physicians[3],
            VerifyingObserverIdentificationCodeSequence=items(),
            VerifyingOrganization=study.site.name,
            VerificationDateTime=f"{study.da}163000.000000-0400",
        )
    )
    dataset.AuthorObserverSequence = items(
        item(
            ObserverType="PSN",
            PersonName=cast.physicians[1],
            PersonIdentificationCodeSequence=items(),
            InstitutionName=study.site.name,
            InstitutionCodeSequence=items(),
        )
    )
    _evidence(dataset, study, image_series, images)
    surname = study.person.name.split("=")[0].split("^")[0]
    finding = _content(
        "CONTAINS",
        "TEXT",
        code("121071", "DCM", "Finding"),
        TextValue=f"Mass of 14 mm in the left upper lobe of {surname}, unchanged since {study.da}.",
    )
    if comprehensive:
        finding.ContentSequence = items(
            _content(
                "HAS PROPERTIES",
                "NUM",
                code("G-D705", "SRT", "Length"),
                MeasuredValueSequence=items(
                    item(NumericValue="14", MeasurementUnitsCodeSequence=items(code("mm", "UCUM", "mm")))
                ),
            ),
            *(_image_content("INFERRED FROM", image) for image in images[:2]),
        )
    dataset.ContentSequence = items(
        _content(
            "HAS OBS CONTEXT",
            "PNAME",
            code("121008", "DCM", "Person Observer Name"),
            PersonName=cast.physicians[1],
        ),
        _content("HAS OBS CONTEXT", "TEXT", code("121030", "DCM", "Subject ID"), TextValue=study.person.patient_id),
        _content(
            "HAS OBS CONTEXT",
            "UIDREF",
            code("121018", "DCM", "Procedure Study Instance UID"),
            UID=study.uid,
        ),
        _content(
            "HAS ACQ CONTEXT",
            "DATETIME",
            code("111527", "DCM", "DateTime Ended"),
            DateTime=f"{study.da}101700.000000-0400",
        ),
        _section(
            code("121070", "DCM", "Findings"),
            finding,
            _content(
                "CONTAINS",
                "TEXT",
                code("121106", "DCM", "Comment"),
                TextValue=planted.note(f"Discussed with {cast.physicians[0].split('^')[0]} at {study.site.telephone}"),
            ),
        ),
    )
    return dataset


def key_objects(series: Series, instance: int, image_series: str, images: Sequence[ImageReference]) -> Dataset:
    """Return a key object selection of images, some of which may arrive later than it does (PS3.3 A.35.4)."""
    study = series.study
    dataset = new_object(series, KeyObjectSelectionDocumentStorage, instance)
    _report_general(dataset, study)
    dataset.ConceptNameCodeSequence = items(code("113000", "DCM", "Of Interest"))
    _evidence(dataset, study, image_series, images)
    dataset.ContentSequence = items(
        _content(
            "CONTAINS",
            "TEXT",
            code("113012", "DCM", "Key Object Description"),
            TextValue=f"For the tumour board of {study.cast.physicians[2].split('^')[0]}",
        ),
        *(_image_content("CONTAINS", image) for image in images),
    )
    return dataset


def presentation_state(series: Series, instance: int, image_series: str, images: Sequence[ImageReference]) -> Dataset:
    """Return a greyscale presentation state with the patient's name as annotation text (PS3.3 A.33.1)."""
    study = series.study
    dataset = new_object(series, GrayscaleSoftcopyPresentationStateStorage, instance)
    dataset.PresentationCreationDate = study.da
    dataset.PresentationCreationTime = "112000"
    dataset.ContentLabel = "TUMOURBOARD"
    dataset.ContentDescription = f"Prepared by {study.cast.physicians[3].split('^')[0]}"
    dataset.ContentCreatorName = study.cast.physicians[3]
    dataset.ReferencedSeriesSequence = items(
        item(SeriesInstanceUID=image_series, ReferencedImageSequence=items(*(reference(*image) for image in images)))
    )
    dataset.DisplayedAreaSelectionSequence = items(
        item(
            DisplayedAreaTopLeftHandCorner=[1, 1],
            DisplayedAreaBottomRightHandCorner=[512, 512],
            PresentationSizeMode="SCALE TO FIT",
            PresentationPixelAspectRatio=[1, 1],
        )
    )
    dataset.GraphicLayerSequence = items(item(GraphicLayer="NOTES", GraphicLayerOrder=1))
    name = study.person.name.split("=")[0].replace("^", " ")
    dataset.GraphicAnnotationSequence = items(
        item(
            GraphicLayer="NOTES",
            ReferencedImageSequence=items(reference(*images[0])),
            TextObjectSequence=items(
                item(
                    BoundingBoxAnnotationUnits="PIXEL",
                    UnformattedTextValue=f"{name} {study.person.patient_id}",
                    BoundingBoxTopLeftHandCorner=[20, 20],
                    BoundingBoxBottomRightHandCorner=[220, 40],
                    BoundingBoxTextHorizontalJustification="LEFT",
                )
            ),
        )
    )
    dataset.SoftcopyVOILUTSequence = items(item(WindowCenter=40, WindowWidth=400))
    dataset.PresentationLUTShape = "IDENTITY"
    return dataset


def structure_set(series: Series, instance: int, image_series: str, images: Sequence[ImageReference]) -> Dataset:
    """Return an RT structure set drawn on a CT series (PS3.3 A.19.3)."""
    study = series.study
    frame_of_reference = study.frame_of_reference()
    dataset = new_object(series, RTStructureSetStorage, instance)
    dataset.StructureSetLabel = "PLAN1"
    dataset.StructureSetName = f"Contours {study.cast.physicians[2].split('^')[0]}"
    dataset.StructureSetDescription = f"For {study.person.patient_id}"
    dataset.StructureSetDate = study.da
    dataset.StructureSetTime = "140000"
    dataset.ApprovalStatus = "APPROVED"
    dataset.ReviewDate = study.da
    dataset.ReviewTime = "150000"
    dataset.ReviewerName = study.cast.physicians[1]
    dataset.FrameOfReferenceUID = frame_of_reference
    dataset.PositionReferenceIndicator = ""
    dataset.ReferencedFrameOfReferenceSequence = items(
        item(
            FrameOfReferenceUID=frame_of_reference,
            RTReferencedStudySequence=items(
                item(
                    ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1",
                    ReferencedSOPInstanceUID=study.uid,
                    RTReferencedSeriesSequence=items(
                        item(
                            SeriesInstanceUID=image_series,
                            ContourImageSequence=items(*(reference(*image) for image in images)),
                        )
                    ),
                )
            ),
        )
    )
    dataset.StructureSetROISequence = items(
        *(
            item(
                ROINumber=number,
                ReferencedFrameOfReferenceUID=frame_of_reference,
                ROIName=name,
                ROIDescription=f"Drawn by {study.cast.operators[1].split('^')[0]}",
                ROIGenerationAlgorithm="MANUAL",
            )
            for number, name in enumerate(("BODY", "GTV"), start=1)
        )
    )
    dataset.ROIContourSequence = items(
        *(
            item(
                ReferencedROINumber=number,
                ROIDisplayColor=[255, 60 * number, 0],
                ContourSequence=items(
                    *(
                        item(
                            ContourImageSequence=items(reference(*image)),
                            ContourGeometricType="CLOSED_PLANAR",
                            NumberOfContourPoints=4,
                            ContourData=[-20, -20, z, 20, -20, z, 20, 20, z, -20, 20, z],
                        )
                        for z, image in zip(range(-245, 0, 5), images, strict=False)
                    )
                ),
            )
            for number in (1, 2)
        )
    )
    dataset.RTROIObservationsSequence = items(
        *(
            item(
                ObservationNumber=number,
                ReferencedROINumber=number,
                RTROIInterpretedType=kind,
                ROIInterpreter=study.cast.physicians[2],
            )
            for number, kind in ((1, "EXTERNAL"), (2, "GTV"))
        )
    )
    return dataset


def encapsulated_pdf(series: Series, instance: int) -> Dataset:
    """Return an encapsulated PDF letter to a physician about the patient (PS3.3 A.45.1)."""
    study = series.study
    dataset = new_object(series, EncapsulatedPDFStorage, instance)
    dataset.ConversionType = "WSD"
    dataset.AcquisitionDateTime = f"{study.da}170000.000000-0400"
    dataset.BurnedInAnnotation = "YES"
    dataset.DocumentTitle = f"Letter on {study.person.patient_id}"
    dataset.ConceptNameCodeSequence = items(code("11488-4", "LN", "Consultation note"))
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    person = study.person
    document = _pdf(
        (
            f"Dear Dr {study.cast.physicians[0].split('^')[0]},",
            f"{person.name.split('=')[0].replace('^', ', ')} ({person.patient_id}) was seen on {study.da}.",
            f"{study.site.name}, {study.site.telephone}",
        )
    )
    dataset.EncapsulatedDocument = document + b"\0" * (len(document) % 2)
    dataset.EncapsulatedDocumentLength = len(document)
    return dataset


def _report_general(dataset: Dataset, study: Study) -> None:
    del dataset.PerformedProcedureStepDescription
    dataset.ReferencedPerformedProcedureStepSequence = items()
    dataset.ReferencedRequestSequence = items(
        item(
            StudyInstanceUID=study.uid,
            ReferencedStudySequence=items(),
            AccessionNumber=study.accession_number,
            PlacerOrderNumberImagingServiceRequest=f"PLACER{study.digits(6)}",
            FillerOrderNumberImagingServiceRequest=f"FILLER{study.digits(6)}",
            RequestedProcedureID=f"RP{study.digits(7)}",
            RequestedProcedureDescription=study.title,
            RequestedProcedureCodeSequence=items(),
            RequestingPhysicianIdentificationSequence=items(coded_person(study, study.cast.physicians[0])),
        )
    )
    dataset.PerformedProcedureCodeSequence = items()
    dataset.ValueType = "CONTAINER"
    dataset.ContinuityOfContent = "SEPARATE"
    dataset.ConceptNameCodeSequence = items(code("18748-4", "LN", "Diagnostic Imaging Report"))


def _evidence(dataset: Dataset, study: Study, image_series: str, images: Sequence[ImageReference]) -> None:
    dataset.CurrentRequestedProcedureEvidenceSequence = items(
        item(
            StudyInstanceUID=study.uid,
            ReferencedSeriesSequence=items(
                item(
                    SeriesInstanceUID=image_series,
                    ReferencedSOPSequence=items(*(reference(*image) for image in images)),
                )
            ),
        )
    )


def _content(relationship: str, value_type: str, concept: Dataset, **value: object) -> Dataset:
    """Return a content item (PS3.3 C.17.3)."""
    return item(RelationshipType=relationship, ValueType=value_type, ConceptNameCodeSequence=items(concept), **value)


def _image_content(relationship: str, image: ImageReference) -> Dataset:
    return item(RelationshipType=relationship, ValueType="IMAGE", ReferencedSOPSequence=items(reference(*image)))


def _section(concept: Dataset, *children: Dataset) -> Dataset:
    section = _content("CONTAINS", "CONTAINER", concept, ContinuityOfContent="SEPARATE")
    section.ContentSequence = items(*children)
    return section


def _pdf(lines: Sequence[str]) -> bytes:
    """Return a one-page PDF with the lines as plain text."""
    shown = "".join(f"({_pdf_text(line)}) Tj 0 -18 Td " for line in lines)
    content = f"BT /F1 12 Tf 60 760 Td {shown}ET".encode("latin-1", "replace")
    bodies = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R "
        b"/Resources << /Font << /F1 4 0 R >> >> >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
    )
    document = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, text in enumerate(bodies, start=1):
        offsets.append(len(document))
        document += b"%d 0 obj\n%s\nendobj\n" % (number, text)
    table = len(document)
    document += b"xref\n0 %d\n0000000000 65535 f \n" % (len(bodies) + 1)
    document += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    document += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(bodies) + 1, table)
    return bytes(document)


def _pdf_text(line: str) -> str:
    return line.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
