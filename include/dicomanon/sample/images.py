"""The image objects of the sample: CT, MR, PT, CR, DX, enhanced MR, ultrasound and screenshot (PS3.3 A)."""

import datetime as dt

import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    EnhancedMRImageStorage,
    JPEGBaseline8Bit,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    RLELossless,
    SecondaryCaptureImageStorage,
    UltrasoundMultiFrameImageStorage,
)

from dicomanon.sample.headers import (
    Series,
    Study,
    code,
    frame,
    grey_pixels,
    image_acquisition,
    item,
    items,
    new_object,
    reference,
)
from dicomanon.sample.pixels import LUNG, Pixels, body, burn_in, jpeg, noisy, projection, ultrasound_sector
from dicomanon.sample.rle import rle_frame

_HALF = 127


def ct(series: Series, instance: int, count: int, rng: np.random.Generator, *, size: int = 512) -> Dataset:
    """Return one axial CT slice; of a series with RLE Lossless as transfer syntax, compressed."""
    dataset = new_object(series, CTImageStorage, instance)
    image_acquisition(dataset, series, instance)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    frame(dataset, series, 0.7, size, -250.0 + 5.0 * instance, 5.0)
    dataset.KVP = 120
    dataset.DataCollectionDiameter = 500
    dataset.ReconstructionDiameter = 360
    dataset.GantryDetectorTilt = 0
    dataset.ExposureTime = 500
    dataset.XRayTubeCurrent = 210
    dataset.ConvolutionKernel = "B30f"
    dataset.IrradiationEventUID = series.study.uids("irradiation", series.study.key, series.number)
    grey_pixels(dataset, size, size, signed=True)
    dataset.RescaleIntercept = 0
    dataset.RescaleSlope = 1
    dataset.RescaleType = "HU"
    dataset.WindowCenter, dataset.WindowWidth = [40, -600], [400, 1500]
    picture = body(size, instance / count)
    if series.transfer_syntax == RLELossless:
        # Noise in air does not compress; a scanner that clips it is what RLE is used with.
        picture[size // 3 : size // 2] = noisy(picture[size // 3 : size // 2], rng, 8)
        dataset.PixelData = encapsulate([rle_frame(picture)])
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
    else:
        dataset.PixelData = noisy(picture, rng, 14).tobytes()
        dataset["PixelData"].VR = "OW"
    return dataset


def mr(series: Series, instance: int, count: int, rng: np.random.Generator, *, size: int = 256) -> Dataset:
    """Return one MR slice."""
    dataset = new_object(series, MRImageStorage, instance)
    image_acquisition(dataset, series, instance)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "M", "SE"]
    frame(dataset, series, 0.9, size, -60.0 + 4.0 * instance, 4.0)
    dataset.ScanningSequence = "SE"
    dataset.SequenceVariant = "SK"
    dataset.ScanOptions = ""
    dataset.MRAcquisitionType = "2D"
    dataset.SequenceName = "tse2d1_11"
    dataset.RepetitionTime, dataset.EchoTime, dataset.EchoTrainLength = 4200, 98, 11
    dataset.MagneticFieldStrength = 3
    dataset.ImagingFrequency = 123.25
    dataset.FlipAngle = 150
    grey_pixels(dataset, size, size, bits=12)
    dataset.WindowCenter, dataset.WindowWidth = 500, 1000
    picture = np.clip((body(size, instance / count, air=-90).astype(np.int32) + 90) * 2 + 60, 0, 4000).astype(np.uint16)
    dataset.PixelData = np.clip(noisy(picture, rng, 6), 0, 4095).tobytes()
    dataset["PixelData"].VR = "OW"
    return dataset


