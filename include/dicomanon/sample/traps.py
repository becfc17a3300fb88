"""Hiding places for identifiers beyond the ordinary attributes: private elements, nesting, preamble, padding."""

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, PrivateBlock

from dicomanon.sample.headers import UID_ROOT, Study, code, item, items, reference

_PREAMBLE_LENGTH = 128


def private_elements(dataset: Dataset, study: Study) -> None:
    """Add private blocks: one whose name PS3.15 Table E.3.10-1 lists, and one of identifiers in every kind of VR."""
    note, person = study.planted.note, study.person
    known = dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    known.add_new(0x0C, "IS", "1000")
    block = dataset.private_block(0x0029, "NORDLYS ARCHIVE 1.0", create=True)
    ascii_name = study.cast.physicians[1]
    block.add_new(0x01, "LO", note(f"ROUTE {study.digits(6)} {person.patient_id}"))
    block.add_new(0x02, "PN", ascii_name)
    block.add_new(0x03, "DA", study.da)
    block.add_new(0x04, "UI", study.uids("private", study.key))
    block.add_new(0x05, "UN", _even(note(f"UNKNOWNBYTES {study.accession_number}").encode()))
    block.add_new(0x06, "OB", _even(note(f"<owner ward='{study.site.department}'>{ascii_name}</owner>").encode()))
    block.add_new(0x07, "OW", _even(note(f"WORDSWAPPED{study.digits(8)}").encode("utf-16-le")))
    block.add_new(0x08, "DT", f"{study.da}101500")
    inner = Dataset()
    inner.PatientName = person.name
    inner.AccessionNumber = study.accession_number
    deeper = inner.private_block(0x0029, "NORDLYS ARCHIVE 1.0", create=True)
    deeper.add_new(0x01, "LT", note(f"Called back on {study.site.telephone} by {ascii_name.split('^')[0]}"))
    deeper.add_new(0x10, "SQ", items(item(PatientID=person.patient_id, InstitutionName=study.site.name)))
    block.add_new(0x10, "SQ", items(inner))


def private_creator(dataset: Dataset, study: Study) -> None:
    """Add a private block whose very creator names the patient's record."""
    block: PrivateBlock = dataset.private_block(0x0033, study.planted.note(f"QH EXPORT {study.digits(8)}"), create=True)
    block.add_new(0x01, "SH", "A")


def nested(dataset: Dataset, study: Study) -> None:
    """Add standard sequences that repeat identifiers below the top level, three deep."""
    note, person = study.planted.note, study.person
    dataset.OriginalAttributesSequence = items(
        item(
            ModifiedAttributesSequence=items(
                item(
                    PatientName=study.cast.operators[0],
                    PatientID=note(f"OLDMRN{study.digits(8)}"),
                    OtherPatientIDsSequence=items(
                        item(PatientID=note(f"OLDERID{study.digits(7)}"), TypeOfPatientID="TEXT")
                    ),
                )
            ),
            AttributeModificationDateTime=f"{study.da}110000.000000-0400",
            ModifyingSystem=f"MERGER-{study.digits(6)}",
            SourceOfPreviousValues=study.site.name,
            ReasonForTheAttributeModification="CORRECT",
        )
    )
    dataset.ReferencedPatientSequence = items(
        reference("1.2.840.10008.3.1.2.1.1", study.uids("patient", person.patient_id, person.issuer))
    )
    dataset.SourcePatientGroupIdentificationSequence = items(item(PatientID=person.patient_id))
    dataset.ProcedureCodeSequence = items(code(f"PROC{study.digits(4)}", "99QUILL", study.title))
    dataset.ResponsiblePerson = person.mother
    dataset.ResponsiblePersonRole = "PARENT"
    dataset.CurrentPatientLocation = note(f"WARD KESTREL BED {study.digits(3)}")
    dataset.ScheduledStudyStartDate = study.da
    dataset.VisitComments = f"Brought in by {person.mother.split('^')[0]}"


def preamble(dataset: Dataset, study: Study) -> None:
    """Fill the 128 bytes before the prefix with text (PS3.10 7.1)."""
    text = study.planted.note(f"EXPORTED FOR {study.person.patient_id} BY {study.cast.operators[1].replace('^', ' ')}")
    dataset.preamble = text.encode()[:_PREAMBLE_LENGTH].ljust(_PREAMBLE_LENGTH, b"\0")


def trailing_padding(dataset: Dataset, study: Study) -> None:
    """Add Data Set Trailing Padding (FFFC,FFFC) with text in it (PS3.10 7.2)."""
    text = study.planted.note(f"TRAILING NOTE {study.accession_number} {study.person.telephone}")
    dataset.add(DataElement(0xFFFCFFFC, "OB", _even(text.encode())))


def private_meta(dataset: Dataset, study: Study) -> None:
    """Add private information to the file meta group (PS3.10 7.1)."""
    dataset.file_meta.PrivateInformationCreatorUID = f"{UID_ROOT}.2"
    text = study.planted.note(f"META NOTE {study.digits(8)} {study.person.patient_id}")
    dataset.file_meta.PrivateInformation = _even(text.encode())


def _even(data: bytes) -> bytes:
    return data + b"\0" * (len(data) % 2)
