"""Objects with identifiers in graphics, documents and waveforms: overlays, curves, icons, CDA, dose report, ECG."""

from collections.abc import Iterator

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import EncapsulatedCDAStorage, TwelveLeadECGWaveformStorage, XRayRadiationDoseSRStorage
from tests.objects.bases import ct, series, written
from tests.objects.planting import (
    ADDRESS,
    BIRTH_DATE,
    DEVICE_UID_ROOT,
    FAMILY,
    GIVEN,
    NAME,
    OPERATOR,
    PATIENT_ID,
    PHYSICIAN,
    STATION,
    STUDY_DATE,
    TELEPHONE,
    plant,
    uid,
)

from dicomanon.sample.headers import code, item, items, new_object

_SIZE = 16
_CDA = f"""<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3">
 <id root="{uid("cda")}"/><title>Letter on {GIVEN} {FAMILY}</title><effectiveTime value="{STUDY_DATE}"/>
 <recordTarget><patientRole><id extension="{PATIENT_ID}" root="{uid("cda", "root")}"/>
  <addr><streetAddressLine>{ADDRESS}</streetAddressLine></addr><telecom value="tel:{TELEPHONE}"/>
  <patient><name><given>{GIVEN}</given><family>{FAMILY}</family></name><birthTime value="{BIRTH_DATE}"/></patient>
 </patientRole></recordTarget>
 <component><nonXMLBody><text>Seen by Dr {PHYSICIAN.split("^", maxsplit=1)[0]}.</text></nonXMLBody></component>
</ClinicalDocument>
"""


def drawn_objects() -> Iterator[tuple[str, bytes]]:
    """Yield one object of each kind."""
    yield "drawn/overlays", written(_overlays(ct()))
    yield "drawn/overlay-in-unused-bits", written(_embedded_overlay(ct()))
    yield "drawn/curve", written(_curve(ct()))
    yield "drawn/icon", written(_icon(ct()))
    yield "drawn/cda", written(_cda())
    yield "drawn/dose-report", written(_dose_report())
    yield "drawn/ecg", written(_ecg())


