"""The list of identifying strings that a sample holds, noted as they are written and gathered from what was made."""

import re
from collections.abc import Iterable, Iterator

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import UID_dictionary

SHORTEST = 8
"""Bytes of UTF-8 that a string must have to be listed; ``tests/sample`` proves that nothing identifying is shorter."""

IDENTIFYING_KEYWORDS = frozenset({
    "PatientID", "IssuerOfPatientID", "PatientAddress", "PatientTelephoneNumbers", "AccessionNumber", "StudyID",
    "AdmissionID", "InstitutionName", "InstitutionAddress", "InstitutionalDepartmentName", "StationName",
    "DeviceSerialNumber", "PlateID", "DetectorID", "OtherPatientIDs", "PersonAddress", "PersonTelephoneNumbers",
    "RequestedProcedureID", "ScheduledProcedureStepID", "PerformedProcedureStepID", "ModifyingSystem",
    "FillerOrderNumberImagingServiceRequest", "PlacerOrderNumberImagingServiceRequest", "VerifyingOrganization",
})  # fmt: skip
"""Attributes whose whole value identifies a person, a visit, a place or a device."""
_WORDS = re.compile(r"[\s^=.,'-]+")


class Planted:
    """Collects identifying strings; :meth:`values` gives them in a fixed order."""

    def __init__(self) -> None:
        self._values: set[str] = set()

    def note(self, text: str) -> str:
        """List a string and return it, so that writing and listing are one expression."""
        text = text.strip()
        if len(text.encode()) >= SHORTEST:
            self._values.add(text)
        return text

    def note_name(self, name: str) -> str:
        """List a PN value: whole, each component group, in spoken order, and every part of it."""
        self.note(name)
        for group in name.split("="):
            parts = group.split("^")
            self.note(group)
            self.note(" ".join(part for part in (parts[1:2] + parts[:1]) if part))
            for part in (*parts, *_WORDS.split(group)):
                self.note(part)
        return name

    def note_number(self, number: str) -> str:
        """List a telephone or account number as written and by its digits alone."""
        self.note(number)
        self.note(re.sub(r"\D", "", number))
        return number

    def gather(self, dataset: Dataset) -> None:
        """List the names, UIDs, dates, AE titles and identifying attributes of a finished object, at every level."""
        for element in elements(dataset):
            for value in texts(element):
                if element.VR == "PN":
                    self.note_name(value)
                elif element.VR == "UI":
                    if value not in UID_dictionary:
                        self.note(value)
                elif element.VR in {"DA", "DT"}:
                    self.note(value[:8])
                elif element.VR == "AE" or element.keyword in IDENTIFYING_KEYWORDS:
                    self.note_number(value) if "Telephone" in element.keyword else self.note(value)
                    if "Address" in element.keyword:
                        for part in value.split(","):
                            self.note(part)

    def values(self) -> list[str]:
        """Return all of them, sorted."""
        return sorted(self._values)


def elements(dataset: Dataset) -> Iterator[DataElement]:
    """Yield every element at every level of nesting, the file meta information included."""
    pending = [dataset, getattr(dataset, "file_meta", None)]
    while pending:
        for element in pending.pop() or ():
            yield element
            if element.VR == "SQ":
                pending.extend(element.value)


def texts(element: DataElement) -> Iterable[str]:
    """Return an element's values as strings; none for sequences, empty values and bytes."""
    if element.VR == "SQ" or element.value in (None, "", b"") or isinstance(element.value, bytes):
        return ()
    values = element.value if isinstance(element.value, MultiValue | list) else [element.value]
    return [str(value) for value in values]
