"""PS3.6 as a lookup: VR of a tag, the part that each UID attribute plays, which UIDs are registered."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from pydicom._uid_dict import UID_dictionary
from pydicom.datadict import DicomDictionary
from pydicom.sr._cid_dict import cid_concepts
from pydicom.sr._concepts_dict import concepts
from pydicom.valuerep import STANDARD_VR

from dicomanon.standard.confidentiality import confidentiality_by_tag
from dicomanon.standard.iods import iod_by_sop_class
from dicomanon.standard.tables import format_tag, parse_tag, read_table


@cache
def dictionary_vrs() -> Mapping[int, str]:
    """Return the VR of every public tag we know, as PS3.6 writes it (``US or SS``).

    Repeating groups are left out on purpose: all are retired, and curves and overlays have rules of their own.
    Table E.1-1 adds the tags that are newer than pydicom's dictionary.
    """
    # Tags without a keyword were retired so long ago that nobody says what they hold.
    known = {tag: entry[0] for tag, entry in DicomDictionary.items() if entry[4] and entry[0] not in {"", "NONE"}}
    for tag, row in confidentiality_by_tag().items():
        known.setdefault(tag, row.vr)
    return MappingProxyType(known)


def is_single_valued(tag: int) -> bool:
    """Tell whether PS3.6 gives the attribute exactly one value (VM 1)."""
    entry = DicomDictionary.get(tag)
    return entry is not None and entry[1] == "1"


@cache
def uid_roles() -> Mapping[int, str]:
    """Return the role of each attribute of VR UI as our table gives it."""
    return MappingProxyType({parse_tag(row["tag"]): row["role"] for row in read_table("ui_attributes")})


def is_registered_uid(uid: str) -> bool:
    """Tell whether PS3.6 Annex A registers the UID; such a UID names a kind of thing, never a patient's.

    The classes of our tables count too: they are registered faster than libraries learn of them.
    """
    return uid in UID_dictionary or uid in iod_by_sop_class()


def uid_type(uid: str) -> str:
    """Return what PS3.6 Annex A calls the UID (``Transfer Syntax``, ``SOP Class`` …), or ``""``."""
    entry = UID_dictionary.get(uid)
    return entry[1] if entry else ""


def shown_tag(tag: int) -> str:
    """Return a tag as a message may show it.

    In a damaged file the bytes of a value are read as tags: a tag that nobody defines could be four letters of a name.
    """
    if tag in dictionary_vrs():
        return format_tag(tag)
    return "a private tag" if tag >> 16 & 1 else "an unknown tag"


def name_of(tag: int) -> str:
    """Return the name of a public attribute, ``""`` if nobody defines it."""
    entry = DicomDictionary.get(tag)
    if entry:
        return str(entry[2])
    row = confidentiality_by_tag().get(tag)
    return row.name if row else ""


def is_vr(text: str) -> bool:
    """Tell whether PS3.5 section 6.2 defines the VR."""
    return text in STANDARD_VR


@cache
def modalities() -> frozenset[str]:
    """Return the codes of PS3.16 CID 33, which are the defined terms of Modality in use (PS3.3 C.7.3.1.1.1)."""
    return frozenset(code for keyword in cid_concepts[33]["DCM"] for code in concepts["DCM"][keyword])