def pt(series: Series, instance: int, count: int, rng: np.random.Generator) -> Dataset:
    """Return one attenuation-corrected PT slice with the injection that it is measured from (PS3.3 C.8.9)."""
    size = 128
    dataset = new_object(series, PositronEmissionTomographyImageStorage, instance)
    image_acquisition(dataset, series, instance)
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    frame(dataset, series, 4.0, size, -250.0 + 5.0 * instance, 5.0)
    dataset.Units = "BQML"
    dataset.CountsSource = "EMISSION"
    dataset.SeriesType = ["WHOLE BODY", "IMAGE"]
    dataset.NumberOfSlices = count
    dataset.CorrectedImage = ["DECY", "ATTN", "SCAT", "DTIM", "RAN", "NORM"]
    dataset.DecayCorrection = "START"
    dataset.CollimatorType = "NONE"
    dataset.RandomsCorrectionMethod = "DLYD"
    dataset.AttenuationCorrectionMethod = "measured, CT"
    dataset.ReconstructionMethod = "OSEM3D 2i21s"
    dataset.RadiopharmaceuticalInformationSequence = items(
        item(
            RadionuclideCodeSequence=items(code("C-111A1", "SRT", "^18^Fluorine")),
            Radiopharmaceutical="Fluorodeoxyglucose",
            RadiopharmaceuticalStartTime="091500.000",
            RadiopharmaceuticalStartDateTime=f"{series.study.da}091500.000000-0400",
            RadiopharmaceuticalStopDateTime=f"{series.study.da}091530.000000-0400",
            RadiopharmaceuticalVolume=5,
            RadionuclideTotalDose=351000000,
            RadionuclideHalfLife=6586.2,
            RadionuclidePositronFraction=0.97,
            RadiopharmaceuticalCodeSequence=items(code("C-B1031", "SRT", "Fluorodeoxyglucose F^18^")),
        )
    )
    dataset.FrameReferenceTime = 60000
    dataset.ActualFrameDuration = 120000
    dataset.DecayFactor = 1.02
    dataset.ImageIndex = instance
    grey_pixels(dataset, size, size)
    dataset.RescaleIntercept = 0
    dataset.RescaleSlope = 0.85
    picture = np.where(body(size, instance / count) > LUNG, 4000, 200).astype(np.uint16)
    dataset.PixelData = np.clip(noisy(picture, rng, 150), 0, 32000).tobytes()
    dataset["PixelData"].VR = "OW"
    return dataset


def cr(series: Series, instance: int, rng: np.random.Generator) -> Dataset:
    """Return a computed radiograph with an overlay plane (60xx) and a curve (50xx), both with names in them."""
    study = series.study
    size = 1024
    dataset = new_object(series, ComputedRadiographyImageStorage, instance)
    image_acquisition(dataset, series, instance)
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.ViewPosition = "PA"
    dataset.PatientOrientation = ["L", "F"]
    dataset.KVP = 125
    dataset.PlateID = f"PLATE-{study.digits(7)}"
    dataset.ImagerPixelSpacing = [0.35, 0.35]
    grey_pixels(dataset, size, size, bits=12)
    dataset.WindowCenter, dataset.WindowWidth = 2048, 4096
    dataset.PixelData = projection(size, size, rng).tobytes()
    dataset["PixelData"].VR = "OW"
    drawn = burn_in(np.zeros((size, size), dtype=np.uint8), [study.person.name.split("=")[0], study.person.patient_id])
    dataset.add_new(0x60000010, "US", size)
    dataset.add_new(0x60000011, "US", size)
    dataset.add_new(0x60000022, "LO", f"Marked by {study.cast.operators[0].split('^')[0]}")
    dataset.add_new(0x60000040, "CS", "G")
    dataset.add_new(0x60000050, "SS", [1, 1])
    dataset.add_new(0x60000100, "US", 1)
    dataset.add_new(0x60000102, "US", 0)
    dataset.add_new(0x60001500, "LO", study.planted.note(f"OVERLAYOF{study.digits(6)}"))
    dataset.add_new(0x60003000, "OW", np.packbits(drawn.ravel() > _HALF, bitorder="little").tobytes())
    dataset.add_new(0x50000005, "US", 1)
    dataset.add_new(0x50000010, "US", 2)
    dataset.add_new(0x50000020, "CS", "PROF")
    dataset.add_new(0x50000022, "LO", f"Profile for {study.cast.physicians[1].split('^')[0]}")
    dataset.add_new(0x50000103, "US", 0)
    dataset.add_new(0x50003000, "OW", np.arange(2, dtype="<u2").tobytes())
    return dataset


def dx(series: Series, instance: int, rng: np.random.Generator, *, rows: int = 1400, columns: int = 1200) -> Dataset:
    """Return a digital radiograph for presentation."""
    dataset = new_object(series, DigitalXRayImageStorageForPresentation, instance)
    image_acquisition(dataset, series, instance)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", ""]
    dataset.PresentationIntentType = "FOR PRESENTATION"
    dataset.BurnedInAnnotation = "NO"
    dataset.LossyImageCompression = "00"
    dataset.ImageLaterality = "U"
    dataset.PatientOrientation = ["L", "F"]
    dataset.AnatomicRegionSequence = items(code("43799004", "SCT", "Thoracic cavity"))
    dataset.ViewPosition = "PA"
    dataset.KVP = 117
    dataset.DetectorType = "DIRECT"
    dataset.DetectorID = f"DET-{series.study.digits(8)}"
    dataset.DateOfLastDetectorCalibration = (series.study.day - dt.timedelta(days=9)).strftime("%Y%m%d")
    dataset.TimeOfLastDetectorCalibration = "055500"
    dataset.ImagerPixelSpacing = [0.14, 0.14]
    dataset.AcquisitionContextSequence = items()
    dataset.PixelIntensityRelationship = "LOG"
    dataset.PixelIntensityRelationshipSign = -1
    dataset.PresentationLUTShape = "IDENTITY"
    grey_pixels(dataset, rows, columns, bits=12)
    dataset.RescaleIntercept = 0
    dataset.RescaleSlope = 1
    dataset.RescaleType = "US"
    dataset.WindowCenter, dataset.WindowWidth = 2048, 4096
    dataset.PixelData = projection(rows, columns, rng).tobytes()
    dataset["PixelData"].VR = "OW"
    return dataset


