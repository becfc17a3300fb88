"""A source object as the engine sees it: read strictly, decoded only where somebody asks."""

import re
from functools import cached_property

from pydicom import config
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from dicomanon.deidentify.excerpts import elements_of, once_per_series
from dicomanon.deidentify.header import Header
from dicomanon.deidentify.reader import Part10, Unreadable, read_part10
from dicomanon.deidentify.study_facts import study_facts
from dicomanon.errors import Held
from dicomanon.identity import PatientIdentity
from dicomanon.reasons import HoldReason
from dicomanon.standard.dictionary import is_registered_uid
from dicomanon.standard.tables import format_tag

SOP_INSTANCE_UID = 0x00080018
STUDY_INSTANCE_UID = 0x0020000D
SERIES_INSTANCE_UID = 0x0020000E
PATIENT_ID = 0x00100020
MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"
DIRECTORY_GROUP = 0x0004

# pydicom's warnings about odd values quote the values: they would end up in task logs.
config.settings.reading_validation_mode = config.IGNORE

_IDENTITY_TAGS = {
    "patient_id": PATIENT_ID,
    "issuer": 0x00100021,
    "name": 0x00100010,
    "birth_date": 0x00100030,
    "sex": 0x00100040,
}
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
_LONGEST_UID = 64


@once_per_series(elements_of(_IDENTITY_TAGS.values))
def _identity(header: Header) -> PatientIdentity:
    return PatientIdentity(**{name: header.text(tag) for name, tag in _IDENTITY_TAGS.items()})


class SourceInstance(Header):
    """One object of the clinical PACS.

    Attributes
    ----------
    study_uid, series_uid, sop_uid
        As in the data set; PHI.
    identity
        Who the object says its patient is.
    facts
        What cohorts are asked by.
    """

    def __init__(self, file: Part10) -> None:
        super().__init__(file)
        self.study_uid = self._instance_uid(STUDY_INSTANCE_UID)
        self.series_uid = self._instance_uid(SERIES_INSTANCE_UID)
        self.sop_uid = self._instance_uid(SOP_INSTANCE_UID)
        self.identity = _identity(self)
        if not self.identity.patient_id:
            raise Held(HoldReason.MISSING_IDENTITY, format_tag(PATIENT_ID))
        self.facts = study_facts(self)

    @cached_property
    def dataset(self) -> Dataset:
        """The main data set as pydicom reads it, decoded element by element when asked; for reading only."""
        codec = self.file.codec
        buffer = self.file.buffer
        dataset = Dataset()
        for element in self.file.elements:
            value = bytes(buffer[element.value : element.end])
            dataset._dict[BaseTag(element.tag)] = RawDataElement(
                BaseTag(element.tag),
                element.vr if codec.explicit or element.items is not None else None,
                len(value),
                value,
                element.value,
                not codec.explicit,
                codec.little,
            )
        dataset.set_original_encoding(not codec.explicit, codec.little, self.character_set.encodings)
        return dataset

    def _instance_uid(self, tag: int) -> str:
        uid = self.text(tag)
        # A registered UID names a kind of thing: as an instance it would be shared by patients and never be replaced.
        if len(uid) > _LONGEST_UID or not _UID.fullmatch(uid) or is_registered_uid(uid):
            raise Held(HoldReason.MISSING_IDENTITY, format_tag(tag))
        return uid


def parse(raw: bytes | bytearray | memoryview) -> SourceInstance:
    """Read a Part 10 file.

    Parameters
    ----------
    raw
        The file as it came over the network; it must not change as long as the result is used.

    Raises
    ------
    Held
        ``UNREADABLE``: not a well-formed file of a supported transfer syntax, up to its last byte.
        ``DIRECTORY``: a DICOMDIR. ``MISSING_IDENTITY``: no Patient ID, or an instance UID absent or malformed.
    """
    try:
        file = read_part10(memoryview(raw).cast("B"))
        if file.media_storage_sop_class == MEDIA_STORAGE_DIRECTORY or any(
            element.tag >> 16 == DIRECTORY_GROUP for element in file.elements[:8]
        ):
            raise Held(HoldReason.DIRECTORY)
        return SourceInstance(file)
    except Held:
        raise
    except Unreadable as error:
        raise Held(HoldReason.UNREADABLE, str(error)) from None
    except Exception as error:
        # Whatever else a hostile file provokes says only its type: the text could hold a value.
        raise Held(HoldReason.UNREADABLE, type(error).__name__) from None