def _overlays(dataset: Dataset) -> Dataset:
    for group in (0x6000, 0x601E):
        base = group << 16
        for offset, vr, value in (
            (0x10, "US", _SIZE), (0x11, "US", _SIZE), (0x22, "LO", f"Marked for {FAMILY}"), (0x40, "CS", "G"),
            (0x50, "SS", [1, 1]), (0x100, "US", 1), (0x102, "US", 0), (0x1500, "LO", PATIENT_ID),
            (0x3000, "OW", bytes(_SIZE * _SIZE // 8)), (0x4000, "LT", NAME),
        ):  # fmt: skip
            dataset.add_new(base | offset, vr, value)
    return dataset


def _embedded_overlay(dataset: Dataset) -> Dataset:
    """Draw in the bits above the stored ones (PS3.5-2004 section 8.1.2)."""
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 12, 11, 0
    pixels = np.frombuffer(dataset.PixelData, "<u2") & 0x0FFF
    drawn = np.frombuffer(FAMILY.encode(), dtype=np.uint8)
    pixels[: 8 * drawn.size] |= np.unpackbits(drawn).astype(np.uint16) << 15
    dataset.PixelData = pixels.tobytes()
    for offset, vr, value in (
        (0x10, "US", _SIZE), (0x11, "US", _SIZE), (0x40, "CS", "G"), (0x50, "SS", [1, 1]), (0x100, "US", 16),
        (0x102, "US", 15),
    ):  # fmt: skip
        dataset.add_new(0x60000000 | offset, vr, value)
    return dataset


def _curve(dataset: Dataset) -> Dataset:
    for offset, vr, value in (
        (0x05, "US", 1), (0x10, "US", 2), (0x20, "CS", "PROF"), (0x22, "LO", f"Profile for {FAMILY}"),
        (0x103, "US", 0), (0x2500, "LO", NAME), (0x3000, "OW", bytes(4)),
    ):  # fmt: skip
        dataset.add_new(0x50000000 | offset, vr, value)
    return dataset


def _icon(dataset: Dataset) -> Dataset:
    text = f"{FAMILY} {PATIENT_ID}".encode().ljust(64, b"\0")
    dataset.IconImageSequence = items(
        item(
            SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2", Rows=8, Columns=8, BitsAllocated=8,
            BitsStored=8, HighBit=7, PixelRepresentation=0, PixelData=text,
        )
    )  # fmt: skip
    return dataset


def _cda() -> Dataset:
    dataset = new_object(series("DOC", rich=False), EncapsulatedCDAStorage, 1)
    dataset.ConversionType = "WSD"
    dataset.BurnedInAnnotation = "NO"
    dataset.AcquisitionDateTime = f"{STUDY_DATE}101112"
    dataset.DocumentTitle = f"Letter on {FAMILY}"
    dataset.ConceptNameCodeSequence = items(code("11488-4", "LN", "Consultation note"))
    dataset.HL7InstanceIdentifier = f"{uid('cda', 'root')}^{PATIENT_ID}"
    dataset.MIMETypeOfEncapsulatedDocument = "text/XML"
    document = _CDA.encode()
    dataset.EncapsulatedDocument = document + b"\0" * (len(document) & 1)
    dataset.EncapsulatedDocumentLength = len(document)
    return plant(dataset)


def _content(relationship: str, kind: str, concept: tuple[str, str, str], **value: object) -> Dataset:
    return item(RelationshipType=relationship, ValueType=kind, ConceptNameCodeSequence=items(code(*concept)), **value)


def _number(concept: tuple[str, str, str], value: str, unit: str) -> Dataset:
    measured = item(NumericValue=value, MeasurementUnitsCodeSequence=items(code(unit, "UCUM", unit)))
    return _content("CONTAINS", "NUM", concept, MeasuredValueSequence=items(measured))


def _dose_report() -> Dataset:
    """Return a CT dose report after PS3.16 TID 10011, with persons and devices as observers."""
    dataset = new_object(series("SR", rich=False), XRayRadiationDoseSRStorage, 1)
    del dataset.PerformedProcedureStepDescription
    dataset.ReferencedPerformedProcedureStepSequence = items()
    dataset.PerformedProcedureCodeSequence = items()
    dataset.CompletionFlag, dataset.VerificationFlag = "COMPLETE", "UNVERIFIED"
    dataset.ValueType, dataset.ContinuityOfContent = "CONTAINER", "SEPARATE"
    dataset.ConceptNameCodeSequence = items(code("113701", "DCM", "X-Ray Radiation Dose Report"))
    dataset.ContentTemplateSequence = items(item(MappingResource="DCMR", TemplateIdentifier="10011"))
    event = _content("CONTAINS", "CONTAINER", ("113819", "DCM", "CT Acquisition"), ContinuityOfContent="SEPARATE")
    event.ContentSequence = items(
        _content("CONTAINS", "TEXT", ("125203", "DCM", "Acquisition Protocol"), TextValue=f"Chest of {FAMILY}"),
        _content("CONTAINS", "UIDREF", ("113769", "DCM", "Irradiation Event UID"), UID=uid("event")),
        _number(("113830", "DCM", "Mean CTDIvol"), "5.2", "mGy"),
    )
    person = {"ConceptCodeSequence": items(code("121006", "DCM", "Person"))}
    dataset.ContentSequence = items(
        _content("HAS OBS CONTEXT", "CODE", ("121005", "DCM", "Observer Type"), **person),
        _content("HAS OBS CONTEXT", "PNAME", ("121008", "DCM", "Person Observer Name"), PersonName=OPERATOR),
        _content(
            "HAS OBS CONTEXT", "UIDREF", ("121012", "DCM", "Device Observer UID"), UID=uid("d", root=DEVICE_UID_ROOT)
        ),
        _content("HAS OBS CONTEXT", "TEXT", ("121013", "DCM", "Device Observer Name"), TextValue=STATION),
        _content("HAS OBS CONTEXT", "PNAME", ("121029", "DCM", "Subject Name"), PersonName=NAME),
        _content("HAS OBS CONTEXT", "TEXT", ("121030", "DCM", "Subject ID"), TextValue=PATIENT_ID),
        _content("HAS OBS CONTEXT", "DATE", ("121031", "DCM", "Subject Birth Date"), Date=BIRTH_DATE),
        _content(
            "HAS OBS CONTEXT", "DATETIME", ("113809", "DCM", "Start of X-Ray Irradiation"), DateTime=f"{STUDY_DATE}1011"
        ),
        event,
        _content("CONTAINS", "TEXT", ("121106", "DCM", "Comment"), TextValue=f"Asked for by {PHYSICIAN}"),
    )
    return plant(dataset)


def _ecg() -> Dataset:
    dataset = new_object(series("ECG", rich=False), TwelveLeadECGWaveformStorage, 1)
    dataset.AcquisitionDateTime = f"{STUDY_DATE}101112"
    dataset.AcquisitionContextSequence = items()
    channel = item(
        ChannelLabel=FAMILY,
        ChannelSourceSequence=items(code("2:1", "MDC", "Lead I")),
        ChannelSensitivity=1,
        ChannelSensitivityUnitsSequence=items(code("uV", "UCUM", "microvolt")),
        ChannelSensitivityCorrectionFactor=1,
        ChannelBaseline=0,
        ChannelSampleSkew=0,
        WaveformBitsStored=16,
    )
    dataset.WaveformSequence = items(
        item(
            WaveformOriginality="ORIGINAL", NumberOfWaveformChannels=1, NumberOfWaveformSamples=16,
            SamplingFrequency=500, ChannelDefinitionSequence=items(channel), WaveformBitsAllocated=16,
            WaveformSampleInterpretation="SS", WaveformData=bytes(32),
        )
    )  # fmt: skip
    dataset.WaveformSequence[0]["WaveformData"].VR = "OW"
    dataset.WaveformAnnotationSequence = items(
        item(UnformattedTextValue=f"Pacemaker of {FAMILY}, read by {PHYSICIAN}", ReferencedWaveformChannels=[1, 1]),
        item(
            ConceptNameCodeSequence=items(code("121106", "DCM", "Comment")),
            ReferencedWaveformChannels=[1, 1],
            TextValue=f"Call {TELEPHONE}",
        ),
    )
    return plant(dataset)
