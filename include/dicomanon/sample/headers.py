"""The modules that all objects of a study share (PS3.3 C.7), and their file meta information."""

import datetime as dt
import hashlib
from dataclasses import dataclass

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as ItemSequence
from pydicom.uid import ExplicitVRLittleEndian

from dicomanon.sample.people import Cast, Person, Site
from dicomanon.sample.planted import Planted

UID_ROOT = "2.999.840.10113"
"""Below the arc that ITU-T X.660 sets aside for examples, so that no UID of the sample is anybody's."""


@dataclass(frozen=True, slots=True)
class Uids:
    """Gives the same UID for the same words, so that wave 2 refers to what wave 1 wrote without reading it."""

    seed: int

    def __call__(self, *words: object) -> str:
        """Return the UID of what the words name."""
        text = "/".join(str(word) for word in (self.seed, *words))
        number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:14], "big")
        return f"{UID_ROOT}.{self.seed}.{number % 10**12}.{number // 10**12 % 10**17}"


@dataclass(frozen=True, slots=True)
class Study:
    """One examination of one patient."""

    key: str
    person: Person
    site: Site
    day: dt.date
    number: int
    title: str
    uids: Uids
    cast: Cast
    planted: Planted

    @property
    def uid(self) -> str:
        """Study Instance UID."""
        return self.uids("study", self.key)

    @property
    def da(self) -> str:
        """The study date as a DA value."""
        return self.day.strftime("%Y%m%d")

    @property
    def accession_number(self) -> str:
        """Accession Number, unlike any other."""
        return f"KX{self.digits(10)}"

    def digits(self, count: int) -> str:
        """Return digits that are the study's own, to make its other numbers of."""
        return self.uid.rsplit(".", 1)[1].zfill(count)[-count:]

    def frame_of_reference(self) -> str:
        """Return the Frame of Reference UID that the study's volumes share."""
        return self.uids("frame", self.key)


@dataclass(frozen=True, slots=True)
class Series:
    """One series of a study."""

    study: Study
    number: int
    modality: str
    title: str
    body_part: str = ""
    rich: bool = True
    """Whether optional identifying attributes and sequences are filled in."""
    transfer_syntax: str = ExplicitVRLittleEndian
    model: str = "Meridian 64"

    @property
    def uid(self) -> str:
        """Series Instance UID."""
        return self.study.uids("series", self.study.key, self.number)

    def sop_uid(self, instance: int) -> str:
        """Return the SOP Instance UID of the instance with that number."""
        return self.study.uids("instance", self.study.key, self.number, instance)


def item(**values: object) -> Dataset:
    """Return a dataset with the given attributes."""
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def items(*datasets: Dataset) -> ItemSequence:
    """Return a sequence of items."""
    return ItemSequence(datasets)


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """Return an item of the basic code sequence macro (PS3.3 8.8)."""
    return item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def reference(sop_class_uid: str, sop_uid: str) -> Dataset:
    """Return an item of the SOP instance reference macro (PS3.3 10.8)."""
    return item(ReferencedSOPClassUID=sop_class_uid, ReferencedSOPInstanceUID=sop_uid)


def coded_person(study: Study, name: str) -> Dataset:
    """Return an item of the person identification macro (PS3.3 10.1), with address and telephone."""
    return item(
        PersonIdentificationCodeSequence=items(
            code(
                study.planted.note(f"STAFF{sum(name.encode()) % 9000 + 1000}"),
                "99QUILL",
                study.planted.note(_spoken(name)),
            )
        ),
        PersonAddress=study.site.address,
        PersonTelephoneNumbers=study.site.telephone,
        InstitutionName=study.site.name,
    )