def enhanced_mr(series: Series, instance: int, rng: np.random.Generator, *, frames: int = 12) -> Dataset:
    """Return an enhanced multi-frame MR with functional groups and identifiers inside them (PS3.3 A.36.2)."""
    study = series.study
    size = 128
    dataset = new_object(series, EnhancedMRImageStorage, instance)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "PERFUSION", "NONE"]
    dataset.AcquisitionNumber = 1
    dataset.AcquisitionDateTime = f"{study.da}102000.000000-0400"
    dataset.AcquisitionDuration = 36.0
    dataset.FrameOfReferenceUID = study.frame_of_reference()
    dataset.PositionReferenceIndicator = ""
    dataset.PatientPosition = "HFS"
    dataset.SynchronizationFrameOfReferenceUID = study.uids("synchronisation", study.key)
    dataset.SynchronizationTrigger = "NO TRIGGER"
    dataset.AcquisitionTimeSynchronized = "Y"
    dataset.PixelPresentation = "MONOCHROME"
    dataset.VolumetricProperties = "VOLUME"
    dataset.VolumeBasedCalculationTechnique = "NONE"
    dataset.ComplexImageComponent = "MAGNITUDE"
    dataset.AcquisitionContrast = "PERFUSION"
    dataset.ContentQualification = "PRODUCT"
    dataset.ResonantNucleus = "1H"
    dataset.KSpaceFiltering = "NONE"
    dataset.MagneticFieldStrength = 3.0
    dataset.ApplicableSafetyStandardAgency = "IEC"
    dataset.BurnedInAnnotation = "NO"
    dataset.LossyImageCompression = "00"
    dataset.PresentationLUTShape = "IDENTITY"
    dataset.PulseSequenceName = "ep2d_perf"
    dataset.AcquisitionContextSequence = items()
    dimension = study.uids("dimension", study.key, series.number)
    dataset.DimensionOrganizationSequence = items(item(DimensionOrganizationUID=dimension))
    dataset.DimensionIndexSequence = items(
        item(DimensionIndexPointer=0x00209057, FunctionalGroupPointer=0x00209111, DimensionOrganizationUID=dimension)
    )
    dataset.SharedFunctionalGroupsSequence = items(
        item(
            PixelMeasuresSequence=items(item(PixelSpacing=[1.8, 1.8], SliceThickness=5)),
            PlaneOrientationSequence=items(item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])),
            FrameAnatomySequence=items(
                item(FrameLaterality="U", AnatomicRegionSequence=items(code("12738006", "SCT", "Brain")))
            ),
            PixelValueTransformationSequence=items(item(RescaleIntercept=0, RescaleSlope=1, RescaleType="US")),
            FrameVOILUTSequence=items(item(WindowCenter=500, WindowWidth=1000)),
            MRImageFrameTypeSequence=items(
                item(
                    FrameType=["ORIGINAL", "PRIMARY", "PERFUSION", "NONE"],
                    PixelPresentation="MONOCHROME",
                    VolumetricProperties="VOLUME",
                    VolumeBasedCalculationTechnique="NONE",
                    ComplexImageComponent="MAGNITUDE",
                    AcquisitionContrast="PERFUSION",
                )
            ),
            ReferencedImageSequence=items(
                _coded_reference(MRImageStorage, study.uids("instance", study.key, 1, 1), "121311", "Localizer")
            ),
        )
    )
    dataset.PerFrameFunctionalGroupsSequence = items(
        *(
            item(
                FrameContentSequence=items(
                    item(
                        FrameAcquisitionDateTime=f"{study.da}1020{number * 3:02d}.000000-0400",
                        FrameReferenceDateTime=f"{study.da}1020{number * 3:02d}.500000-0400",
                        FrameAcquisitionDuration=3.0,
                        StackID="1",
                        InStackPositionNumber=number + 1,
                        DimensionIndexValues=[number + 1],
                        FrameComments="" if number else f"Held breath for {study.cast.operators[0].split('^')[0]}",
                    )
                ),
                PlanePositionSequence=items(item(ImagePositionPatient=[-115, -115, -30 + 5 * number])),
            )
            for number in range(frames)
        )
    )
    dataset.NumberOfFrames = frames
    grey_pixels(dataset, size, size, bits=12)
    pictures = [
        np.clip((body(size, number / frames, air=-90).astype(np.int32) + 90) * 2, 0, 4000) for number in range(frames)
    ]
    dataset.PixelData = np.clip(noisy(np.stack(pictures), rng, 6), 0, 4095).astype(np.uint16).tobytes()
    dataset["PixelData"].VR = "OW"
    return dataset


