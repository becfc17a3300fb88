"""A row of a QIDO-RS answer: what the crosswalk says goes before what the PACS says; pure."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from dicomanon.crosswalk.gateway.showing import ShownInstance, ShownSeries, ShownStudy
from dicomanon.gateway.addresses import Address
from dicomanon.gateway.attributes import Attribute, KnownBy
from dicomanon.pacs.connection import Row

Shown = ShownStudy | ShownSeries | ShownInstance

UID_KEYWORDS: Final = {
    ShownStudy: ("StudyInstanceUID", "0020000D"),
    ShownSeries: ("SeriesInstanceUID", "0020000E"),
    ShownInstance: ("SOPInstanceUID", "00080018"),
}


def address_of(shown: Shown) -> Address:
    """Return where it is."""
    match shown:
        case ShownStudy():
            return Address(shown.study_uid)
        case ShownSeries():
            return Address(shown.study_uid, shown.series_uid)
        case ShownInstance():
            return Address(shown.study_uid, shown.series_uid, shown.sop_uid)


def uid_of(shown: Shown) -> str:
    """Return the UID that names it at its level."""
    address = address_of(shown)
    return address.sop_uid or address.series_uid or address.study_uid


def row(shown: Shown, of_pacs: Row | None, fields: Sequence[Attribute], root: str) -> dict[str, Any]:
    """Return the row of a study, a series or an instance.

    Parameters
    ----------
    of_pacs
        What the PACS says of it; ``None`` where it does not have it, or not now.
    fields
        What the row is to have, in the order of tags.
    root
        Address of this DICOMweb service.
    """
    known = dict(_known(shown, root, is_there=of_pacs is not None))
    made = {}
    for attribute in fields:
        if attribute.known_by is not KnownBy.PACS:
            if attribute.keyword in known:
                made[attribute.tag] = {"vr": attribute.vr, "Value": known[attribute.keyword]}
        elif of_pacs is not None and attribute.tag in of_pacs:
            made[attribute.tag] = of_pacs[attribute.tag]
    return made


def _known(shown: Shown, root: str, *, is_there: bool) -> Iterator[tuple[str, list[Any]]]:
    address = address_of(shown)
    yield "InstanceAvailability", ["ONLINE" if is_there else "UNAVAILABLE"]
    yield "RetrieveURL", ["/".join([root, *address.path])]
    yield "PatientID", [shown.pseudonym]
    yield "StudyInstanceUID", [shown.study_uid]
    match shown:
        case ShownStudy():
            yield "ModalitiesInStudy", sorted(shown.modalities_in_study)
            yield "SOPClassesInStudy", sorted(shown.sop_classes)
            yield "NumberOfStudyRelatedSeries", [shown.series]
            yield "NumberOfStudyRelatedInstances", [shown.instances]
        case ShownSeries():
            yield "SeriesInstanceUID", [shown.series_uid]
            yield "Modality", [shown.modality]
            yield "NumberOfSeriesRelatedInstances", [shown.instances]
        case ShownInstance():
            yield "SeriesInstanceUID", [shown.series_uid]
            yield "SOPInstanceUID", [shown.sop_uid]
            yield "Modality", [shown.modality]
            yield "SOPClassUID", [shown.sop_class]