def new_object(series: Series, sop_class_uid: str, instance: int) -> Dataset:
    """Return a dataset with file meta information and the general modules filled in (PS3.3 C.7, C.12.1)."""
    study, site = series.study, series.study.site
    dataset = Dataset()
    dataset.file_meta = _file_meta(series, sop_class_uid, instance)
    charset = study.person.charset
    dataset.SpecificCharacterSet = list(charset) if isinstance(charset, tuple) else charset
    dataset.InstanceCreationDate = study.da
    dataset.InstanceCreationTime = f"1015{instance % 60:02d}"
    dataset.SOPClassUID = sop_class_uid
    dataset.SOPInstanceUID = series.sop_uid(instance)
    dataset.TimezoneOffsetFromUTC = "-0400"
    _patient(dataset, study)
    _study(dataset, study)
    _series(dataset, series)
    dataset.Manufacturer = "Nordlys Imaging (invented)"
    dataset.ManufacturerModelName = series.model
    dataset.InstitutionName = site.name
    dataset.InstitutionAddress = site.address
    dataset.InstitutionalDepartmentName = site.department
    dataset.StationName = f"{series.modality[:2]}ROOM-{study.digits(5)}"
    dataset.DeviceSerialNumber = f"NL-{series.modality}-{study.digits(6)}"
    dataset.SoftwareVersions = ["7.1", "B20"]
    dataset.DateOfLastCalibration = (study.day - dt.timedelta(days=3)).strftime("%Y%m%d")
    dataset.TimeOfLastCalibration = "060000"
    dataset.InstanceNumber = instance
    dataset.ContentDate = study.da
    dataset.ContentTime = f"1014{instance % 60:02d}.250"
    if series.rich:
        dataset.DeviceUID = study.uids("device", study.key, series.modality)
        dataset.ContributingEquipmentSequence = items(
            item(
                PurposeOfReferenceCodeSequence=items(code("109103", "DCM", "Modifying Equipment")),
                Manufacturer="Nordlys Imaging (invented)",
                InstitutionName=site.name,
                InstitutionalDepartmentName=site.department,
                StationName=f"GATEWAY-{study.number:04d}",
                OperatorsName=list(study.cast.operators),
                ContributionDateTime=f"{study.da}101800.000000-0400",
                ContributionDescription=f"Routed for {study.cast.physicians[1].split('^')[0]}",
            )
        )
    return dataset


def image_acquisition(dataset: Dataset, series: Series, instance: int) -> None:
    """Fill in when an image was acquired (PS3.3 C.7.6.1, C.7.10.1)."""
    dataset.AcquisitionNumber = 1
    dataset.AcquisitionDate = series.study.da
    dataset.AcquisitionTime = f"1012{instance % 60:02d}.100"
    dataset.AcquisitionDateTime = f"{series.study.da}1012{instance % 60:02d}.100000-0400"


def grey_pixels(dataset: Dataset, rows: int, columns: int, *, bits: int = 16, signed: bool = False) -> None:
    """Fill in the image pixel module (PS3.3 C.7.6.3) of a greyscale picture in 16-bit words."""
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = rows, columns
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, bits, bits - 1
    dataset.PixelRepresentation = int(signed)


def frame(dataset: Dataset, series: Series, spacing: float, rows: int, position: float, thickness: float) -> None:
    """Fill in frame of reference and image plane (PS3.3 C.7.4.1, C.7.6.2) of an axial slice."""
    dataset.FrameOfReferenceUID = series.study.frame_of_reference()
    dataset.PositionReferenceIndicator = ""
    dataset.PatientPosition = "HFS"
    dataset.PixelSpacing = [spacing, spacing]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    corner = -round(rows * spacing / 2, 3)
    dataset.ImagePositionPatient = [corner, corner, position]
    dataset.SliceThickness = thickness
    dataset.SliceLocation = position


def _file_meta(series: Series, sop_class_uid: str, instance: int) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\0\1"
    meta.MediaStorageSOPClassUID = sop_class_uid
    meta.MediaStorageSOPInstanceUID = series.sop_uid(instance)
    meta.TransferSyntaxUID = series.transfer_syntax
    meta.ImplementationClassUID = f"{UID_ROOT}.1"
    meta.ImplementationVersionName = "NORDLYS_71"
    meta.SourceApplicationEntityTitle = series.study.site.sending_ae
    if series.rich:
        meta.SendingApplicationEntityTitle = series.study.site.sending_ae
        meta.ReceivingApplicationEntityTitle = series.study.site.receiving_ae
    return meta


