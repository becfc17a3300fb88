"""What is read of a source object or a QIDO-RS answer and passed between rooms: all PHI, none of it printable."""

from dataclasses import dataclass, fields

from dicomanon.values import MASK


class Masked:
    """Keeps field values out of ``repr``, so that no log or traceback can show them."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({MASK})"

    __str__ = __repr__


@dataclass(frozen=True, slots=True, repr=False)
class PatientIdentity(Masked):
    """Who the source object says its patient is (PS3.3 C.7.1.1); values as decoded, ``""`` where absent."""

    patient_id: str
    issuer: str = ""
    name: str = ""
    birth_date: str = ""
    sex: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class StudyFacts(Masked):
    """What cohorts are asked by: real dates, numbers and descriptions of one source object's study and series.

    ``slice_thickness`` is in mm; ``contrast`` is ``YES``, ``NO``, or ``""`` where the object does not tell.
    """

    study_date: str = ""
    study_time: str = ""
    accession_number: str = ""
    study_description: str = ""
    modality: str = ""
    series_description: str = ""
    body_part: str = ""
    manufacturer: str = ""
    manufacturer_model: str = ""
    protocol_name: str = ""
    slice_thickness: str = ""
    contrast: str = ""
    laterality: str = ""
    requesting_service: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the facts by field name, to be sealed."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, slots=True, repr=False)
class StudySighting(Masked):
    """One study as QIDO-RS reports it: its UID and how many instances the server says it has."""

    study_uid: str
    instances: int


@dataclass(frozen=True, slots=True, repr=False)
class InstanceSighting(Masked):
    """One instance as QIDO-RS reports it; ``sop_class_uid`` is ``""`` where the server omits it."""

    series_uid: str
    sop_uid: str
    sop_class_uid: str = ""
