"""Encapsulated documents: made anew from what could be read in them, or held (PS3.3 A.45, PS3.15 section E.3.5).

Whatever a document format can hide (metadata, attachments, scripts, comments, earlier revisions, unused bytes) stays
behind, for nothing is copied that was not understood.
"""

from collections.abc import Callable
from typing import TypeAlias

from dicomanon.deidentify.documents.models import clean_material_library, clean_stl, clean_wavefront
from dicomanon.errors import Held
from dicomanon.reasons import HoldReason

CleanText: TypeAlias = Callable[[str], str]


def _clean_pdf(data: bytes, clean: CleanText) -> bytes:
    # The library costs a fifth of a second, and most tasks never meet a document.
    from dicomanon.deidentify.documents.pdf import clean_pdf

    return clean_pdf(data, clean)


def _clean_cda(data: bytes, clean: CleanText) -> bytes:
    from dicomanon.deidentify.documents.cda import clean_cda

    return clean_cda(data, clean)


_CLEANERS: dict[str, Callable[[bytes, CleanText], bytes]] = {
    "application/pdf": _clean_pdf,
    "text/xml": _clean_cda,
    "model/stl": clean_stl,
    "model/obj": clean_wavefront,
    "model/mtl": clean_material_library,
}
MAXIMUM_BYTES = 1 << 28


def clean_document(data: bytes, mime_type: str, clean: CleanText) -> bytes:
    """Return a document of the same type without what identifies.

    Parameters
    ----------
    data
        Value of Encapsulated Document (0042,0011), with or without its padding.
    mime_type
        MIME Type of Encapsulated Document (0042,0012); parameters are ignored.
    clean
        Returns a text without what identifies, the same for the same text.

    Returns
    -------
    bytes
        The same for the same input. It has no padding.

    Raises
    ------
    Held
        ``ENCAPSULATED_DOCUMENT``: the type is none we know, or the document holds what cannot be read as text.
    """
    cleaner = _CLEANERS.get(mime_type.partition(";")[0].strip().lower())
    if cleaner is None:
        raise Held(HoldReason.ENCAPSULATED_DOCUMENT, "a document type that nothing here can read")
    if len(data) > MAXIMUM_BYTES:
        raise Held(HoldReason.ENCAPSULATED_DOCUMENT, "a document larger than can be read")
    try:
        return cleaner(data, clean)
    except (Held, MemoryError):
        raise
    except Exception as error:
        # The type and no more: messages of parsers quote what they stumble over.
        raise Held(HoldReason.ENCAPSULATED_DOCUMENT, f"{type(error).__name__} in the document") from None