def _patient(dataset: Dataset, study: Study) -> None:
    person = study.person
    dataset.PatientName = person.name
    dataset.PatientID = person.patient_id
    dataset.IssuerOfPatientID = person.issuer
    dataset.PatientBirthDate = person.birth.strftime("%Y%m%d")
    dataset.PatientBirthTime = "043000"
    dataset.PatientSex = person.sex
    dataset.OtherPatientIDsSequence = items(
        item(PatientID=person.health_number, IssuerOfPatientID="NOVACAMBRIAHEALTH", TypeOfPatientID="TEXT")
    )
    dataset.PatientAge = person.age_on(study.day)
    dataset.PatientSize = 1.71
    dataset.PatientWeight = 68.5
    dataset.PatientAddress = person.address
    dataset.PatientMotherBirthName = person.mother
    dataset.PatientTelephoneNumbers = person.telephone
    dataset.EthnicGroup = "Invented"
    dataset.Occupation = person.occupation
    dataset.AdditionalPatientHistory = (
        f"Referred after call to {person.telephone}; mails {study.planted.note(person.email)}."
    )
    dataset.PatientComments = f"Spouse {_spoken(study.planted.note_name(person.spouse))} is the contact."


def _study(dataset: Dataset, study: Study) -> None:
    physicians = study.cast.physicians
    dataset.StudyInstanceUID = study.uid
    dataset.StudyDate = study.da
    dataset.StudyTime = "100500"
    dataset.StudyID = f"ST{study.digits(7)}"
    dataset.AccessionNumber = study.accession_number
    dataset.StudyDescription = f"{study.title} {_surname(study.person)}"
    dataset.ReferringPhysicianName = physicians[0]
    dataset.ReferringPhysicianIdentificationSequence = items(coded_person(study, physicians[0]))
    dataset.PhysiciansOfRecord = [physicians[1], physicians[2]]
    dataset.NameOfPhysiciansReadingStudy = physicians[3]
    dataset.RequestingPhysician = physicians[0]
    dataset.RequestingService = study.site.department
    dataset.AdmissionID = f"ADM{study.digits(8)}"
    dataset.ReferencedStudySequence = items(reference("1.2.840.10008.3.1.2.3.1", study.uids("management", study.key)))


def _series(dataset: Dataset, series: Series) -> None:
    study = series.study
    dataset.Modality = series.modality
    dataset.SeriesInstanceUID = series.uid
    dataset.SeriesNumber = series.number
    dataset.SeriesDate = study.da
    dataset.SeriesTime = "101000"
    dataset.SeriesDescription = series.title
    dataset.ProtocolName = f"{series.title} {study.cast.operators[0].split('^')[0]}"
    dataset.PerformingPhysicianName = study.cast.physicians[2]
    dataset.OperatorsName = list(study.cast.operators)
    if series.body_part:
        dataset.BodyPartExamined = series.body_part
    dataset.PerformedProcedureStepStartDate = study.da
    dataset.PerformedProcedureStepStartTime = "100900"
    dataset.PerformedProcedureStepID = f"PPS{study.digits(8)}"
    dataset.PerformedProcedureStepDescription = f"{study.title} by {study.cast.operators[1].split('^')[0]}"
    if series.rich:
        dataset.RequestAttributesSequence = items(
            item(
                AccessionNumber=study.accession_number,
                StudyInstanceUID=study.uid,
                RequestedProcedureID=f"RP{study.digits(7)}",
                RequestedProcedureDescription=f"{study.title} for {_surname(study.person)}",
                ScheduledProcedureStepID=f"SPS{study.digits(7)}",
                RequestedProcedureCodeSequence=items(code("P5-0808X", "SRT", study.title)),
                ReasonForTheRequestedProcedure=f"Seen by {study.cast.physicians[0].split('^')[0]} in clinic",
            )
        )
        dataset.ReferencedPerformedProcedureStepSequence = items(
            reference("1.2.840.10008.3.1.2.3.3", study.uids("mpps", study.key, series.number))
        )


def _surname(person: Person) -> str:
    return person.name.split("=")[0].split("^")[0]


def _spoken(name: str) -> str:
    family, given = name.split("^")[:2]
    return f"{given} {family}"