def ultrasound(series: Series, instance: int, rng: np.random.Generator, *, frames: int = 6) -> Dataset:
    """Return a JPEG multi-frame ultrasound cine with the patient's name burned into every frame."""
    study = series.study
    rows, columns = 480, 640
    dataset = new_object(series, UltrasoundMultiFrameImageStorage, instance)
    image_acquisition(dataset, series, instance)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "ABDOMINAL"]
    dataset.PatientOrientation = ""
    dataset.SequenceOfUltrasoundRegions = items(
        item(
            RegionSpatialFormat=1,
            RegionDataType=1,
            RegionFlags=0,
            RegionLocationMinX0=0,
            RegionLocationMinY0=60,
            RegionLocationMaxX1=columns - 1,
            RegionLocationMaxY1=rows - 1,
            PhysicalUnitsXDirection=3,
            PhysicalUnitsYDirection=3,
            PhysicalDeltaX=0.03,
            PhysicalDeltaY=0.03,
        )
    )
    dataset.NumberOfFrames = frames
    dataset.FrameTime = 40
    dataset.FrameIncrementPointer = 0x00181063
    dataset.SamplesPerPixel = 3
    dataset.PhotometricInterpretation = "YBR_FULL_422"
    dataset.PlanarConfiguration = 0
    dataset.Rows, dataset.Columns = rows, columns
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    lines = [f"{study.person.name.split('=')[0]}  {study.person.patient_id}", f"{study.site.name}  {study.da}"]
    pictures = [jpeg(burn_in(ultrasound_sector(rows, columns, rng), lines)) for _ in range(frames)]
    dataset.LossyImageCompression = "01"
    dataset.LossyImageCompressionRatio = round(rows * columns * 3 * frames / sum(map(len, pictures)), 2)
    dataset.LossyImageCompressionMethod = "ISO_10918_1"
    dataset.PixelData = encapsulate(pictures)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    return dataset


def screenshot(series: Series, instance: int, source: tuple[str, str], rng: np.random.Generator) -> Dataset:
    """Return a secondary capture of a workstation's screen, identifiers and all."""
    study = series.study
    rows, columns = 300, 400
    dataset = new_object(series, SecondaryCaptureImageStorage, instance)
    dataset.ImageType = ["DERIVED", "SECONDARY", "SCREEN SAVE"]
    dataset.ConversionType = "WSD"
    dataset.DateOfSecondaryCapture = study.da
    dataset.TimeOfSecondaryCapture = "110000"
    dataset.SecondaryCaptureDeviceID = study.planted.note(f"WORKSTN{study.digits(5)}")
    dataset.SecondaryCaptureDeviceManufacturer = "Nordlys Imaging (invented)"
    dataset.BurnedInAnnotation = "YES"
    dataset.PatientOrientation = ""
    dataset.SourceImageSequence = items(reference(*source))
    dataset.SamplesPerPixel = 3
    dataset.PhotometricInterpretation = "RGB"
    dataset.PlanarConfiguration = 0
    dataset.Rows, dataset.Columns = rows, columns
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    lines = [study.person.name.split("=")[0], study.person.patient_id, study.accession_number, study.site.name]
    dataset.PixelData = burn_in(rng.integers(0, 40, (rows, columns, 3), dtype=np.uint8), lines).tobytes()
    dataset["PixelData"].VR = "OB"
    return dataset


def icon(dataset: Dataset, study: Study) -> None:
    """Add an icon with the patient's name drawn into it (PS3.3 F.7)."""
    picture: Pixels = burn_in(np.zeros((64, 64), dtype=np.uint8), [study.person.patient_id])
    dataset.IconImageSequence = items(
        item(
            SamplesPerPixel=1,
            PhotometricInterpretation="MONOCHROME2",
            Rows=64,
            Columns=64,
            BitsAllocated=8,
            BitsStored=8,
            HighBit=7,
            PixelRepresentation=0,
        )
    )
    dataset.IconImageSequence[0].add_new(0x7FE00010, "OB", picture.tobytes())


def _coded_reference(sop_class_uid: str, sop_uid: str, value: str, meaning: str) -> Dataset:
    dataset = reference(sop_class_uid, sop_uid)
    dataset.PurposeOfReferenceCodeSequence = items(code(value, "DCM", meaning))
    return dataset
